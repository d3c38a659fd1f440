"""Mouse and keyboard of one X screen, injected by XTEST."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from ...actions.geometry import Point, clamp
from ...actions.keys import canonical_key
from ...actions.schema import Button, Direction
from ..control import Control
from ..drag_path import HOLD_TIME, STEP_TIME, drag_path
from .connection import BUTTON_DOWN, BUTTON_UP, MOTION, InjectedEvent
from .keys import press_chord, press_key, release_key
from .session import BUTTONS, X11Session
from .text import type_text

_WHEEL: dict[Direction, int] = {"up": 4, "down": 5, "left": 6, "right": 7}
_BETWEEN_CLICKS = 0.01
"""Seconds; browsers take two clicks of one millisecond, by the server's clock, for the same."""


class X11Keyboard:
    """``KeyboardDevice`` on an X server."""

    def __init__(self, session: X11Session) -> None:
        self._session = session

    @property
    def held(self) -> tuple[str, ...]:
        """Keys that are down, oldest first."""
        return tuple(self._session.held_keys)

    def down(self, name: str) -> None:
        """Press a key and hold it."""
        key = canonical_key(name)
        with self._session.using():
            press_key(self._session, key)

    def up(self, name: str) -> None:
        """Release a key, also one that is not held."""
        key = canonical_key(name)
        with self._session.using():
            release_key(self._session, key)

    def chord(self, names: tuple[str, ...]) -> None:
        """Press all in order, release in reverse order."""
        keys = tuple(canonical_key(name) for name in names)
        with self._session.using():
            press_chord(self._session, keys)
            for key in keys:
                self._session.held_keys.pop(key, None)

    def type(self, text: str) -> None:
        """Type text exactly; a line break (of any convention) is one Enter."""
        with self._session.using():
            type_text(self._session, text)

    def release_all(self) -> None:
        """Release every key that is held; works after a stop, too."""
        self._session.release_keys(*reversed(self.held))
        self._session.restore_keycodes(self._session.keymap.assigned)


class X11Input:
    """``InputDevice`` on one X screen; points are its pixels. A stop never leaves a key or a button down.

    Used by one thread at a time; several may exist in one process, for one display or for many.

    Args:
        display: name of the display, such as ``:7``.
        control: asked before every event; a stop ends any method at once, with everything released.

    Attributes:
        session: what it acts through.
        keyboard: the keyboard.

    Raises:
        MissingPartError: there is no such display.
    """

    def __init__(self, display: str, control: Control) -> None:
        self.session = X11Session(display, control)
        self.keyboard = X11Keyboard(self.session)
        self._control = control

    def click(self, point: Point, button: Button = "left", count: int = 1) -> None:
        """Press and release a button, ``count`` times within the double-click time."""
        with self.session.using():
            self._move(point)
            for nth in range(count):
                if nth:
                    self.session.sync()
                    self._control.wait(_BETWEEN_CLICKS)
                self._click(BUTTONS[button])

    def move(self, point: Point) -> None:
        """Move the pointer."""
        with self.session.using():
            self._move(point)

    def down(self, point: Point | None, button: Button) -> None:
        """Press a button and hold it."""
        with self.session.using():
            self._move(point)
            self.session.press_button(button)

    def up(self, point: Point | None, button: Button) -> None:
        """Release a button."""
        with self.session.using():
            self._move(point)
            self._control.check()
            self.session.release_button(button)

    def drag(self, start: Point, end: Point) -> None:
        """Press at ``start``, move there in steps, release at ``end``."""
        with self.session.using(), self._pressed(start):
            for point in drag_path(start, end):
                self._control.wait(HOLD_TIME if point == end else STEP_TIME)
                self._move(point)
                self.session.focus.keep_up()  # a busy program must not lose the steps between
            self._control.wait(HOLD_TIME)

    def long_press(self, point: Point, seconds: float) -> None:
        """Press the left button, keep it for a while, release it."""
        with self.session.using(), self._pressed(point):
            self._control.wait(seconds)

    def scroll(self, point: Point | None, direction: Direction, amount: int) -> None:
        """Turn the wheel where the pointer is, or at ``point``."""
        with self.session.using():
            self._move(point)
            for _ in range(amount):
                self._click(_WHEEL[direction])

    def release_all(self) -> None:
        """Release every button and key that is held; works after a stop, too."""
        with self.session.alive():
            self.session.release_all()

    def close(self) -> None:
        """Release everything and disconnect; the display may be gone already."""
        self.session.close()

    @contextmanager
    def _pressed(self, point: Point) -> Iterator[None]:
        """The left button is down meanwhile."""
        self._move(point)
        self.session.press_button("left")
        try:
            yield
        finally:
            self.session.release_button("left")

    def _move(self, point: Point | None) -> None:
        if point is not None:
            x, y = (math.floor(part) for part in clamp(point, self.session.size))
            self._control.announce_move(x, y)
            self.session.send(InjectedEvent(MOTION, 0, x, y))

    def _click(self, number: int) -> None:
        self.session.send(InjectedEvent(BUTTON_DOWN, number), InjectedEvent(BUTTON_UP, number))
