"""The UI-TARS vocabulary: what the names and arguments of its generations mean as actions.

All generations share one vocabulary for reading, because checkpoints mix them; what a generation may
write is said by its own prompt and style.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import cast, get_args

from ..geometry import Point
from ..keys import parse_chord
from ..schema import (
    Action,
    Button,
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
    Navigate,
    NavigateBack,
    OpenApp,
    PressBack,
    PressHome,
    RightClick,
    Scroll,
    Type,
    Wait,
)
from .coordinates import read_all
from .faults import Fault, UnknownName, clip
from .spaces import Space

_POINT = ("point", "start_box", "start_point", "box", "bbox", "position", "coordinate", "start")
_END = ("end_point", "end_box", "end_coordinate", "end")
_TEXT = ("content", "text", "answer", "message")
_KEY = ("key", "keys")
_TIME = ("time", "seconds", "duration")
_NUMBER = re.compile(r"(\d{1,9}(?:\.\d+)?) ?s?")


class Arguments:
    """A call's arguments, taken one by one; what nobody takes is an error.

    Args:
        action: the action's name, for messages.
        values: what the reader found: text, numbers, or JSON values.
        space: the frame of its coordinates.
    """

    def __init__(self, action: str, values: Mapping[str, object], space: Space) -> None:
        self._action = action
        self._left = {key.lower(): value for key, value in values.items() if value is not None}
        self._space = space

    def take(self, names: Iterable[str]) -> object | None:
        """The value under any of these names; None where there is none."""
        found = [self._left.pop(name) for name in names if name in self._left]
        if any(value != found[0] for value in found[1:]):
            raise Fault(f"{self._action} is given two different values for one argument")
        return found[0] if found else None

    def finish(self) -> None:
        """Refuse arguments that nobody took."""
        if self._left:
            raise Fault(f"{self._action} has no argument {', '.join(sorted(self._left))}")

    def optional_point(self, names: Iterable[str] = _POINT) -> Point | None:
        """A point or a box's centre, in screenshot pixels."""
        value = self.take(names)
        if value is None and {"x", "y"} <= self._left.keys():
            value = [self._left.pop("x"), self._left.pop("y")]
        return None if value is None or value == "" else self._space.read(numbers_of(value))

    def point(self, names: Iterable[str] = _POINT) -> Point:
        """A point that must be there."""
        point = self.optional_point(names)
        if point is None:
            raise Fault(f"{self._action} needs a point")
        return point

    def optional_text(self, names: Iterable[str] = _TEXT) -> str | None:
        """A text, exactly as given."""
        value = self.take(names)
        if value is None or isinstance(value, str):
            return value
        raise Fault(f"{self._action} needs a text, not {clip(str(value))}")

    def text(self, names: Iterable[str] = _TEXT) -> str:
        """A text that must be there; it may be empty."""
        text = self.optional_text(names)
        if text is None:
            raise Fault(f"{self._action} needs an argument {next(iter(names))}")
        return text

    def chord(self) -> tuple[str, ...]:
        """Key names of a chord, in one text or in a list."""
        value = self.take(_KEY)
        parts = value if isinstance(value, list) else [value]
        if not parts or not all(isinstance(part, str) for part in parts):
            raise Fault(f"{self._action} needs an argument key")
        return tuple(key for part in parts for key in parse_chord(str(part)))

    def seconds(self) -> float | None:
        """A duration, where one is given."""
        value = self.take(_TIME)
        if value is None or value == "":
            return None
        if isinstance(value, str):
            match = _NUMBER.fullmatch(value.strip().lower())
            value = float(match[1]) if match else value
        return number_of(value)

    def choice(self, name: str, options: tuple[str, ...]) -> str | None:
        """One of a few words, where one is given."""
        value = self.optional_text((name,))
        if value is None:
            return None
        word = value.strip().lower()
        if word not in options:
            raise Fault(f"{name} is {clip(value)}, not one of {', '.join(options)}")
        return word

    def button(self) -> Button:
        """A mouse button; the left one where none is given."""
        return cast(Button, self.choice("button", get_args(Button)) or "left")


