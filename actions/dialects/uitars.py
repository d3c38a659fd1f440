"""The text dialects of UI-TARS and Doubao: ``Thought: …`` and ``Action: name(argument='value')``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..errors import UsageError
from ..geometry import Point, ResizeLimits
from ..schema import Action, Wait
from . import prompts
from .arguments import build
from .base import Built, Call, Dialect
from .coordinates import scan
from .json_calls import decoded
from .punctuation import plain_punctuation
from .reply_errors import InvalidReply
from .spaces import Space
from .strings import quote
from .text_calls import CallParser
from .thoughts import join_thoughts, split_thought
from .uitars_actions import BARE, BUILDERS, POSITIONAL, call_of

UITARS_15_LIMITS = ResizeLimits(factor=28, min_pixels=100 * 28 * 28, max_pixels=16384 * 28 * 28)

_BASE = frozenset(("click", "double_click", "right_click", "drag", "scroll", "hotkey", "type", "wait", "finished"))
_BOX_NAMES = {"point": "start_box", "start_point": "start_box", "end_point": "end_box"}


@dataclass(frozen=True)
class TextDialect(Dialect):
    """One generation of the ``Thought`` and ``Action`` language.

    Attributes:
        lines: its published action space.
        kinds: the kinds of action that it can write.
        tagged: whether points are ``<point>x y</point>`` rather than ``start_box='(x,y)'``.
        swipes: whether a drag is written as a scroll from one point to another.
        wrapped: whether thought and actions are in tags.
        notes: further notes for its prompt.
    """

    lines: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset()
    tagged: bool = False
    swipes: bool = False
    wrapped: bool = False
    notes: tuple[str, ...] = ()

    def prompt(self, instruction: str) -> str:
        """The text of the first user message."""
        form = self._join("...", ["..."])
        return prompts.scaffold(self.lines, instruction, self.notes, form)

    def _read(self, raw: str) -> tuple[str, Sequence[Call]]:
        split = split_thought(raw, self._parser.beginning)
        body = raw[split.start : split.end]
        point = scan(plain_punctuation(body))
        if point.values and point.end == len(body):  # a bare point, as in grounding, is a click
            return split.thought, [Call("click", {"point": point.values})]
        read = self._parser.read(body)
        return join_thoughts(split.thought, read.prose), read.calls

    def _build(self, call: Call, space: Space) -> Built:
        return build(call, BUILDERS, space)

    @cached_property
    def _parser(self) -> CallParser:
        return CallParser(BUILDERS, POSITIONAL, BARE)

    def _write(self, action: Action, space: Space) -> Sequence[str]:
        if self.wrapped and action == Wait(seconds=0):
            return ["open_computer()"]
        call = call_of(action, self.kinds, self.name)
        if call.name == "wait" and call.arguments:
            raise UsageError(f"{self.name} always waits 5 seconds")
        name = "scroll" if self.swipes and call.name == "drag" else call.name
        return [f"{name}({', '.join(self._argument(*each, space) for each in call.arguments.items())})"]

    def write_calls(self, calls: Iterable[Call]) -> str:
        """Calls that a server took out of a reply, as text."""
        calls = list(calls)
        try:
            written = [self._call_text(decoded(call)) for call in calls]
        except InvalidReply:
            return super().write_calls(calls)
        return "Action: " + "\n\n".join(written)

    def _call_text(self, call: Call) -> str:
        arguments = dict(call.arguments)
        known = call.name.lower() in BUILDERS or not isinstance(arguments.get("action"), str)
        name = call.name if known else str(arguments.pop("action"))
        words = ((key, value if isinstance(value, str) else json.dumps(value)) for key, value in arguments.items())
        return f"{name}({', '.join(f'{key}={quote(word)}' for key, word in words)})"

    def _argument(self, key: str, value: object, space: Space) -> str:
        if not isinstance(value, Point):
            return f"{key}={quote(str(value))}"
        x, y = space.write(value)
        return f"{key}='<point>{x} {y}</point>'" if self.tagged else f"{_BOX_NAMES[key]}='({x},{y})'"

    def _join(self, thought: str, calls: Sequence[str]) -> str:
        text = "\n\n".join(calls)
        if self.wrapped:
            return f"<think>{thought}</think>\n<computer_env>\nAction: {text}\n</computer_env>"
        return f"Thought: {thought}\nAction: {text}"


_MOBILE = frozenset(("click", "long_press", "type", "drag", "press_home", "press_back", "finished"))
_DESKTOP = _BASE | {"call_user"}
_DOUBAO = _DESKTOP | {"key_down", "key_up"}
_BROWSER = _DOUBAO | {"navigate", "navigate_back"}
_MANY = (prompts.MANY,)

DIALECTS = (
    TextDialect("uitars-1.0", lines=prompts.UITARS_10, kinds=_DESKTOP),
    TextDialect("uitars-1.0-mobile", lines=prompts.UITARS_10_MOBILE, kinds=_MOBILE, swipes=True),
    TextDialect("uitars-1.5", UITARS_15_LIMITS, prompts.UITARS_15, _DESKTOP),
    TextDialect("doubao-1.5", lines=prompts.DOUBAO_BROWSER, kinds=_BROWSER, tagged=True, notes=_MANY),
    TextDialect("doubao-1.5-mobile", lines=prompts.DOUBAO_MOBILE, kinds=_MOBILE | {"scroll", "open_app"}, tagged=True),
    TextDialect("doubao-1.6", lines=prompts.DOUBAO_BROWSER, kinds=_BROWSER, tagged=True, notes=_MANY),
    TextDialect("uitars-2-omni", lines=prompts.OMNI, kinds=_DOUBAO, tagged=True, wrapped=True, notes=_MANY),
)
