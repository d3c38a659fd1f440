"""Asks a policy every sample of a suite, keeps what it said, and sums it up.

A record is written as soon as a sample is judged, so a run that is killed goes on where it was. The summary
is a function of the records alone.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

from pydantic import JsonValue

from ....actions.errors import DataError, EnvironmentFailure, ParseError
from ....actions.schema import Action, Scroll
from ....agent.policy import Context, Policy, UnreadableReply, Usage
from ....perception.observation import Observation
from ...suites.base import Answer, Sample, Suite, data_root
from ...suites.registry import get_suite
from .records import FAILED, SampleRecord, SampleStore
from .summary import summarise

PATIENCE: Final = 5
"""So many failures of the policy in a row end the run: it is gone, not unlucky."""


@dataclass(frozen=True)
class RecordedProgress:
    """How far a run is.

    Attributes:
        done: samples judged, earlier runs included.
        total: samples wanted.
        record: the newest.
    """

    done: int
    total: int
    record: SampleRecord


@dataclass(frozen=True)
class RecordedWatcher:
    """Who is told how a run goes on.

    Attributes:
        tell: hears of every record.
        complain: hears, in one line each, of rows and pictures that cannot be used; the run goes on.
    """

    tell: Callable[[RecordedProgress], None] = lambda progress: None
    complain: Callable[[str], None] = lambda line: None


def evaluate_offline(
    suite_name: str,
    data_folder: Path | None,
    policy: Policy,
    out: Path,
    limit: int | None = None,
    watcher: RecordedWatcher | None = None,
    *,
    others: Sequence[Policy] = (),
    settings: Mapping[str, JsonValue] | None = None,
) -> dict[str, Any]:
    """Ask a policy the samples of a suite that have no record yet, and sum up those and the earlier ones.

    Args:
        suite_name: see ``registry.SUITES``.
        data_folder: holds a folder per suite; by default ``$SACCADE_DATA`` or ``data``.
        policy: whom to ask; every sample begins a new episode.
        out: folder of the records; one that holds some is gone on with.
        limit: only the first so many samples.
        watcher: who is told.
        others: further policies of the same model, asked at the same time, each in a thread of its own.
        settings: what else a run that goes on must be of again.

    Returns:
        See ``summary.summarise``.

    Raises:
        UnknownTaskError: there is no such suite.
        MissingPartError: its files are not there; says what to download and where to put it.
        DataError: a file is malformed as a whole.
        UsageError: ``out`` holds records of another suite or policy, or the policy cannot be used.
        EnvironmentFailure: the policy failed ``PATIENCE`` times in a row, or each policy so often.
    """
    suite, watcher = get_suite(suite_name), watcher or RecordedWatcher()
    folder = data_root(data_folder) / suite.folder
    suite.require(folder)
    faults: list[DataError] = []

    def fault(error: DataError) -> None:
        faults.append(error)
        watcher.complain(f"left out: {error}")

    planned = [sample.id for sample in islice(suite.load(folder, fault), limit)]
    store = SampleStore(out, {"suite": suite.name, "policy": policy.name, **(settings or {})})
    open_ids = set(planned) - store.finished
    done = len(planned) - len(open_ids)
    samples = (sample for sample in suite.load(folder, lambda error: None) if sample.id in open_ids)
    judged = _judged(suite, samples, [policy, *others], fault)
    for number, record in enumerate(judged, start=done + 1):
        store.add(record)
        watcher.tell(RecordedProgress(number, len(planned), record))
    records = [store.records[name] for name in planned if name in store.records]
    return summarise(suite, records, len(faults), whole=limit is None)


def _judged(
    suite: Suite[Any],
    samples: Iterator[Sample[Any]],
    policies: Sequence[Policy],
    fault: Callable[[DataError], None],
) -> Iterator[SampleRecord]:
    failures = 0
    outcomes = (
        _together(suite, samples, policies) if len(policies) > 1 else _alone(suite, samples, policies[0])
    )
    for outcome in outcomes:
        if isinstance(outcome, DataError):
            fault(outcome)
            continue
        yield outcome
        failures = failures + 1 if outcome.error == FAILED else 0
        if failures == PATIENCE * len(policies):
            raise EnvironmentFailure(
                f"{policies[0].name} failed on {failures} samples in a row, last with: {outcome.message}; "
                "what was judged is kept, start again to go on (--resume)"
            )


def _alone(
    suite: Suite[Any], samples: Iterator[Sample[Any]], policy: Policy
) -> Iterator[SampleRecord | DataError]:
    for sample in samples:
        try:
            yield ask(suite, sample, policy)
        except DataError as error:
            yield error


def _together(
    suite: Suite[Any], samples: Iterator[Sample[Any]], policies: Sequence[Policy]
) -> Iterator[SampleRecord | DataError]:
    """Records as they come; the threads end with the process, should it be stopped."""
    found: SimpleQueue[SampleRecord | Exception | None] = SimpleQueue()
    taking, over = threading.Lock(), threading.Event()

    def work(policy: Policy) -> None:
        while not over.is_set():
            try:
                with taking:
                    sample = next(samples, None)
                if sample is None:
                    break
                found.put(ask(suite, sample, policy))
            except Exception as error:  # whatever it is, it is for the one who collects
                found.put(error)
        found.put(None)

    for policy in policies:
        threading.Thread(target=work, args=(policy,), name="asking a policy", daemon=True).start()
    try:
        working = len(policies)
        while working:
            outcome = found.get()
            if outcome is None:
                working -= 1
            elif isinstance(outcome, Exception) and not isinstance(outcome, DataError):
                raise outcome
            else:
                yield outcome
    finally:
        over.set()


def ask(suite: Suite[Any], sample: Sample[Any], policy: Policy) -> SampleRecord:
    """One sample's record: the policy is asked about its screen, and about the next while it scrolls down.

    Raises:
        DataError: a picture is missing or broken.
        UsageError: the policy cannot be used.
    """
    policy.start()
    raw, error, message = "", None, ""
    actions: Sequence[Action] = ()
    spent: list[Usage] = []
    began = time.perf_counter()
    for screen in range(len(sample.screens)):
        shown = sample.screenshot(screen)
        try:
            prediction = policy.predict(Context(sample.question, Observation(shown, time.time())))
        except ParseError as fault:
            raw, actions, error, message = fault.raw, (), "unreadable", fault.reason
            spent += [fault.usage] if isinstance(fault, UnreadableReply) else []
            break
        except EnvironmentFailure as fault:
            raw, actions, error, message = "", (), FAILED, str(fault)
            break
        raw, actions = prediction.raw, prediction.reply.actions
        spent.append(prediction.usage)
        if not (isinstance(actions[0], Scroll) and actions[0].direction == "down"):
            break
    score = suite.score(sample, Answer(actions, shown.size, screen))
    return SampleRecord(
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
        prompt_tokens=sum(usage.prompt_tokens for usage in spent),
        reply_tokens=sum(usage.reply_tokens for usage in spent),
    )
