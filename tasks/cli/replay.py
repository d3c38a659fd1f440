"""The command ``replay``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

REPLAY_HELP = """Repeat a recorded run: a model checks every step on the live screen, and heals what changed.

Without options (--verify), each recorded step is verified by the model in one forward; where it would do
something else now, that is done instead. --exact needs no model: it repeats the same actions, waits for
each recorded screen, and stops where the screen is another. --offline executes nothing: it compares what
the model would do now on the recorded screens with what was done.

\b
Examples:
  saccade replay runs/invoice
  saccade replay runs/invoice --set city=Paris --update
  saccade replay runs/invoice --exact
  saccade replay runs/invoice --offline --model ByteDance-Seed/UI-TARS-1.5-7B

Exit status: 0 achieved, 1 not achieved, 2 wrong usage or a broken recording, 130 stopped by a person."""


BENCH_HELP = """Time the model on the screens of a recording: writing plainly, with drafters, and verifying.

\b
Example:
  saccade bench replay runs/invoice --json"""


def register(app: typer.Typer, bench: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("replay", help=REPLAY_HELP)(_replay)
    bench.command("replay", help=BENCH_HELP)(_bench_replay)


def _replay(
    recording: Annotated[Path, typer.Argument(help="A run's folder.")],
    exact: Annotated[bool, typer.Option("--exact", help="No model; stop where a screen differs.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="The model checks each step (default).")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Compare only; execute nothing.")] = False,
    env: Annotated[str | None, typer.Option(help="Another environment than recorded.", metavar="ENV")] = None,
    url: Annotated[str | None, typer.Option(help="Another first page than recorded.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed than recorded.", min=0)] = None,
    display: Annotated[str | None, typer.Option(help="The X display to act on, such as :1.")] = None,
    headed: Annotated[bool, typer.Option("--headed", help="Show the browser.")] = False,
    har: Annotated[
        bool, typer.Option("--har", help="Take the browser's network from the recording; no server.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="Another model than the one that made the recording.")
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(help="How far points may be off, as a share of the screen's longer side.", min=0, max=1),
    ] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="name=value for a variable.", metavar="NAME=VALUE")
    ] = None,
    patience: Annotated[float, typer.Option(help="Seconds --exact waits for a screen.", min=0)] = 10.0,
    update: Annotated[
        bool, typer.Option("--update", help="Keep the healed run as a new version beside the recording.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder of this run; by default a new one in runs/.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Take a person's screen without asking.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")
    ] = False,
) -> None:
    """See ``REPLAY_HELP``."""
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
    )
    raise typer.Exit(replay_and_print(request, json_output=json, consent=yes))


def _bench_replay(
    recording: Annotated[Path, typer.Argument(help="A run's folder, with replies of a policy.")],
    model: Annotated[
        str | None, typer.Option(help="Another model than the one that made the recording.")
    ] = None,
    threads: Annotated[int, typer.Option(help="Threads of torch.", min=1)] = 1,
    rounds: Annotated[int, typer.Option(help="Of each way the fastest round counts.", min=1)] = 3,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")
    ] = False,
) -> None:
    """See ``BENCH_HELP``."""
    from ..bench.replay import bench_replay
    from ..terminal.narrator import print_ways

    print_ways(bench_replay(recording, model, threads, rounds), json_output=json)
