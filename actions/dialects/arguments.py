"""The arguments of a call, checked and turned into actions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import cast, get_args

from .. import schema
from ..geometry import Point
from ..keys import MOST_KEYS, parse_chord
from ..schema import Action, Button, Direction
from .base import Built, Call
from .coordinates import read_all
from .json_values import read_json
from .punctuation import plain_punctuation
from .reply_errors import InvalidReply, UnknownActionName, excerpt
from .spaces import Space
from .strings import COORDINATE_ARGUMENTS

POINT = ("point", "start_box", "start_point", "box", "bbox", "position", "coordinate", "start")
TEXT = ("content", "text", "answer", "message")
_KEY = ("key", "keys")
_TIME = ("time", "seconds", "duration")
_CLICKS = ("clicks", "num_clicks", "click_count")
_WHEEL_CLICKS = ("amount", "clicks", "scroll_amount", "num_clicks", "ticks", "notches", "steps")
_WHEEL_PIXELS = ("pixels", "scroll_pixels")
CLICK_PIXELS = 100
"""Pixels of one wheel click."""
_CHANGES = COORDINATE_ARGUMENTS.union(
    ("x", "y", "button", "direction", *_KEY, *_CLICKS, *_WHEEL_CLICKS, *_WHEEL_PIXELS, "presses", "repeat", "count"),
    ("modifier", "modifiers", "hold", "hold_key", "hold_keys", "holding", "held_keys"),
)
"""Arguments that say what is done, so that no action ignores one that it does not have."""
_NUMBER = re.compile(r"([+-]?\d{1,12}(?:\.\d{1,20})?)")
_SECONDS = re.compile(r"(\d{1,9}(?:\.\d{1,400})?)\s?(s|secs?|seconds?|ms|milliseconds?)?")
_MOST_NAMED = 5
LONG_PRESS_SECONDS = 1.0
"""How long a press is where a reply does not say."""
DEFAULT_WHEEL_CLICKS = 5
"""How far a scroll goes where a reply does not say."""


class Arguments:
    """A call's arguments; each is taken once.

    One that nobody takes is ignored, with a note, unless ignoring it would change what is done: that is an error.

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
        self._left: dict[str, object] = {}
        for key, value in values.items():
            if value is not None and self._left.setdefault(key.lower(), value) != value:
                raise InvalidReply(f"{action} is given two different values for {excerpt(key.lower())}")
        self._space = space
        self._point, self._text = point, text

    def build(self, builder: Builder) -> Built:
        """What a builder makes of these arguments; raises what ``build`` raises."""
        actions = builder(self)
        left = sorted(key for key, value in self._left.items() if value not in ("", [], {}))
        if wrong := [key for key in left if key in _CHANGES]:
            raise InvalidReply(f"{self._action} has no argument {', '.join(wrong)}")
        named = ", ".join(map(excerpt, left[:_MOST_NAMED])) + (" and more" if len(left) > _MOST_NAMED else "")
        notes = (f"{self._action} has no argument {named}: ignored",) if left else ()
        return Built(actions if isinstance(actions, tuple) else (actions,), notes)

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
        if isinstance(value, str) and value.startswith("[") and value.endswith("]"):
            value, _ = read_json(value)
        parts = value if isinstance(value, list) else [value]
        if not parts or not all(isinstance(part, str) for part in parts):
            raise InvalidReply(f"{self._action} needs an argument key")
        if len(parts) > MOST_KEYS:
            raise InvalidReply(f"{self._action} is given {len(parts)} keys; at most {MOST_KEYS} are pressed")
        return tuple(key for part in parts for key in parse_chord(str(part)))

    def seconds(self, default: float) -> float:
        """A duration."""
        value = self.take(*_TIME)
        if value is None or value == "":
            return default
        if isinstance(value, str) and (match := _SECONDS.fullmatch(plain_punctuation(value).strip().lower())):
            value = float(match[1]) / (1000 if (match[2] or "").startswith("m") else 1)
        return number_of(value)

    def wheel(self) -> float | None:
        """Clicks of the wheel, positive or negative; None where neither they nor pixels are given."""
        clicks, pixels = self.take(*_WHEEL_CLICKS), self.take(*_WHEEL_PIXELS)
        if pixels is None or pixels == "":
            return None if clicks is None or clicks == "" else number_of(clicks)
        if clicks is not None:
            raise InvalidReply(f"{self._action} is given both clicks and pixels")
        turned = number_of(pixels) / CLICK_PIXELS
        return math.copysign(max(1.0, round(abs(turned))), turned) if turned else 0.0

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
    """A finite number of a JSON value or a text; raises ``InvalidReply`` for anything else."""
    if isinstance(value, str) and (match := _NUMBER.fullmatch(plain_punctuation(value).strip())):
        value = float(match[1])
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


def build(call: Call, builders: Mapping[str, Builder], space: Space) -> Built:
    """The actions of a call.

    Raises:
        InvalidReply: the name is unknown, or an argument is missing, unreadable, or must not be ignored.
        UnknownKeyError: it names a key that does not exist.
    """
    builder = builders.get(call.name.strip().lower())
    if builder is None:
        raise UnknownActionName(call.name, builders)
    return Arguments(call.name, call.arguments, space).build(builder)


def _pointed(kind: Callable[..., Action]) -> Builder:
    return lambda given: kind(point=given.point())


_CLICKS_OF: Mapping[tuple[str, float], Callable[..., Action]] = {
    ("left", 1): schema.Click,
    ("left", 2): schema.DoubleClick,
    ("right", 1): schema.RightClick,
    ("middle", 1): schema.MiddleClick,
}


def _click(given: Arguments) -> Action:
    clicks, button = given.take(*_CLICKS), given.button()
    count = 1 if clicks is None or clicks == "" else number_of(clicks)
    kind = _CLICKS_OF.get((button, count))
    if kind is None:
        raise InvalidReply(f"{count:g} clicks of the {button} button cannot be executed")
    return kind(point=given.point())


def _long_press(given: Arguments) -> Action:
    return schema.LongPress(point=given.point(), seconds=given.seconds(LONG_PRESS_SECONDS))


BY_KIND: Mapping[str, Builder] = {
    "click": _click,
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


def scroll(given: Arguments, forward: Direction | None = None, backward: Direction | None = None) -> schema.Scroll:
    """A scroll: in a direction that is named, or forward or backward by the sign of how far.

    Raises:
        InvalidReply: its direction is not certain, or how far is no whole number of clicks.
    """
    turned, named = given.wheel(), cast(Direction | None, given.choice("direction", get_args(Direction)))
    if turned is not None and (turned == 0 or turned != int(turned)):
        raise InvalidReply("scroll needs a whole number of wheel clicks other than 0")
    by_sign = None if turned is None else forward if turned > 0 else backward
    if named is None and by_sign is None:
        raise InvalidReply("scroll needs a direction" if forward is None else "scroll needs to say how far")
    if turned is not None and turned < 0 and named not in (None, by_sign):
        raise InvalidReply(f"scroll {named} by {turned:g}: say how far without a sign")
    amount = DEFAULT_WHEEL_CLICKS if turned is None else abs(int(turned))
    return schema.Scroll(direction=named or cast(Direction, by_sign), point=given.optional_point(), amount=amount)


def drag_from_pointer(end: Point) -> tuple[Action, ...]:
    """A drag from where the pointer is; ``join_drags`` makes one drag of it and a move before it."""
    return (schema.MouseDown(), schema.Move(point=end), schema.MouseUp())
