"""Commands that carry trajectories to other formats and back."""

from __future__ import annotations

import json as to_json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..interchange.convert import ConvertedRun

EXPORT_HELP = """Write a run, or a folder of runs, in another format: osworld, agentnet or parquet.

What a format cannot say exactly is noted on stderr, or refused; nothing is dropped silently.

\b
Examples:
  saccade export runs/20260101-120000-click-test-2 --to osworld
  saccade export runs --to parquet --out runs.parquet"""

IMPORT_HELP = """Read trajectories of another format: osworld, agentnet or parquet.

One run becomes the folder --out, several become folders inside it. Code is read, never run.

\b
Examples:
  saccade import results/pyautogui/screenshot/model/os/TASK-ID --from osworld --out runs/imported
  saccade import agentnet_ubuntu_5k.jsonl --from agentnet --images ubuntu_images --out runs/agentnet"""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")]


def export(
    path: Annotated[Path, typer.Argument(help="A run's folder, or a folder of runs.", metavar="DIR")],
    to: Annotated[str, typer.Option("--to", help="osworld, agentnet or parquet.", metavar="FORMAT")],
    out: Annotated[
        Path | None, typer.Option(help="The file or folder to make; by default beside DIR.")
    ] = None,
    json: Json = False,
) -> None:
    """See ``EXPORT_HELP``."""
    from ..interchange.convert import export_runs

    _tell(export_runs(path, to, out), json)


def import_(
    source: Annotated[Path, typer.Argument(help="The file or folder to read.")],
    from_: Annotated[str, typer.Option("--from", help="osworld, agentnet or parquet.", metavar="FORMAT")],
    out: Annotated[Path, typer.Option(help="The folder to make.")],
    images: Annotated[
        Path | None, typer.Option(help="Where the pictures are, if not beside the file.")
    ] = None,
    json: Json = False,
) -> None:
    """See ``IMPORT_HELP``."""
    from ..interchange.convert import import_runs

    _tell(import_runs(source, from_, out, images), json)


def _tell(outcome: ConvertedRun, json: bool) -> None:
    if json:
        sys.stdout.write(to_json.dumps(asdict(outcome)) + "\n")
        return
    sys.stderr.write("".join(f"note: {note}\n" for note in outcome.notes))
    sys.stdout.write(f"{outcome.out}: {len(outcome.runs)} runs, {outcome.steps} steps\n")


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("export", help=EXPORT_HELP)(export)
    app.command("import", help=IMPORT_HELP)(import_)
