"""The tool-call dialects of Qwen-VL: JSON in ``<tool_call>`` tags, one ``computer_use`` function.

Qwen2.5-VL answers in pixels of its resized image, Qwen3-VL in 0 to 1000. ``qwen-vl-toolcall`` is Qwen3-VL's.
The tool drags from where the pointer is: a ``mouse_move`` with a ``left_click_drag`` behind it is one drag.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from ..errors import UsageError
from ..geometry import Point, ResizeLimits, Size
from ..schema import (
    Action,
    CallUser,
    Click,
    Direction,
    DoubleClick,
    Drag,
    Finished,
    Hotkey,
    KeyDown,
    KeyUp,
    LongPress,
    MiddleClick,
    MouseDown,
    MouseUp,
    Move,
    OpenApp,
    Press,
    PressBack,
    PressHome,
    RightClick,
    Scroll,
    Type,
    Wait,
)
from .base import Reply
from .faults import Fault, UnknownName, blame, clip
from .spaces import Space, SpaceOf, absolute, relative
from .thoughts import harmless, join_thoughts, split_thought
from .toolcalls import FIRST_CALL, ToolCall, read_tool_calls
from .words import Arguments, join_drags, number_of

QWEN25_LIMITS = ResizeLimits(factor=28, min_pixels=4 * 28 * 28, max_pixels=16384 * 28 * 28)
CLICK_PIXELS = 100
"""Pixels of one wheel click."""
_TOOLS = frozenset(("computer_use", "mobile_use", "computer"))
_AT = ("coordinate",)


def _keys(given: Arguments) -> Action:
    keys = given.chord()
    return Press(key=keys[0]) if len(keys) == 1 else Hotkey(keys=keys)


def _scroll(forward: Direction, backward: Direction) -> Callable[[Arguments], Action]:
    def build(given: Arguments) -> Action:
        pixels = number_of(given.take(("pixels",)))
        if pixels == 0:
            raise Fault("scroll needs pixels other than 0")
        amount = max(1, round(abs(pixels) / CLICK_PIXELS))
        direction = forward if pixels > 0 else backward
        return Scroll(direction=direction, point=given.optional_point(_AT), amount=amount)

    return build


def _drag(given: Arguments) -> Action | tuple[Action, ...]:
    start, end = given.optional_point(("start_coordinate",)), given.point(_AT)
    if start is not None:
        return Drag(start=start, end=end)
    return (MouseDown(), Move(point=end), MouseUp())


def _terminate(given: Arguments) -> Action:
    status = given.choice("status", ("success", "failure"))
    return CallUser() if status == "failure" else Finished()


def _wait(given: Arguments) -> Action:
    seconds = given.seconds()
    return Wait() if seconds is None else Wait(seconds=seconds)


def _long_press(given: Arguments) -> Action:
    point, seconds = given.point(_AT), given.seconds()
    return LongPress(point=point) if seconds is None else LongPress(point=point, seconds=seconds)


def _system_button(given: Arguments) -> Action:
    button = given.choice("button", ("back", "home", "enter"))
    if button is None:
        raise Fault("system_button needs a button")
    buttons: Mapping[str, Action] = {"back": PressBack(), "home": PressHome(), "enter": Press(key="enter")}
    return buttons[button]


WORDS: Mapping[str, Callable[[Arguments], Action | tuple[Action, ...]]] = {
    "left_click": lambda given: Click(point=given.point(_AT)),
    "click": lambda given: Click(point=given.point(_AT)),
    "double_click": lambda given: DoubleClick(point=given.point(_AT)),
    "triple_click": lambda given: DoubleClick(point=given.point(_AT)),
    "right_click": lambda given: RightClick(point=given.point(_AT)),
    "middle_click": lambda given: MiddleClick(point=given.point(_AT)),
    "mouse_move": lambda given: Move(point=given.point(_AT)),
    "left_click_drag": _drag,
    "swipe": lambda given: Drag(start=given.point(_AT), end=given.point(("coordinate2",))),
    "scroll": _scroll("up", "down"),
    "hscroll": _scroll("right", "left"),
    "type": lambda given: Type(text=given.text(("text",))),
    "key": _keys,
    "key_down": lambda given: tuple(KeyDown(key=key) for key in given.chord()),
    "key_up": lambda given: tuple(KeyUp(key=key) for key in given.chord()),
    "wait": _wait,
    "terminate": _terminate,
    "answer": lambda given: Finished(answer=given.text(("text",))),
    "long_press": _long_press,
    "system_button": _system_button,
    "open": lambda given: OpenApp(name=given.text(("text",))),
}


def _build(call: ToolCall, space: Space) -> tuple[Action, ...]:
    values = dict(call.arguments)
    name: object = call.name
    if call.name in _TOOLS:
        name = values.pop("action", None)
    word = WORDS.get(name.strip().lower()) if isinstance(name, str) else None
    if word is None:
        raise UnknownName(f"no action is called {clip(str(name)[:80])}; known are {', '.join(sorted(WORDS))}")
    given = Arguments(str(name), values, space)
    built = word(given)
    given.finish()
    return built if isinstance(built, tuple) else (built,)


@dataclass(frozen=True)
class QwenDialect:
    """``computer_use`` calls in one frame.

    Attributes:
        name: the name it is registered under.
        space: the frame it answers in.
    """

    name: str
    space: SpaceOf

    def prompt(self, instruction: str) -> str:
        """The text of the first user message."""
        return (
            "# Tools\n\nYou may call functions to help with the user's task.\n\n"
            f"<tools>\n{json.dumps(_DEFINITION)}\n</tools>\n\n"
            "For each call, return a JSON object in tool_call tags:\n"
            '<tool_call>\n{"name": <function-name>, "arguments": <arguments>}\n</tool_call>\n\n'
            "First say in one sentence what you will do and why.\n\n"
            f"# Task\n\n{instruction}"
        )

    def render(self, reply: Reply, screenshot: Size, resized: Size | None = None) -> str:
        """Write a reply the way the model would.

        Raises:
            UsageError: the dialect has no words for an action, or a point is off the screenshot.
        """
        if not reply.actions:
            raise UsageError("a reply needs at least one action")
        space = self.space(screenshot, resized)
        calls = [call for action in reply.actions for call in _written(action, space, self.name)]
        bodies = ({"name": "computer_use", "arguments": call} for call in calls)
        blocks = [f"<tool_call>\n{json.dumps(body, ensure_ascii=False)}\n</tool_call>" for body in bodies]
        return "\n".join((*filter(None, [harmless(reply.thought)]), *blocks))

    def parse(self, raw: str, screenshot: Size, resized: Size | None = None) -> Reply:
        """Read a model's reply into actions in screenshot pixels.

        Raises:
            ParseError: nothing in it can be read as an action, or a part of it is wrong.
        """
        space = self.space(screenshot, resized)
        with blame(raw):
            split = split_thought(raw, FIRST_CALL)
            read = read_tool_calls(raw[split.start : split.end])
            actions = join_drags([_build(call, space) for call in read.calls])
            if not actions:
                raise Fault("no action is found")
            return Reply(join_thoughts(split.thought, read.prose), actions)


_POINTED = {
    "click": "left_click",
    "double_click": "double_click",
    "right_click": "right_click",
    "middle_click": "middle_click",
    "move": "mouse_move",
}


def _written(action: Action, space: Space, dialect: str) -> list[dict[str, object]]:
    """The calls that stand for an action."""
    if action.kind in _POINTED:
        return [_at(_POINTED[action.kind], cast(Click, action).point, space)]
    match action:
        case Drag():
            return [_at("mouse_move", action.start, space), _at("left_click_drag", action.end, space)]
        case Scroll():
            return [_scrolled(action, space)]
        case Type(point=None):
            return [{"action": "type", "text": action.text}]
        case Press():
            return [{"action": "key", "keys": [action.key]}]
        case Hotkey() if len(action.keys) > 1 and all(key == key.lower() for key in action.keys):
            return [{"action": "key", "keys": list(action.keys)}]
        case Wait():
            return [{"action": "wait", "time": action.seconds}]
        case Finished():
            return [{"action": "answer", "text": action.answer} if action.answer else _terminated("success")]
        case CallUser(message=""):
            return [_terminated("failure")]
    raise UsageError(f"{dialect} has no words for {action.model_dump_json()}")


def _terminated(status: str) -> dict[str, object]:
    return {"action": "terminate", "status": status}


def _at(name: str, point: Point, space: Space) -> dict[str, object]:
    return {"action": name, "coordinate": list(space.write(point))}


def _scrolled(action: Scroll, space: Space) -> dict[str, object]:
    name = "scroll" if action.direction in ("up", "down") else "hscroll"
    sign = 1 if action.direction in ("up", "right") else -1
    point = {} if action.point is None else {"coordinate": list(space.write(action.point))}
    return {"action": name, "pixels": sign * action.amount * CLICK_PIXELS, **point}


_ACTIONS = (
    *("key", "type", "mouse_move", "left_click", "left_click_drag", "right_click", "middle_click"),
    *("double_click", "triple_click", "scroll", "hscroll", "wait", "terminate", "answer"),
)
_DEFINITION = {
    "type": "function",
    "function": {
        "name": "computer_use",
        "description": "Use a mouse and keyboard to interact with a computer, one action per call.",
        "parameters": {
            "type": "object",
            "properties": {
                "action": {"type": "string", "enum": list(_ACTIONS), "description": "What to do."},
                "keys": {"type": "array", "description": "Required only by `action=key`."},
                "text": {"type": "string", "description": "Required by `action=type` and `action=answer`."},
                "coordinate": {"type": "array", "description": "(x, y) of the point that the action is at."},
                "pixels": {"type": "number", "description": "How far to scroll; up and right are positive."},
                "time": {"type": "number", "description": "Seconds to wait."},
                "status": {"type": "string", "enum": ["success", "failure"], "description": "How it ended."},
            },
            "required": ["action"],
        },
    },
}

DIALECTS = (
    QwenDialect("qwen-vl-toolcall", relative),
    QwenDialect("qwen3-vl-toolcall", relative),
    QwenDialect("qwen2.5-vl-toolcall", absolute(QWEN25_LIMITS)),
)
