"""The inverse of ``words``: how UI-TARS spells an action, as a name and arguments."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import NamedTuple, cast

from ..errors import UsageError
from ..geometry import Point
from ..keys import parse_chord
from ..schema import (
    Action,
    Click,
    Drag,
    Hotkey,
    KeyDown,
    KeyUp,
    LongPress,
    MouseDown,
    MouseUp,
    Scroll,
    Type,
    Wait,
)

DEFAULT_AMOUNT = Scroll(direction="down").amount
DEFAULT_WAIT = Wait().seconds
DEFAULT_PRESS = LongPress(point=Point(0, 0)).seconds


class Spelling(NamedTuple):
    """A call's name and arguments; points are still in screenshot pixels."""

    name: str
    arguments: Mapping[str, str | Point]


def number(value: float) -> str:
    """A number without an exponent and without a needless fraction."""
    text = f"{Decimal(repr(float(value))):f}"
    return text.removesuffix(".0")


def chord(keys: Collection[str]) -> str:
    """Keys as one text.

    Raises:
        UsageError: reading the text would give other keys.
    """
    text = " ".join("plus" if key == "+" and len(keys) > 1 else key for key in keys)
    if parse_chord(text) != tuple(keys):
        raise UsageError(f"no text stands for the keys {', '.join(keys)}")
    return text


def _pointed(name: str) -> Callable[[Action], Spelling]:
    def spell(action: Action) -> Spelling:
        return Spelling(name, {"point": cast(Click, action).point})

    return spell


def _plain(name: str) -> Callable[[Action], Spelling]:
    return lambda action: Spelling(name, {})


def _drag(action: Action) -> Spelling:
    drag = cast(Drag, action)
    return Spelling("drag", {"start_point": drag.start, "end_point": drag.end})


def _scroll(action: Action) -> Spelling:
    scroll = cast(Scroll, action)
    if scroll.amount != DEFAULT_AMOUNT:
        raise UsageError(f"this dialect always scrolls by {DEFAULT_AMOUNT}, it cannot say {scroll.amount}")
    point = {} if scroll.point is None else {"point": scroll.point}
    return Spelling("scroll", {**point, "direction": scroll.direction})


def _type(action: Action) -> Spelling:
    typed = cast(Type, action)
    point = {} if typed.point is None else {"point": typed.point}
    return Spelling("type", {"content": typed.text, **point})


def _button(name: str) -> Callable[[Action], Spelling]:
    def spell(action: Action) -> Spelling:
        mouse = cast(MouseDown | MouseUp, action)
        if mouse.button == "middle":
            raise UsageError("this dialect holds the left and the right button only")
        point = {} if mouse.point is None else {"point": mouse.point}
        return Spelling(name, point if mouse.button == "left" else {**point, "button": mouse.button})

    return spell


def _wait(action: Action) -> Spelling:
    seconds = cast(Wait, action).seconds
    return Spelling("wait", {} if seconds == DEFAULT_WAIT else {"time": number(seconds)})


def _long_press(action: Action) -> Spelling:
    press = cast(LongPress, action)
    time = {} if press.seconds == DEFAULT_PRESS else {"time": number(press.seconds)}
    return Spelling("long_press", {"point": press.point, **time})


def _content(
    name: str, field: str, argument: str = "content", *, optional: bool = False
) -> Callable[[Action], Spelling]:
    def spell(action: Action) -> Spelling:
        text = cast(str, getattr(action, field))
        return Spelling(name, {} if optional and not text else {argument: text})

    return spell


SPELLINGS: Mapping[str, Callable[[Action], Spelling]] = {
    "click": _pointed("click"),
    "double_click": _pointed("left_double"),
    "right_click": _pointed("right_single"),
    "middle_click": _pointed("middle_click"),
    "move": _pointed("move_to"),
    "drag": _drag,
    "mouse_down": _button("mouse_down"),
    "mouse_up": _button("mouse_up"),
    "scroll": _scroll,
    "type": _type,
    "hotkey": lambda action: Spelling("hotkey", {"key": chord(cast(Hotkey, action).keys)}),
    "key_down": lambda action: Spelling("press", {"key": chord((cast(KeyDown, action).key,))}),
    "key_up": lambda action: Spelling("release", {"key": chord((cast(KeyUp, action).key,))}),
    "wait": _wait,
    "finished": _content("finished", "answer", optional=True),
    "call_user": _content("call_user", "message", optional=True),
    "navigate": _content("navigate", "url"),
    "navigate_back": _plain("navigate_back"),
    "long_press": _long_press,
    "open_app": _content("open_app", "name", "app_name"),
    "press_home": _plain("press_home"),
    "press_back": _plain("press_back"),
}


def spell(action: Action, kinds: Collection[str], dialect: str) -> Spelling:
    """How an action is written.

    Args:
        action: what to write.
        kinds: the kinds of action that the dialect has words for.
        dialect: its name, for messages.

    Raises:
        UsageError: the dialect has no words for it.
    """
    if action.kind not in kinds or action.kind not in SPELLINGS:
        raise UsageError(f"{dialect} has no words for {action.kind}; it has {', '.join(sorted(kinds))}")
    return SPELLINGS[action.kind](action)
