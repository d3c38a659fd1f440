"""What a dialect is: how one model family is asked, how it answers, how its answer is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..geometry import Size
from ..schema import Action


@dataclass(frozen=True)
class Reply:
    """A model's reply, read.

    Attributes:
        thought: its reasoning; empty where it gave none.
        actions: what to do, in order, in screenshot pixels; at least one.
    """

    thought: str
    actions: tuple[Action, ...]


class Dialect(Protocol):
    """One model family's language. Stateless; never evaluates text as code."""

    @property
    def name(self) -> str:
        """The name it is registered under."""

    def prompt(self, instruction: str) -> str:
        """The text of the first user message: role, output format, action space, instruction."""

    def render(self, reply: Reply, screenshot: Size, resized: Size | None = None) -> str:
        """Write a reply the way the model would; the inverse of ``parse`` for points it can express.

        Raises:
            UsageError: the dialect has no words for an action.
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
