"""What a worker process of an evaluation does: one policy, one place, one episode after the other."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from pydantic import JsonValue

from .... import __version__
from ....actions.errors import TrajectoryError
from ....agent.limits import Limits
from ....agent.policy import Policy, settings_of
from ....env.base import Environment
from ....env.trajectory.events import EndEvent, EnvironmentSettings
from ...episode import run_episode
from ...models.source import PolicySource
from ...suites.interactive import EnvironmentProvider, InteractiveSuite
from ...terminal.failure import explain
from ..records import EpisodeRecord, ErrorKind, Key, blame, read_record
from .process import tie_to_parent

LOST = 75
"""Exit status of a worker that lost what its episodes stand on."""
LOST_AFTER = 6
"""Seconds in which a broken episode ends by itself, as most do."""


@dataclass(frozen=True)
class WorkerSetup:
    """What all workers of an evaluation have in common; it is pickled to them.

    Attributes:
        root: the evaluation's folder.
        suite: whose tasks.
        source: where the policy comes from.
        max_steps: predictions per episode.
    """

    root: Path
    suite: InteractiveSuite
    source: PolicySource
    max_steps: int


@dataclass(frozen=True)
class WorkerReady:
    """The worker waits for episodes; ``settings`` is what may change their results."""

    settings: dict[str, JsonValue]


@dataclass(frozen=True)
class EpisodeDone:
    """An episode has a result."""

    record: EpisodeRecord


@dataclass(frozen=True)
class EpisodeFailed:
    """An episode was broken by something."""

    key: Key
    error: ErrorKind
    message: str


@dataclass(frozen=True)
class WorkerUnusable:
    """The worker cannot work at all: a missing part, wrong usage, a full disk."""

    message: str


Message = WorkerReady | EpisodeDone | EpisodeFailed | WorkerUnusable


def serve(connection: Connection, setup: WorkerSetup) -> None:
    """Take keys from the connection, run their episodes, and answer each; None ends it."""
    tie_to_parent()
    # A closed connection or a polite kill: the runner has gone, or wants this to end.
    with contextlib.suppress(EOFError, ConnectionError, KeyboardInterrupt):
        try:
            _serve(connection, setup)
        except Exception as error:
            if (line := explain(error)) is None:
                raise
            connection.send(WorkerUnusable(line))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is ending already


class _Lifeline(threading.Thread):
    """Ends the process when what it works with is gone and the work does not notice.

    A page that is opened in a browser that just died is waited for without end by the browser's driver, and
    nothing in this process can interrupt that.
    """

    def __init__(self, place: EnvironmentProvider) -> None:
        super().__init__(daemon=True)
        self._place = place
        self._over = threading.Event()
        self.working = False

    def run(self) -> None:
        gone = 0
        while not self._over.wait(1.0):
            gone = gone + 1 if self.working and not self._place.alive() else 0
            if gone >= LOST_AFTER:
                os._exit(LOST)

    def end(self) -> None:
        self._over.set()


def _serve(connection: Connection, setup: WorkerSetup) -> None:
    policy = setup.source.open()
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(contextlib.closing(setup.suite.open()))
        stated = settings_of(policy).model_dump(mode="json")
        settings = {"saccade": __version__, **place.settings, "policy": policy.name, **stated}
        lifeline = _Lifeline(place)
        lifeline.start()
        stack.callback(lifeline.end)
        connection.send(WorkerReady(settings))
        while (key := connection.recv()) is not None:
            lifeline.working = True
            answer = run_key(setup, key, place, policy)
            lifeline.working = False
            connection.send(answer)


def run_key(
    setup: WorkerSetup, key: Key, place: EnvironmentProvider, policy: Policy
) -> EpisodeDone | EpisodeFailed:
    """Run one episode in its folder, which holds none yet, and say what came of it.

    Raises:
        TrajectoryError: it cannot be written.
        KeyboardInterrupt: it was interrupted, which is recorded.
    """
    folder = key.folder(setup.root)
    try:
        with contextlib.closing(place.environment(key.task)) as environment:
            end = _play(setup, key, environment, place, policy)
    except TrajectoryError:
        raise
    except Exception as error:
        message = explain(error) or f"{type(error).__name__}: {error}"
        return EpisodeFailed(key, *(blame(folder) or ("environment", message)))
    if end.end == "interrupted":
        raise KeyboardInterrupt
    if (fault := blame(folder)) is not None:
        return EpisodeFailed(key, *fault)
    record = read_record(setup.root, key)
    if record is None:
        raise TrajectoryError(f"{folder}: was changed while the episode ran; leave it alone")
    return EpisodeDone(record)


def _play(
    setup: WorkerSetup, key: Key, environment: Environment, place: EnvironmentProvider, policy: Policy
) -> EndEvent:
    # Time does not end an episode with a result: how loaded a machine is says nothing about the policy.
    return run_episode(
        policy,
        environment,
        None,
        key.folder(setup.root),
        name=f"{setup.suite.name}:{key.task}",
        seed=key.seed,
        limits=Limits(steps=setup.max_steps, seconds=math.inf),
        environment_settings=EnvironmentSettings(suite=place.settings),
        report=False,
    ).end
