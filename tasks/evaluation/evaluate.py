"""Evaluation: every task with every seed, by worker processes, until each episode has a record."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from pydantic import JsonValue

from ...actions.errors import UsageError
from ..models.source import PolicySource
from ..suites.interactive import InteractiveSuite
from .folder import (
    EVAL_NAME,
    EvaluationConfig,
    alone_in,
    append_record,
    differences,
    read_config,
    write_file,
    write_records,
)
from .records import FAILURE_NAME, EpisodeRecord, Failure, Key, read_record, set_aside
from .workers.pool import Pool, WorkerPool
from .workers.worker import EpisodeDone, EpisodeFailed, Message, WorkerReady, WorkerSetup, WorkerUnusable

_TICK = 0.5
"""Seconds between two looks at the clock."""


@dataclass(frozen=True)
class Evaluation:
    """What to evaluate, and how.

    Attributes:
        root: its folder.
        suite: whose tasks.
        source: where the policy comes from.
        tasks: their names.
        seeds: of each task.
        max_steps: predictions per episode.
        workers: how many processes; results do not depend on it, nor on the next two.
        share: whether workers share one model; by default where that is worth it (docs/scale.md).
        ray: the address of a Ray cluster whose machines they run on; ``local`` starts one, None needs none.
        timeout: seconds after which an episode is given up and tried again.
        retries: further tries for an episode that something broke.
    """

    root: Path
    suite: InteractiveSuite
    source: PolicySource
    tasks: Sequence[str]
    seeds: Sequence[int]
    max_steps: int = 10
    workers: int = 1
    share: bool | None = None
    ray: str | None = None
    timeout: float = 300.0
    retries: int = 2

    @property
    def asked(self) -> dict[str, JsonValue]:
        """What a resumed run must ask for again."""
        return {
            "suite": self.suite.name,
            "tasks": list(self.tasks),
            "seeds": list(self.seeds),
            "max_steps": self.max_steps,
            **self.source.asked,
        }


@dataclass(frozen=True)
class EvaluationPace:
    """How fast one call of ``evaluate`` was.

    Attributes:
        episodes: that it brought to their end.
        seconds: that it took.
        startup: seconds of these before the first worker was ready.
    """

    episodes: int
    seconds: float
    startup: float

    @property
    def per_minute(self) -> float:
        """Episodes per minute once a worker was ready."""
        working = self.seconds - self.startup
        return round(60 * self.episodes / working, 2) if working > 0 else 0.0

    @property
    def as_json(self) -> dict[str, JsonValue]:
        """For scripts."""
        return {**asdict(self), "per_minute": self.per_minute}


class Watcher(Protocol):
    """Is told how an evaluation goes on."""

    def begin(self, total: int, records: Sequence[EpisodeRecord]) -> None:
        """So many episodes are wanted, of which these are there."""

    def finished(self, record: EpisodeRecord) -> None:
        """One more has a record."""

    def failed(self, failure: EpisodeFailed, again: bool) -> None:
        """A try was broken by something; whether it is tried again."""

    def tick(self, running: Mapping[Key, float]) -> None:
        """Time went by; what is under way, and for how many seconds."""


def evaluate(evaluation: Evaluation, watcher: Watcher, *, resume: bool = False) -> EvaluationPace:
    """Run all episodes that have no result yet; see ``eval_folder.read_evaluation`` for what came of it.

    May be interrupted, or killed, at any moment: a further call with ``resume`` goes on where it was.

    Raises:
        UsageError: the folder holds an evaluation and ``resume`` is false, or it holds one of another
            configuration; or the suite or the policy cannot be had.
        EnvironmentFailure: workers keep dying before they are ready.
        TrajectoryError: the folder cannot be written.
    """
    evaluation.suite.check(evaluation.tasks)
    with alone_in(evaluation.root):
        _check_asked(evaluation, resume)
        return _Run(evaluation, watcher).run()


def _check_asked(evaluation: Evaluation, resume: bool) -> None:
    pinned = read_config(evaluation.root)
    if pinned is None:
        return
    if not resume:
        raise UsageError(
            f"{evaluation.root} already holds an evaluation; go on with --resume, or choose another --out"
        )
    _refuse(evaluation.root, differences(pinned.asked, evaluation.asked))


def _refuse(root: Path, differing: Sequence[str]) -> None:
    if differing:
        raise UsageError(f"{root} was begun otherwise, so it is not resumed: {'; '.join(differing)}")


def _pool(evaluation: Evaluation, most: int) -> WorkerPool:
    setup = WorkerSetup(evaluation.root, evaluation.suite, evaluation.source, evaluation.max_steps)
    count = min(evaluation.workers, most)
    if evaluation.ray is None:
        return Pool(setup, count, evaluation.timeout, evaluation.share)
    from .workers.ray_pool import RayPool

    return RayPool(setup, count, evaluation.timeout, evaluation.share, evaluation.ray)


class _Run:
    """One call's share of an evaluation."""

    def __init__(self, evaluation: Evaluation, watcher: Watcher) -> None:
        self._evaluation = evaluation
        self._root = evaluation.root
        self._watcher = watcher
        self._tries: Counter[Key] = Counter()
        self._waiting: deque[Key] = deque()
        self._begun = time.monotonic()
        self._ready: float | None = None
        self._finished = 0

    def run(self) -> EvaluationPace:
        evaluation = self._evaluation
        keys = EvaluationConfig(asked=evaluation.asked, settings={}).keys
        found = {key: read_record(self._root, key) for key in keys}
        there = [record for record in found.values() if record is not None and record.error is None]
        done = {record.key for record in there}
        self._waiting.extend(key for key in keys if key not in done)
        write_records(self._root, there)
        self._watcher.begin(len(keys), there)
        if not self._waiting:
            return self._pace(time.monotonic())
        with _pool(evaluation, len(self._waiting)) as pool:
            while self._waiting or pool.running:
                while self._waiting and pool.idle:
                    self._hand_out(pool, self._waiting.popleft())
                for message in pool.wait(_TICK):
                    self._hear(message)
                self._watcher.tick(pool.running)
            ended = time.monotonic()
        return self._pace(ended)

    def _pace(self, ended: float) -> EvaluationPace:
        begun = self._begun
        return EvaluationPace(
            self._finished, round(ended - begun, 3), round((self._ready or ended) - begun, 3)
        )

    def _hand_out(self, pool: WorkerPool, key: Key) -> None:
        set_aside(key.folder(self._root))
        self._tries[key] += 1
        pool.assign(key)

    def _hear(self, message: Message) -> None:
        match message:
            case WorkerReady(settings):
                self._ready = self._ready or time.monotonic()
                self._pin(settings)
            case EpisodeDone(record):
                self._keep(record)
            case EpisodeFailed():
                self._retry(message)
            case WorkerUnusable(text):
                raise UsageError(text)

    def _pin(self, settings: dict[str, JsonValue]) -> None:
        pinned = read_config(self._root)
        if pinned is not None:
            _refuse(self._root, differences(pinned.settings, settings))
        else:
            wanted = EvaluationConfig(asked=self._evaluation.asked, settings=settings)
            write_file(self._root / EVAL_NAME, wanted.model_dump_json(indent=1) + "\n")

    def _retry(self, failed: EpisodeFailed) -> None:
        """Put a broken episode at the end of the queue, or give it up."""
        tries = self._tries[failed.key]
        again = tries <= self._evaluation.retries
        self._watcher.failed(failed, again)
        if again:
            self._waiting.append(failed.key)
            return
        folder = failed.key.folder(self._root)
        folder.mkdir(parents=True, exist_ok=True)
        note = Failure(error=failed.error, message=failed.message, attempts=tries)
        write_file(folder / FAILURE_NAME, note.model_dump_json() + "\n")
        record = read_record(self._root, failed.key)
        assert record is not None
        self._keep(record)

    def _keep(self, record: EpisodeRecord) -> None:
        self._finished += 1
        append_record(self._root, record)
        self._watcher.finished(record)
