"""The command ``suites``."""

from __future__ import annotations

import json as to_json
import sys
from pathlib import Path
from typing import Annotated

import typer

SUITES_HELP = """List every suite: what it asks, whether its files are there, and what it still needs.

Suites of recorded screens are read as they were published; nothing is downloaded here. Their files belong in
one folder per suite, inside --data or $SACCADE_DATA (by default data/).

\b
Examples:
  saccade suites
  saccade suites --data ~/benchmarks --json"""


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("suites", help=SUITES_HELP)(_suites)


def _suites(
    data: Annotated[
        Path | None, typer.Option(help="The folder that holds a folder per suite.", metavar="DIR")
    ] = None,
    osworld_cache: Annotated[
        Path | None, typer.Option(help="OSWorld's file cache, which is only read.", metavar="DIR")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")
    ] = False,
) -> None:
    """See ``SUITES_HELP``."""
    from dataclasses import asdict

    from rich.console import Console
    from rich.text import Text

    from ..suites.catalog import catalog

    entries = catalog(data, osworld_cache)
    if json:
        found = [{**asdict(entry), "there": not entry.missing} for entry in entries]
        sys.stdout.write(to_json.dumps({"suites": found}) + "\n")
        return
    console = Console(highlight=False, soft_wrap=True)
    for entry in entries:
        state = ("missing", "yellow") if entry.missing else ("there", "green")
        console.print(Text.assemble(f"{entry.name:22}", f"{entry.family:11}", state))
        if entry.missing:
            needs = ", ".join(entry.missing) + (f" in {entry.folder}" if entry.folder else "")
            console.print(Text(f"    needs {needs}\n    from {entry.source}", style="dim"))
        if entry.selection:
            console.print(Text(f"    {entry.selection}", style="dim"))
