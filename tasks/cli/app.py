"""The command line. Heavy imports happen inside the commands, so that ``--help`` answers at once."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from .desktop import register as register_desktop
from .doctor import register as register_doctor
from .eval import register as register_eval
from .interchange import register as register_interchange
from .record import register as register_record
from .replay import register as register_replay
from .suites import register as register_suites

app = typer.Typer(
    name="saccade",
    help="A runtime for native GUI agents: it looks at the screen, thinks, acts, and looks again.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
bench = typer.Typer(help="Measure the runtime on this machine.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(bench, name="bench")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")]

RUN_HELP = """Run the agent on a task and write its trajectory and report.

Without arguments the embedded policy solves a MiniWoB++ task in a headless Chromium.

\b
Examples:
  saccade run
  saccade run --env miniwob:click-test-2 --seed 7
  saccade run "Click the Login button" --url https://example.org --headed
  saccade run "Write a haiku and save it" --env desktop --app "mousepad haiku.txt" --sandbox strict
  saccade run "Find the price" --url https://example.org --model ByteDance-Seed/UI-TARS-1.5-7B
  saccade run --model openai:http://gpu:8000/v1#UI-TARS-1.5-7B

Exit status: 0 achieved, 1 not achieved, 2 wrong usage or a missing part, 130 stopped by you: by
Ctrl-C, by q in the terminal (p pauses, s steps, r goes on), or by the stop chord on your display."""


PARSE_HELP = """Read a model's raw reply on stdin and print its thought and actions as one line of JSON.

A reply that cannot be read gives {"error": ...}; points are in pixels of the screenshot.

\b
Example:
  echo "Action: click(start_box='(500,500)')" | saccade parse --dialect uitars-1.0 --size 1280x720"""

VIEW_HELP = """Write a run's HTML report and open it; of folders of runs, a table that leads to each report.

The table is overview.html in the folder, or in the one around several. Reports that are missing or older
than their run are written too.

\b
Examples:
  saccade view runs/20260101-120000-click-test-2
  saccade view runs
  saccade view --check runs/20260101-120000-click-test-2

Exit status: 0, or 2 if something cannot be read or, with --check, if any run is bad."""

STEP_HELP = """Time one step of the runtime without a model on MiniWoB++: capture, settle, parse, act.

\b
Example:
  saccade bench step --json"""


DECODING_HELP = """Time every way of decoding against transformers' own on screens of MiniWoB++, and whole
episodes against recomputing the last five screenshots. Ratios say how many times faster.

\b
Example:
  saccade bench decoding --prompts 6 --json"""


TRAIN_HEADS_HELP = """Train drafting heads for a checkpoint on its own replies to MiniWoB++ screens.

The model stays as it is. Replies are kept in runs/heads/ and used again. Ctrl-C saves; --resume goes on.

\b
Examples:
  saccade train-heads --method mtp
  saccade train-heads --model ByteDance-Seed/UI-TARS-1.5-7B --method medusa --prompts 5000"""


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Options before the command."""
    if version:
        from ... import __version__

        sys.stdout.write(f"saccade {__version__}\n")
    elif context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")


@app.command(help=RUN_HELP)
def run(
    task: Annotated[str | None, typer.Argument(help="What to do, in words.")] = None,
    url: Annotated[str | None, typer.Option(help="The page to start on.")] = None,
    env: Annotated[
        str | None, typer.Option(help="Where to act: browser, desktop, or miniwob:TASK.", metavar="ENV")
    ] = None,
    app_: Annotated[
        str | None,
        typer.Option(
            "--app", help="The program on a private desktop, with its arguments.", metavar="COMMAND"
        ),
    ] = None,
    display: Annotated[
        str | None, typer.Option(help="A desktop that is there, instead of a private one.", metavar=":N")
    ] = None,
    monitor: Annotated[int | None, typer.Option(help="Which monitor; by default the primary.", min=1)] = None,
    sandbox: Annotated[
        str, typer.Option(help="strict: no network, read-only system, a home of its own.", metavar="KIND")
    ] = "none",
    home: Annotated[
        Path | None, typer.Option(help="The folder a strict sandbox shows as home; by default none is kept.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Take the pointer of --display without asking.")] = False,
    seed: Annotated[int, typer.Option(help="Seeds the task and sampling.", min=0)] = 0,
    model: Annotated[
        str,
        typer.Option(help="'embedded', a checkpoint directory, a hub id, or openai:URL#NAME on a server."),
    ] = "embedded",
    dialect: Annotated[
        str | None, typer.Option(help="The model's language; by default what its checkpoint or name says.")
    ] = None,
    temperature: Annotated[float, typer.Option(help="0 decodes greedily.", min=0.0)] = 0.0,
    decoding: Annotated[
        str, typer.Option(help="What drafts replies: auto, plain, or methods such as suffix+grammar.")
    ] = "auto",
    constrained: Annotated[
        bool, typer.Option("--constrained", help="Hold replies to the dialect's grammar: every reply parses.")
    ] = False,
    max_steps: Annotated[int, typer.Option(help="Stop after so many predictions.", min=1)] = 30,
    max_seconds: Annotated[float, typer.Option(help="Stop after so much wall time.", min=0.0)] = 900.0,
    viewport: Annotated[
        str | None,
        typer.Option(help="Size of the page or the private screen, WxH; by default what suits the model."),
    ] = None,
    headed: Annotated[bool, typer.Option("--headed", help="Show the browser.")] = False,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", help="name=value for {{name}} in the task.", metavar="NAME=VALUE"),
    ] = None,
    har: Annotated[
        bool, typer.Option("--har", help="Keep the browser's network, for a replay without a server.")
    ] = False,
    allow_file: Annotated[
        bool, typer.Option("--allow-file", help="Let the browser open file:// pages.")
    ] = False,
    stop_chord: Annotated[
        str, typer.Option(help="Keys that stop the run at once, from any program.")
    ] = "ctrl+alt+q",
    out: Annotated[
        Path | None, typer.Option(help="Folder of this run; by default a new one in runs/.")
    ] = None,
    json: Json = False,
) -> None:
    """See ``RUN_HELP``."""
    from ...env.registry import DesktopOptions
    from ..commands.run import RunRequest, run_and_print
    from ..replay.variables import parse_settings
    from ..terminal.parse import parse_size

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
    )
    raise typer.Exit(run_and_print(request, json_output=json))


