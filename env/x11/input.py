"""Mouse and keyboard of one X screen, injected by XTEST."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ...actions.errors import EnvironmentFailure
from ...actions.geometry import Point, Size, clamp
from ...actions.schema import Button, Direction
from ..control import Control
from ..drag_path import HOLD_TIME, STEP_TIME, drag_path
from .connection import BUTTON_DOWN, BUTTON_UP, MOTION, Connection, InjectedEvent
from .keyboard import X11Keyboard

_BUTTONS: dict[Button, int] = {"left": 1, "middle": 2, "right": 3}
_WHEEL: dict[Direction, int] = {"up": 4, "down": 5, "left": 6, "right": 7}
_NEXT_CLICK = 0.01


class X11Input:
    """``InputDevice`` on one X screen; points are its pixels. A stop never leaves a key or a button down.

    Used by one thread at a time; several may exist in one process, for one display or for many.

    Args:
        display: name of the display, such as ``:7``.
        control: asked before every event; a stop ends any method at once, with everything released.

    Raises:
        MissingPartError: there is no such display.
    """

    def __init__(self, display: str, control: Control) -> None:
        self._control = control
        self._connection = Connection(display)
        screen = self._connection.display.screen()
        self._size = Size(screen.width_in_pixels, screen.height_in_pixels)
        self._held: set[Button] = set()
        with self._connection.alive():
            self._keyboard = X11Keyboard(self._connection, control, self._using)

    @property
    def keyboard(self) -> X11Keyboard:
        """The keyboard."""
        return self._keyboard

    def click(self, point: Point, button: Button = "left", count: int = 1) -> None:
        """Press and release a button, ``count`` times within the double-click time."""
        number = _BUTTONS[button]
        with self._using():
            self._move(point)
            for nth in range(count):
                if nth:  # browsers take two clicks of one millisecond, by the server's clock, for the same
                    self._connection.display.sync()
                    self._control.wait(_NEXT_CLICK)
                self._inject(InjectedEvent(BUTTON_DOWN, number), InjectedEvent(BUTTON_UP, number))

    def move(self, point: Point) -> None:
        """Move the pointer."""
        with self._using():
            self._move(point)

    def down(self, point: Point | None, button: Button) -> None:
        """Press a button and hold it."""
        with self._using():
            self._down(point, button)

    def up(self, point: Point | None, button: Button) -> None:
        """Release a button."""
        with self._using():
            if point is not None:
                self._move(point)
            self._control.check()
            self._release(button)

    def drag(self, start: Point, end: Point) -> None:
        """Press at ``start``, move there in steps, release at ``end``."""
        with self._using():
            self._down(start, "left")
            try:
                for point in drag_path(start, end):
                    self._control.wait(HOLD_TIME if point == end else STEP_TIME)
                    self._move(point)
                    self._keyboard.focus.keep_up()  # a busy program must not lose the steps between
                self._control.wait(HOLD_TIME)
            finally:
                self._release("left")

    def hold(self, point: Point, seconds: float) -> None:
        """Press the left button, keep it for a while, release it."""
        with self._using():
            self._down(point, "left")
            try:
                self._control.wait(seconds)
            finally:
                self._release("left")

    def scroll(self, point: Point | None, direction: Direction, amount: int) -> None:
        """Turn the wheel where the pointer is, or at ``point``."""
        number = _WHEEL[direction]
        with self._using():
            if point is not None:
                self._move(point)
            for _ in range(amount):
                self._inject(InjectedEvent(BUTTON_DOWN, number), InjectedEvent(BUTTON_UP, number))

    def release_all(self) -> None:
        """Let go of every button and key that is held; works after a stop, too."""
        with self._connection.alive():
            self._release_all()

    def close(self) -> None:
        """Let go of everything and hang up; the display may be gone already."""
        try:
            with suppress(EnvironmentFailure), self._connection.alive():
                self._release_all()
                self._keyboard.close()
        finally:
            self._connection.close()

    @contextmanager
    def _using(self) -> Iterator[None]:
        """Whatever goes wrong meanwhile, nothing stays held."""
        with self._connection.alive():
            try:
                yield
            except BaseException:
                self._release_all()
                raise
            self._connection.display.sync()
            self._connection.forget_events()

    def _down(self, point: Point | None, button: Button) -> None:
        if point is not None:
            self._move(point)
        self._control.check()
        self._held.add(button)
        self._connection.inject([InjectedEvent(BUTTON_DOWN, _BUTTONS[button])])

    def _release(self, button: Button) -> None:
        self._held.discard(button)
        self._connection.inject([InjectedEvent(BUTTON_UP, _BUTTONS[button])])

    def _release_all(self) -> None:
        for button in tuple(self._held):
            self._release(button)
        self._keyboard.release_all()
        self._connection.display.sync()  # whoever asks the server from here on hears that all is up

    def _move(self, point: Point) -> None:
        x, y = (math.floor(part) for part in clamp(point, self._size))
        self._control.announce_move(x, y)
        self._inject(InjectedEvent(MOTION, 0, x, y))

    def _inject(self, *events: InjectedEvent) -> None:
        self._control.check()
        self._connection.inject(events)
