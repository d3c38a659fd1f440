"""What the dialects share: a reply is a thought and a list of calls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .. import schema
from ..errors import UsageError
from ..geometry import ResizeLimits, Size
from ..schema import Action
from .base import Call, Reply
from .reply_errors import InvalidReply, parse_errors
from .spaces import Space, absolute, relative
from .thoughts import escape_markup


@dataclass(frozen=True)
class CallDialect(ABC):
    """A dialect whose replies are a thought and calls; see ``Dialect`` for its methods.

    Attributes:
        name: the name it is registered under.
        limits: of the image in whose pixels it answers; None if it answers in 0 to 1000.
    """

    name: str
    limits: ResizeLimits | None = None

    @abstractmethod
    def prompt(self, instruction: str) -> str:
        """The text of the first user message."""

    @abstractmethod
    def _read(self, raw: str) -> tuple[str, Sequence[Call]]:
        """The thought and the calls of a reply."""

    @abstractmethod
    def _build(self, call: Call, space: Space) -> tuple[Action, ...]:
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
        """See ``Dialect.render``."""
        if not reply.actions:
            raise UsageError("a reply needs at least one action")
        space = self.space(screenshot, resized)
        calls = [call for action in reply.actions for call in self._write(action, space)]
        return self._join(escape_markup(reply.thought), calls)

    def parse(self, raw: str, screenshot: Size, resized: Size | None = None) -> Reply:
        """See ``Dialect.parse``."""
        space = self.space(screenshot, resized)
        with parse_errors(raw):
            thought, calls = self._read(raw)
            actions = join_drags(self._build(call, space) for call in calls)
            if not actions:
                raise InvalidReply("no action is found")
            return Reply(thought, actions)

    def _cannot_write(self, action: Action) -> UsageError:
        return UsageError(f"{self.name} cannot write {action.model_dump_json()}")


def join_drags(groups: Iterable[tuple[Action, ...]]) -> tuple[Action, ...]:
    """The actions of several calls; a move and a drag from the pointer behind it become one drag."""
    actions: list[Action] = []
    for group in groups:
        last = actions[-1] if actions else None
        if isinstance(last, schema.Move) and len(group) == 3 and isinstance(group[1], schema.Move):
            actions[-1:] = [schema.Drag(start=last.point, end=group[1].point)]
        else:
            actions.extend(group)
    return tuple(actions)
