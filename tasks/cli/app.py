"""The command line. Heavy imports happen inside the commands, so that ``--help`` answers at once."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.main import get_command

from . import bench, doctor, eval, record, replay, run, screen, trajectories
from .help import Commands
from .options import OTHER
from .settings import apply_settings

app = Commands(
    name="saccade",
    help="A runtime for native GUI agents: look at the screen, think, act, and look again.",
    pretty_exceptions_enable=False,
    invoke_without_command=True,
)
for module in (run, record, replay, trajectories, eval, bench, screen, doctor):
    app.add_typer(module.app)


@app.callback()
def _root(context: typer.Context, version: Annotated[bool, OTHER("--version", "Print the version.")] = False) -> None:
    if version:
        from ... import __version__

        sys.stdout.write(f"saccade {__version__}\n")
    elif context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")
    else:
        apply_settings(context)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its status; every error raised on purpose is one line on stderr.

    SIGTERM is treated as Ctrl-C, so that it leaves things as tidy.

    Args:
        arguments: of the command line; by default those of this process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        status = get_command(app).main(words, "saccade", standalone_mode=False)
    except (Exception, KeyboardInterrupt) as error:
        from .failure import failure_of

        failure = failure_of(error)
        if "--json" in words:
            sys.stdout.write(failure.as_json() + "\n")
        if failure.kind == "internal":
            raise
        sys.stderr.write(failure.shown)
        status = failure.exit
    sys.exit(status)
