"""The commands ``eval``, ``compare`` and ``suites``."""

from __future__ import annotations

import json as to_json
import sys
from pathlib import Path
from typing import Annotated

import typer

from ...agent.checkpoints.loading import LoadOptions
from ..terminal.folders import RUNS
from . import options
from .help import WORDS, Commands
from .options import ARGUMENT, LIMITS, MODEL, OTHER, OUTPUT

app = Commands()


@app.command("eval", rich_help_panel="Evaluate")
@options.loads_model
def _eval(
    context: typer.Context,
    load: LoadOptions,
    suite: Annotated[
        str,
        ARGUMENT("The benchmark, such as miniwob or screenspot-v2.", "SUITE", autocompletion=options.complete_suites),
    ],
    subset: Annotated[str | None, OTHER("A published part of the suite.", "NAME")] = None,
    tasks: Annotated[str | None, OTHER("Single tasks, separated by commas.", "NAMES")] = None,
    seeds: Annotated[str, OTHER("Seeds of each task, such as 0-49 or 1,5,7.", "SEEDS")] = "0-4",
    data: options.Data = None,
    osworld_cache: options.OsworldCache = None,
    model: options.Model = "embedded",
    dialect: options.Dialect = None,
    decoding: options.Decoding = "auto",
    constrained: options.Constrained = False,
    acceptance: options.Acceptance = "exact",
    max_images: options.MaxImages = None,
    max_pixels: options.MaxPixels = None,
    history: options.History = "full",
    share: Annotated[
        bool | None,
        MODEL(
            "--share-model/--no-share-model",
            "Load the model once per machine; by default a large one, and any on a GPU.",
            show_default=False,
        ),
    ] = None,
    max_steps: options.MaxSteps = 10,
    limit: Annotated[int | None, LIMITS("Only the first so many recorded screens.", "N", min=1)] = None,
    timeout: Annotated[float, LIMITS("Seconds after which an episode counts as broken.", "SECONDS", min=1)] = 300,
    retries: Annotated[int, LIMITS("How often a broken episode is run again.", "N", min=0)] = 2,
    workers: Annotated[int, LIMITS("Processes, each with its browser.", "N", env="WORKERS", min=1)] = 1,
    ray: Annotated[
        str | None, LIMITS("Run workers on a Ray cluster: local, auto or ray://HOST:PORT.", "ADDRESS")
    ] = None,
    price: Annotated[
        str | None, OUTPUT("Prices of a million tokens read and written, for the cost.", "READ,WRITTEN")
    ] = None,
    out: options.Out = None,
    runs: options.Runs = RUNS,
    resume: options.Resume = False,
    json: options.Json = False,
    guard: Annotated[
        str, OTHER("What may be done: open, standard, strict, read-only or a policy's file; nobody is asked.", "POLICY")
    ] = "open",
) -> None:
    """Evaluate a model on a suite.

    Interactive suites: the model acts in every task with every seed; each episode has a folder on disk.
    Suites of recorded screens: the model is asked about every screen and nothing is executed; each answer
    is a line on disk.

    An evaluation that was killed continues with --resume and ends with the same table. An episode in which
    the browser or a worker broke is run again, then counted as an error of its own kind. Success rates come
    with a 95 % interval that allows for the likeness of episodes of one task.

    Interactive suites, and their subsets:
      miniwob   browsergym (125 tasks, default), browsergym-test, pix2act, webgum, nonhidden, gym, html
      desktop   our own on Debian's programs: mousepad, galculator, gnumeric, pcmanfm, xterm
      osworld   OSWorld's tasks that need no virtual machine (with --data): a domain, small, nogdrive

    Suites of recorded screens (with --data; `saccade suites` lists the files that each needs):
      screenspot, screenspot-v2, screenspot-pro, osworld-g, osworld-g-refined, agentnetbench,
      androidcontrol-{high,low}, mind2web-{task,website,domain}, gui-odyssey-{random,app,device,task}

    Examples:
      saccade eval miniwob --tasks click-test,click-test-2 --seeds 0-9
      saccade eval miniwob --subset webgum --seeds 0-49 --workers 2 --out runs/webgum
      saccade eval miniwob --subset webgum --seeds 0-49 --workers 2 --out runs/webgum --resume
      saccade eval desktop --seeds 0-2 --max-steps 20 --workers 2
      saccade eval osworld --data ~/OSWorld --osworld-cache ~/OSWorld/cache --subset os --max-steps 15
      saccade eval screenspot-v2 --data ~/benchmarks --model openai:http://gpu:8000/v1#ui-tars --workers 8

    Exit status: 0 done, whatever the rate; 2 wrong usage or a missing part; 130 stopped by you.
    """
    from ..commands.eval import EvalRequest, eval_and_print, refuse_unused
    from ..evaluation.price import parse_price
    from ..models.source import policy_source

    options.refuse_both(context, "out", "runs")
    options.refuse_both(context, "tasks", "subset")
    refuse_unused(suite, options.all_given(context))
    paid = None if price is None else parse_price(price)
    source = policy_source(model, dialect, decoding, constrained, acceptance, max_images, max_pixels, history, load)
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
        limit=limit,
        out=out,
        runs=runs,
        resume=resume,
        price=paid,
        guard=guard,
    )
    raise typer.Exit(eval_and_print(request, json_output=json, command=context.meta[WORDS]))


@app.command(rich_help_panel="Evaluate")
def compare(
    before: Annotated[Path, ARGUMENT("An evaluation's folder.", "A")],
    after: Annotated[Path, ARGUMENT("Another evaluation's folder.", "B")],
    repeat: Annotated[int, LIMITS("Run both again until each was run so often; compare the means.", "N", min=1)] = 1,
    json: options.Json = False,
) -> None:
    """Compare two evaluations, paired by task and seed.

    Shows the difference with its 95 % interval, and every episode that was won or lost, with both reports.
    Evaluations on recorded screens are paired by screen. With --repeat each is run again as it was, into
    repeats/ in its folder, and the spread of the repeats is shown, too.

    Examples:
      saccade compare runs/before runs/after
      saccade compare runs/before runs/after --repeat 3
    """
    from ..evaluation.compare import compare_and_print

    compare_and_print(before, after, repeat=repeat, json_output=json)


@app.command(rich_help_panel="Evaluate")
def suites(data: options.Data = None, osworld_cache: options.OsworldCache = None, json: options.Json = False) -> None:
    """List all suites, and the files that each needs.

    Suites of recorded screens are read as they were published; nothing is downloaded. Their files belong in
    one folder per suite, in --data.

    Examples:
      saccade suites
      saccade suites --data ~/benchmarks --json
    """
    from dataclasses import asdict

    from rich.console import Console
    from rich.text import Text

    from ..suites.registry import catalog

    entries = catalog(data, osworld_cache)
    if json:
        found = [{**asdict(entry), "there": not entry.missing} for entry in entries]
        sys.stdout.write(to_json.dumps({"suites": found}) + "\n")
        return
    console = Console(highlight=False, soft_wrap=True)
    for entry in entries:
        state = ("missing", "yellow") if entry.missing else ("ready", "green")
        console.print(Text.assemble(f"{entry.name:22}", f"{entry.family:11}", state))
        if entry.missing:
            needs = ", ".join(entry.missing) + (f" in {entry.folder}" if entry.folder else "")
            console.print(Text(f"    needs {needs}\n    from {entry.source}", style="dim"))
        if entry.selection:
            console.print(Text(f"    {entry.selection}", style="dim"))
