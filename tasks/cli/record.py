"""The command ``record``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RECORD_HELP = """Record what you do with mouse and keyboard as a trajectory, until ctrl+alt+q or Ctrl-C.

Each action comes with the screen from before it. What is typed into password fields, or
after a click into a --redact region, is replaced by a marker such as {{password}}; the regions are black
in all pictures.

\b
Examples:
  saccade record --out runs/invoice --task "File the invoice"
  saccade record --out runs/note --app mousepad --redact 100,200,300x40
  saccade record --out runs/order --env browser --url https://example.org"""


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("record", help=RECORD_HELP)(_record)


def _record(
    out: Annotated[Path, typer.Option(help="Folder of the recording; must not hold a run yet.")],
    task: Annotated[str, typer.Option(help="What it shows, in words.")] = "",
    env: Annotated[
        str | None, typer.Option(help="What to record: desktop or browser.", metavar="ENV")
    ] = None,
    url: Annotated[str | None, typer.Option(help="The page to begin on, in a browser.")] = None,
    display: Annotated[
        str | None, typer.Option(help="The X display to record, such as :1; by default your own screen.")
    ] = None,
    app: Annotated[
        str | None, typer.Option(help="A program to start; the recording ends with it.", metavar="COMMAND")
    ] = None,
    redact: Annotated[
        list[str] | None,
        typer.Option(help="A region X,Y,WxH that must not be kept; may be given again.", metavar="REGION"),
    ] = None,
    stop: Annotated[str, typer.Option(help="Keys that end it.", metavar="CHORD")] = "ctrl+alt+q",
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")
    ] = False,
) -> None:
    """See ``RECORD_HELP``."""
    from ..commands.record import RecordRequest, record_and_print

    request = RecordRequest(
        out=out,
        task=task,
        environment=env,
        display=display,
        app=app,
        url=url,
        redact=tuple(redact or ()),
        stop_chord=stop,
    )
    raise typer.Exit(record_and_print(request, json_output=json))
