"""``saccade eval``: from what was asked for to an evaluation on disk and its summary."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...actions.errors import UsageError
from ..evaluation.console import EvalProgress, print_summary
from ..evaluation.evaluate import Evaluation, evaluate
from ..evaluation.folder import read_config, read_evaluation, write_file, write_records
from ..evaluation.page import write_page
from ..evaluation.price import Price
from ..evaluation.summary import Summary, as_csv, summarise
from ..models.source import LocalSource, PolicySource
from ..suites.interactive import SupportsSelection
from ..suites.interactive_registry import interactive_suite
from ..terminal.folders import RUNS, new_folder

SUMMARY_NAME = "summary.json"
CSV_NAME = "summary.csv"


@dataclass(frozen=True)
class EvalRequest:
    """What ``saccade eval`` was asked for; see its ``--help``."""

    suite: str
    subset: str | None = None
    tasks: str | None = None
    seeds: str = "0-4"
    source: PolicySource = field(default_factory=LocalSource)
    max_steps: int = 10
    workers: int = 1
    share: bool | None = None
    ray: str | None = None
    timeout: float = 300.0
    retries: int = 2
    data: Path | None = None
    osworld_cache: Path | None = None
    out: Path | None = None
    runs: Path = RUNS
    resume: bool = False
    price: Price | None = None


def eval_and_print(request: EvalRequest, *, json_output: bool, command: Sequence[str]) -> int:
    """Run an evaluation and print what came of it; returns the exit status.

    Args:
        request: what to evaluate.
        json_output: whether the last line of stdout is one JSON object.
        command: the command line, to tell how to resume it.

    Raises:
        UsageError: it cannot be run, or resumed, as asked.
        EnvironmentFailure: workers keep dying before they are ready.
        KeyboardInterrupt: it was interrupted; all is on disk, and how to go on has been said.
    """
    evaluation = plan(request)
    root = evaluation.root
    if isinstance(evaluation.suite, SupportsSelection):
        _say(f"{evaluation.suite.selection}; `saccade suites --json` says it of each")
    try:
        with EvalProgress() as progress:
            pace = evaluate(evaluation, progress, resume=request.resume)
    except KeyboardInterrupt:
        if read_config(root) is not None:
            _say(f"what is done stays in {root}; go on with\n  {resume_line(command, root)}")
            write_results(root, request.price)
        raise
    summary = write_results(root, request.price)
    if json_output:
        sys.stdout.write(json.dumps(summary.model_dump(mode="json") | {"pace": pace.as_json}) + "\n")
    else:
        print_summary(summary, f"{root / 'index.html'}")
    return 0


def plan(request: EvalRequest) -> Evaluation:
    """The evaluation that was asked for; makes its folder only where none was named.

    Raises:
        UsageError: suite, subset, tasks or seeds are wrong; or ``resume`` without a folder.
    """
    suite = interactive_suite(request.suite, request.data, request.osworld_cache)
    if request.tasks is not None and request.subset is not None:
        raise UsageError("give --tasks or --subset, not both")
    tasks = _names(request.tasks) if request.tasks is not None else list(suite.tasks(request.subset))
    suite.check(tasks)
    seeds = parse_seeds(request.seeds)
    if request.resume and request.out is None:
        raise UsageError("--resume needs the folder to go on in: --out DIR")
    return Evaluation(
        root=request.out or new_folder(f"eval-{request.suite}", request.runs),
        suite=suite,
        source=request.source,
        tasks=tasks,
        seeds=seeds,
        max_steps=request.max_steps,
        workers=request.workers,
        share=request.share,
        ray=request.ray,
        timeout=request.timeout,
        retries=request.retries,
    )


def parse_seeds(text: str) -> list[int]:
    """``0-3,7`` as ``[0, 1, 2, 3, 7]``.

    Raises:
        UsageError: it is something else, or names a seed twice.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,10})\s*(?:-\s*(\d{1,10})\s*)?", part)
        last = int(match[2] or match[1]) if match else -1
        if match is None or last < int(match[1]) or last - int(match[1]) >= 100_000:
            raise UsageError(f"seeds are written 0-49 or 1,2,5-7, not {text!r}")
        seeds.extend(range(int(match[1]), last + 1))
    if len(set(seeds)) < len(seeds):
        raise UsageError(f"a seed is named twice in {text!r}")
    return seeds


def write_results(root: Path, price: Price | None = None) -> Summary:
    """Write ``summary.json``, ``summary.csv`` and ``index.html`` from the episodes on disk."""
    pinned, records = read_evaluation(root)
    summary = summarise(pinned, records, price)
    write_records(root, records)
    write_file(root / SUMMARY_NAME, summary.model_dump_json(indent=1) + "\n")
    write_file(root / CSV_NAME, as_csv(records))
    write_page(root, summary, records)
    return summary


def resume_line(command: Sequence[str], root: Path) -> str:
    """The command line that goes on where this one was interrupted."""
    words = [word for word in command if word != "--resume"]
    if not any(word == "--out" or word.startswith("--out=") for word in words):
        words += ["--out", str(root)]
    return shlex.join(["saccade", *words, "--resume"])


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError("--tasks names no task")
    return list(dict.fromkeys(names))


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
