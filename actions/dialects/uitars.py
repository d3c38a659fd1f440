"""The text dialects of UI-TARS and Doubao: ``Thought: …`` and ``Action: name(argument='value')``."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from ..errors import UsageError
from ..geometry import Point, ResizeLimits, Size
from ..schema import Action, Click, Wait
from . import prompts
from .base import Reply
from .calls import CallReader
from .coordinates import scan
from .faults import Fault, blame
from .spaces import Space, SpaceOf, absolute, relative
from .spelling import spell
from .strings import quote
from .thoughts import harmless, join_thoughts, split_thought
from .words import BARE, POSITIONAL, WORDS, build

UITARS_15_LIMITS = ResizeLimits(factor=28, min_pixels=100 * 28 * 28, max_pixels=16384 * 28 * 28)

_POINTER = frozenset(("click", "double_click", "right_click", "drag", "scroll"))
_BASE = _POINTER | {"hotkey", "type", "wait", "finished"}
_BOX_NAMES = {"point": "start_box", "start_point": "start_box", "end_point": "end_box"}


@dataclass(frozen=True)
class TextDialect:
    """One generation of the ``Thought`` and ``Action`` language.

    Attributes:
        name: the name it is registered under.
        space: the frame it answers in.
        lines: its published action space.
        kinds: the kinds of action it has words for.
        tagged: whether points are ``<point>x y</point>`` rather than ``start_box='(x,y)'``.
        swipes: whether a drag is written as a scroll from one point to another.
        wrapped: whether thought and actions stand in tags of their own.
        notes: further notes for its prompt.
    """

    name: str
    space: SpaceOf
    lines: tuple[str, ...]
    kinds: frozenset[str]
    tagged: bool = False
    swipes: bool = False
    wrapped: bool = False
    notes: tuple[str, ...] = field(default=())

    def prompt(self, instruction: str) -> str:
        """The text of the first user message."""
        if not self.wrapped:
            return prompts.scaffold(self.lines, instruction, self.notes)
        form = "<think>...</think>\n<computer_env>\nAction: ...\n</computer_env>"
        return prompts.scaffold(self.lines, instruction, self.notes, form)

    def render(self, reply: Reply, screenshot: Size, resized: Size | None = None) -> str:
        """Write a reply the way the model would.

        Raises:
            UsageError: the dialect has no words for an action, or a point is off the screenshot.
        """
        if not reply.actions:
            raise UsageError("a reply needs at least one action")
        space = self.space(screenshot, resized)
        calls = "\n\n".join(self._call(action, space) for action in reply.actions)
        thought = harmless(reply.thought)
        if self.wrapped:
            return f"<think>{thought}</think>\n<computer_env>\nAction: {calls}\n</computer_env>"
        return f"Thought: {thought}\nAction: {calls}"

    def parse(self, raw: str, screenshot: Size, resized: Size | None = None) -> Reply:
        """Read a model's reply into actions in screenshot pixels; a bare point, as in grounding, is a click.

        Raises:
            ParseError: nothing in it can be read as an action, or a part of it is wrong.
        """
        space = self.space(screenshot, resized)
        with blame(raw):
            split = split_thought(raw, self._reader.beginning)
            body = raw[split.start : split.end]
            bare = scan(body)
            if bare.values and bare.end == len(body):
                return Reply(split.thought, (Click(point=space.read(bare.values)),))
            read = self._reader.read(body)
            actions = tuple(
                action for call in read.calls for action in build(call.name, call.arguments, space)
            )
            if not actions:
                raise Fault("no action is found")
            return Reply(join_thoughts(split.thought, read.prose), actions)

    @cached_property
    def _reader(self) -> CallReader:
        return CallReader(WORDS, POSITIONAL, BARE)

    def _call(self, action: Action, space: Space) -> str:
        if self.wrapped and action == Wait(seconds=0):
            return "open_computer()"
        spelling = spell(action, self.kinds, self.name)
        if spelling.name == "wait" and spelling.arguments:
            raise UsageError(f"{self.name} always waits 5 seconds")
        name = "scroll" if self.swipes and spelling.name == "drag" else spelling.name
        arguments = ", ".join(self._argument(key, value, space) for key, value in spelling.arguments.items())
        return f"{name}({arguments})"

    def _argument(self, key: str, value: str | Point, space: Space) -> str:
        if isinstance(value, str):
            return f"{key}={quote(value)}"
        x, y = space.write(value)
        if self.tagged:
            return f"{key}='<point>{x} {y}</point>'"
        return f"{_BOX_NAMES[key]}='({x},{y})'"


_MOBILE = frozenset(("click", "long_press", "type", "drag", "press_home", "press_back", "finished"))
_DOUBAO = _BASE | {"key_down", "key_up", "call_user"}
_BROWSER = _DOUBAO | {"navigate", "navigate_back"}

DIALECTS = (
    TextDialect("uitars-1.0", relative, prompts.UITARS_10, _BASE | {"call_user"}),
    TextDialect("uitars-1.0-mobile", relative, prompts.UITARS_10_MOBILE, _MOBILE, swipes=True),
    TextDialect("uitars-1.5", absolute(UITARS_15_LIMITS), prompts.UITARS_15, _BASE | {"call_user"}),
    TextDialect("doubao-1.5", relative, prompts.DOUBAO_BROWSER, _BROWSER, tagged=True, notes=(prompts.MANY,)),
    TextDialect(
        "doubao-1.5-mobile", relative, prompts.DOUBAO_MOBILE, _MOBILE | {"scroll", "open_app"}, tagged=True
    ),
    TextDialect("doubao-1.6", relative, prompts.DOUBAO_BROWSER, _BROWSER, tagged=True, notes=(prompts.MANY,)),
    TextDialect(
        "uitars-2-omni", relative, prompts.OMNI, _DOUBAO, tagged=True, wrapped=True, notes=(prompts.MANY,)
    ),
)
