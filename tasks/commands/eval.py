"""``saccade eval``: runs the evaluation that was asked for, and prints its summary."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from ...actions.errors import UsageError
from ...env.guard.policy import read_guard_policy
from ...env.places import named
from ...env.signals import deferred_signals
from ..evaluation.console import EvalProgress, print_summary
from ..evaluation.evaluate import Evaluation, evaluate
from ..evaluation.folder import read_config
from ..evaluation.page import PAGE_NAME
from ..evaluation.price import Price
from ..evaluation.recorded import RecordedEvaluation
from ..evaluation.results import write_results
from ..models.purpose import purpose
from ..models.source import LocalSource, PolicySource, RemoteSource
from ..suites.base import data_root
from ..suites.interactive import SupportsSelection
from ..suites.miniwob import MiniWobSuite
from ..suites.registry import get_suite, interactive_suite, is_recorded
from ..terminal.folders import RUNS, new_folder

_INTERACTIVE = ("subset", "tasks", "seeds", "max_steps", "share", "ray", "timeout", "retries", "guard")
_RECORDED = ("limit",)
_FILES = ("data", "osworld_cache")


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
    limit: int | None = None
    out: Path | None = None
    runs: Path = RUNS
    resume: bool = False
    price: Price | None = None
    guard: str = "open"


def eval_and_print(request: EvalRequest, *, json_output: bool, command: Sequence[str]) -> int:
    """Run an evaluation and print its result; returns the exit status.

    With ``json_output`` the last line of stdout is one JSON object, and the tables go to stderr. ``command`` is the
    command line, for the message that says how to resume it.
    """
    evaluation = plan(request)
    root = evaluation.root
    if isinstance(evaluation.suite, SupportsSelection):
        _say(f"{evaluation.suite.selection}; `saccade suites --json` says it of each")
    if isinstance(request.source, LocalSource) and (said := purpose(request.source.model, request.suite)):
        _say(said)
    if isinstance(evaluation.suite, MiniWobSuite):
        from ...env.browser.chromium import ROOT, is_root

        if is_root():
            _say(ROOT)
    try:
        with EvalProgress() as progress:
            pace = evaluate(evaluation, progress, resume=request.resume)
    except KeyboardInterrupt:
        with deferred_signals():
            _keep(request, command, root)
        raise
    summary = write_results(root, request.price)
    console = Console(stderr=json_output, highlight=False, soft_wrap=json_output)
    print_summary(summary, f"{root / PAGE_NAME}", console)
    if json_output:
        sys.stdout.write(json.dumps(summary.model_dump(mode="json") | {"pace": pace.as_json}) + "\n")
    return 0


def _keep(request: EvalRequest, command: Sequence[str], root: Path) -> None:
    """Summarise what was done before the evaluation was stopped, and say how to go on."""
    if read_config(root) is not None:
        with contextlib.suppress(OSError):  # the terminal may be gone
            _say(f"what is done stays in {root}; continue with\n  {resume_line(command, root)}")
        write_results(root, request.price)


def refuse_unused(suite: str, given: Iterable[str]) -> None:
    """Refuse settings, of those ``given``, that have no effect in a suite.

    Raises:
        UsageError: one has none, or there is no such suite.
    """
    recorded = is_recorded(suite)
    kinds = ("interactive suites", "suites of recorded screens")
    for name in given:
        if name in _FILES and suite != "osworld" and not (recorded and name == "data"):
            raise UsageError(f"{_named(name)} does not apply to the suite {suite}; leave it out")
        if name in (_INTERACTIVE if recorded else _RECORDED):
            raise UsageError(f"{_named(name)} is for {kinds[not recorded]}; {suite} is not one of them")


def _named(name: str) -> str:
    return named("share_model" if name == "share" else name)


def plan(request: EvalRequest) -> Evaluation | RecordedEvaluation:
    """The evaluation that was asked for; makes its folder only where none was named.

    Raises:
        UsageError: suite, subset, tasks or seeds are wrong; or ``resume`` without a folder.
    """
    make = _plan_recorded if is_recorded(request.suite) else _plan_acting
    if request.resume and request.out is None:
        raise UsageError(f"{named('resume')} needs the folder of the evaluation: out (--out DIR)")
    if request.share is not None and isinstance(request.source, RemoteSource):
        raise UsageError(f"{_named('share')} is for models that run here; a server's is shared already")
    return make(request)


def _plan_acting(request: EvalRequest) -> Evaluation:
    suite = interactive_suite(request.suite, request.data, request.osworld_cache)
    if request.tasks is not None and request.subset is not None:
        raise UsageError(f"give {named('tasks')} or {named('subset')}, not both")
    tasks = _names(request.tasks) if request.tasks is not None else list(suite.tasks(request.subset))
    suite.check(tasks)
    return Evaluation(
        seeds=parse_seeds(request.seeds),
        root=request.out or new_folder(f"eval-{request.suite}", request.runs),
        suite=suite,
        source=request.source,
        tasks=tasks,
        max_steps=request.max_steps,
        workers=request.workers,
        share=request.share,
        ray=request.ray,
        timeout=request.timeout,
        retries=request.retries,
        guard=read_guard_policy(request.guard),
    )


def _plan_recorded(request: EvalRequest) -> RecordedEvaluation:
    suite = get_suite(request.suite)
    suite.require(data_root(request.data) / suite.folder)
    if request.workers > 1 and not isinstance(request.source, RemoteSource):
        raise UsageError(
            f"{named('workers')} is for models on a server (openai:URL#NAME) here: a model in this process is "
            "asked about one recorded screen at a time"
        )
    return RecordedEvaluation(
        root=request.out or new_folder(f"eval-{request.suite}", request.runs),
        suite=suite,
        source=request.source,
        data=request.data,
        limit=request.limit,
        workers=request.workers,
    )


def parse_seeds(text: str) -> list[int]:
    """``0-3,7`` as ``[0, 1, 2, 3, 7]``; UsageError for anything else, or a seed named twice."""
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


def resume_line(command: Sequence[str], root: Path) -> str:
    """The command line that goes on where this one was interrupted."""
    words = [word for word in command if word != "--resume"]
    if not any(word == "--out" or word.startswith("--out=") for word in words):
        words += ["--out", str(root)]
    return shlex.join(["saccade", *words, "--resume"])


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError(f"{named('tasks')} names no task")
    return list(dict.fromkeys(names))


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
