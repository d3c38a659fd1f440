"""The command ``replay``."""

from __future__ import annotations

from typing import Annotated

import typer

from ..terminal.folders import RUNS
from . import options
from .help import Commands
from .options import LIMITS, MODEL, OTHER, OUTPUT, WHERE

app = Commands()


@app.command(rich_help_panel="Run")
def replay(
    recording: options.Recording,
    exact: Annotated[bool, OTHER("--exact", "Use no model; stop where a screen differs.")] = False,
    verify: Annotated[bool, OTHER("--verify", "Let the model check each step (default).")] = False,
    offline: Annotated[bool, OTHER("--offline", "Compare only; execute nothing.")] = False,
    env: Annotated[str | None, WHERE("Another environment than recorded.", "ENV")] = None,
    url: Annotated[str | None, WHERE("Another first page than recorded.", "URL")] = None,
    seed: Annotated[int | None, WHERE("Another seed than recorded.", "N", min=0)] = None,
    display: Annotated[str | None, WHERE("The X display to act on, such as :7.", ":N")] = None,
    headed: options.Headed = False,
    har: Annotated[bool, WHERE("--har", "Answer the browser from the recorded network; no server is needed.")] = False,
    yes: options.Yes = False,
    model: options.OtherModel = None,
    tolerance: Annotated[
        float | None, MODEL("How far points may differ, as a share of the screen's longer side.", "SHARE", min=0, max=1)
    ] = None,
    patience: Annotated[float, LIMITS("Seconds that --exact waits for a screen.", "SECONDS", min=0)] = 10.0,
    update: Annotated[bool, OUTPUT("--update", "Keep the healed run as a new version beside the recording.")] = False,
    out: options.Out = None,
    runs: options.Runs = RUNS,
    json: options.Json = False,
    values: options.Values = None,
) -> None:
    """Repeat a recorded run; a model checks each step and heals it.

    With --verify (default), the model verifies each recorded step on the live screen in one forward. Where
    it would now act differently, its own action is executed instead. --exact needs no model: it repeats the
    same actions, waits for each recorded screen, and stops where the screen differs. --offline executes
    nothing: it compares what the model would do on the recorded screens with what was done.

    Examples:
      saccade replay runs/invoice
      saccade replay runs/invoice --set city=Paris --update
      saccade replay runs/invoice --exact
      saccade replay runs/invoice --offline --model ByteDance-Seed/UI-TARS-1.5-7B

    Exit status: 0 success, 1 no success, 2 wrong usage or a broken recording, 130 stopped by you.
    """
    from ..commands.replay import choose_mode, replay_and_print
    from ..replay.environment import ReplayOverrides
    from ..replay.replay import ReplayRequest
    from ..replay.variables import parse_settings

    request = ReplayRequest(
        directory=recording,
        mode=choose_mode(exact=exact, verify=verify, offline=offline),
        place=ReplayOverrides(env, url, headed, seed, display, har),
        model=model,
        tolerance=tolerance,
        values=parse_settings(values or ()),
        patience=patience,
        update=update,
        out=out,
        runs=runs,
    )
    raise typer.Exit(replay_and_print(request, json_output=json, consent=yes))
