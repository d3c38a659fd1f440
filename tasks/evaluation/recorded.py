"""An evaluation on a suite of recorded screens: each is a question, asked once; nothing is executed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final

from pydantic import JsonValue

from ... import __version__
from ...actions.errors import DataError, EnvironmentFailure, ParseError, PolicyFailure
from ...actions.schema import Action, Scroll
from ...agent.policy import Context, Policy, UnreadableReply, Usage, settings_of
from ..models.source import PolicySource
from ..suites.base import Answer, Sample, Suite, data_root
from .folder import EvaluationConfig
from .records import EpisodeRecord, Key, usage_totals
from .workers.worker import EpisodeDone, Message, WorkerReady

PATIENCE: Final = 5
"""So many failures of the policy in a row, per worker, end the run: the model's server is down."""


@dataclass(frozen=True)
class RecordedEvaluation:
    """An evaluation on a suite of recorded screens; its methods are those of ``Evaluation``.

    Attributes:
        data: the folder that holds a folder per suite; by default ``$SACCADE_DATA`` or ``data``.
        limit: only the first so many screens.
        workers: how many policies are opened and asked at the same time.
    """

    root: Path
    suite: Suite[Any]
    source: PolicySource
    data: Path | None = None
    limit: int | None = None
    workers: int = 1
    retries: int = 0

    @property
    def asked(self) -> dict[str, JsonValue]:
        """What a resumed run must ask for again."""
        return {"suite": self.suite.name, **self.source.asked}

    @property
    def folder(self) -> Path:
        """Where the suite's files are."""
        return data_root(self.data) / self.suite.folder

    def check(self) -> None:
        """Raise MissingPartError where files are missing, before the folder is made."""
        self.suite.require(self.folder)

    def config(self, left_out: Callable[[str], None]) -> EvaluationConfig:
        """The planned screens; ``left_out`` is called with each row of a file that cannot be used."""
        faults: list[DataError] = []
        samples = [sample.id for sample in islice(self.suite.load(self.folder, faults.append), self.limit)]
        for fault in faults:
            left_out(str(fault))
        return EvaluationConfig(asked=self.asked, samples=samples, limit=self.limit, malformed_rows=len(faults))

    def pool(self, planned: int) -> _RecordedPool:
        """Policies for so many screens."""
        return _RecordedPool(self, min(self.workers, planned))


class _RecordedPool:
    """``count`` policies of this process that are asked about recorded screens; see ``WorkerPool``.

    One policy is asked in the caller's thread, so that Ctrl-C stops it; several in a thread each.
    """

    def __init__(self, evaluation: RecordedEvaluation, count: int) -> None:
        self._suite = evaluation.suite
        self._samples = self._suite.load(evaluation.folder, lambda fault: None)
        self._source = evaluation.source
        self._count = count
        self._idle: list[Policy] = []
        self._ready = False
        self._begun: dict[Key, float] = {}
        self._done: SimpleQueue[tuple[Policy, Key, EpisodeRecord | Exception]] = SimpleQueue()
        self._failures = 0

    def __enter__(self) -> _RecordedPool:
        self._idle = [self._source.open() for _ in range(self._count)]
        return self

    def __exit__(self, *error: object) -> None:
        """Threads that still wait for a reply end with the process."""

    @property
    def idle(self) -> int:
        return len(self._idle) if self._ready else 0

    @property
    def running(self) -> Mapping[Key, float]:
        now = time.monotonic()
        return {key: now - begun for key, begun in self._begun.items()}

    def assign(self, key: Key) -> None:
        policy = self._idle.pop()
        sample = next(sample for sample in self._samples if sample.id == key.task)
        self._begun[key] = time.monotonic()
        if self._count == 1:
            self._ask(policy, key, sample)
        else:
            threading.Thread(target=self._ask, args=(policy, key, sample), daemon=True).start()

    def wait(self, seconds: float) -> Iterator[Message]:
        if not self._ready:
            self._ready = True
            policy = self._idle[0]
            stated = settings_of(policy).model_dump(mode="json")
            yield WorkerReady({"saccade": __version__, "policy": policy.name, **stated})
            return
        try:
            policy, key, outcome = self._done.get(timeout=seconds)
        except Empty:
            return
        self._idle.append(policy)
        del self._begun[key]
        if isinstance(outcome, Exception):
            raise outcome
        yield EpisodeDone(outcome)
        self._count_failure(policy, outcome)

    def _count_failure(self, policy: Policy, record: EpisodeRecord) -> None:
        if record.error != "malformed":
            self._failures = self._failures + 1 if record.error == "policy" else 0
        if self._failures == PATIENCE * self._count:
            raise PolicyFailure(
                f"{policy.name} failed on {self._failures} samples in a row, last with: {record.message}; "
                "the answers so far are kept; resume (--resume) goes on from there"
            )

    def _ask(self, policy: Policy, key: Key, sample: Sample[Any]) -> None:
        outcome: EpisodeRecord | Exception
        try:
            outcome = ask(self._suite, sample, policy)
        except DataError as error:
            outcome = _record(sample, error="malformed", message=str(error))
        except Exception as error:  # raised by ``wait``
            outcome = error
        self._done.put((policy, key, outcome))


def ask(suite: Suite[Any], sample: Sample[Any], policy: Policy) -> EpisodeRecord:
    """Ask a policy about one sample's screen, and about the next one while it scrolls down.

    Raises:
        DataError: a picture is missing or broken.
    """
    policy.start()
    reply: dict[str, Any] = {}
    actions: Sequence[Action] = ()
    usages: list[Usage] = []
    began = time.perf_counter()
    for screen in range(len(sample.screens)):
        shown = sample.screenshot(screen)
        try:
            prediction = policy.predict(Context(sample.question, shown))
        except ParseError as error:
            actions = ()
            reply = {"reply": error.raw, "error": "unreadable", "message": error.reason, "unreadable": 1}
            usages += [error.usage] if isinstance(error, UnreadableReply) else []
            break
        except (EnvironmentFailure, PolicyFailure) as error:
            return _record(sample, error="policy", message=str(error))
        reply, actions = {"reply": prediction.raw}, prediction.reply.actions
        usages.append(prediction.usage)
        if not (isinstance(actions[0], Scroll) and actions[0].direction == "down"):
            break
    seconds = round(time.perf_counter() - began, 4)
    score = suite.score(sample, Answer(actions, shown.size, screen))
    return _record(
        sample,
        **{"error": score.error, **reply},
        success=score.value == 1,
        reward=score.value,
        scores=dict(score.parts),
        actions=[action.model_dump(mode="json") for action in actions],
        steps=screen + 1,
        seconds=seconds,
        timings={"predict": [seconds]},
        **usage_totals(usages),
    )


def _record(sample: Sample[Any], **values: Any) -> EpisodeRecord:
    return EpisodeRecord(
        sample=sample.id, task=sample.task or sample.id, task_steps=sample.steps, labels=dict(sample.labels), **values
    )
