"""What a keyboard and a mouse report, as heard from any source: the raw side of a recording.

Points are in input points of the screen (CSS pixels in a browser), times in seconds of one steady clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..actions.geometry import Point
from ..actions.schema import Action, Button, Direction


@dataclass(frozen=True)
class KeyInput:
    """A key went down or up; a key that repeats goes down again and again.

    Attributes:
        time: when.
        code: which key it is, whatever it means at the moment.
        key: what it means: a canonical name, one character, a combining character after ``dead``, or
            nothing where it has no meaning here.
        down: whether it went down.
        dead: whether it changes the next character instead of giving one.
        secret: whether what is typed now must not be kept.
    """

    time: float
    code: int | str
    key: str
    down: bool
    dead: bool = False
    secret: str = ""


@dataclass(frozen=True)
class ButtonInput:
    """A mouse button went down or up."""

    time: float
    point: Point
    button: Button
    down: bool


@dataclass(frozen=True)
class MoveInput:
    """The pointer moved."""

    time: float
    point: Point


@dataclass(frozen=True)
class WheelInput:
    """The wheel was turned by some clicks."""

    time: float
    point: Point
    direction: Direction
    clicks: int = 1


@dataclass(frozen=True)
class TextInput:
    """Text arrived that no single key gave: pasted, dictated or composed by an input method."""

    time: float
    text: str
    secret: str = ""


@dataclass(frozen=True)
class ReleaseAllInput:
    """The keyboard speaks to another program now: what was held there is held no more."""

    time: float


@dataclass(frozen=True)
class ActionInput:
    """Something was done that neither key nor button tells, such as choosing an address from a list."""

    time: float
    action: Action


Input = KeyInput | ButtonInput | MoveInput | WheelInput | TextInput | ReleaseAllInput | ActionInput
Heard = Callable[[Input], None]
