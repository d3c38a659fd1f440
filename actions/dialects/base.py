"""What a dialect is: how one model family is prompted, how it answers, and how its answer is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ..geometry import ResizeLimits, Size
from ..schema import Action


@dataclass(frozen=True)
class Reply:
    """A model's reply, parsed.

    Attributes:
        thought: its reasoning; empty where it gave none.
        actions: what to do, in order, in screenshot pixels; at least one.
    """

    thought: str
    actions: tuple[Action, ...]


class Call(NamedTuple):
    """One call as written.

    Attributes:
        name: of the action or function.
        arguments: by name: numbers, text or JSON values.
        values: arguments without a name (only in code).
    """

    name: str
    arguments: Mapping[str, object] = {}
    values: tuple[object, ...] = ()


class ParsedCalls(NamedTuple):
    """A reply's calls, in order, and the prose around them."""

    calls: Sequence[Call]
    prose: str

    @classmethod
    def of(cls, calls: Sequence[Call], prose: Iterable[str]) -> ParsedCalls:
        """Join the pieces of prose, one on each line."""
        return cls(calls, "\n".join(filter(None, (part.strip() for part in prose))))


class Dialect(Protocol):
    """One model family's language. Stateless; never evaluates text as code."""

    @property
    def name(self) -> str:
        """The name it is registered under."""

    @property
    def limits(self) -> ResizeLimits | None:
        """The published limits of the image in whose pixels it answers; None if it answers in 0 to 1000."""

    def prompt(self, instruction: str) -> str:
        """The text of the first user message: role, output format, action space, instruction."""

    def render(self, reply: Reply, screenshot: Size, resized: Size | None = None) -> str:
        """Write a reply the way the model would; the inverse of ``parse`` for points it can express.

        Raises:
            UsageError: the dialect cannot write an action, or a point is off the screenshot.
        """

    def parse(self, raw: str, screenshot: Size, resized: Size | None = None) -> Reply:
        """Read a model's reply into actions in screenshot pixels.

        Args:
            raw: the reply, special tokens and all.
            screenshot: size of the screenshot the policy saw, in pixels.
            resized: size after the model's own ``smart_resize``, for dialects that answer in its pixels;
                by default what ``smart_resize`` gives with the family's published limits.

        Raises:
            ParseError: nothing in it can be read as an action, or a part of it is wrong; never a guess.
        """
