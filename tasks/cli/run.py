"""The commands ``run``, ``record`` and ``replay``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...agent.checkpoints.loading import LoadOptions
from ..terminal.folders import RUNS
from . import options
from .help import WORDS, Commands
from .options import ARGUMENT, LIMITS, MODEL, OTHER, OUTPUT, WHERE

app = Commands()


@app.command(rich_help_panel="Run")
@options.loads_model
def run(
    context: typer.Context,
    load: LoadOptions,
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
    file: options.Files = None,
    allow_domain: options.AllowDomains = None,
    allow_private: options.AllowPrivate = False,
    seed: Annotated[int, WHERE("Seed of the task and of sampling.", "N", min=0)] = 0,
    yes: options.Yes = False,
    guard: options.Guard = None,
    on_ask: options.OnAsk = None,
    model: options.Model = "embedded",
    dialect: options.Dialect = None,
    temperature: Annotated[float, MODEL("0 decodes greedily.", "T", env="TEMPERATURE", min=0.0)] = 0.0,
    decoding: options.Decoding = "auto",
    constrained: options.Constrained = False,
    acceptance: options.Acceptance = "exact",
    max_images: options.MaxImages = None,
    max_pixels: options.MaxPixels = None,
    history: options.History = "full",
    max_steps: options.MaxSteps = 30,
    max_seconds: Annotated[float, LIMITS("Stop after so many seconds.", "SECONDS", env="MAX_SECONDS", min=0.0)] = 900.0,
    stop_chord: Annotated[
        str, LIMITS("Keys that stop the run at once, in any program.", "CHORD", env="STOP_CHORD")
    ] = "ctrl+alt+q",
    har: Annotated[bool, OUTPUT("--har", "Record the browser's network, for a replay without a server.")] = False,
    record_takeovers: Annotated[
        bool, OUTPUT("--record-takeovers", "Record what you do on the desktop while the run waits for you.")
    ] = False,
    out: options.Out = None,
    runs: options.Runs = RUNS,
    anchor: options.Anchor = None,
    json: options.Json = False,
    values: options.Values = None,
    secret: options.Secret = None,
    expect: options.Expect = None,
) -> None:
    """Let the agent do a task; write its trajectory and report.

    Without arguments the embedded policy solves a MiniWoB++ task in a headless Chromium.

    When the agent says that it has finished, that is only a claim. --expect judges it.

    On web pages and on your screen a guard asks you before the agent sends, buys, deletes and the like. Where
    nobody can be asked, that is denied. --guard and --on-ask change it.

    Examples:
      saccade run
      saccade run --env miniwob:click-test-2 --seed 7
      saccade run "Click the Login button" --url https://example.org --headed
      saccade run "Order tea" --url https://example.org --expect "text=Order placed" --expect "url=*/done*"
      saccade run "Write a haiku and save it" --env desktop --app "mousepad haiku.txt" --sandbox strict
      saccade run "Find the price" --url https://example.org --model ByteDance-Seed/UI-TARS-1.5-7B
      saccade run --model openai:http://gpu:8000/v1#UI-TARS-1.5-7B
      saccade run "Answer my mails" --url https://mail.example.org --guard strict
      saccade run "Find the price" --url https://example.org --allow-domain "*.example.net"
      saccade run "Log in as bo with {{password}}" --url https://example.org --secret password

    Exit status: 0 success, or finished where nothing judges; 1 no success; 2 wrong usage or something broke;
    130 stopped by you: with Ctrl-C, with q in the terminal (p pauses, s steps, r resumes), or with the stop
    chord on your display.
    """
    from ...env.expect import parse_expectations
    from ...env.places import takes
    from ...env.registry import DesktopOptions
    from ..commands.run import RunRequest, run_and_print
    from ..replay.variables import parse_settings
    from ..terminal.guard_questions import parse_on_ask
    from ..terminal.parse import parse_size

    options.refuse_both(context, "out", "runs")
    # Defaults of one's own are for the places in which they mean something.
    named_sandbox = sandbox if options.given(context, "sandbox") or home else "none"
    on_desktop = DesktopOptions(app_, display, monitor, named_sandbox, home).given()
    place = env or ("browser" if url else "desktop" if on_desktop else "miniwob")
    if not options.given(context, "viewport") and (display is not None or not takes(place, "viewport")):
        viewport = None
    headed = headed and (options.given(context, "headed") or takes(place, "headed"))
    sandbox = sandbox if takes(place, "sandbox") and display is None else named_sandbox
    request = options.request(
        RunRequest,
        locals(),
        environment=env,
        viewport=parse_size(viewport) if viewport else None,
        files=tuple(file or ()),
        allow_domains=tuple(allow_domain or ()),
        values=parse_settings(values or ()),
        secrets=options.read_secrets(secret),
        expect=parse_expectations(expect or ()),
        desktop=DesktopOptions(app_, display, monitor, sandbox, home),
        on_ask=parse_on_ask(on_ask),
    )
    raise typer.Exit(run_and_print(request, json_output=json))


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
    har: Annotated[bool, OUTPUT("--har", "Record the browser's network, for a replay without a server.")] = False,
    json: options.Json = False,
    secret: options.Secret = None,
    values: Annotated[
        list[str] | None, OTHER("--set", "name=value: where you type the value, {{name}} is recorded.", "NAME=VALUE")
    ] = None,
) -> None:
    """Record what you do with mouse and keyboard as a trajectory.

    The recording ends with ctrl+alt+q or Ctrl-C. Each action is stored with the screen before it. Text that
    is typed into password fields, or after a click into a --redact region, is replaced by a marker such as
    {{password}}; the regions are black in all pictures. So is a text given with --secret, wherever it is typed.

    Examples:
      saccade record --out runs/invoice --task "File the invoice"
      saccade record --out runs/note --app mousepad --redact 100,200,300x40
      saccade record --out runs/order --env browser --url https://example.org
      saccade record --out runs/flight --url https://example.org --set city=Rome --har
    """
    from ..commands.record import RecordRequest, record_and_print
    from ..replay.variables import parse_settings

    request = options.request(
        RecordRequest,
        locals(),
        environment=env,
        redact=tuple(redact or ()),
        stop_chord=stop,
        secrets=options.read_secrets(secret),
        values=parse_settings(values or ()),
    )
    raise typer.Exit(record_and_print(request, json_output=json))


@app.command(rich_help_panel="Run")
@options.loads_model
def replay(
    context: typer.Context,
    load: LoadOptions,
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
    file: options.Files = None,
    allow_domain: options.AllowDomains = None,
    allow_private: options.AllowPrivate = False,
    yes: options.Yes = False,
    guard: options.Guard = None,
    on_ask: options.OnAsk = None,
    allow: Annotated[
        list[str] | None, WHERE("--allow", "What a recording of others names and may use; may be given again.", "WHAT")
    ] = None,
    model: options.OtherModel = None,
    max_images: options.MaxImages = None,
    max_pixels: options.MaxPixels = None,
    history: options.History = "full",
    tolerance: Annotated[
        float | None, MODEL("How far points may differ, as a share of the screen's longer side.", "SHARE", min=0, max=1)
    ] = None,
    patience: Annotated[float, LIMITS("Seconds that --exact waits for a screen.", "SECONDS", min=0)] = 10.0,
    ignore: Annotated[
        list[str] | None, LIMITS("A region that --exact does not compare, such as a clock.", "X,Y,W,H")
    ] = None,
    update: Annotated[bool, OUTPUT("--update", "Keep the healed run as a new version beside the recording.")] = False,
    out: options.Out = None,
    runs: options.Runs = RUNS,
    anchor: options.Anchor = None,
    json: options.Json = False,
    values: options.Values = None,
    secret: options.Secret = None,
    expect: options.Expect = None,
) -> None:
    """Repeat a recorded run; a model checks each step and heals it.

    With --verify (default), the model verifies each recorded step on the live screen in one forward. Where
    it would now act differently, its own action is executed instead. --exact needs no model: it repeats the
    same actions, waits for each recorded screen, and stops where the screen differs. --offline executes
    nothing: it compares what the model would do on the recorded screens with what was done.

    A recording that you did not make on this computer may name programs, pages, a model and secrets. You are
    shown them and asked; without a terminal, name each with --allow. The error tells you the whole command.

    Examples:
      saccade replay runs/invoice
      saccade replay runs/invoice --set city=Paris --update
      saccade replay runs/invoice --exact
      saccade replay runs/invoice --expect "text=Invoice filed"
      saccade replay runs/invoice --exact --ignore 1180,0,100,24
      saccade replay runs/invoice --offline --model ByteDance-Seed/UI-TARS-1.5-7B

    Exit status: 0 success, or finished where nothing judges; 1 no success; 2 wrong usage or a broken recording;
    130 stopped by you.
    """
    from ...actions.errors import UsageError
    from ...env.expect import parse_expectations
    from ...env.places import takes
    from ...env.trajectory.trajectory import Trajectory
    from ..commands.replay import replay_and_print
    from ..replay.checks import refuse_unused
    from ..replay.environment import ReplayOverrides
    from ..replay.replay import Mode, ReplayRequest
    from ..replay.variables import parse_settings
    from ..terminal.guard_questions import parse_on_ask

    if exact + verify + offline > 1:
        raise UsageError("--exact, --verify and --offline exclude one another; give one of them")
    options.refuse_both(context, "out", "runs")
    mode: Mode = "exact" if exact else "offline" if offline else "verify"
    refuse_unused(mode, options.all_given(context))
    if headed and not options.given(context, "headed"):  # a default of one's own, for where it means something
        headed = mode != "offline" and takes(env or Trajectory.load(recording).start.environment, "headed")
    request = options.request(
        ReplayRequest,
        locals(),
        directory=recording,
        mode=mode,
        ignore=tuple(ignore or ()),
        overrides=ReplayOverrides(
            env, url, headed, seed, display, har, tuple(file or ()), tuple(allow_domain or ()), allow_private
        ),
        values=parse_settings(values or ()),
        secrets=options.read_secrets(secret),
        expect=parse_expectations(expect or ()),
        allow=tuple(allow or ()),
        on_ask=parse_on_ask(on_ask),
    )
    command = context.meta.get(WORDS, ("replay", str(recording)))
    raise typer.Exit(replay_and_print(request, json_output=json, consent=yes, command=command))
