"""The command ``run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..terminal.folders import RUNS
from . import options
from .help import Commands
from .options import ARGUMENT, LIMITS, MODEL, OUTPUT, WHERE

app = Commands()


@app.command(rich_help_panel="Run")
def run(
    context: typer.Context,
    task: Annotated[str | None, ARGUMENT("What to do, in words.", "TASK")] = None,
    url: options.Url = None,
    env: options.Env = None,
    app_: Annotated[
        str | None, WHERE("--app", "The program on a private desktop, with its arguments.", "COMMAND")
    ] = None,
    display: Annotated[str | None, WHERE("An existing X display, instead of a private desktop.", ":N")] = None,
    monitor: options.Monitor = None,
    sandbox: Annotated[
        str, WHERE("none, or strict: no network, read-only system, its own home folder.", "KIND", env="SANDBOX")
    ] = "none",
    home: Annotated[
        Path | None, WHERE("The folder that a strict sandbox shows as home; by default an empty one.", "DIR")
    ] = None,
    viewport: options.Viewport = None,
    headed: options.Headed = False,
    allow_file: Annotated[bool, WHERE("--allow-file", "Let the browser open file:// pages.")] = False,
    seed: Annotated[int, WHERE("Seed of the task and of sampling.", "N", min=0)] = 0,
    yes: options.Yes = False,
    model: options.Model = "embedded",
    dialect: options.Dialect = None,
    temperature: Annotated[float, MODEL("0 decodes greedily.", "T", env="TEMPERATURE", min=0.0)] = 0.0,
    decoding: options.Decoding = "auto",
    constrained: options.Constrained = False,
    acceptance: options.Acceptance = "exact",
    max_steps: options.MaxSteps = 30,
    max_seconds: Annotated[float, LIMITS("Stop after so many seconds.", "SECONDS", env="MAX_SECONDS", min=0.0)] = 900.0,
    stop_chord: Annotated[
        str, LIMITS("Keys that stop the run at once, in any program.", "CHORD", env="STOP_CHORD")
    ] = "ctrl+alt+q",
    har: Annotated[bool, OUTPUT("--har", "Record the browser's network, for a replay without a server.")] = False,
    out: options.Out = None,
    runs: options.Runs = RUNS,
    json: options.Json = False,
    values: options.Values = None,
) -> None:
    """Let the agent do a task; write its trajectory and report.

    Without arguments the embedded policy solves a MiniWoB++ task in a headless Chromium.

    Examples:
      saccade run
      saccade run --env miniwob:click-test-2 --seed 7
      saccade run "Click the Login button" --url https://example.org --headed
      saccade run "Write a haiku and save it" --env desktop --app "mousepad haiku.txt" --sandbox strict
      saccade run "Find the price" --url https://example.org --model ByteDance-Seed/UI-TARS-1.5-7B
      saccade run --model openai:http://gpu:8000/v1#UI-TARS-1.5-7B

    Exit status: 0 success, 1 no success, 2 wrong usage or something broke, 130 stopped by you: with Ctrl-C,
    with q in the terminal (p pauses, s steps, r resumes), or with the stop chord on your display.
    """
    from ...env.registry import DesktopOptions
    from ..commands.run import RunRequest, run_and_print
    from ..replay.variables import parse_settings
    from ..terminal.parse import parse_size

    if display is not None and not options.given(context, "viewport"):
        viewport = None  # a default for private screens
    request = RunRequest(
        task=task,
        url=url,
        environment=env,
        seed=seed,
        model=model,
        dialect=dialect,
        temperature=temperature,
        decoding=decoding,
        constrained=constrained,
        acceptance=acceptance,
        max_steps=max_steps,
        max_seconds=max_seconds,
        viewport=parse_size(viewport) if viewport else None,
        headed=headed,
        values=parse_settings(values or ()),
        har=har,
        allow_file=allow_file,
        desktop=DesktopOptions(app_, display, monitor, sandbox, home),
        yes=yes,
        stop_chord=stop_chord,
        out=out,
        runs=runs,
    )
    raise typer.Exit(run_and_print(request, json_output=json))