@app.command("train-heads", help=TRAIN_HEADS_HELP)
def train_heads(
    model: Annotated[str, typer.Option(help="'embedded', a checkpoint directory or a hub id.")] = "embedded",
    method: Annotated[str, typer.Option(help="medusa or mtp.")] = "mtp",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the heads; by default heads/METHOD beside the checkpoint.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Updates.", min=1)] = 400,
    prompts: Annotated[int, typer.Option(help="Replies to learn from.", min=1)] = 600,
    tasks: Annotated[
        str | None, typer.Option(help="MiniWoB++ tasks, separated by commas; by default all it may know.")
    ] = None,
    depth: Annotated[int, typer.Option(help="Heads, or tokens that MTP chains learn to draft.", min=1)] = 4,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted training.")] = False,
    json: Json = False,
) -> None:
    """See ``TRAIN_HEADS_HELP``."""
    from ..commands.train_heads import HeadsRequest, train_and_print

    chosen = tasks.split(",") if tasks else ()
    train_and_print(HeadsRequest(model, method, out, steps, prompts, chosen, depth, resume), json_output=json)


@app.command(help=PARSE_HELP)
def parse(
    dialect: Annotated[str, typer.Option(help="Name of the dialect, such as uitars-1.5.")],
    size: Annotated[str, typer.Option(help="Size of the screenshot the model saw, WxH.")] = "1920x1080",
) -> None:
    """See ``PARSE_HELP``."""
    from ..terminal.parse import parse_line

    raw = sys.stdin.buffer.read().decode(errors="replace")
    sys.stdout.buffer.write(parse_line(raw, dialect, size).encode(errors="replace") + b"\n")


@app.command(help=VIEW_HELP)
def view(
    paths: Annotated[
        list[Path],
        typer.Argument(help="A run's folder or its trajectory.jsonl, or folders of runs.", metavar="DIR..."),
    ],
    check: Annotated[bool, typer.Option("--check", help="Only load and validate.")] = False,
    open_it: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the web browser.")] = True,
) -> None:
    """See ``VIEW_HELP``."""
    from ..commands.view import view_and_print

    raise typer.Exit(view_and_print(paths, check=check, open_it=open_it))


@bench.command("step", help=STEP_HELP)
def bench_step(
    tasks: Annotated[str, typer.Option(help="MiniWoB++ tasks, separated by commas.")] = (
        "click-test,click-test-2,click-button,focus-text"
    ),
    steps: Annotated[int, typer.Option(help="Steps per task.", min=1)] = 25,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    json: Json = False,
) -> None:
    """See ``STEP_HELP``."""
    from ..bench.step import bench_step as measure
    from ..terminal.narrator import print_timings

    print_timings(measure(tasks.split(","), steps, seed), json_output=json)


@bench.command("decoding", help=DECODING_HELP)
def bench_decoding(
    model: Annotated[str, typer.Option(help="'embedded', a checkpoint directory or a hub id.")] = "embedded",
    threads: Annotated[int, typer.Option(help="Threads of torch.", min=1)] = 1,
    prompts: Annotated[int, typer.Option(help="Screens to reply to.", min=1)] = 12,
    rounds: Annotated[int, typer.Option(help="Of each prompt the fastest round counts.", min=1)] = 3,
    json: Json = False,
) -> None:
    """See ``DECODING_HELP``."""
    from ..bench.decoding import bench_decoding as measure
    from ..terminal.narrator import print_decoding

    print_decoding(measure(model, threads, prompts, rounds), json_output=json)


register_desktop(app)
register_interchange(app)
register_doctor(app)
register_record(app)
register_eval(app)
register_replay(app, bench)
register_suites(app)


def main() -> None:
    """Entry point: every error raised on purpose becomes one line on stderr and exit status 2; a stop, 130.

    A polite kill is treated as Ctrl-C, so that it leaves things as tidy.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app(prog_name="saccade")
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    except Exception as error:
        from ...actions.errors import Stopped
        from ..terminal.failure import explain

        line = explain(error)
        if line is None:
            raise
        sys.stderr.write(f"saccade: {line}\n")
        sys.exit(130 if isinstance(error, Stopped) else 2)
