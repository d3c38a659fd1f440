"""Mouse and keyboard input on one browser page."""

from __future__ import annotations

from playwright.sync_api import CDPSession, Page

from ...actions.geometry import Point
from ...actions.schema import Button, Direction
from ...perception.settle import Sleep, pause
from ..control import Control
from .keyboard import Keyboard

WHEEL_CLICK = 100
_WHEEL: dict[Direction, tuple[int, int]] = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}

# HTML5 drag and drop begins after a few pixels and tracks its target from move to move: a single jump
# never drops.
_NUDGE = 4.0
_DRAG_STEPS = 6


class PageInput:
    """``InputDevice`` on one page; points are CSS pixels.

    Args:
        page: the page.
        devtools: its DevTools session.
        start: assumed position of the pointer before its first move.
        sleep: lets time pass while a button is held.
        control: checked before every event that is not a release.
        clicks: send each click of the wheel by itself, as a mouse does: some lists count clicks, not pixels.
        wheel_click: CSS pixels by which a click of the wheel scrolls.

    Attributes:
        position: where the pointer is.
    """

    def __init__(
        self,
        page: Page,
        devtools: CDPSession,
        start: Point,
        sleep: Sleep,
        control: Control,
        clicks: bool = False,
        wheel_click: float = WHEEL_CLICK,
    ) -> None:
        self._clicks = clicks
        self._wheel_click = wheel_click
        self._check = control.check
        self._mouse = page.mouse
        self._start = self.position = start
        self._sleep = sleep
        self._held: set[Button] = set()
        self.keyboard = Keyboard(page.keyboard, devtools, control.check)

    @property
    def held(self) -> bool:
        """Whether a button is down."""
        return bool(self._held)

    def click(self, point: Point, button: Button = "left", count: int = 1) -> None:
        """Press and release a button, ``count`` times within the double-click time."""
        self._check()
        self._mouse.click(point.x, point.y, button=button, click_count=count)
        self.position = point

    def move(self, point: Point) -> None:
        """Move the pointer."""
        self._check()
        self._mouse.move(point.x, point.y)
        self.position = point

    def down(self, point: Point | None, button: Button) -> None:
        """Press a button and hold it."""
        if point is not None:
            self.move(point)
        self._check()
        self._held.add(button)
        self._mouse.down(button=button)

    def up(self, point: Point | None, button: Button) -> None:
        """Release a button."""
        if point is not None:
            self.move(point)
        self._mouse.up(button=button)
        self._held.discard(button)

    def drag(self, start: Point, end: Point) -> None:
        """Press at ``start``, move there in steps, release at ``end``."""
        self.down(start, "left")
        try:
            for point in _path(start, end):
                self.move(point)
        finally:
            self.up(None, "left")

    def long_press(self, point: Point, seconds: float) -> None:
        """Press the left button, keep it for a while, release it."""
        self.down(point, "left")
        try:
            pause(seconds, self._sleep)
        finally:
            self.up(None, "left")

    def scroll(self, point: Point | None, direction: Direction, amount: int) -> None:
        """Turn the wheel where the pointer is, or at ``point``."""
        self.move(point or self.position)
        across, down = _WHEEL[direction]
        for _ in range(amount if self._clicks else 1):
            self._check()
            clicks = self._wheel_click * (1 if self._clicks else amount)
            self._mouse.wheel(across * clicks, down * clicks)

    def retire(self, away: Point) -> None:
        """Release everything and move the pointer away, for a new episode in the same profile."""
        self.release_all()
        self._mouse.move(away.x, away.y)
        self.position = self._start

    def release_all(self) -> None:
        """Release all held buttons and keys."""
        for button in tuple(self._held):
            self.up(None, button)
        self.keyboard.release_all()


def _path(start: Point, end: Point) -> list[Point]:
    """The points of a drag after its start."""
    across, down = end.x - start.x, end.y - start.y
    begin = start
    if abs(across) + abs(down) > 2 * _NUDGE:
        begin = Point(start.x + _NUDGE * _sign(across), start.y + _NUDGE * _sign(down))
    parts = [step / _DRAG_STEPS for step in range(1, _DRAG_STEPS)]
    between = [Point(begin.x + (end.x - begin.x) * part, begin.y + (end.y - begin.y) * part) for part in parts]
    return [*([begin] if begin != start else []), *between, end]


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
