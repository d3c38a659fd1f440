"""What a dialect is: how one model family is prompted, how it answers, and how its answer is read."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..characters import LONGEST_REPLY, joined_halves, whole_text
from ..errors import UsageError
from ..geometry import ResizeLimits, Size
from ..schema import Action, Drag, Move
from .reply_errors import InvalidReply, parse_errors
from .spaces import Space, absolute, relative
from .thoughts import escape_markup

MOST_ACTIONS = 100
"""Actions of a reply, beyond which it is not read."""


@dataclass(frozen=True)
class Reply:
    """A model's reply, parsed.

    Attributes:
        thought: its reasoning; empty where it gave none.
        actions: what to do, in order, in screenshot pixels; at least one.
        notes: what was ignored in it, in words for the model and the user.
    """

    thought: str
    actions: tuple[Action, ...]
    notes: tuple[str, ...] = ()


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


class CallList(list[Call]):
    """The calls of a reply, up to ``MOST_ACTIONS``."""

    def append(self, call: Call) -> None:
        """Add a call; raises ``InvalidReply`` when there are too many."""
        if len(self) == MOST_ACTIONS:
            raise too_many_actions()
        super().append(call)

    def extend(self, calls: Iterable[Call]) -> None:
        """Add calls, as ``append``."""
        for call in calls:
            self.append(call)


def too_many_actions() -> InvalidReply:
    """The error for a reply with more actions than are read."""
    return InvalidReply(f"it holds more than {MOST_ACTIONS} actions; reply with the next few")


class Built(NamedTuple):
    """The actions of a call, and what was ignored in it."""

    actions: tuple[Action, ...]
    notes: tuple[str, ...] = ()


class ParsedCalls(NamedTuple):
    """A reply's calls, in order, and the prose around them."""

    calls: Sequence[Call]
    prose: str

    @classmethod
    def of(cls, calls: Sequence[Call], prose: Iterable[str]) -> ParsedCalls:
        """Join the pieces of prose, one on each line."""
        return cls(calls, "\n".join(filter(None, (part.strip() for part in prose))))


def read_answer(text: str, start: int) -> tuple[Call, int]:
    """The final answer inside ``<answer>`` and where the tag ends; raises ``InvalidReply`` if it is never closed."""
    end = text.find("</answer>", start)
    if end < 0:
        raise InvalidReply("<answer> is never closed")
    return Call("finished", {"content": text[start:end].strip()}), end + len("</answer>")


@dataclass(frozen=True)
class Dialect(ABC):
    """One model family's language: a reply is a thought and calls. Stateless; never evaluates text as code.

    Attributes:
        name: the name it is registered under.
        limits: the published limits of the image in whose pixels it answers; None if it answers in 0 to 1000.
    """

    name: str
    limits: ResizeLimits | None = None

    @abstractmethod
    def prompt(self, instruction: str) -> str:
        """The text of the first user message: role, output format, action space, instruction."""

    @abstractmethod
    def _read(self, raw: str) -> tuple[str, Sequence[Call]]:
        """The thought and the calls of a reply."""

    @abstractmethod
    def _build(self, call: Call, space: Space) -> Built:
        """The actions of a call."""

    @abstractmethod
    def _write(self, action: Action, space: Space) -> Sequence[str]:
        """The calls of an action, as text."""

    @abstractmethod
    def _join(self, thought: str, calls: Sequence[str]) -> str:
        """The reply with a thought and written calls."""

    def space(self, screenshot: Size, resized: Size | None = None) -> Space:
        """The frame it answers in."""
        return relative(screenshot) if self.limits is None else absolute(screenshot, resized, self.limits)

    def render(self, reply: Reply, screenshot: Size, resized: Size | None = None) -> str:
        """Write a reply the way the model would; the inverse of ``parse`` for points it can express.

        Raises:
            UsageError: the dialect cannot write an action, or a point is off the screenshot.
        """
        if not reply.actions:
            raise UsageError("a reply needs at least one action")
        space = self.space(screenshot, resized)
        calls = [call for action in reply.actions for call in self._write(action, space)]
        return self._join(escape_markup(reply.thought), calls)

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
        space = self.space(screenshot, resized)
        with parse_errors(raw):
            if len(raw) > LONGEST_REPLY:
                raise InvalidReply(f"it has {len(raw):,} characters; at most {LONGEST_REPLY:,} are read")
            thought, calls = self._read(joined_halves(raw))
            built = [self._build(call, space) for call in calls]
            actions = join_drags(each.actions for each in built)
            if not actions:
                raise InvalidReply("no action is found")
            if len(actions) > MOST_ACTIONS:
                raise too_many_actions()
            notes = tuple(dict.fromkeys(note for each in built for note in each.notes))
            return Reply(whole_text(thought), actions, notes)

    def write_calls(self, calls: Iterable[Call]) -> str:
        """Calls that a server took out of a reply, as text that ``parse`` reads.

        The first of a call's ``values`` is its arguments as they were sent: an object, or JSON.
        """
        bodies = ({"name": name, "arguments": values[0] if values else given} for name, given, values in calls)
        return "\n".join(f"<tool_call>\n{json.dumps(body, ensure_ascii=False)}\n</tool_call>" for body in bodies)

    def _cannot_write(self, action: Action) -> UsageError:
        return UsageError(f"{self.name} cannot write {action.model_dump_json()}")


def join_drags(groups: Iterable[tuple[Action, ...]]) -> tuple[Action, ...]:
    """The actions of several calls; a move and a drag from the pointer behind it become one drag."""
    actions: list[Action] = []
    for group in groups:
        last = actions[-1] if actions else None
        if isinstance(last, Move) and len(group) == 3 and isinstance(group[1], Move):
            actions[-1:] = [Drag(start=last.point, end=group[1].point)]
        else:
            actions.extend(group)
    return tuple(actions)
