"""Every error Saccade raises on purpose.

    SaccadeError
    ├── ParseError              a model's reply cannot be read as actions
    │   └── UnknownActionError  ... it names an action the dialect does not know
    ├── UsageError              the caller asked for something that is not there (exit code 2)
    │   ├── UnknownKeyError         a key name no keyboard has
    │   ├── UnknownDialectError     a dialect name nobody registered
    │   ├── UnknownTaskError        a task name no suite has
    │   ├── MissingPartError        a program, package, display or checkpoint is missing
    │   ├── DataError               a benchmark's file is not as it was published
    │   └── TrajectoryError         a trajectory folder or file cannot be read
    │       └── NewerSchemaError    ... because a newer Saccade wrote it
    ├── EnvironmentFailure      the world broke: browser crashed, page unreachable, display gone
    └── Stopped                 a person stopped the run; nothing further is executed

A class says when it is raised; its message says what to do. ``SaccadeError`` is never raised itself.
"""

from __future__ import annotations


class SaccadeError(Exception):
    """Base of all errors raised on purpose; its text is one line that says what to do."""


class ParseError(SaccadeError):
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


class UsageError(SaccadeError):
    """Raised when a request cannot be met as asked; the command line exits with 2."""


class UnknownKeyError(UsageError):
    """Raised for a key name that no keyboard layout here has (never ignored silently)."""


class UnknownDialectError(UsageError):
    """Raised for a dialect name that is not registered; the message lists the nearest ones."""


class UnknownTaskError(UsageError):
    """Raised for a task or environment name that no suite has; the message lists the nearest ones."""


class MissingPartError(UsageError):
    """Raised when a browser, display, package or checkpoint is missing; the message says how to get it."""


class DataError(UsageError):
    """Raised when a benchmark's file cannot be read as published; the message names the file and the line."""


class TrajectoryError(UsageError):
    """Raised when a trajectory cannot be read; the message names the file and the line."""


class NewerSchemaError(TrajectoryError):
    """Raised when a trajectory was written by a newer version than this one can read."""


class EnvironmentFailure(SaccadeError):
    """Raised when the environment broke under the agent: a crash, an unreachable page, a lost display."""


class Stopped(SaccadeError):
    """Raised wherever work is under way when a person stops the run; ends the episode, and is recorded."""
