"""What mouse and keyboard of a screen or page can do, and how each action is executed with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..actions import schema
from ..actions.geometry import Point
from ..actions.keys import strokes
from ..actions.schema import Action, Button, Direction
from .guard.guard import Permit


class KeyboardDevice(Protocol):
    """A keyboard that takes canonical key names (``actions.keys``) and remembers which are down."""

    @property
    def held(self) -> tuple[str, ...]:
        """Keys that are down, oldest first."""

    def down(self, name: str) -> None:
        """Press a key and hold it."""

    def up(self, name: str) -> None:
        """Release a key; also one that is not held, as a keyboard would."""

    def chord(self, names: tuple[str, ...]) -> None:
        """Press all in order, release in reverse order."""

    def type(self, text: str) -> None:
        """Type text exactly; a line break (of any convention) is one Enter."""

    def release_all(self) -> None:
        """Release every key that is held."""


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

    def long_press(self, point: Point, seconds: float) -> None:
        """Press the left button, keep it for a while, release it."""

    def scroll(self, point: Point | None, direction: Direction, amount: int) -> None:
        """Turn the wheel where the pointer is, or at ``point``."""

    def release_all(self) -> None:
        """Release every button and key that is held."""


def perform(device: InputDevice, permit: Permit, at: Callable[[Point], Point]) -> bool:
    """Do what the guard permits with mouse or keyboard; whether it was an action of theirs.

    ``at`` converts the action's points, in screenshot pixels, to the units of the device's points.
    """
    action = permit.spend()
    return _use_mouse(device, action, at) or _use_keyboard(device, action, at)


def _use_mouse(device: InputDevice, action: Action, at: Callable[[Point], Point]) -> bool:
    match action:
        case schema.Click():
            device.click(at(action.point))
        case schema.DoubleClick():
            device.click(at(action.point), count=2)
        case schema.RightClick():
            device.click(at(action.point), "right")
        case schema.MiddleClick():
            device.click(at(action.point), "middle")
        case schema.Move():
            device.move(at(action.point))
        case schema.Drag():
            device.drag(at(action.start), at(action.end))
        case schema.MouseDown():
            device.down(at(action.point) if action.point else None, action.button)
        case schema.MouseUp():
            device.up(at(action.point) if action.point else None, action.button)
        case schema.Scroll():
            device.scroll(at(action.point) if action.point else None, action.direction, action.amount)
        case schema.LongPress():
            device.long_press(at(action.point), action.seconds)
        case _:
            return False
    return True


def _press_chord(keyboard: KeyboardDevice, keys: tuple[str, ...]) -> None:
    """Press a chord; keys that it names several times are pressed as often, while its modifiers are held."""
    held, pressed = strokes(keys)
    down: list[str] = []
    try:
        for key in held:
            keyboard.down(key)
            down.append(key)
        for each in pressed:
            keyboard.chord(each)
    finally:
        for key in reversed(down):
            keyboard.up(key)


def _use_keyboard(device: InputDevice, action: Action, at: Callable[[Point], Point]) -> bool:
    match action:
        case schema.Type():
            if action.point is not None:
                device.click(at(action.point))
            device.keyboard.type(action.text)
        case schema.Hotkey():
            _press_chord(device.keyboard, action.keys)
        case schema.Press():
            device.keyboard.chord((action.key,))
        case schema.KeyDown():
            device.keyboard.down(action.key)
        case schema.KeyUp():
            device.keyboard.up(action.key)
        case _:
            return False
    return True
