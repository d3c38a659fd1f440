"""What a worker and a policy server say to each other, and the worker's end of it.

The server is at the end of a local socket that only its user can reach, and both sides prove that they know a
secret before anything is unpickled. Screenshots travel once per episode.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Client, Connection

import numpy as np
from pydantic import JsonValue

from ....actions.errors import ParseError, PolicyFailure, UsageError
from ....actions.geometry import Point
from ....agent.policy import Context, PolicySettings, Prediction, Turn, UnreadableReply, Usage
from ....perception.observation import Screenshot

Shelf = dict["View", Screenshot]
_LOST = (EOFError, ConnectionResetError, BrokenPipeError)


@dataclass(frozen=True)
class View:
    """Names a screenshot: equal views are equal screenshots."""

    digest: str
    device_scale: float
    origin: Point

    @classmethod
    def of(cls, screenshot: Screenshot) -> View:
        """A screenshot's name."""
        return cls(screenshot.digest, screenshot.device_scale, screenshot.origin)


@dataclass(frozen=True)
class Start:
    """A new episode begins."""


@dataclass(frozen=True)
class Ask:
    """What to reply? A ``Context`` in which screenshots are named.

    Attributes:
        instruction: the task.
        view: the newest screen.
        turns: screen, reply and feedback of each.
        new: the screenshots that were not sent in this episode yet.
    """

    instruction: str
    view: View
    turns: tuple[tuple[View, str, str | None], ...]
    new: Mapping[View, Screenshot]

    @classmethod
    def of(cls, context: Context, known: set[View]) -> Ask:
        """Pack a context for someone who knows some screenshots, and from now on all of it."""
        shots = [*(turn.screenshot for turn in context.turns), context.screenshot]
        new = {view: _bare(shot) for shot in shots if (view := View.of(shot)) not in known}
        known.update(new)
        turns = tuple((View.of(turn.screenshot), turn.reply, turn.feedback) for turn in context.turns)
        return cls(context.instruction, View.of(context.screenshot), turns, new)

    def context(self, shelf: Shelf) -> Context:
        """Unpack it; ``shelf`` holds what was sent before, and takes what is new."""
        shelf.update(self.new)
        turns = tuple(Turn(shelf[view], reply, feedback) for view, reply, feedback in self.turns)
        return Context(self.instruction, shelf[self.view], turns)


@dataclass(frozen=True)
class Hello:
    """The server has a session for this worker.

    Attributes:
        name: the policy's.
        settings: what of it may change results.
    """

    name: str
    settings: PolicySettings


@dataclass(frozen=True)
class Unreadable:
    """The model's reply cannot be read."""

    reason: str
    raw: str
    usage: Usage


@dataclass(frozen=True)
class Refused:
    """It cannot be done as asked: a wrong model, a screenshot that is too narrow."""

    message: str


@dataclass(frozen=True)
class Broke:
    """The policy raised an error."""

    message: str


Request = Start | Ask
Answer = Hello | Prediction | Unreadable | Refused | Broke | None


@dataclass(frozen=True)
class ServedSource:
    """A policy on a server that all workers of this machine share; every worker has a session of its own.

    Attributes:
        asked: what the server's policy was asked for.
        address: of its socket.
        key: the secret that both sides know.
    """

    asked: dict[str, JsonValue]
    address: str
    key: bytes = field(repr=False)

    def open(self) -> ServedPolicy:
        """Wait for the server's model and begin a session."""
        return ServedPolicy(self.address, self.key)


class ServedPolicy:
    """Decides by asking a policy server; connects again when a new one takes the place of one that died.

    Args:
        address: of the server's socket.
        key: the secret that both sides know.

    Raises:
        UsageError: the server's model cannot be used as asked for.
        PolicyFailure: there is no server, nor will there be one.
    """

    def __init__(self, address: str, key: bytes) -> None:
        self._address = address
        self._key = key
        self._known: set[View] = set()
        self._connection: Connection | None = None
        self.start()

    @property
    def name(self) -> str:
        """The name of the server's policy."""
        return self._hello.name

    @property
    def settings(self) -> PolicySettings:
        """The settings of the server's policy."""
        return self._hello.settings

    def start(self) -> None:
        """Begin a new episode; waits while the server loads its model."""
        while True:
            try:
                connection = self._connection or self._connect()
                self._known.clear()
                connection.send(Start())
                connection.recv()
                return
            except _LOST:
                self._hang_up()

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
            self._connection.send(Ask.of(context, self._known))
            answer: Answer = self._connection.recv()
        except _LOST as error:
            self._hang_up()
            raise PolicyFailure("the policy server died; start the episode again") from error
        match answer:
            case Prediction():
                return answer
            case Unreadable(reason, raw, usage):
                raise UnreadableReply(ParseError(reason, raw), usage)
            case Refused(message):
                raise UsageError(message)
            case _:
                raise PolicyFailure(answer.message if isinstance(answer, Broke) else repr(answer))

    def _connect(self) -> Connection:
        try:
            connection = Client(self._address, "AF_UNIX", authkey=self._key)
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise PolicyFailure("the policy server is gone with its evaluation; run it again") from error
        self._connection = connection
        hello: Answer = connection.recv()
        if not isinstance(hello, Hello):
            raise UsageError(hello.message if isinstance(hello, Refused) else repr(hello))
        self._hello = hello
        return connection

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()


def _bare(screenshot: Screenshot) -> Screenshot:
    """Nothing but the pixels, without gaps: what is cached with a screenshot would travel twice."""
    pixels = np.ascontiguousarray(screenshot.pixels)
    return Screenshot(pixels, screenshot.device_scale, screenshot.origin)
