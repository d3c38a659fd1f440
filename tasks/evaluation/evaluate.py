"""Evaluation: every planned episode is run by workers until each has a record."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass

from pydantic import JsonValue

from ...actions.errors import UsageError
from ...env.private_files import private_folder
from ...env.signals import deferred_signals
from .folder import (
    EVAL_NAME,
    EvaluationConfig,
    append_record,
    keep_damaged,
    lock_folder,
    read_config,
    read_lines,
    read_records,
    write_file,
    write_records,
)
from .recorded import RecordedEvaluation
from .records import FAILURE_NAME, EpisodeRecord, Failure, Key, archive_attempt, read_record
from .workers.pool import Pool, WorkerPool
from .workers.worker import EpisodeDone, EpisodeFailed, Message, WorkerFailed, WorkerReady, WorkerSetup

_TICK = 0.5
"""Seconds between two updates of the progress."""


@dataclass(frozen=True)
class Evaluation(WorkerSetup):
    """An evaluation on an interactive suite, with what its workers have in common.

    Attributes:
        seeds: of each task.
        workers: how many processes; results do not depend on it, nor on the next.
        ray: the address of a Ray cluster whose machines they run on; ``local`` starts one, None needs none.
        retries: further attempts for an episode that broke.
    """

    tasks: Sequence[str]
    seeds: Sequence[int]
    workers: int = 1
    ray: str | None = None
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
            **self.guard.stated,
        }

    def check(self) -> None:
        """Raise UsageError where a task is unknown, before the folder is made."""
        self.suite.check(self.tasks)

    def config(self, left_out: Callable[[str], None]) -> EvaluationConfig:
        """The planned episodes; nothing is left out."""
        return EvaluationConfig(asked=self.asked)

    def pool(self, planned: int) -> WorkerPool:
        """Workers for so many episodes."""
        count = min(self.workers, planned)
        if self.ray is None:
            return Pool(self, count)
        from .workers.ray_pool import RayPool

        return RayPool(self, count, self.ray)


@dataclass(frozen=True)
class EvaluationPace:
    """How many episodes a call of ``evaluate`` ended, its seconds, and those before the first worker was ready."""

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


class Watcher:
    """Is called as an evaluation goes on; a subclass has those of the methods that it needs."""

    def begin(self, total: int, records: Sequence[EpisodeRecord]) -> None:
        """So many episodes are planned, of which these have a result already."""

    def finished(self, record: EpisodeRecord) -> None:
        """One more has a record."""

    def failed(self, failure: EpisodeFailed, again: bool) -> None:
        """An attempt broke; whether the episode is tried again."""

    def left_out(self, reason: str) -> None:
        """A row or a picture of a suite of recorded screens cannot be used."""

    def tick(self, running: Mapping[Key, float]) -> None:
        """Time went by; which episodes are running, and for how many seconds."""


def evaluate(evaluation: Evaluation | RecordedEvaluation, watcher: Watcher, *, resume: bool = False) -> EvaluationPace:
    """Run all episodes that have no result yet; ``folder.read_evaluation`` reads the results.

    It may be interrupted, or killed, at any moment: a further call with ``resume`` continues.

    Raises:
        UsageError: the folder holds an evaluation and ``resume`` is false, or it holds one of another
            configuration; or the suite or the policy cannot be used.
        EnvironmentFailure: workers keep dying before they are ready, or the policy keeps failing.
        TrajectoryError: the folder cannot be written.
        KeyboardInterrupt: Ctrl-C, SIGTERM or SIGHUP; the episodes under way have their ends.
    """
    evaluation.check()
    with lock_folder(evaluation.root):
        known = read_config(evaluation.root)
        if known is not None:
            if not resume:
                raise UsageError(
                    f"{evaluation.root} already holds an evaluation; resume it (--resume), or name another (--out)"
                )
            known.refuse_other(evaluation.root, evaluation.asked, known.settings)
        return _Run(evaluation, watcher, known).run()


class _Run:
    """One call of ``evaluate``."""

    def __init__(
        self, evaluation: Evaluation | RecordedEvaluation, watcher: Watcher, known: EvaluationConfig | None
    ) -> None:
        self._evaluation = evaluation
        self._root = evaluation.root
        self._watcher = watcher
        self._known = known
        self._config = evaluation.config(watcher.left_out)
        self._attempts: Counter[Key] = Counter()
        self._waiting: deque[Key] = deque()
        self._started = time.monotonic()
        self._ready: float | None = None
        self._finished = 0

    def run(self) -> EvaluationPace:
        keys = self._config.keys
        results = [record for record in self._read() if record.scored]
        done = {record.key for record in results}
        self._waiting.extend(key for key in keys if key not in done)
        if self._config.samples is None:
            write_records(self._root, results)
        if self._known is None and not self._waiting:
            self._write_config({})
        elif self._known is not None and self._known.upgraded_from is None:
            self._write_config(self._known.settings)
        self._watcher.begin(len(keys), results)
        if not self._waiting:
            return self._pace(time.monotonic())
        # What asks about recorded screens holds nothing, so that Ctrl-C may break into it.
        acting = self._config.samples is None
        gathering: AbstractContextManager[list[int]] = deferred_signals() if acting else nullcontext([])
        with gathering as signals, self._evaluation.pool(len(self._waiting)) as pool:
            while self._waiting or pool.running:
                if signals:
                    raise KeyboardInterrupt
                while self._waiting and pool.idle:
                    self._assign(pool, self._waiting.popleft())
                for message in pool.wait(_TICK):
                    self._receive(message)
                self._watcher.tick(pool.running)
            ended = time.monotonic()
        return self._pace(ended)

    def _read(self) -> list[EpisodeRecord]:
        """The records there are; one that cannot be read is said, and its episode runs again."""
        bad: list[str] = []
        records = read_records(self._root, self._config, bad.append)
        for reason in bad:
            self._watcher.left_out(f"{reason}; it runs again")
        if self._config.samples is not None:
            keep_damaged(self._root, bad)
            write_records(self._root, read_lines(self._root))
        return records

    def _pace(self, ended: float) -> EvaluationPace:
        started, ready = self._started, self._ready or ended
        return EvaluationPace(self._finished, round(ended - started, 3), round(ready - started, 3))

    def _assign(self, pool: WorkerPool, key: Key) -> None:
        if key.seed is not None:
            archive_attempt(key.folder(self._root))
        self._attempts[key] += 1
        pool.assign(key)

    def _receive(self, message: Message) -> None:
        match message:
            case WorkerReady(settings):
                self._ready = self._ready or time.monotonic()
                self._check_settings(settings)
            case EpisodeDone(record):
                self._keep(record)
            case EpisodeFailed():
                self._retry(message)
            case WorkerFailed(text):
                raise UsageError(text)

    def _check_settings(self, settings: dict[str, JsonValue]) -> None:
        if self._known is not None:
            self._known.refuse_other(self._root, self._known.asked, settings)
        self._write_config(settings)

    def _write_config(self, settings: dict[str, JsonValue]) -> None:
        self._known = self._config.model_copy(update={"settings": settings})
        write_file(self._root / EVAL_NAME, self._known.model_dump_json(indent=1) + "\n")

    def _retry(self, failed: EpisodeFailed) -> None:
        """Put a broken episode at the end of the queue, or give it up."""
        attempts = self._attempts[failed.key]
        again = attempts <= self._evaluation.retries
        self._watcher.failed(failed, again)
        if again:
            self._waiting.append(failed.key)
            return
        folder = failed.key.folder(self._root)
        private_folder(folder)
        note = Failure(error=failed.error, message=failed.message, attempts=attempts)
        write_file(folder / FAILURE_NAME, note.model_dump_json() + "\n")
        record = read_record(self._root, failed.key)
        assert record is not None
        self._keep(record)

    def _keep(self, record: EpisodeRecord) -> None:
        self._finished += 1
        append_record(self._root, record)
        if record.error == "malformed":
            self._watcher.left_out(record.message)
        self._watcher.finished(record)
