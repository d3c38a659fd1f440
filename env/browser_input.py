"""The hands on one browser page: mouse and keyboard, and what each action does with them."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import CDPSession, Page

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
from ..perception.settle import Sleep, pause
from .keyboard import Keyboard

WHEEL_CLICK = 100
_WHEEL: dict[Direction, tuple[int, int]] = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}

# HTML5 drag and drop begins after a few pixels and tracks its target from move to move: a single jump
# never drops.
_NUDGE = 4.0
_DRAG_STEPS = 6


class Hands:
    """Mouse and keyboard of one page; points are CSS pixels.

    Args:
        page: the page.
        devtools: its DevTools session.
        rest: where the pointer is taken to be before its first move.
        sleep: lets time pass while a button is held.
    """

    def __init__(self, page: Page, devtools: CDPSession, rest: Point, sleep: Sleep) -> None:
        self._mouse = page.mouse
        self._position = rest
        self._sleep = sleep
        self._held: set[Button] = set()
        self.keyboard = Keyboard(page.keyboard, devtools)

    def click(self, point: Point, button: Button = "left", count: int = 1) -> None:
        """Press and release a button, ``count`` times within the double-click time."""
        self._mouse.click(point.x, point.y, button=button, click_count=count)
        self._position = point

    def move(self, point: Point) -> None:
        """Move the pointer."""
        self._mouse.move(point.x, point.y)
        self._position = point

    def down(self, point: Point | None, button: Button) -> None:
        """Press a button and hold it."""
        if point is not None:
            self.move(point)
        self._mouse.down(button=button)
        self._held.add(button)

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
            if abs(end.x - start.x) + abs(end.y - start.y) > 2 * _NUDGE:
                self._mouse.move(
                    start.x + _NUDGE * _sign(end.x - start.x), start.y + _NUDGE * _sign(end.y - start.y)
                )
            self._mouse.move(end.x, end.y, steps=_DRAG_STEPS)
        finally:
            self.up(None, "left")
        self._position = end

    def hold(self, point: Point, seconds: float) -> None:
        """Press the left button, keep it for a while, release it."""
        self.down(point, "left")
        try:
            pause(seconds, self._sleep)
        finally:
            self.up(None, "left")

    def scroll(self, point: Point | None, direction: Direction, amount: int) -> None:
        """Turn the wheel where the pointer is, or at ``point``."""
        self.move(point or self._position)
        across, down = _WHEEL[direction]
        self._mouse.wheel(across * amount * WHEEL_CLICK, down * amount * WHEEL_CLICK)

    def release_all(self) -> None:
        """Let go of every button and key that is held."""
        for button in tuple(self._held):
            self.up(None, button)
        self.keyboard.release_all()


def perform(hands: Hands, action: Action, at: Callable[[Point], Point]) -> bool:
    """Execute an action of mouse or keyboard; whether it was one.

    Args:
        hands: the page's mouse and keyboard.
        action: what to do, in screenshot pixels.
        at: screenshot pixels to CSS pixels.
    """
    return _use_mouse(hands, action, at) or _use_keyboard(hands, action, at)


def _use_mouse(hands: Hands, action: Action, at: Callable[[Point], Point]) -> bool:
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


def _use_keyboard(hands: Hands, action: Action, at: Callable[[Point], Point]) -> bool:
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


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
