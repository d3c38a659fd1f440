"""The process that holds a model once, for all workers of a machine.

Every worker has its own connection, thread and policy (conversation, cache, drafters) on the one copy of the weights,
so replies are those of a model in the worker's own process. Requests are answered in the order of their arrival.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import secrets
import shutil
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
from pathlib import Path

from ....actions.errors import ParseError, PolicyFailure, SaccadeError, UsageError
from ....agent.policy import Policy, UnreadableReply, Usage, settings_of
from ...models.source import LoadedModel, SupportsSharing
from ...terminal.failure import explain
from .policy_client import (
    Answer,
    PredictRequest,
    ReplyUnreadable,
    Request,
    ScreenshotCache,
    ServedSource,
    SessionOpened,
)
from .process import socket_folder, tie_to_parent

FAILED_SERVERS = 5
"""Servers in a row that may die before an episode ended."""
_BACKLOG = 1024
_SOCKET = "policy"


class FairQueue:
    """Lets ``count`` in at a time, in the order in which they came."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._guard = threading.Lock()
        self._queue: deque[threading.Event] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._queue)

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn, and have it during the enclosed work."""
        called = threading.Event()
        with self._guard:
            if self._free:
                self._free -= 1
                called.set()
            else:
                self._queue.append(called)
        called.wait()
        try:
            yield
        finally:
            with self._guard:
                if self._queue:
                    self._queue.popleft().set()
                else:
                    self._free += 1


class PolicyServer:
    """Answers on a listening socket, until its process ends, whoever knows ``key``."""

    def __init__(self, source: SupportsSharing, key: bytes) -> None:
        self._source = source
        self._key = key
        self._opening = threading.Lock()
        self._load_error: str | None = None
        self._loaded: LoadedModel | None = None
        self._turns = FairQueue(1)
        self._sessions: set[Connection] = set()

    @property
    def sessions(self) -> int:
        """How many are open."""
        return len(self._sessions)

    def run(self, listening: socket.socket) -> None:
        """Load the model, then serve until the socket is shut down; who connects earlier waits."""
        try:
            self._loaded = self._source.load()
            self._turns = FairQueue(self._loaded.turns)
        except SaccadeError as error:
            self._load_error = explain(error)
        while True:
            try:
                accepted, _ = listening.accept()
            except OSError:
                return
            connection = Connection(accepted.detach())
            threading.Thread(target=self._run_session, args=(connection,), daemon=True).start()

    def _run_session(self, connection: Connection) -> None:
        """One worker's session, until it disconnects."""
        with connection, contextlib.suppress(EOFError, OSError, AuthenticationError):
            deliver_challenge(connection, self._key)
            answer_challenge(connection, self._key)
            self._sessions.add(connection)
            try:
                self._serve(connection)
            finally:
                self._sessions.discard(connection)

    def _serve(self, connection: Connection) -> None:
        try:
            if self._loaded is None:
                connection.send(UsageError(self._load_error or "the model was not loaded"))
                return
            with self._opening:
                policy = self._loaded.open()
        except Exception as error:
            connection.send(UsageError(explain(error) or f"{type(error).__name__}: {error}"))
            return
        connection.send(SessionOpened(policy.name, settings_of(policy)))
        cache: ScreenshotCache = {}
        while True:
            connection.send(self._answer(policy, connection.recv(), cache))

    def _answer(self, policy: Policy, request: Request, cache: ScreenshotCache) -> Answer:
        if not isinstance(request, PredictRequest):
            cache.clear()
            policy.start()
            return None
        context = request.context(cache)
        asked = time.perf_counter()
        with self._turns.turn():
            queued = time.perf_counter() - asked
            try:
                prediction = policy.predict(context)
                return replace(prediction, usage=_with_queue(prediction.usage, queued))
            except ParseError as error:
                usage = error.usage if isinstance(error, UnreadableReply) else Usage()
                return ReplyUnreadable(error.reason, error.raw, _with_queue(usage, queued))
            except SaccadeError as error:
                return UsageError(explain(error) or str(error))
            except Exception as error:
                return PolicyFailure(f"{type(error).__name__}: {error}")


class SharedPolicy:
    """Starts the policy server's process, and replaces it when it dies.

    The runner keeps the listening socket, so a worker that connects while no server runs waits for the next.
    """

    def __init__(self, source: SupportsSharing) -> None:
        self._source = source
        self._key = secrets.token_bytes(32)
        self._spawn = multiprocessing.get_context("spawn")
        self._deaths = 0

    def __enter__(self) -> SharedPolicy:
        """Start the server; it loads while workers start."""
        self._folder = socket_folder(len(_SOCKET))
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(self._address)
        self._listening.listen(_BACKLOG)
        self._start()
        return self

    def __exit__(self, *error: object) -> None:
        """End it."""
        self._process.kill()
        self._process.join()
        self._listening.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def source(self) -> ServedSource:
        """How a worker gets its session."""
        return ServedSource(self._source.asked, self._address, self._key)

    @property
    def process(self) -> int:
        """The server's process number."""
        return self._process.pid or 0

    @property
    def sentinel(self) -> int:
        """Can be waited for: the server died."""
        return self._process.sentinel

    def note_success(self) -> None:
        """It served an episode to its end."""
        self._deaths = 0

    def restart_if_dead(self) -> None:
        """Start the server again if it died; PolicyFailure when it keeps dying."""
        if self._process.is_alive():
            return
        self._deaths += 1
        if self._deaths >= FAILED_SERVERS:
            raise PolicyFailure(
                f"the policy server died {FAILED_SERVERS} times before an episode was over (exit status "
                f"{self._process.exitcode}); is there enough memory for the model?"
            )
        self._start()

    @property
    def _address(self) -> str:
        return str(self._folder / _SOCKET)

    def _start(self) -> None:
        arguments = (self._listening, self._folder, self._source, self._key)
        self._process = self._spawn.Process(target=_main, args=arguments, daemon=True)
        self._process.start()


def _main(listening: socket.socket, folder: Path, source: SupportsSharing, key: bytes) -> None:
    tie_to_parent(lambda: shutil.rmtree(folder, ignore_errors=True))
    PolicyServer(source, key).run(listening)


def _with_queue(usage: Usage, seconds: float) -> Usage:
    """Add how long the request waited for its turn."""
    return usage.model_copy(update={"timings": {**usage.timings, "queue": seconds}})
