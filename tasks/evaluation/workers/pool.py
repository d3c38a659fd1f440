"""The worker processes of an evaluation: started, given work, watched, and replaced when they die."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Protocol

from ....actions.errors import EnvironmentFailure, UsageError
from ....env.browser.watchdog import kill
from ...models.source import SupportsSharing
from ..records import Key
from .policy_server import SharedPolicy
from .worker import BROWSER_LOST, EpisodeDone, EpisodeFailed, Message, WorkerFailed, WorkerReady, WorkerSetup, serve

FAILED_STARTS = 5
"""Workers in a row that may die before they are ready."""
_CLOSE_SECONDS = 10.0
"""Seconds that a worker gets to close its browser."""


class WorkerPool(Protocol):
    """Workers that run episodes; a context manager that starts and ends them."""

    @property
    def idle(self) -> int:
        """Workers that wait for an episode."""

    @property
    def running(self) -> Mapping[Key, float]:
        """Episodes under way, and for how many seconds."""

    def assign(self, key: Key) -> None:
        """Give an episode to an idle worker; ``wait`` reports one that dies over it."""

    def wait(self, seconds: float) -> Iterable[Message]:
        """Messages of workers within so many seconds; workers that died or hang are replaced.

        Raises:
            EnvironmentFailure: workers keep dying before they are ready.
            UsageError: they cannot be used as asked for.
        """

    def __enter__(self) -> WorkerPool: ...

    def __exit__(self, *error: object) -> None: ...


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection
    ready: bool = False
    key: Key | None = None
    started: float = math.inf


class Pool:
    """Local processes, ``count`` of them, that run episodes, one at a time each.

    Raises:
        UsageError: their policy cannot be shared, or its checkpoint is missing.
    """

    def __init__(self, setup: WorkerSetup, count: int) -> None:
        self._setup = setup
        self._shared = _shared(setup, count)
        self._count = count
        self._spawn = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._failed_starts = 0

    def __enter__(self) -> Pool:
        """Start the workers; ``wait`` reports when they are ready."""
        if self._shared is not None:
            self._shared.__enter__()
            self._setup = replace(self._setup, source=self._shared.source)
        for _ in range(self._count):
            self._start()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop idle workers, interrupt busy ones, and kill those that do not end by themselves."""
        for worker in self._workers:
            with contextlib.suppress(OSError):
                worker.connection.send(None)
            if (worker.key is not None or not worker.ready) and worker.process.is_alive():
                worker.process.terminate()
        deadline = time.monotonic() + _CLOSE_SECONDS
        for worker in self._workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            _end(worker)
        self._workers.clear()
        if self._shared is not None:
            self._shared.__exit__()

    @property
    def idle(self) -> int:
        """Workers that wait for an episode."""
        return sum(worker.ready and worker.key is None for worker in self._workers)

    @property
    def running(self) -> dict[Key, float]:
        """Episodes under way, and for how many seconds."""
        now = time.monotonic()
        return {worker.key: now - worker.started for worker in self._workers if worker.key is not None}

    @property
    def processes(self) -> list[int]:
        """The workers' process numbers."""
        return [worker.process.pid or 0 for worker in self._workers]

    def assign(self, key: Key) -> None:
        """See ``WorkerPool``."""
        worker = next(worker for worker in self._workers if worker.ready and worker.key is None)
        worker.key, worker.started = key, time.monotonic()
        with contextlib.suppress(OSError):
            worker.connection.send(key)

    @property
    def shares(self) -> bool:
        """Whether the workers share one model."""
        return self._shared is not None

    def wait(self, seconds: float) -> Iterator[Message]:
        """See ``WorkerPool``; a policy server that died is replaced, too."""
        connections = [worker.connection for worker in self._workers]
        deaths = [worker.process.sentinel for worker in self._workers]
        if self._shared is not None:
            deaths.append(self._shared.sentinel)
        readable = set(wait([*connections, *deaths], seconds))
        if self._shared is not None:
            self._shared.restart_if_dead()
        for worker in tuple(self._workers):
            if worker.connection in readable or worker.process.sentinel in readable:
                yield from self._receive(worker)
            elif worker.key is not None and time.monotonic() - worker.started > self._setup.timeout:
                self._replace(worker)
                yield EpisodeFailed(worker.key, "timeout", f"not over after {self._setup.timeout:g} s")

    def _receive(self, worker: _Worker) -> Iterator[Message]:
        message: Message | None = None
        with contextlib.suppress(EOFError, OSError):
            message = worker.connection.recv() if worker.connection.poll() else None
        if message is not None:
            self._update(worker, message)
            yield message
            return
        worker.process.join(_CLOSE_SECONDS)
        status = worker.process.exitcode
        if not worker.ready:
            self._failed_starts += 1
        if self._failed_starts >= FAILED_STARTS:
            raise EnvironmentFailure(
                f"{FAILED_STARTS} workers died before they were ready (exit status {status}); "
                "is there enough memory for so many workers (--workers)?"
            )
        self._replace(worker)
        if worker.key is not None:
            if status == BROWSER_LOST:
                yield EpisodeFailed(worker.key, "environment", "the browser died; its driver did not notice")
            else:
                yield EpisodeFailed(worker.key, "worker", f"the worker died with exit status {status}")

    def _update(self, worker: _Worker, message: Message) -> None:
        if isinstance(message, WorkerReady):
            worker.ready = True
            self._failed_starts = 0
        elif not isinstance(message, WorkerFailed):
            worker.key = None
        if isinstance(message, EpisodeDone) and self._shared is not None:
            self._shared.note_success()

    def _replace(self, worker: _Worker) -> None:
        _end(worker)
        self._workers.remove(worker)
        self._start()

    def _start(self) -> None:
        ours, theirs = self._spawn.Pipe()
        process = self._spawn.Process(target=serve, args=(theirs, self._setup), daemon=True)
        process.start()
        theirs.close()
        self._workers.append(_Worker(process, ours))


def _shared(setup: WorkerSetup, count: int) -> SharedPolicy | None:
    source, share = setup.source, setup.share
    if not isinstance(source, SupportsSharing) or not hasattr(socket, "AF_UNIX"):
        if share:
            raise UsageError("this policy cannot be shared by workers; leave share (--share-model) out")
        return None
    if share is None:
        share = count > 1 and source.worth_sharing()
    return SharedPolicy(source) if share else None


def _end(worker: _Worker) -> None:
    """End a worker and what it started, whatever state they are in."""
    if worker.process.is_alive():
        below = _descendants(worker.process.pid)
        worker.process.kill()
        for number in below:
            kill(number)
        worker.process.join()
    worker.connection.close()
    worker.process.close()


def _descendants(process: int | None) -> set[int]:
    if process is None or sys.platform != "linux":
        return set()
    from ....env.desktop.supervisor import descendants

    return descendants(process)
