"""The arguments of a call, checked and turned into actions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import cast, get_args

from .. import schema
from ..geometry import Point
from ..keys import parse_chord
from ..schema import Action, Button
from .base import Call
from .coordinates import read_all
from .reply_errors import InvalidReply, UnknownActionName, excerpt
from .spaces import Space

POINT = ("point", "start_box", "start_point", "box", "bbox", "position", "coordinate", "start")
TEXT = ("content", "text", "answer", "message")
_KEY = ("key", "keys")
_TIME = ("time", "seconds", "duration")
_NUMBER = re.compile(r"(\d{1,9}(?:\.\d+)?) ?s?")


class Arguments:
    """A call's arguments; each is taken once, and one that nobody takes is an error.

    Args:
        action: the action's name, for messages.
        values: what was read: text, numbers, or JSON values.
        space: the frame of its coordinates.
        point: names that the point may have, as ``text`` are those of the text.
    """

    def __init__(
        self,
        action: str,
        values: Mapping[str, object],
        space: Space,
        point: tuple[str, ...] = POINT,
        text: tuple[str, ...] = TEXT,
    ) -> None:
        self._action = action
        self._left = {key.lower(): value for key, value in values.items() if value is not None}
        self._space = space
        self._point, self._text = point, text

    def build(self, builder: Builder) -> tuple[Action, ...]:
        """The actions that a builder makes of these arguments; raises what ``build`` raises."""
        built = builder(self)
        if self._left:
            raise InvalidReply(f"{self._action} has no argument {', '.join(sorted(self._left))}")
        return built if isinstance(built, tuple) else (built,)

    def take(self, *names: str) -> object | None:
        """The value under any of these names; None where there is none."""
        found = [self._left.pop(name) for name in names if name in self._left]
        if any(value != found[0] for value in found[1:]):
            raise InvalidReply(f"{self._action} is given two different values for one argument")
        return found[0] if found else None

    def optional_point(self, *names: str) -> Point | None:
        """A point or a box's centre, in screenshot pixels."""
        value = self.take(*(names or self._point))
        if value is None and {"x", "y"} <= self._left.keys():
            value = [self._left.pop("x"), self._left.pop("y")]
        return None if value is None or value == "" else self._space.read(numbers_of(value))

    def point(self, *names: str) -> Point:
        """A required point."""
        point = self.optional_point(*names)
        if point is None:
            raise InvalidReply(f"{self._action} needs a point")
        return point

    def optional_text(self, *names: str) -> str | None:
        """A text, exactly as given."""
        value = self.take(*(names or self._text))
        if value is None or isinstance(value, str):
            return value
        raise InvalidReply(f"{self._action} needs a text, not {excerpt(str(value))}")

    def text(self, *names: str) -> str:
        """A required text; it may be empty."""
        text = self.optional_text(*names)
        if text is None:
            raise InvalidReply(f"{self._action} needs an argument {(names or self._text)[0]}")
        return text

    def chord(self) -> tuple[str, ...]:
        """Key names of a chord, in one text or in a list."""
        value = self.take(*_KEY)
        parts = value if isinstance(value, list) else [value]
        if not parts or not all(isinstance(part, str) for part in parts):
            raise InvalidReply(f"{self._action} needs an argument key")
        return tuple(key for part in parts for key in parse_chord(str(part)))

    def seconds(self, default: float) -> float:
        """A duration."""
        value = self.take(*_TIME)
        if value is None or value == "":
            return default
        if isinstance(value, str):
            match = _NUMBER.fullmatch(value.strip().lower())
            value = float(match[1]) if match else value
        return number_of(value)

    def choice(self, name: str, options: tuple[str, ...]) -> str | None:
        """One of a few words; None where none is given."""
        value = self.optional_text(name)
        if value is None:
            return None
        word = value.strip().lower()
        if word not in options:
            raise InvalidReply(f"{name} is {excerpt(value)}, not one of {', '.join(options)}")
        return word

    def button(self) -> Button:
        """A mouse button; the left one where none is given."""
        return cast(Button, self.choice("button", get_args(Button)) or "left")


def number_of(value: object) -> float:
    """A finite number of a JSON value; raises ``InvalidReply`` for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12:
        return float(value)
    raise InvalidReply(f"{excerpt(str(value)[:80])} is not a number")


def numbers_of(value: object) -> tuple[float, ...]:
    """Coordinates out of text, a list, or an object with x and y; raises ``InvalidReply`` for anything else."""
    if isinstance(value, str):
        return read_all(value)
    if isinstance(value, dict) and value.keys() == {"x", "y"}:
        value = [value["x"], value["y"]]
    if isinstance(value, list | tuple):
        parts = [read_all(part) if isinstance(part, str) else (number_of(part),) for part in value]
        numbers = tuple(number for part in parts for number in part)
        if all(math.isfinite(number) for number in numbers):
            return numbers
    raise InvalidReply(f"{excerpt(str(value)[:80])} is not a point or a box")


Builder = Callable[[Arguments], Action | tuple[Action, ...]]
"""Makes the actions of one call."""


def build(call: Call, builders: Mapping[str, Builder], space: Space) -> tuple[Action, ...]:
    """The actions of a call.

    Raises:
        InvalidReply: the name is unknown, or an argument is missing, unreadable or not used.
        UnknownKeyError: it names a key that does not exist.
    """
    builder = builders.get(call.name.strip().lower())
    if builder is None:
        raise UnknownActionName(call.name, builders)
    return Arguments(call.name, call.arguments, space).build(builder)


def _pointed(kind: Callable[..., Action]) -> Builder:
    return lambda given: kind(point=given.point())


def _long_press(given: Arguments) -> Action:
    press = schema.LongPress(point=given.point())
    return press.model_copy(update={"seconds": given.seconds(press.seconds)})


BY_KIND: Mapping[str, Builder] = {
    "click": _pointed(schema.Click),
    "double_click": _pointed(schema.DoubleClick),
    "right_click": _pointed(schema.RightClick),
    "middle_click": _pointed(schema.MiddleClick),
    "move": _pointed(schema.Move),
    "mouse_down": lambda given: schema.MouseDown(point=given.optional_point(), button=given.button()),
    "mouse_up": lambda given: schema.MouseUp(point=given.optional_point(), button=given.button()),
    "key_down": lambda given: tuple(schema.KeyDown(key=key) for key in given.chord()),
    "key_up": lambda given: tuple(schema.KeyUp(key=key) for key in given.chord()),
    "wait": lambda given: schema.Wait(seconds=given.seconds(schema.Wait().seconds)),
    "long_press": _long_press,
}
"""Builders of the actions whose arguments all dialects share."""


def drag_from_pointer(end: Point) -> tuple[Action, ...]:
    """A drag from where the pointer is; ``join_drags`` makes one drag of it and a move before it."""
    return (schema.MouseDown(), schema.Move(point=end), schema.MouseUp())
