"""The action vocabulary of UI-TARS and Seed, in both directions: calls to actions, and actions to calls.

All generations share one vocabulary for reading, because checkpoints mix them; what a generation may write is
the ``kinds`` of its dialect.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast

from .. import schema
from ..errors import UsageError
from ..geometry import Point
from ..keys import parse_chord
from ..schema import Action
from .arguments import BY_KIND, TEXT, Arguments, Builder, scroll
from .base import Call
from .strings import format_number

_END = ("end_point", "end_box", "end_coordinate", "end")


def _scroll(given: Arguments) -> Action:
    end = given.optional_point(*_END)
    return scroll(given) if end is None else schema.Drag(start=given.point(), end=end)


def _drag(given: Arguments) -> Action:
    end = given.point(*_END)
    return schema.Drag(start=given.point(), end=end)


def _call_user(given: Arguments) -> Action:
    return schema.CallUser(message=given.optional_text() or "")


BUILDERS: Mapping[str, Builder] = {
    **dict.fromkeys(("click", "left_single", "left_click", "select"), BY_KIND["click"]),
    **dict.fromkeys(("left_double", "double_click"), BY_KIND["double_click"]),
    **dict.fromkeys(("right_single", "right_click"), BY_KIND["right_click"]),
    "middle_click": BY_KIND["middle_click"],
    **dict.fromkeys(("move_to", "hover", "mouse_move"), BY_KIND["move"]),
    **dict.fromkeys(("drag", "swipe"), _drag),
    "mouse_down": BY_KIND["mouse_down"],
    "mouse_up": BY_KIND["mouse_up"],
    "scroll": _scroll,
    "type": lambda given: schema.Type(text=given.text(), point=given.optional_point()),
    "hotkey": lambda given: schema.Hotkey(keys=given.chord()),
    "press": BY_KIND["key_down"],
    "release": BY_KIND["key_up"],
    "wait": BY_KIND["wait"],
    "finished": lambda given: schema.Finished(answer=given.optional_text() or ""),
    **dict.fromkeys(("call_user", "infeasible"), _call_user),
    "navigate": lambda given: schema.Navigate(url=given.text("url", *TEXT)),
    "navigate_back": lambda given: schema.NavigateBack(),
    "long_press": BY_KIND["long_press"],
    "open_app": lambda given: schema.OpenApp(name=given.text("app_name", "name", *TEXT)),
    "press_home": lambda given: schema.PressHome(),
    "press_back": lambda given: schema.PressBack(),
    **dict.fromkeys(("open_computer", "take_screenshot"), lambda given: schema.Wait(seconds=0)),
}
"""What builds the action of each call."""

BARE = ("wait", "finished", "call_user", "navigate_back", "press_home", "press_back", "open_computer")
"""Actions that need no argument, and so no parentheses."""

_POINTED = ("click", "left_single", "left_click", "select", "left_double", "double_click", "right_single")
POSITIONAL: Mapping[str, str] = {
    **dict.fromkeys((*_POINTED, "right_click", "middle_click", "move_to", "hover", "long_press"), "point"),
    **dict.fromkeys(("type", "finished", "call_user", "navigate", "infeasible"), "content"),
    **dict.fromkeys(("hotkey", "press", "release"), "key"),
    "open_app": "app_name",
    "wait": "time",
}
"""The argument that a value without a name is."""

_CALLS = {
    "click": "click point",
    "double_click": "left_double point",
    "right_click": "right_single point",
    "middle_click": "middle_click point",
    "move": "move_to point",
    "drag": "drag start:start_point end:end_point",
    "mouse_down": "mouse_down point button",
    "mouse_up": "mouse_up point button",
    "scroll": "scroll point direction",
    "type": "type text:content point",
    "hotkey": "hotkey keys:key",
    "key_down": "press key",
    "key_up": "release key",
    "wait": "wait seconds:time",
    "finished": "finished answer:content",
    "call_user": "call_user message:content",
    "navigate": "navigate url:content",
    "navigate_back": "navigate_back",
    "long_press": "long_press point seconds:time",
    "open_app": "open_app name:app_name",
    "press_home": "press_home",
    "press_back": "press_back",
}
"""How each kind of action is written: the call's name, then its fields, each with the argument's name."""


def call_of(action: Action, kinds: Collection[str], dialect: str) -> Call:
    """How an action is written; points stay in screenshot pixels, and fields with their default are left out.

    Raises:
        UsageError: the dialect, which has these kinds of action, cannot write it.
    """
    if action.kind not in kinds:
        raise UsageError(f"{dialect} cannot write {action.kind}; it has {', '.join(sorted(kinds))}")
    name, *fields = _CALLS[action.kind].split()
    defaults = {field: info.default for field, info in type(action).model_fields.items()}
    left = {field: value for field, value in action if value != defaults[field]}
    written: dict[str, str | Point] = {}
    for field, _, argument in (each.partition(":") for each in fields):
        if field in left:
            written[argument or field] = _text(left.pop(field))
    if left or written.get("button") == "middle":
        raise UsageError(f"{dialect} cannot write {action.model_dump_json()}")
    return Call(name, written)


def _text(value: object) -> str | Point:
    match value:
        case Point() | str():
            return value
        case float():
            return format_number(value)
        case _:
            return chord_text(cast(tuple[str, ...], value))


def chord_text(keys: tuple[str, ...]) -> str:
    """Keys as one text; raises ``UsageError`` where reading the text would give other keys."""
    text = " ".join("plus" if key == "+" and len(keys) > 1 else key for key in keys)
    if parse_chord(text) != keys:
        raise UsageError(f"no text can express the keys {', '.join(keys)}")
    return text
