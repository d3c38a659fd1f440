"""Asks a policy every sample of a suite, keeps what it said, and sums it up.

A record is written as soon as a sample is judged, so a run that is killed goes on where it was. The summary
is a function of the records alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from ...actions.errors import DataError, EnvironmentFailure, ParseError
from ...actions.schema import Action, Scroll
from ...agent.policy import Context, Policy
from ...perception.observation import Observation
from .base import Answer, Sample, Suite, data_root
from .registry import get_suite
from .store import FAILED, Record, Store
from .summary import summarise

PATIENCE: Final = 5
"""So many failures of the policy in a row end the run: it is gone, not unlucky."""


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        done: samples judged, earlier runs included.
        total: samples wanted.
        record: the newest.
    """

    done: int
    total: int
    record: Record


@dataclass(frozen=True)
class Watcher:
    """Who is told how a run goes on.

    Attributes:
        tell: hears of every record.
        complain: hears, in one line each, of rows and pictures that cannot be used; the run goes on.
    """

    tell: Callable[[Progress], None] = lambda progress: None
    complain: Callable[[str], None] = lambda line: None


def evaluate_offline(
    suite_name: str,
    data_folder: Path | None,
    policy: Policy,
    out: Path,
    limit: int | None = None,
    watcher: Watcher | None = None,
) -> dict[str, Any]:
    """Ask a policy the samples of a suite that have no record yet, and sum up those and the earlier ones.

    Args:
        suite_name: see ``registry.SUITES``.
        data_folder: holds a folder per suite; by default ``$SACCADE_DATA`` or ``data``.
        policy: whom to ask; every sample begins a new episode.
        out: folder of the records; one that holds some is gone on with.
        limit: only the first so many samples.
        watcher: who is told.

    Returns:
        See ``summary.summarise``.

    Raises:
        UnknownTaskError: there is no such suite.
        MissingPartError: its files are not there; says what to download and where to put it.
        DataError: a file is malformed as a whole.
        UsageError: ``out`` holds records of another suite or policy, or the policy cannot be used.
        EnvironmentFailure: the policy failed ``PATIENCE`` times in a row.
    """
    suite, watcher = get_suite(suite_name), watcher or Watcher()
    folder = data_root(data_folder) / suite.folder
    suite.require(folder)
    faults: list[DataError] = []

    def fault(error: DataError) -> None:
        faults.append(error)
        watcher.complain(f"left out: {error}")

    planned = [sample.id for sample in islice(suite.load(folder, fault), limit)]
    store = Store(out, {"suite": suite.name, "policy": policy.name})
    open_ids = set(planned) - store.finished
    done = len(planned) - len(open_ids)
    samples = (sample for sample in suite.load(folder, lambda error: None) if sample.id in open_ids)
    for number, record in enumerate(_judged(suite, samples, policy, fault), start=done + 1):
        store.add(record)
        watcher.tell(Progress(number, len(planned), record))
    records = [store.records[name] for name in planned if name in store.records]
    return summarise(suite, records, len(faults), whole=limit is None)


def _judged(
    suite: Suite[Any],
    samples: Iterator[Sample[Any]],
    policy: Policy,
    fault: Callable[[DataError], None],
) -> Iterator[Record]:
    failures = 0
    for sample in samples:
        try:
            record = ask(suite, sample, policy)
        except DataError as error:
            fault(error)
            continue
        yield record
        failures = failures + 1 if record.error == FAILED else 0
        if failures == PATIENCE:
            raise EnvironmentFailure(
                f"{policy.name} failed on {PATIENCE} samples in a row, last with: {record.message}; "
                "what was judged is kept, start again to go on"
            )


def ask(suite: Suite[Any], sample: Sample[Any], policy: Policy) -> Record:
    """One sample's record: the policy is asked about its screen, and about the next while it scrolls down.

    Raises:
        DataError: a picture is missing or broken.
        UsageError: the policy cannot be used.
    """
    policy.start()
    raw, error, message = "", None, ""
    actions: Sequence[Action] = ()
    began = time.perf_counter()
    for screen in range(len(sample.screens)):
        shown = sample.screenshot(screen)
        try:
            prediction = policy.predict(Context(sample.question, Observation(shown, time.time())))
        except ParseError as fault:
            raw, actions, error, message = fault.raw, (), "unreadable", fault.reason
            break
        except EnvironmentFailure as fault:
            raw, actions, error, message = "", (), FAILED, str(fault)
            break
        raw, actions = prediction.raw, prediction.reply.actions
        if not (isinstance(actions[0], Scroll) and actions[0].direction == "down"):
            break
    score = suite.score(sample, Answer(actions, shown.size, screen))
    return Record(
        id=sample.id,
        value=score.value,
        parts=dict(score.parts),
        error=error or score.error,
        message=message,
        labels=dict(sample.labels),
        task=sample.task or sample.id,
        steps=sample.steps,
        reply=raw,
        actions=[action.model_dump(mode="json") for action in actions],
        seconds=round(time.perf_counter() - began, 4),
    )
