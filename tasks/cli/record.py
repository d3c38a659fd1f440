"""The command ``record``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import options
from .help import Commands
from .options import LIMITS, OTHER, OUTPUT, WHERE

app = Commands()


@app.command(rich_help_panel="Run")
def record(
    out: Annotated[Path, OUTPUT("Folder of the recording; it must not hold a run yet.", "DIR")],
    task: Annotated[str, OTHER("What is shown, in words.", "TASK")] = "",
    env: Annotated[str | None, WHERE("What to record: desktop or browser.", "ENV")] = None,
    url: options.Url = None,
    display: options.Display = None,
    app: Annotated[str | None, WHERE("A program to start; the recording ends with it.", "COMMAND")] = None,
    redact: Annotated[list[str] | None, OUTPUT("A region to black out; may be given again.", "X,Y,WxH")] = None,
    stop: Annotated[str, LIMITS("Keys that end the recording.", "CHORD")] = "ctrl+alt+q",
    json: options.Json = False,
) -> None:
    """Record what you do with mouse and keyboard as a trajectory.

    The recording ends with ctrl+alt+q or Ctrl-C. Each action is stored with the screen before it. Text that
    is typed into password fields, or after a click into a --redact region, is replaced by a marker such as
    {{password}}; the regions are black in all pictures.

    Examples:
      saccade record --out runs/invoice --task "File the invoice"
      saccade record --out runs/note --app mousepad --redact 100,200,300x40
      saccade record --out runs/order --env browser --url https://example.org
    """
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
