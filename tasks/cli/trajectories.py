"""The commands ``view``, ``export`` and ``import``."""

from __future__ import annotations

import json as to_json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...actions.untrusted import one_line
from . import options
from .help import Commands
from .options import ARGUMENT, OTHER, OUTPUT

if TYPE_CHECKING:
    from ..interchange.convert import ConvertedRun

app = Commands()
_FORMATS = "osworld, agentnet or parquet."


@app.command(rich_help_panel="Run")
def view(
    context: typer.Context,
    paths: Annotated[list[Path], ARGUMENT("A run's folder or its trajectory.jsonl, or folders of runs.", "DIR")],
    check: Annotated[bool, OUTPUT("--check", "Only load and validate.")] = False,
    open_it: Annotated[bool, OUTPUT("--open/--no-open", "Open the page in the web browser.")] = True,
    json: options.Json = False,
) -> None:
    """Write a run's report and open it.

    For an evaluation, write its page and the reports that it links to: index.html, in its folder.

    For folders of runs, write a table that leads to each report: overview.html, in the folder, or in the
    folder around several. Reports that are missing or older than their run are written, too.

    Examples:
      saccade view runs/20260101-120000-click-test-2
      saccade view runs
      saccade view --check runs/20260101-120000-click-test-2

    Exit status: 0, or 2 if something cannot be read or, with --check, if any run is bad.
    """
    from ..commands.view import view_and_print

    options.refuse_both(context, "check", "open_it")
    raise typer.Exit(view_and_print(paths, check=check, open_it=open_it, json_output=json))


@app.command(rich_help_panel="Convert")
def export(
    path: Annotated[Path, ARGUMENT("A run's folder, or a folder of runs.", "DIR")],
    to: Annotated[str, OUTPUT("--to", _FORMATS, "FORMAT")],
    out: Annotated[Path | None, OUTPUT("The file or folder to write; by default beside DIR.", "PATH")] = None,
    json: options.Json = False,
) -> None:
    """Write runs in another format: osworld, agentnet or parquet.

    What a format cannot express exactly is noted on stderr or refused; nothing is dropped silently. Of several
    runs, those that cannot be written are named and left out.

    Examples:
      saccade export runs/20260101-120000-click-test-2 --to osworld
      saccade export runs --to parquet --out runs.parquet

    Exit status: 0, or 2 if a run was left out or nothing was written.
    """
    from ..interchange.convert import export_runs

    raise typer.Exit(_print(export_runs(path, to, out), json))


@app.command("import", rich_help_panel="Convert")
def import_(
    source: Annotated[Path, ARGUMENT("The file or folder to read.", "PATH")],
    from_: Annotated[str, OTHER("--from", _FORMATS, "FORMAT")],
    out: Annotated[Path, OUTPUT("The folder to write.", "DIR")],
    images: Annotated[Path | None, OTHER("Where the pictures are, if not beside the file.", "DIR")] = None,
    json: options.Json = False,
) -> None:
    """Read runs of another format: osworld, agentnet or parquet.

    One run becomes the folder --out; several become folders in it. Code is read, never executed. Of several runs,
    those that cannot be read are named and left out.

    Examples:
      saccade import results/pyautogui/screenshot/model/os/TASK-ID --from osworld --out runs/imported
      saccade import agentnet_ubuntu_5k.jsonl --from agentnet --images ubuntu_images --out runs/agentnet

    Exit status: 0, or 2 if a run was left out or nothing was written.
    """
    from ..interchange.convert import import_runs

    raise typer.Exit(_print(import_runs(source, from_, out, images), json))


def _print(converted: ConvertedRun, json: bool) -> int:
    """Print what was converted; returns the exit status."""
    status = 2 if converted.left_out else 0
    if json:
        sys.stdout.write(to_json.dumps(asdict(converted)) + "\n")
        return status
    from ..terminal.narrator import plural

    sys.stderr.write("".join(f"note: {one_line(note)}\n" for note in converted.notes))
    sys.stderr.write("".join(f"left out: {one_line(reason)}\n" for reason in converted.left_out))
    runs, steps = plural(len(converted.runs), "run"), plural(converted.steps, "step")
    sys.stdout.write(f"{converted.out}: {runs}, {steps}\n")
    return status
