"""What is printed when a command fails: a line on stderr, and with ``--json`` an object on stdout."""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from typing import Any

import typer

from ...actions.errors import Stopped
from ..terminal.failure import explain

_WRONG_OPTIONS: type[BaseException] = typer.BadParameter.__mro__[2]
"""Click's ``ClickException``, of which typer brings a copy in some of its versions."""


@dataclass(frozen=True)
class FailureMessage:
    """Why a command failed.

    Attributes:
        kind: the error's class, such as ``usage`` or ``missing_part``; ``internal`` for a bug.
        message: what to do about it.
        exit: the exit status.
        shown: what goes to stderr.
    """

    kind: str
    message: str
    exit: int
    shown: str

    def as_json(self) -> str:
        """One line for scripts."""
        error = {"kind": self.kind, "message": self.message, "exit": self.exit}
        return json.dumps({"error": error}, ensure_ascii=False)


def failure_of(error: BaseException) -> FailureMessage:
    """The message for an error."""
    if isinstance(error, _WRONG_OPTIONS):
        return _wrong_options(error)
    message = explain(error)
    if message is None:
        return FailureMessage("internal", f"{type(error).__name__}: {error}", 1, "")
    # Who pressed Ctrl-C knows it, and the command may just have printed how to resume.
    shown = "" if isinstance(error.__cause__, KeyboardInterrupt) else f"saccade: {message}\n"
    return FailureMessage(_kind(error), message, 130 if isinstance(error, Stopped) else 2, shown)


def _wrong_options(error: Any) -> FailureMessage:
    shown = io.StringIO()
    error.show(shown)
    return FailureMessage("usage", error.format_message(), error.exit_code, shown.getvalue())


def _kind(error: BaseException) -> str:
    """``MissingPartError`` as ``missing_part``, ``EnvironmentFailure`` as ``environment``."""
    if isinstance(error, OSError):
        return "disk_full"
    name = type(error).__name__.removesuffix("Error").removesuffix("Failure")
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
