"""Every error Saccade raises on purpose; each branch says whose error it is.

    SaccadeError
    ├── UsageError              usage: the caller asked for something that cannot be done
    │   ├── UnknownKeyError         no keyboard has a key of this name
    │   ├── UnknownDialectError     no dialect has this name
    │   ├── UnknownTaskError        no suite or environment has a task of this name
    │   ├── DeniedError             the guard does not let an action be done
    │   ├── MissingPartError        a program, package, display or checkpoint is not installed
    │   └── DataError               a benchmark's file is not as it was published
    ├── PolicyError             policy: the model, or the server it runs on
    │   ├── ParseError              its reply cannot be read as actions
    │   │   └── UnknownActionError      ... it names an action that the dialect does not have
    │   └── PolicyFailure           it gives no reply: the server is gone, or answers with an error
    ├── EnvironmentFailure      environment: the browser crashed, a page is unreachable, the display is gone
    ├── TrajectoryError         recording: a trajectory cannot be read or written
    │   └── NewerSchemaError        ... a newer Saccade wrote it
    └── Stopped                 nobody's: a person stopped the run; nothing further is executed

A class says when it is raised; its message says what to do. The command line exits with 2 for all of them but
``Stopped``, for which it exits with 130. ``SaccadeError`` and ``PolicyError`` are never raised themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from .untrusted import one_line

if TYPE_CHECKING:
    from pydantic import ValidationError

_LONGEST_NAME = 60
"""Characters of a name, out of a file, that a message repeats."""
Fault = Literal["usage", "policy", "environment", "recording"]


class SaccadeError(Exception):
    """Base of all errors raised on purpose; its text is one line that says what to do.

    Attributes:
        fault: whose error it is; None for a stop.
    """

    fault: ClassVar[Fault | None] = None


class PolicyError(SaccadeError):
    """Base of the errors of a policy."""

    fault = "policy"


class ParseError(PolicyError):
    """Raised when a model's reply holds no readable action; nothing was or will be executed.

    Attributes:
        raw: the whole reply, unchanged.
        reason: what was wrong, in words that can be shown to the model.
    """

    def __init__(self, reason: str, raw: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.raw = raw


class UnknownActionError(ParseError):
    """Raised when a reply names an action that its dialect does not have."""


class PolicyFailure(PolicyError):
    """Raised when a policy gives no reply: its server is gone, or answers with an error."""


class UsageError(SaccadeError):
    """Raised when a request cannot be met as asked; the command line exits with 2."""

    fault = "usage"


class UnknownKeyError(UsageError):
    """Raised for a key name that no keyboard layout here has (never ignored silently)."""


class UnknownDialectError(UsageError):
    """Raised for a dialect name that is not registered; the message lists the nearest ones."""


class UnknownTaskError(UsageError):
    """Raised for a task or environment name that no suite has; the message lists the nearest ones."""


class DeniedError(UsageError):
    """Raised when the guard, or the person whom it asked, does not let an action be done; nothing was done."""


class MissingPartError(UsageError):
    """Raised when a browser, display, package or checkpoint is missing; the message says how to get it."""


class DataError(UsageError):
    """Raised when a benchmark's file cannot be read as published; the message names the file and the line."""


class TrajectoryError(SaccadeError):
    """Raised when a trajectory cannot be read or written; the message names the file and the line."""

    fault = "recording"


class NewerSchemaError(TrajectoryError):
    """Raised when a trajectory was written by a newer version than this one can read."""


class EnvironmentFailure(SaccadeError):
    """Raised when the environment broke under the agent: a crash, an unreachable page, a lost display."""

    fault = "environment"


class Stopped(SaccadeError):
    """Raised wherever work is under way when a person stops the run; ends the episode, and is recorded."""


def first_problem(error: ValidationError, whole: str = "") -> str:
    """The first thing that pydantic found wrong, after its place, or ``whole`` where no part of it is to blame."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part)[:_LONGEST_NAME] for part in first["loc"])
    return one_line(f"{place or whole}: {first['msg']}")