def number_of(value: object) -> float:
    """A finite number of a JSON value.

    Raises:
        Fault: it is something else.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12:
        return float(value)
    raise Fault(f"{clip(str(value)[:80])} is not a number")


def numbers_of(value: object) -> tuple[float, ...]:
    """Coordinates out of text, a list, or an object with x and y.

    Raises:
        Fault: it holds something else.
    """
    if isinstance(value, str):
        return read_all(value)
    if isinstance(value, dict) and value.keys() == {"x", "y"}:
        value = [value["x"], value["y"]]
    if isinstance(value, list | tuple):
        parts = [read_all(part) if isinstance(part, str) else (number_of(part),) for part in value]
        numbers = tuple(number for part in parts for number in part)
        if all(math.isfinite(number) for number in numbers):
            return numbers
    raise Fault(f"{clip(str(value)[:80])} is not a point or a box")


Build = Callable[[Arguments], Action | tuple[Action, ...]]


def _scroll(given: Arguments) -> Action:
    point, end = given.optional_point(), given.optional_point(_END)
    direction = given.choice("direction", get_args(Direction))
    if end is not None and point is not None and direction is None:
        return Drag(start=point, end=end)
    if end is not None or direction is None:
        raise Fault("scroll needs a direction, or a start and an end")
    return Scroll(direction=cast(Direction, direction), point=point)


def _wait(given: Arguments) -> Action:
    seconds = given.seconds()
    return Wait() if seconds is None else Wait(seconds=seconds)


def _long_press(given: Arguments) -> Action:
    point, seconds = given.point(), given.seconds()
    return LongPress(point=point) if seconds is None else LongPress(point=point, seconds=seconds)


def _drag(given: Arguments) -> Action:
    end = given.point(_END)
    return Drag(start=given.point(), end=end)


def _hold(given: Arguments) -> tuple[Action, ...]:
    return tuple(KeyDown(key=key) for key in given.chord())


def _release(given: Arguments) -> tuple[Action, ...]:
    return tuple(KeyUp(key=key) for key in given.chord())


def _finished(given: Arguments) -> Action:
    return Finished(answer=given.optional_text() or "")


def _call_user(given: Arguments) -> Action:
    return CallUser(message=given.optional_text() or "")


_URL = ("url", *_TEXT)
_APP = ("app_name", "name", *_TEXT)

WORDS: Mapping[str, Build] = {
    "click": lambda given: Click(point=given.point()),
    "left_single": lambda given: Click(point=given.point()),
    "left_click": lambda given: Click(point=given.point()),
    "select": lambda given: Click(point=given.point()),
    "left_double": lambda given: DoubleClick(point=given.point()),
    "double_click": lambda given: DoubleClick(point=given.point()),
    "right_single": lambda given: RightClick(point=given.point()),
    "right_click": lambda given: RightClick(point=given.point()),
    "middle_click": lambda given: MiddleClick(point=given.point()),
    "move_to": lambda given: Move(point=given.point()),
    "hover": lambda given: Move(point=given.point()),
    "mouse_move": lambda given: Move(point=given.point()),
    "drag": _drag,
    "swipe": _drag,
    "mouse_down": lambda given: MouseDown(point=given.optional_point(), button=given.button()),
    "mouse_up": lambda given: MouseUp(point=given.optional_point(), button=given.button()),
    "scroll": _scroll,
    "type": lambda given: Type(text=given.text(), point=given.optional_point()),
    "hotkey": lambda given: Hotkey(keys=given.chord()),
    "press": _hold,
    "release": _release,
    "wait": _wait,
    "finished": _finished,
    "call_user": _call_user,
    "infeasible": _call_user,
    "navigate": lambda given: Navigate(url=given.text(_URL)),
    "navigate_back": lambda given: NavigateBack(),
    "long_press": _long_press,
    "open_app": lambda given: OpenApp(name=given.text(_APP)),
    "press_home": lambda given: PressHome(),
    "press_back": lambda given: PressBack(),
    "open_computer": lambda given: Wait(seconds=0),
    "take_screenshot": lambda given: Wait(seconds=0),
}

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
"""The argument that an unnamed value stands for."""


def build(name: str, values: Mapping[str, object], space: Space) -> tuple[Action, ...]:
    """The actions that a call stands for.

    Raises:
        Fault: the name is unknown, or an argument is missing, unreadable or superfluous.
        UnknownKeyError: it names a key that does not exist.
    """
    word = WORDS.get(name.strip().lower())
    if word is None:
        raise UnknownName(f"no action is called {clip(name)}; known are {', '.join(sorted(WORDS))}")
    given = Arguments(name, values, space)
    built = word(given)
    given.finish()
    return built if isinstance(built, tuple) else (built,)


def join_drags(groups: list[tuple[Action, ...]]) -> tuple[Action, ...]:
    """A move followed by a drag from the pointer is a drag from where the move ended."""
    actions: list[Action] = []
    for group in groups:
        last = actions[-1] if actions else None
        if isinstance(last, Move) and len(group) == 3 and isinstance(group[1], Move):
            actions[-1:] = [Drag(start=last.point, end=group[1].point)]
        else:
            actions.extend(group)
    return tuple(actions)
