"""What any pair of hands can do, and what each action does with them: one mapping for every world."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..actions.geometry import Point
from ..actions.schema import (
    Action,
    Button,
    Click,
    Direction,
    DoubleClick,
    Drag,
    Hotkey,
    KeyDown,
    KeyUp,
    LongPress,
    MiddleClick,
    MouseDown,
    MouseUp,
    Move,
    Press,
    RightClick,
    Scroll,
    Type,
)


class KeyboardDevice(Protocol):
    """A keyboard that is told canonical key names (``actions.keys``) and remembers what it holds."""

    @property
    def held(self) -> tuple[str, ...]:
        """Keys that are down, oldest first."""

    def down(self, name: str) -> None:
        """Press a key and hold it."""

    def up(self, name: str) -> None:
        """Release a key; one that is not held is let go all the same, as a keyboard would."""

    def chord(self, names: tuple[str, ...]) -> None:
        """Press all in order, release in reverse order."""

    def type(self, text: str) -> None:
        """Type text exactly; a line break (of any convention) is one Enter."""

    def release_all(self) -> None:
        """Let go of everything that is held."""


class InputDevice(Protocol):
    """Mouse and keyboard of one screen or page; points are in the units its input is injected in."""

    @property
    def keyboard(self) -> KeyboardDevice:
        """The keyboard."""

    def click(self, point: Point, button: Button = "left", count: int = 1) -> None:
        """Press and release a button, ``count`` times within the double-click time."""

    def move(self, point: Point) -> None:
        """Move the pointer."""

    def down(self, point: Point | None, button: Button) -> None:
        """Press a button and hold it."""

    def up(self, point: Point | None, button: Button) -> None:
        """Release a button."""

    def drag(self, start: Point, end: Point) -> None:
        """Press at ``start``, move there in steps, release at ``end``."""

    def hold(self, point: Point, seconds: float) -> None:
        """Press the left button, keep it for a while, release it."""

    def scroll(self, point: Point | None, direction: Direction, amount: int) -> None:
        """Turn the wheel where the pointer is, or at ``point``."""

    def release_all(self) -> None:
        """Let go of every button and key that is held."""


def perform(hands: InputDevice, action: Action, at: Callable[[Point], Point]) -> bool:
    """Execute an action of mouse or keyboard; whether it was one.

    Args:
        hands: mouse and keyboard.
        action: what to do, in screenshot pixels.
        at: screenshot pixels to the units of the hands.
    """
    return _use_mouse(hands, action, at) or _use_keyboard(hands, action, at)


def _use_mouse(hands: InputDevice, action: Action, at: Callable[[Point], Point]) -> bool:
    match action:
        case Click():
            hands.click(at(action.point))
        case DoubleClick():
            hands.click(at(action.point), count=2)
        case RightClick():
            hands.click(at(action.point), "right")
        case MiddleClick():
            hands.click(at(action.point), "middle")
        case Move():
            hands.move(at(action.point))
        case Drag():
            hands.drag(at(action.start), at(action.end))
        case MouseDown():
            hands.down(at(action.point) if action.point else None, action.button)
        case MouseUp():
            hands.up(at(action.point) if action.point else None, action.button)
        case Scroll():
            hands.scroll(at(action.point) if action.point else None, action.direction, action.amount)
        case LongPress():
            hands.hold(at(action.point), action.seconds)
        case _:
            return False
    return True


def _use_keyboard(hands: InputDevice, action: Action, at: Callable[[Point], Point]) -> bool:
    match action:
        case Type():
            if action.point is not None:
                hands.click(at(action.point))
            hands.keyboard.type(action.text)
        case Hotkey():
            hands.keyboard.chord(action.keys)
        case Press():
            hands.keyboard.chord((action.key,))
        case KeyDown():
            hands.keyboard.down(action.key)
        case KeyUp():
            hands.keyboard.up(action.key)
        case _:
            return False
    return True
