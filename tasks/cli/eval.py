"""The commands ``eval`` and ``compare``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

EVAL_HELP = """Run a model on every task of a suite with every seed; each episode is a folder on disk.
Or ask it about every recorded screen of a suite: nothing is executed, each answer is a line on disk.

Killed at any moment, --resume goes on and ends with the same table. An episode that the browser or a worker
broke is tried again, then counted as an error of its own kind. Success is given with a 95 % interval that
knows that episodes of one task resemble each other.

\b
Suites to act in, and their subsets:
  miniwob   browsergym (125 tasks, default), browsergym-test, pix2act, webgum, nonhidden, gym, html
  desktop   our own on Debian's programs: mousepad, galculator, gnumeric, pcmanfm, xterm
  osworld   OSWorld's tasks that need no virtual machine (--data says where): a domain, small, nogdrive

\b
Suites of recorded screens (--data says where; saccade suites says what each needs):
  screenspot, screenspot-v2, screenspot-pro, osworld-g, osworld-g-refined, agentnetbench,
  androidcontrol-{high,low}, mind2web-{task,website,domain}, gui-odyssey-{random,app,device,task}

\b
Examples:
  saccade eval miniwob --tasks click-test,click-test-2 --seeds 0-9
  saccade eval miniwob --subset webgum --seeds 0-49 --workers 2 --out runs/webgum
  saccade eval miniwob --subset webgum --seeds 0-49 --workers 2 --out runs/webgum --resume
  saccade eval desktop --seeds 0-2 --max-steps 20 --workers 2
  saccade eval osworld --data ~/OSWorld --osworld-cache ~/OSWorld/cache --subset os --max-steps 15
  saccade eval screenspot-v2 --data ~/benchmarks --model openai:http://gpu:8000/v1#ui-tars --workers 8

Exit status: 0 done, whatever the rate; 2 wrong usage or a missing part; 130 stopped by you."""

COMPARE_HELP = """Compare two evaluations, paired by task and seed: the difference with its 95 % interval, and
every episode that was won or lost, with both reports. On recorded screens, paired by screen.

\b
Example:
  saccade compare runs/before runs/after"""

_TO_ACT = ("subset", "tasks", "seeds", "max_steps", "share", "ray", "timeout", "retries")
_RECORDED = ("limit",)
_FILED = ("data", "osworld_cache")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("eval", help=EVAL_HELP)(_eval)
    app.command("compare", help=COMPARE_HELP)(_compare)


def _eval(
    context: typer.Context,
    suite: Annotated[str, typer.Argument(help="Which benchmark, such as miniwob or screenspot-v2.")],
    subset: Annotated[str | None, typer.Option(help="A published part of the suite.", metavar="NAME")] = None,
    tasks: Annotated[str | None, typer.Option(help="Single tasks, separated by commas.")] = None,
    seeds: Annotated[str, typer.Option(help="Seeds of each task, such as 0-49 or 1,5,7.")] = "0-4",
    model: Annotated[
        str,
        typer.Option(help="'embedded', a checkpoint directory, a hub id, or openai:URL#NAME on a server."),
    ] = "embedded",
    dialect: Annotated[
        str | None, typer.Option(help="The model's language; by default what its checkpoint or name says.")
    ] = None,
    decoding: Annotated[
        str, typer.Option(help="What drafts replies: auto, plain, or methods such as suffix+grammar.")
    ] = "auto",
    constrained: Annotated[
        bool, typer.Option("--constrained", help="Hold replies to the dialect's grammar: every reply parses.")
    ] = False,
    max_steps: Annotated[int, typer.Option(help="Predictions per episode.", min=1)] = 10,
    workers: Annotated[int, typer.Option(help="Processes, each with its browser.", min=1)] = 1,
    share: Annotated[
        bool | None,
        typer.Option(
            "--share-model/--no-share-model",
            help="Hold the model once per machine; by default a large one, and any on a GPU.",
            show_default=False,
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(help="Run workers on a Ray cluster: local, auto or ray://HOST:PORT.", metavar="ADDRESS"),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="The folder that holds a folder per suite whose files are brought.", metavar="DIR"),
    ] = None,
    osworld_cache: Annotated[
        Path | None, typer.Option(help="OSWorld's file cache, which is only read.", metavar="DIR")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many recorded screens.", min=1)] = None,
    timeout: Annotated[float, typer.Option(help="Seconds after which an episode is given up.", min=1)] = 300,
    retries: Annotated[int, typer.Option(help="Further tries for a broken episode.", min=0)] = 2,
    price: Annotated[
        str | None,
        typer.Option(
            help="What a million tokens read and written cost, to sum it up.", metavar="READ,WRITTEN"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the evaluation; by default a new one in runs/.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the evaluation in --out.")] = False,
    json: Json = False,
) -> None:
    """See ``EVAL_HELP``."""
    from ..commands.eval import EvalRequest, eval_and_print
    from ..commands.eval_recorded import OfflineRequest, evaluate_offline_and_print
    from ..evaluation.price import parse_price
    from ..models.remote_source import source_of
    from ..suites.catalog import is_recorded

    recorded, command = is_recorded(suite), sys.argv[1:]
    _refuse_options(context, suite, recorded)
    paid = None if price is None else parse_price(price)
    source = source_of(model, dialect, decoding, constrained)
    if recorded:
        asked = OfflineRequest(suite, source, data, limit, workers, out, resume, paid)
        raise typer.Exit(evaluate_offline_and_print(asked, json_output=json, command=command))
    request = EvalRequest(
        suite=suite,
        subset=subset,
        tasks=tasks,
        seeds=seeds,
        source=source,
        max_steps=max_steps,
        workers=workers,
        share=share,
        ray=ray,
        timeout=timeout,
        retries=retries,
        data=data,
        osworld_cache=osworld_cache,
        out=out,
        resume=resume,
        price=paid,
    )
    raise typer.Exit(eval_and_print(request, json_output=json, command=command))


def _refuse_options(context: typer.Context, suite: str, recorded: bool) -> None:
    """See that no option was given that says nothing about this kind of suite.

    Raises:
        UsageError: one was.
    """
    from ...actions.errors import UsageError

    kinds = ("to act in", "of recorded screens")
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        given = source is not None and source.name == "COMMANDLINE"
        if (
            given
            and parameter.name in _FILED
            and suite != "osworld"
            and not (recorded and parameter.name == "data")
        ):
            raise UsageError(f"{parameter.opts[0]} says nothing about the suite {suite}; leave it out")
        if given and parameter.name in (_TO_ACT if recorded else _RECORDED):
            raise UsageError(
                f"{parameter.opts[0]} is for suites {kinds[not recorded]}; {suite} is one {kinds[recorded]}"
            )


def _compare(
    before: Annotated[Path, typer.Argument(metavar="A", help="An evaluation's folder.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="Another's.")],
    json: Json = False,
) -> None:
    """See ``COMPARE_HELP``."""
    from ..evaluation.compare import compare_and_print
    from ..evaluation.compare_recorded import compare_recorded_and_print, holds_recorded

    recorded = holds_recorded(before) or holds_recorded(after)
    (compare_recorded_and_print if recorded else compare_and_print)(before, after, json_output=json)
