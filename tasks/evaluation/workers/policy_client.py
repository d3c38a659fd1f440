"""The messages between a worker and a policy server, and the worker's policy that sends them.

They use a local socket that only this user can reach, and both sides prove that they know a secret before
anything is unpickled. A screenshot is sent once per episode.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Client, Connection

import numpy as np
from pydantic import JsonValue

from ....actions.errors import ParseError, PolicyFailure, SaccadeError
from ....actions.geometry import Point
from ....agent.policy import Context, PolicySettings, Prediction, Turn, UnreadableReply, Usage
from ....perception.observation import Screenshot

ScreenshotCache = dict["ScreenshotRef", Screenshot]
_DISCONNECTED = (EOFError, ConnectionResetError, BrokenPipeError)


@dataclass(frozen=True)
class ScreenshotRef:
    """Names a screenshot: equal references are equal screenshots."""

    digest: str
    device_scale: float
    origin: Point

    @classmethod
    def of(cls, screenshot: Screenshot) -> ScreenshotRef:
        """The reference to a screenshot."""
        return cls(screenshot.digest, screenshot.device_scale, screenshot.origin)


@dataclass(frozen=True)
class StartRequest:
    """A new episode begins."""


@dataclass(frozen=True)
class PredictRequest:
    """Ask for a prediction: a ``Context`` with references to screenshots.

    Attributes:
        view: the newest screenshot.
        turns: screenshot, reply and feedback of each.
        feedback: on what happened before the first.
        new: the screenshots that were not sent in this episode before.
    """

    instruction: str
    view: ScreenshotRef
    turns: tuple[tuple[ScreenshotRef, str, str | None], ...]
    new: Mapping[ScreenshotRef, Screenshot]
    feedback: str | None = None

    @classmethod
    def of(cls, context: Context, known: set[ScreenshotRef]) -> PredictRequest:
        """Pack a context; ``known`` holds the screenshots sent before, and gets those that are new."""
        shots = [*(turn.screenshot for turn in context.turns), context.screenshot]
        new = {view: _bare(shot) for shot in shots if (view := ScreenshotRef.of(shot)) not in known}
        known.update(new)
        turns = tuple((ScreenshotRef.of(turn.screenshot), turn.reply, turn.feedback) for turn in context.turns)
        return cls(context.instruction, ScreenshotRef.of(context.screenshot), turns, new, context.feedback)

    def context(self, cache: ScreenshotCache) -> Context:
        """Unpack it; ``cache`` holds the screenshots sent before, and gets those that are new."""
        cache.update(self.new)
        turns = tuple(Turn(cache[view], reply, feedback) for view, reply, feedback in self.turns)
        return Context(self.instruction, cache[self.view], turns, self.feedback)


@dataclass(frozen=True)
class SessionOpened:
    """The server has a session for this worker; with the policy's name and settings."""

    name: str
    settings: PolicySettings


@dataclass(frozen=True)
class ReplyUnreadable:
    """The model's reply cannot be read."""

    reason: str
    raw: str
    usage: Usage


Request = StartRequest | PredictRequest
Answer = SessionOpened | Prediction | ReplyUnreadable | SaccadeError | None


@dataclass(frozen=True)
class ServedSource:
    """A policy on a server that all workers of this machine share; every worker has a session of its own.

    ``address`` is that of the server's socket, ``key`` the secret that both sides know.
    """

    asked: dict[str, JsonValue]
    address: str
    key: bytes = field(repr=False)

    def open(self) -> ServedPolicy:
        """Wait for the server's model and begin a session."""
        return ServedPolicy(self.address, self.key)


class ServedPolicy:
    """Asks a policy server; connects again when one that died was replaced. See ``ServedSource``.

    Raises:
        UsageError: the server's model cannot be used as asked for.
        PolicyFailure: there is no server.
    """

    def __init__(self, address: str, key: bytes) -> None:
        self._address = address
        self._key = key
        self._known: set[ScreenshotRef] = set()
        self._connection: Connection | None = None
        self.start()

    @property
    def name(self) -> str:
        """The name of the server's policy."""
        return self._opened.name

    @property
    def settings(self) -> PolicySettings:
        """The settings of the server's policy."""
        return self._opened.settings

    def start(self) -> None:
        """Begin a new episode; waits while the server loads its model."""
        while True:
            try:
                connection = self._connection or self._connect()
                self._known.clear()
                connection.send(StartRequest())
                connection.recv()
                return
            except _DISCONNECTED:
                self._disconnect()

    def predict(self, context: Context) -> Prediction:
        """Ask the server.

        Raises:
            UnreadableReply: the reply cannot be read.
            UsageError: the server's policy refuses, as it would in this process.
            PolicyFailure: the server died, or its policy raised an error.
        """
        try:
            if self._connection is None:
                raise EOFError
            self._connection.send(PredictRequest.of(context, self._known))
            answer: Answer = self._connection.recv()
        except _DISCONNECTED as error:
            self._disconnect()
            raise PolicyFailure("the policy server died; start the episode again") from error
        match answer:
            case Prediction():
                return answer
            case ReplyUnreadable(reason, raw, usage):
                raise UnreadableReply(ParseError(reason, raw), usage)
            case SaccadeError():
                raise answer
            case _:
                raise PolicyFailure(f"the policy server answered {answer!r}")

    def _connect(self) -> Connection:
        try:
            connection = Client(self._address, "AF_UNIX", authkey=self._key)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise PolicyFailure("the policy server ended with its evaluation; run it again") from error
        self._connection = connection
        opened: Answer = connection.recv()
        if not isinstance(opened, SessionOpened):
            raise opened if isinstance(opened, SaccadeError) else PolicyFailure(repr(opened))
        self._opened = opened
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()


def _bare(screenshot: Screenshot) -> Screenshot:
    """Only the pixels, contiguous: without what else is cached with a screenshot."""
    pixels = np.ascontiguousarray(screenshot.pixels)
    return Screenshot(pixels, screenshot.device_scale, screenshot.origin)
