"""The command ``saccade doctor``."""

from __future__ import annotations

from typing import Annotated

import typer

HELP = """Print what is there, what is missing, and the command that mends it.

\b
Examples:
  saccade doctor
  saccade doctor --json

Exit status: 0 when a plain `saccade run` works, 1 when something it needs is missing."""


def doctor(
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")
    ] = False,
) -> None:
    """See ``HELP``."""
    from ..doctor.doctor import doctor_and_print

    raise typer.Exit(doctor_and_print(json_output=json))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", help=HELP)(doctor)
