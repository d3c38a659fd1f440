"""The contract of a policy: from what was seen and done so far to the next reply."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from ..actions.dialects import Reply, get_dialect
from ..actions.errors import ParseError
from ..env.trajectory.events import PolicySettings as PolicySettings
from ..env.trajectory.events import Usage as Usage
from ..perception.observation import Screenshot


@dataclass(frozen=True)
class Turn:
    """One earlier step as the policy sees it: a screenshot and its own raw reply.

    ``feedback`` says what went wrong with the reply (it was unreadable, or an action was refused or failed),
    and what happened beside the screen meanwhile.
    """

    screenshot: Screenshot
    reply: str
    feedback: str | None = None


@dataclass(frozen=True)
class Context:
    """Everything a policy may base its next reply on: no DOM, no address, no time, no reward, no answer key.

    The screenshot is the newest one, of a settled screen; ``turns`` are the earlier steps, oldest first;
    ``feedback`` says what happened beside the screen before the first of them.
    """

    instruction: str
    screenshot: Screenshot
    turns: Sequence[Turn] = ()
    feedback: str | None = None


@dataclass(frozen=True)
class Prediction:
    """A reply as the dialect read it, ``raw`` as the model wrote it, what it cost, and notes for the user."""

    reply: Reply
    raw: str
    usage: Usage = field(default_factory=Usage)
    notes: tuple[str, ...] = ()


class UnreadableReply(ParseError):
    """A reply that cannot be read, what it cost all the same, and notes for the user."""

    def __init__(self, error: ParseError, usage: Usage, notes: tuple[str, ...] = ()) -> None:
        super().__init__(error.reason, error.raw)
        self.usage = usage
        self.notes = notes


@runtime_checkable
class Policy(Protocol):
    """Decides. One policy may serve many episodes; per-episode state is dropped in ``start``."""

    @property
    def name(self) -> str:
        """What to call it in records: a checkpoint's name, an endpoint."""

    def start(self) -> None:
        """Begin a new episode: forget the last one."""

    def predict(self, context: Context) -> Prediction:
        """Decide what to do on the newest screen.

        Raises:
            ParseError: the model's reply cannot be read; it carries the raw reply (``UnreadableReply`` also
                what it cost).
        """


@runtime_checkable
class SupportsSettings(Protocol):
    """A policy that states the settings that its replies depend on."""

    @property
    def settings(self) -> PolicySettings:
        """Recorded at the start of every episode."""


@runtime_checkable
class SupportsImageLimit(Protocol):
    """A policy that looks at the newest screenshots only: the pixels of older ones are dropped."""

    @property
    def max_images(self) -> int:
        """How many screenshots it shows its model at most, the newest included."""


@runtime_checkable
class SupportsTolerance(Protocol):
    """A policy of which is known how far its points are off."""

    @property
    def tolerance(self) -> float:
        """How far a point may be off along an axis and mean the same, as a share of the screenshot's longer side."""


def settings_of(policy: Policy) -> PolicySettings:
    """The settings that a policy states; empty for one that states none."""
    return policy.settings if isinstance(policy, SupportsSettings) else PolicySettings()


class ScriptedPolicy:
    """Replies from a list, for demonstrations and tests; after the last one it finishes.

    Args:
        replies: raw replies in the dialect's text.
        dialect: the name of the dialect the replies are written in.
    """

    def __init__(self, replies: Iterable[str], dialect: str = "uitars-1.0") -> None:
        self._replies = tuple(replies)
        self._dialect = get_dialect(dialect)
        self._position = 0

    @property
    def name(self) -> str:
        """Always ``scripted``."""
        return "scripted"

    @property
    def settings(self) -> PolicySettings:
        """Its dialect."""
        return PolicySettings(dialect=self._dialect.name)

    def start(self) -> None:
        """Begin again with the first reply."""
        self._position = 0

    def predict(self, context: Context) -> Prediction:
        """The next reply, parsed for the size of the newest screenshot."""
        done = self._position >= len(self._replies)
        raw = "Action: finished()" if done else self._replies[self._position]
        self._position += 1
        reply = self._dialect.parse(raw, context.screenshot.size)
        return Prediction(reply, raw)
