"""Workers on the machines of a Ray cluster, behind the same interface as those of one machine.

An actor on each machine manages a local ``Pool``, so that an episode runs, times out and dies there as it
does without Ray. What goes over the network is which episode to run and what came of it; trajectories are
written to the evaluation's folder, which all machines share.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ....actions.errors import EnvironmentFailure, MissingPartError, PolicyFailure, UsageError
from ....actions.extras import need_package
from ...models.source import SupportsSharing
from ..folder import EPISODES_NAME
from ..records import Key
from .pool import FAILED_STARTS, Pool
from .process import socket_folder
from .worker import EpisodeDone, EpisodeFailed, Message, WorkerFailed, WorkerReady, WorkerSetup

LOCAL = "local"
FIRST_RELEASE = (2, 52)
"""The first release of Ray that authenticates by a token: before it, whoever reaches a port runs programs there."""
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # else it prints which processes died
}
_ON_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
"""Without clusters of several machines, Ray listens on 127.0.0.1 only; it reads this when it is imported."""
_CLOSE_SECONDS = 15.0
"""Seconds that a machine gets to close its browsers."""
_STORE_BYTES = 80_000_000  # almost nothing is stored; Ray's default is a third of the memory


@dataclass(frozen=True)
class Report:
    """Messages of a machine's workers, how many of these are idle, and why the machine cannot go on."""

    messages: list[Message]
    idle: int
    failure: str | None = None


class MachineActor:
    """Manages the workers of one machine, ``count`` of them; Ray makes an actor of it."""

    def __init__(self, setup: WorkerSetup, count: int) -> None:
        self._stack = contextlib.ExitStack()
        self._pool: Pool | None = None
        self._failure: str | None = None
        if not (setup.root / EPISODES_NAME).is_file():
            host = os.uname().nodename
            self._failure = f"{host} does not see {setup.root}; put --out on a folder that all machines share"
            return
        try:
            self._pool = self._stack.enter_context(Pool(setup, count))
        except UsageError as error:
            self._failure = str(error)

    def exchange(self, keys: list[Key], seconds: float) -> Report:
        """Take episodes to run, and return the first messages within so many seconds."""
        if self._pool is None:
            return Report([WorkerFailed(self._failure or "there are no workers")], 0)
        try:
            for key in keys:
                self._pool.assign(key)
            return Report(list(self._pool.wait(seconds)), self._pool.idle)
        except (EnvironmentFailure, PolicyFailure) as error:
            return Report([], 0, str(error))

    def close(self) -> None:
        """End the workers."""
        self._stack.close()


@dataclass
class _Machine:
    node: str
    options: dict[str, Any]
    count: int
    actor: Any = None
    call: Any = None
    idle: int = 0
    deaths: int = 0
    queued: list[Key] = field(default_factory=list)
    started: dict[Key, float] = field(default_factory=dict)

    def update(self, report: Report) -> None:
        """Apply what it reports."""
        self.idle = report.idle - len(self.queued)
        for message in report.messages:
            if isinstance(message, EpisodeDone | EpisodeFailed):
                self.started.pop(message.record.key if isinstance(message, EpisodeDone) else message.key, None)
            if isinstance(message, EpisodeDone | WorkerReady):
                self.deaths = 0


