"""The command line. Heavy imports happen inside the commands, so that ``--help`` answers at once."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import typer
from typer.main import get_command

from ...actions.errors import Stopped
from ...env.environ import hide_secrets
from ...env.signals import end_by_exception
from ..terminal.encodings import escape_unprintable, readable_words
from ..terminal.failure import explain
from . import bench, collect, doctor, eval, guard, run, screen, train, trajectories
from .help import Commands
from .options import OTHER
from .settings import apply_settings

app = Commands(
    name="saccade",
    help="A runtime for native GUI agents: look at the screen, think, act, and look again.",
    pretty_exceptions_enable=False,
    invoke_without_command=True,
)
for module in (run, trajectories, collect, train, eval, bench, screen, guard, doctor):
    app.add_typer(module.app)
_WRONG_OPTIONS: type[BaseException] = typer.BadParameter.__mro__[2]
"""Click's ``ClickException``, of which typer brings a copy in some of its versions."""


@app.callback()
def _root(context: typer.Context, version: Annotated[bool, OTHER("--version", "Print the version.")] = False) -> None:
    if version:
        from ... import __version__

        sys.stdout.write(f"saccade {__version__}\n")
    elif context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")
    else:
        apply_settings(context)


class FailureMessage(NamedTuple):
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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its status; every error raised on purpose is one line on stderr.

    With ``--json``, it is one object on stdout, too. SIGTERM, SIGHUP and an output that nobody reads any more are
    treated as Ctrl-C, so that they leave things as tidy.

    Args:
        arguments: of the command line; by default those of this process.
    """
    escape_unprintable()
    words = readable_words(sys.argv[1:] if arguments is None else arguments)
    end_by_exception()
    _show_log()
    try:
        status = _run(words)
        sys.stdout.flush()
    except OSError as error:
        if not _is_closed_output(error):
            raise
        _write_nowhere()
        status = 130
    sys.exit(status)


def _show_log() -> None:
    """Print what the library logs for its user, which it keeps quiet about in scripts."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger = logging.getLogger(__name__.partition(".")[0])
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)


def _is_closed_output(error: BaseException) -> bool:
    """Whether the terminal, or the reader of a pipe, is gone."""
    return isinstance(error, OSError) and error.errno in (errno.EPIPE, errno.EIO) and error.filename is None


def _write_nowhere() -> None:
    """Drop what is still to be written, which would fail once more at the end."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run(words: list[str]) -> Any:
    """Run a command; returns its exit status."""
    try:
        return get_command(app).main(words, "saccade", standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:
        if _is_closed_output(error):
            raise
        failure = failure_of(error)
        if "--json" in words:
            shown = {"kind": failure.kind, "message": failure.message, "exit": failure.exit}
            sys.stdout.write(json.dumps({"error": shown}, ensure_ascii=False) + "\n")
        sys.stderr.write(failure.shown)
        return failure.exit


def failure_of(error: BaseException) -> FailureMessage:
    """The message for an error."""
    if isinstance(error, _WRONG_OPTIONS):
        return _wrong_options(error)
    message = explain(error)
    if message is None:
        shown = hide_secrets("".join(traceback.format_exception(error)))
        return FailureMessage("internal", hide_secrets(f"{type(error).__name__}: {error}"), 1, shown)
    message = hide_secrets(message)
    # Who pressed Ctrl-C knows it, and the command may just have printed how to resume.
    shown = "" if isinstance(error.__cause__, KeyboardInterrupt) else f"saccade: {message}\n"
    # MissingPartError is called missing_part, EnvironmentFailure environment.
    name = type(error).__name__.removesuffix("Error").removesuffix("Failure")
    kind = "disk_full" if isinstance(error, OSError) else re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
    return FailureMessage(kind, message, 130 if isinstance(error, Stopped) else 2, shown)


def _wrong_options(error: Any) -> FailureMessage:
    shown = io.StringIO()
    error.show(shown)
    message, lines = hide_secrets(error.format_message()), hide_secrets(shown.getvalue())
    return FailureMessage("usage", message, error.exit_code, lines)
