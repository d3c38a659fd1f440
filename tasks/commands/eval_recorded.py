"""``saccade eval`` of a suite of recorded screens: each sample asked once, nothing executed."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...actions.errors import UsageError
from ..evaluation.folder import EVAL_NAME, alone_in, write_file
from ..evaluation.price import Price, cost_of
from ..evaluation.recorded.records import HEADER
from ..evaluation.recorded.summary import Json
from ..models.remote_source import RemoteSource
from ..models.source import PolicySource
from ..suites.base import data_root
from ..suites.registry import get_suite
from ..terminal.folders import RUNS, new_folder
from .eval import SUMMARY_NAME, resume_line
from .eval_recorded_console import evaluate_with_progress, show


@dataclass(frozen=True)
class OfflineRequest:
    """What ``saccade eval`` was asked for; see its ``--help``."""

    suite: str
    source: PolicySource
    data: Path | None = None
    limit: int | None = None
    workers: int = 1
    out: Path | None = None
    resume: bool = False
    price: Price | None = None
    runs: Path = RUNS


def evaluate_offline_and_print(request: OfflineRequest, *, json_output: bool, command: Sequence[str]) -> int:
    """Ask a model every sample and print what came of it; returns the exit status.

    Args:
        request: what to evaluate.
        json_output: whether the last line of stdout is one JSON object.
        command: the command line, to tell how to resume it.

    Raises:
        UsageError: it cannot be run, or resumed, as asked; or its files are missing or broken.
        EnvironmentFailure: the model failed several times in a row.
        KeyboardInterrupt: it was interrupted; all is on disk, and how to go on has been said.
    """
    suite = get_suite(request.suite)
    suite.require(data_root(request.data) / suite.folder)
    if request.workers > 1 and not isinstance(request.source, RemoteSource):
        raise UsageError(
            "--workers is for models on a server (openai:URL#NAME) here: one that runs in this process is "
            "asked about one recorded screen at a time"
        )
    _check_folder(request)
    opened = [request.source.open() for _ in range(request.workers)]
    out = request.out or new_folder(f"eval-{request.suite}", request.runs)
    with alone_in(out):
        try:
            summary = evaluate_with_progress(suite.name, request.data, opened, out, request.limit)
        except KeyboardInterrupt:
            sys.stderr.write(f"what is done stays in {out}; go on with\n  {resume_line(command, out)}\n")
            raise
        if request.price is not None:
            summary["cost"] = _cost(request.price, summary)
        write_file(out / SUMMARY_NAME, json.dumps(summary, indent=1) + "\n")
    show(summary, json_output=json_output)
    return 0


def _cost(price: Price, summary: Json) -> Json:
    """A screen stands for an episode; a score that is a mean of parts tells no number of successes."""
    return cost_of(price, summary["tokens"], summary["episodes"], None).model_dump()


def _check_folder(request: OfflineRequest) -> None:
    """See that the folder is there to be gone on with, or is free.

    Raises:
        UsageError: it is not.
    """
    out = request.out
    if out is None:
        if request.resume:
            raise UsageError("--resume needs the folder to go on in: --out DIR")
        return
    if (out / EVAL_NAME).exists():
        raise UsageError(f"{out} holds an evaluation of another kind; choose another --out")
    if not request.resume and (out / HEADER).exists():
        raise UsageError(f"{out} already holds an evaluation; go on with --resume, or choose another --out")
