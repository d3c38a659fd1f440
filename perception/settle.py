"""Knowing when a screen has come to rest, instead of sleeping and hoping.

``Settler`` watches pixels and works for any screen. ``page_settle`` asks a browser page, which knows more.
Clock and sleep are arguments, so tests count and never wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np

from ..actions.geometry import Size
from .observation import Pixels

Clock = Callable[[], float]
Sleep = Callable[[float], None]
FrameT = TypeVar("FrameT")

CARET = Size(6, 64)
NAP = 0.05
"""Seconds after which a sleep in a page is asked whether to go on."""


@dataclass(frozen=True)
class SettleLimits:
    """How long to look before a screen counts as settled.

    Attributes:
        quiet: seconds without a change that mean "settled".
        maximum: seconds after which to go on whatever moves.
        interval: seconds between two looks.
    """

    quiet: float = 0.15
    maximum: float = 2.0
    interval: float = 0.03


@dataclass(frozen=True)
class Settled(Generic[FrameT]):
    """How a wait ended.

    Attributes:
        frame: what was seen last.
        quiet: whether the screen came to rest; False when the maximum was reached.
        seconds: how long it took.
        looks: how many frames were grabbed.
    """

    frame: FrameT
    quiet: bool
    seconds: float
    looks: int


class Settler:
    """Waits until frames stop changing.

    Args:
        limits: how long.
        clock: monotonic seconds.
        sleep: pauses between two looks.
    """

    def __init__(
        self,
        limits: SettleLimits = SettleLimits(),
        clock: Clock = time.monotonic,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._sleep = sleep

    def wait(self, grab: Callable[[], FrameT], same: Callable[[FrameT, FrameT], bool]) -> Settled[FrameT]:
        """Look until nothing has changed for the quiet time, at most the maximum.

        Every frame is compared with the one the quiet time began with, not with the one just before it:
        a slow drift adds up and is seen.

        Args:
            grab: gives the current frame; cheap.
            same: whether two frames count as equal, such as ``same_but_caret``.
        """
        start = self._clock()
        reference = frame = grab()
        quiet_since, looks = start, 1
        while True:
            now = self._clock()
            if now - quiet_since >= self._limits.quiet or now - start >= self._limits.maximum:
                return Settled(frame, now - quiet_since >= self._limits.quiet, now - start, looks)
            self._sleep(self._limits.interval)
            frame = grab()
            looks += 1
            if not same(reference, frame):
                reference, quiet_since = frame, self._clock()


def same_but_caret(before: Pixels, after: Pixels, caret: Size = CARET) -> bool:
    """Whether two pictures are equal but for a region no larger than a blinking text cursor."""
    if before.shape != after.shape:
        return False
    changed = before != after
    if changed.ndim == 3:
        changed = changed.any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    if rows.size == 0:
        return True
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    return bool(width <= caret.width and height <= caret.height)


def pause(seconds: float, sleep: Sleep = time.sleep) -> None:
    """Let time pass because an action asks for it (``Wait``, ``LongPress``)."""
    if seconds > 0:
        sleep(seconds)


class WaitingPage(Protocol):
    """A browser page, as far as it is used here."""

    def wait_for_timeout(self, timeout: float) -> None:
        """Let milliseconds pass while the browser's events go on being handled."""


def sleep_in(
    page: Callable[[], WaitingPage], check: Callable[[], None] = lambda: None, clock: Clock = time.monotonic
) -> Sleep:
    """A sleep during which a browser's dialogs, downloads and new tabs are still attended to.

    Args:
        page: what to wait in.
        check: called now and then; what it raises ends the sleep.
        clock: monotonic seconds.
    """

    def sleep(seconds: float) -> None:
        end = clock() + seconds
        while (left := end - clock()) > 0:
            check()
            page().wait_for_timeout(min(left, NAP) * 1000)

    return sleep