class RayPool:
    """Workers on a Ray cluster, ``count`` of them; see ``WorkerPool``.

    ``address`` is one that ``ray.init`` takes; ``local`` starts a cluster here, and ends it.

    Raises:
        MissingPartError: Ray is not installed, or has no authentication.
    """

    def __init__(self, setup: WorkerSetup, count: int, address: str) -> None:
        self._setup = replace(setup, root=setup.root.absolute())
        self._count = count
        self._address = address
        self._machines: list[_Machine] = []
        self._stack = contextlib.ExitStack()
        self._ray = _import_ray(address)

    def __enter__(self) -> RayPool:
        """Start or find the cluster, and the workers; UsageError where there is none, or it is too small."""
        with self._stack:
            self._stack.enter_context(_cluster(self._ray, self._address, self._count))
            self._stack.callback(self._end)
            for machine in self._spread():
                self._start(machine)
                self._machines.append(machine)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        """End the workers, and the cluster if it was started here."""
        self._stack.close()

    @property
    def idle(self) -> int:
        """See ``WorkerPool``."""
        return sum(max(0, machine.idle) for machine in self._machines)

    @property
    def running(self) -> Mapping[Key, float]:
        """Episodes under way, and for how many seconds."""
        now = time.monotonic()
        return {key: now - started for each in self._machines for key, started in each.started.items()}

    def assign(self, key: Key) -> None:
        """Give an episode to the machine with the most idle workers."""
        machine = max(self._machines, key=lambda machine: machine.idle)
        machine.idle -= 1
        machine.queued.append(key)
        machine.started[key] = time.monotonic()

    def wait(self, seconds: float) -> Iterator[Message]:
        """See ``WorkerPool``; the workers of a lost machine are started again if it is still there."""
        for machine in self._machines:
            if machine.call is None:
                keys, machine.queued = machine.queued, []
                machine.call = machine.actor.exchange.remote(keys, seconds)
        calls = {machine.call: machine for machine in self._machines}
        finished, _ = self._ray.wait(list(calls), num_returns=1, timeout=seconds)
        more, _ = self._ray.wait(list(calls), num_returns=len(calls), timeout=0) if finished else ([], [])
        for call in {*finished, *more}:
            yield from self._receive(calls[call])

    def _receive(self, machine: _Machine) -> Iterator[Message]:
        call, machine.call = machine.call, None
        try:
            report: Report = self._ray.get(call)
        except self._ray.exceptions.RayActorError as error:
            yield from self._replace(machine, str(error).strip().splitlines()[0])
            return
        if report.failure is not None:
            raise EnvironmentFailure(report.failure)
        machine.update(report)
        yield from report.messages

    def _replace(self, machine: _Machine, reason: str) -> Iterator[Message]:
        """The episodes of a lost machine have failed; start it again if it is still in the cluster."""
        lost = list(machine.started)
        machine.deaths += 1
        self._machines.remove(machine)
        if machine.node in {node["NodeID"] for node in _nodes(self._ray)}:
            if machine.deaths >= FAILED_STARTS:
                raise EnvironmentFailure(f"the workers on a machine died {FAILED_STARTS} times in a row: {reason}")
            fresh = _Machine(machine.node, machine.options, machine.count, deaths=machine.deaths)
            self._start(fresh)
            self._machines.append(fresh)
        if not self._machines:
            raise EnvironmentFailure(f"no machine is left in the Ray cluster: {reason}")
        for key in lost:
            yield EpisodeFailed(key, "worker", f"the machine was lost: {reason}")

    def _spread(self) -> list[_Machine]:
        """Spread the workers evenly over the machines."""
        free = {node["NodeID"]: int(node["Resources"].get("CPU", 0)) for node in _nodes(self._ray)}
        if sum(free.values()) < self._count:
            raise UsageError(
                f"the Ray cluster has {sum(free.values())} CPUs, one for each worker; ask for fewer (--workers)"
            )
        counts = dict.fromkeys(free, 0)
        for _ in range(self._count):
            node = max(free, key=lambda node: free[node] - counts[node])
            counts[node] += 1
        gpus = {node["NodeID"]: node["Resources"].get("GPU", 0) for node in _nodes(self._ray)}
        model = isinstance(self._setup.source, SupportsSharing)
        return [
            _Machine(node, {"num_cpus": count, "num_gpus": 1 if model and gpus[node] >= 1 else 0}, count)
            for node, count in counts.items()
            if count
        ]

    def _start(self, machine: _Machine) -> None:
        strategies = importlib.import_module("ray.util.scheduling_strategies")
        affinity = strategies.NodeAffinitySchedulingStrategy(machine.node, soft=False)
        options = {**machine.options, "scheduling_strategy": affinity}
        make = self._ray.remote(MachineActor).options(**options)
        machine.actor = make.remote(self._setup, machine.count)

    def _end(self) -> None:
        """Let the machines close their workers, then kill what is left."""
        with contextlib.suppress(self._ray.exceptions.RayError):
            calls = [machine.actor.close.remote() for machine in self._machines]
            if calls:
                self._ray.wait(calls, num_returns=len(calls), timeout=_CLOSE_SECONDS)
        for machine in self._machines:
            with contextlib.suppress(self._ray.exceptions.RayError):
                self._ray.kill(machine.actor)
        self._machines.clear()


@contextlib.contextmanager
def _cluster(ray: Any, address: str, count: int) -> Iterator[None]:
    """Connect to a cluster, or start one and end it; quietly, and without leaving files."""
    if ray.is_initialized():
        yield
        return
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    with contextlib.ExitStack() as stack:
        if address == LOCAL:
            # Ray lets everybody write to its folder, so that has to be within one that nobody else can enter.
            folder = str(socket_folder(len("r/session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store")))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            stack.enter_context(_own_cluster())
            quiet |= {"num_cpus": count, "include_dashboard": False, "_temp_dir": f"{folder}/r"}
            quiet |= {"object_store_memory": _STORE_BYTES}
        try:
            ray.init(address=address, **quiet)
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UsageError(f"no Ray cluster at {address}: {reason}; start one with ray start --head") from error
        stack.callback(ray.shutdown)
        yield


@functools.cache
def _token() -> str:
    """A cluster's secret, else Ray writes one into the home folder; one per process, as Ray remembers the first."""
    return secrets.token_hex(32)


def _own_cluster() -> contextlib.AbstractContextManager[None]:
    """The variables of a cluster that is started here; Ray reads some when it is imported, others when it starts.

    Where a program imported it before, only its own default (from 2.59 on) can make it authenticate.
    """
    mode = {} if _imported_before() else {"RAY_AUTH_MODE": "token"}
    return _environment(_QUIET | _ON_LOOPBACK, {**mode, "RAY_AUTH_TOKEN": _token()})


@functools.cache
def _imported_before() -> bool:
    return "ray" in sys.modules


@contextlib.contextmanager
def _environment(defaults: Mapping[str, str], required: Mapping[str, str] = {}) -> Iterator[None]:
    """Set variables, some of them only where they are not set yet; what Ray sets besides goes with them."""
    before = {name: value for name, value in os.environ.items() if name.startswith("RAY_")}
    os.environ.update({**defaults, **before, **required})
    try:
        yield
    finally:
        for name in [name for name in os.environ if name.startswith("RAY_")]:
            del os.environ[name]
        os.environ.update(before)


def _nodes(ray: Any) -> list[dict[str, Any]]:
    return [node for node in ray.nodes() if node["Alive"]]


def _import_ray(address: str) -> Any:
    with _own_cluster() if address == LOCAL else _environment(_QUIET):
        ray = need_package("ray")
    release = tuple(int(part) for part in re.findall(r"\d+", ray.__version__)[:2])
    if release < FIRST_RELEASE:
        raise MissingPartError(
            f"Ray {ray.__version__} lets everybody run programs on its machines; run: pip install 'ray>=2.52,<3'"
        )
    return ray
