"""A worker process of an evaluation: one policy, one environment provider, one episode after the other."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import signal
import threading
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from pydantic import JsonValue

from .... import __version__
from ....actions.errors import Stopped, TrajectoryError
from ....agent.limits import Limits
from ....agent.policy import Policy, settings_of
from ....env.control import Control
from ....env.guard.guard import Guard
from ....env.guard.policy import GuardPolicy, profile
from ....env.signals import ENDING
from ....env.trajectory.events import EnvironmentSettings
from ...episode import run_episode
from ...models.source import PolicySource
from ...suites.interactive import EnvironmentProvider, InteractiveSuite
from ...terminal.failure import explain
from ..records import EpisodeRecord, ErrorKind, Key, episode_error, read_record
from .process import tie_to_parent

BROWSER_LOST = 75
"""Exit status of a worker whose browser, or other environment, died unnoticed."""
LOST_AFTER = 6
"""Seconds after which such a worker ends itself; most broken episodes end sooner by an error."""


@dataclass(frozen=True)
class WorkerSetup:
    """What all workers of an evaluation have in common; it is pickled to them.

    Attributes:
        root: the evaluation's folder; the same on all machines.
        source: where the policy comes from.
        max_steps: predictions per episode.
        timeout: seconds after which an episode, and the worker that runs it, are given up.
        share: whether the workers of a machine share one model; by default where that is worth it (docs/scale.md).
        guard: decides what may be done; nobody is there to be asked.
    """

    root: Path
    suite: InteractiveSuite
    source: PolicySource
    max_steps: int = field(default=10, kw_only=True)
    timeout: float = field(default=300.0, kw_only=True)
    share: bool | None = field(default=None, kw_only=True)
    guard: GuardPolicy = field(default=profile("open"), kw_only=True)


@dataclass(frozen=True)
class WorkerReady:
    """The worker waits for episodes; ``settings`` are those that may change their results."""

    settings: dict[str, JsonValue]


@dataclass(frozen=True)
class EpisodeDone:
    """An episode has a result."""

    record: EpisodeRecord


@dataclass(frozen=True)
class EpisodeFailed:
    """An attempt broke."""

    key: Key
    error: ErrorKind
    message: str


@dataclass(frozen=True)
class WorkerFailed:
    """No episode can be run: a missing part, wrong usage, a full disk."""

    message: str


Message = WorkerReady | EpisodeDone | EpisodeFailed | WorkerFailed


def serve(connection: Connection, setup: WorkerSetup) -> None:
    """Run the episodes whose keys come over the connection, and answer each; None ends it."""
    tie_to_parent()
    logging.getLogger("saccade").setLevel(logging.ERROR)  # the runner says once what all workers would
    control = Control()
    with control.stop_signals():
        # A closed connection or SIGTERM: the runner has ended, or asks this process to end.
        with contextlib.suppress(EOFError, ConnectionError, Stopped):
            try:
                _serve(connection, setup, control)
            except Exception as error:
                if isinstance(error, Stopped) or (line := explain(error)) is None:
                    raise
                connection.send(WorkerFailed(line))
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)  # it is ending already


class _Watchdog(threading.Thread):
    """Ends the process when its environment died: the browser's driver would wait for it forever."""

    def __init__(self, provider: EnvironmentProvider) -> None:
        super().__init__(daemon=True)
        self._provider = provider
        self._over = threading.Event()
        self.working = False

    def run(self) -> None:
        gone = 0
        while not self._over.wait(1.0):
            gone = gone + 1 if self.working and not self._provider.alive() else 0
            if gone >= LOST_AFTER:
                os._exit(BROWSER_LOST)

    def end(self) -> None:
        self._over.set()


def _serve(connection: Connection, setup: WorkerSetup, control: Control) -> None:
    with control.interrupting():
        policy = setup.source.open()
    with contextlib.ExitStack() as stack:
        provider = stack.enter_context(contextlib.closing(setup.suite.open(control, Guard(setup.guard))))
        stated = settings_of(policy).model_dump(mode="json")
        settings = {"saccade": __version__, **provider.settings, "policy": policy.name, **stated}
        watchdog = _Watchdog(provider)
        watchdog.start()
        stack.callback(watchdog.end)
        connection.send(WorkerReady(settings))
        while (key := _next(connection, control)) is not None:
            watchdog.working = True
            answer = _run(setup, key, provider, policy, control)
            watchdog.working = False
            connection.send(answer)


def _next(connection: Connection, control: Control) -> Key | None:
    with control.interrupting():
        key: Key | None = connection.recv()
        return key


def _run(
    setup: WorkerSetup, key: Key, provider: EnvironmentProvider, policy: Policy, control: Control
) -> EpisodeDone | EpisodeFailed:
    """Run one episode in its folder, which holds none yet; ``Stopped`` where it was interrupted."""
    folder = key.folder(setup.root)
    try:
        with contextlib.closing(provider.environment(key.task)) as environment:
            # Time does not end an episode with a result: how loaded a machine is says nothing about the policy.
            run_episode(
                policy,
                environment,
                None,
                folder,
                name=f"{setup.suite.name}:{key.task}",
                seed=key.seed,
                limits=Limits(steps=setup.max_steps, seconds=math.inf),
                control=control,
                environment_settings=EnvironmentSettings(suite=provider.settings),
                report=False,
            )
    except (TrajectoryError, Stopped):
        raise
    except Exception as error:
        message = explain(error) or f"{type(error).__name__}: {error}"
        return EpisodeFailed(key, *(episode_error(folder) or ("environment", message)))
    control.check()
    if (fault := episode_error(folder)) is not None:
        return EpisodeFailed(key, *fault)
    record = read_record(setup.root, key)
    if record is None:
        raise TrajectoryError(f"{folder}: was changed while the episode ran; leave it alone")
    return EpisodeDone(record)
