"""The tool-call dialects of Qwen-VL: JSON in ``<tool_call>`` tags, one ``computer_use`` function.

Qwen2.5-VL answers in pixels of its resized image, Qwen3-VL in 0 to 1000. ``qwen-vl-toolcall`` is Qwen3-VL's.
The tool drags from the pointer: a ``mouse_move`` and a ``left_click_drag`` behind it are one drag.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .. import schema
from ..geometry import Point, ResizeLimits
from ..schema import Action, Direction
from .arguments import BY_KIND, CLICK_PIXELS, Arguments, Builder, drag_from_pointer, scroll
from .base import Built, Call, Dialect
from .json_calls import FIRST_CALL, read_tool_calls
from .reply_errors import InvalidReply, UnknownActionName
from .spaces import Space
from .thoughts import join_thoughts, split_thought
from .xml_calls import read_xml_calls

QWEN25_LIMITS = ResizeLimits(factor=28, min_pixels=4 * 28 * 28, max_pixels=16384 * 28 * 28)
_XML_CALL = re.compile(r"^[ \t]*+(?:<tool_call>\s*+)?<function\s*+=", re.MULTILINE)
_BEGINNING = re.compile(rf"{FIRST_CALL.pattern}|<function\s*+=", re.IGNORECASE | re.MULTILINE)
_TOOLS = frozenset(("computer_use", "mobile_use", "computer"))


def _keys(given: Arguments) -> Action:
    keys = given.chord()
    return schema.Press(key=keys[0]) if len(keys) == 1 else schema.Hotkey(keys=keys)


def _scroll(forward: Direction, backward: Direction) -> Builder:
    return lambda given: scroll(given, forward, backward)


def _drag(given: Arguments) -> Action | tuple[Action, ...]:
    start, end = given.optional_point("start_coordinate"), given.point()
    return drag_from_pointer(end) if start is None else schema.Drag(start=start, end=end)


def _terminate(given: Arguments) -> Action:
    failed = given.choice("status", ("success", "failure")) == "failure"
    return schema.CallUser() if failed else schema.Finished()


def _system_button(given: Arguments) -> Action:
    match given.choice("button", ("back", "home", "enter")):
        case "back":
            return schema.PressBack()
        case "home":
            return schema.PressHome()
        case "enter":
            return schema.Press(key="enter")
    raise InvalidReply("system_button needs a button")


_BUILDERS: Mapping[str, Builder] = {
    **dict.fromkeys(("left_click", "click"), BY_KIND["click"]),
    **dict.fromkeys(("double_click", "triple_click"), BY_KIND["double_click"]),
    "right_click": BY_KIND["right_click"],
    "middle_click": BY_KIND["middle_click"],
    "mouse_move": BY_KIND["move"],
    "left_click_drag": _drag,
    "swipe": lambda given: schema.Drag(start=given.point(), end=given.point("coordinate2")),
    "scroll": _scroll("up", "down"),
    "hscroll": _scroll("right", "left"),
    "type": lambda given: schema.Type(text=given.text()),
    "key": _keys,
    "key_down": BY_KIND["key_down"],
    "key_up": BY_KIND["key_up"],
    "wait": BY_KIND["wait"],
    "terminate": _terminate,
    "answer": lambda given: schema.Finished(answer=given.text()),
    "long_press": BY_KIND["long_press"],
    "system_button": _system_button,
    "open": lambda given: schema.OpenApp(name=given.text()),
}
_NAMES = {"click": "left_click", "move": "mouse_move"}


@dataclass(frozen=True)
class QwenDialect(Dialect):
    """``computer_use`` calls as JSON."""

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

    def _read(self, raw: str) -> tuple[str, Sequence[Call]]:
        split = split_thought(raw, _BEGINNING)
        body = raw[split.start : split.end]
        read = read_xml_calls(body) if _XML_CALL.search(body) else read_tool_calls(body)
        return join_thoughts(split.thought, read.prose), read.calls

    def _build(self, call: Call, space: Space) -> Built:
        values = dict(call.arguments)
        name = values.pop("action", None) if call.name in _TOOLS else call.name
        builder = _BUILDERS.get(name.strip().lower()) if isinstance(name, str) else None
        if builder is None:
            raise UnknownActionName(str(name)[:80], _BUILDERS)
        return Arguments(str(name), values, space, point=("coordinate",), text=("text",)).build(builder)

    def _write(self, action: Action, space: Space) -> Sequence[str]:
        bodies = [{"name": "computer_use", "arguments": call} for call in self._calls(action, space)]
        return [f"<tool_call>\n{json.dumps(body, ensure_ascii=False)}\n</tool_call>" for body in bodies]

    def _join(self, thought: str, calls: Sequence[str]) -> str:
        return "\n".join((*filter(None, [thought]), *calls))

    def _calls(self, action: Action, space: Space) -> list[dict[str, object]]:
        def at(point: Point) -> dict[str, object]:
            return {"coordinate": list(space.write(point))}

        match action:
            case schema.Click(point=point) | schema.Move(point=point):
                return [{"action": _NAMES[action.kind], **at(point)}]
            case schema.DoubleClick() | schema.RightClick() | schema.MiddleClick():
                return [{"action": action.kind, **at(action.point)}]
            case schema.Drag():
                move, drag = at(action.start), at(action.end)
                return [{"action": "mouse_move", **move}, {"action": "left_click_drag", **drag}]
            case schema.Scroll(direction=direction, point=point):
                name = "scroll" if direction in ("up", "down") else "hscroll"
                pixels = action.amount * CLICK_PIXELS * (1 if direction in ("up", "right") else -1)
                return [{"action": name, "pixels": pixels, **({} if point is None else at(point))}]
            case schema.Type(point=None):
                return [{"action": "type", "text": action.text}]
            case schema.Press():
                return [{"action": "key", "keys": [action.key]}]
            case schema.Hotkey(keys=keys) if len(keys) > 1 and all(key == key.lower() for key in keys):
                return [{"action": "key", "keys": list(keys)}]
            case schema.Wait():
                return [{"action": "wait", "time": action.seconds}]
            case schema.Finished(answer=answer) if answer:
                return [{"action": "answer", "text": answer}]
            case schema.Finished() | schema.CallUser(message=""):
                status = "success" if action.kind == "finished" else "failure"
                return [{"action": "terminate", "status": status}]
        raise self._cannot_write(action)


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
    QwenDialect("qwen-vl-toolcall"),
    QwenDialect("qwen3-vl-toolcall"),
    QwenDialect("qwen2.5-vl-toolcall", QWEN25_LIMITS),
)
