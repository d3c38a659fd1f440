"""Mouse and keyboard of a desktop screen: every gesture of the pointer, over the single events of a backend."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from ..actions.geometry import Point
from ..actions.schema import Button, Direction
from .control import Control
from .input import KeyboardDevice

_STEP_TIME = 0.02  # seconds between two moves of a drag
_PAUSE_TIME = 0.05  # seconds before its last pixel, and before its release
_BETWEEN_CLICKS = 0.01  # browsers take two clicks of one millisecond, by the X server's clock, for the same
_FIRST_MOVE = 8.0
_STEPS = 10
_PIXELS = 4


class ScreenInput(ABC):
    """``InputDevice`` on one screen; has to be closed.

    Args:
        control: asked before every event; a stop ends any method at once.
        keyboard: the keyboard of the same screen.
    """

    def __init__(self, control: Control, keyboard: KeyboardDevice) -> None:
        self._control = control
        self.keyboard = keyboard

    def click(self, point: Point, button: Button = "left", count: int = 1) -> None:
        """Press and release a button, ``count`` times within the double-click time."""
        with self._using():
            self._move(point)
            for nth in range(count):
                if nth:
                    self._control.wait(_BETWEEN_CLICKS)
                self._click(button)

    def move(self, point: Point) -> None:
        """Move the pointer."""
        with self._using():
            self._move(point)

    def down(self, point: Point | None, button: Button) -> None:
        """Press a button and hold it."""
        with self._using():
            self._move(point)
            self._press(button)

    def up(self, point: Point | None, button: Button) -> None:
        """Release a button."""
        with self._using():
            self._move(point)
            self._control.check()
            self._release(button)

    def drag(self, start: Point, end: Point) -> None:
        """Press at ``start``, move along ``drag_path``, release at ``end``."""
        with self._using(), self._pressed(start):
            for point in drag_path(start, end):
                self._control.wait(_PAUSE_TIME if point == end else _STEP_TIME)
                self._move(point)
                self._keep_up()
            self._control.wait(_PAUSE_TIME)

    def long_press(self, point: Point, seconds: float) -> None:
        """Press the left button, keep it for a while, release it."""
        with self._using(), self._pressed(point):
            self._control.wait(seconds)

    def scroll(self, point: Point | None, direction: Direction, amount: int) -> None:
        """Turn the wheel where the pointer is, or at ``point``."""
        with self._using():
            self._move(point)
            for _ in range(amount):
                self._turn_wheel(direction)

    @abstractmethod
    def release_all(self) -> None:
        """Release every button and key that is held; works after a stop, too."""

    @abstractmethod
    def close(self) -> None:
        """Release everything, and restore what was changed."""

    @contextmanager
    def _pressed(self, point: Point) -> Iterator[None]:
        """The left button is down meanwhile."""
        self._move(point)
        self._press("left")
        try:
            yield
        finally:
            self._release("left")

    def _using(self) -> AbstractContextManager[None]:
        """Surrounds every gesture."""
        return nullcontext()

    def _move(self, point: Point | None) -> None:
        if point is not None:
            self._control.check()
            self._move_to(point)

    # The backend. After a stop every method but ``_release`` raises ``Stopped``.

    @abstractmethod
    def _move_to(self, point: Point) -> None: ...

    @abstractmethod
    def _keep_up(self) -> None:
        """Wait for a busy program, which must not lose the steps of a drag."""

    @abstractmethod
    def _press(self, button: Button) -> None: ...

    @abstractmethod
    def _release(self, button: Button) -> None: ...

    @abstractmethod
    def _click(self, button: Button) -> None: ...

    @abstractmethod
    def _turn_wheel(self, direction: Direction) -> None: ...


def drag_path(start: Point, end: Point) -> list[Point]:
    """The points after the press at ``start``; empty if ``end`` is the same.

    A drop target learns of a drag from single moves, through two programs: a jump never drops. With the first
    move over a target browsers report to the page that it was entered, with the second they ask whether it
    accepts the drop, and with the third they get the answer. So the path begins with a small move that makes
    the press a drag, goes on in even steps, and ends with single pixels.
    """
    x, y = end.x - start.x, end.y - start.y
    length = max(abs(x), abs(y))
    if length == 0:
        return []
    first = min(_FIRST_MOVE, length / 2)
    rest = max(0.0, length - _PIXELS - first)
    steps = min(_STEPS, int(rest))
    ways = [first, *(first + rest * step / steps for step in range(1, steps + 1))]
    ways += [length - left for left in range(_PIXELS - 1, 0, -1) if length - left > first]
    return [Point(start.x + x * way / length, start.y + y * way / length) for way in ways] + [end]
