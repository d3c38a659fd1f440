"""The commands ``eval`` and ``compare``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

EVAL_HELP = """Run a model on every task of a suite with every seed; each episode is a folder on disk.

Killed at any moment, --resume goes on and ends with the same table. An episode that the browser or a worker
broke is tried again, then counted as an error of its own kind. Success is given with a 95 % interval that
knows that episodes of one task resemble each other.

\b
Suites and their subsets:
  miniwob   browsergym (125 tasks, default), browsergym-test, pix2act, webgum, nonhidden, gym, html

\b
Examples:
  saccade eval miniwob --tasks click-test,click-test-2 --seeds 0-9
  saccade eval miniwob --subset webgum --seeds 0-49 --workers 2 --out runs/webgum
  saccade eval miniwob --subset webgum --seeds 0-49 --workers 2 --out runs/webgum --resume

Exit status: 0 done, whatever the rate; 2 wrong usage or a missing part; 130 stopped by you."""

COMPARE_HELP = """Compare two evaluations, paired by task and seed: the difference with its 95 % interval, and
every episode that was won or lost, with both reports.

\b
Example:
  saccade compare runs/before runs/after"""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object as the last line of stdout.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("eval", help=EVAL_HELP)(_eval)
    app.command("compare", help=COMPARE_HELP)(_compare)


def _eval(
    suite: Annotated[str, typer.Argument(help="Which benchmark: miniwob.")],
    subset: Annotated[str | None, typer.Option(help="A published part of the suite.", metavar="NAME")] = None,
    tasks: Annotated[str | None, typer.Option(help="Single tasks, separated by commas.")] = None,
    seeds: Annotated[str, typer.Option(help="Seeds of each task, such as 0-49 or 1,5,7.")] = "0-4",
    model: Annotated[
        str, typer.Option(help="'embedded', a checkpoint directory or a hub id (Qwen2-VL, 2.5-VL, 3-VL).")
    ] = "embedded",
    dialect: Annotated[
        str | None, typer.Option(help="The model's language; by default what its checkpoint says.")
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
    timeout: Annotated[float, typer.Option(help="Seconds after which an episode is given up.", min=1)] = 300,
    retries: Annotated[int, typer.Option(help="Further tries for a broken episode.", min=0)] = 2,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the evaluation; by default a new one in runs/.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the evaluation in --out.")] = False,
    json: Json = False,
) -> None:
    """See ``EVAL_HELP``."""
    from .eval_command import EvalRequest, eval_and_print
    from .policies import LocalSource

    request = EvalRequest(
        suite=suite,
        subset=subset,
        tasks=tasks,
        seeds=seeds,
        source=LocalSource(model, dialect, decoding, constrained),
        max_steps=max_steps,
        workers=workers,
        share=share,
        ray=ray,
        timeout=timeout,
        retries=retries,
        out=out,
        resume=resume,
    )
    raise typer.Exit(eval_and_print(request, json_output=json, command=sys.argv[1:]))


def _compare(
    before: Annotated[Path, typer.Argument(metavar="A", help="An evaluation's folder.")],
    after: Annotated[Path, typer.Argument(metavar="B", help="Another's.")],
    json: Json = False,
) -> None:
    """See ``COMPARE_HELP``."""
    from .compare import compare_and_print

    compare_and_print(before, after, json_output=json)
