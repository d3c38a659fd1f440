"""Waiting until a screen is stable, by comparing screenshots.

``screen_settle`` uses what an X server reports, and ``page_settle`` asks a browser page; both know more than
pixels show. Clock and sleep are arguments, so tests need not wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..actions.geometry import Size
from .observation import Pixels

Clock = Callable[[], float]
Sleep = Callable[[float], None]
FrameT = TypeVar("FrameT")

CARET = Size(6, 64)
"""The largest change, in pixels, that counts as a blinking text cursor."""
_CHECK_SECONDS = 0.05
"""How often a sleep in a page checks whether to go on."""


@dataclass(frozen=True)
class SettleLimits:
    """When a screen counts as settled, in seconds.

    Attributes:
        quiet: time without a change after which the screen counts as stable.
        maximum: time after which to stop waiting, even if the screen still changes.
        interval: time between two screenshots, where screenshots are compared.
    """

    quiet: float = 0.15
    maximum: float = 2.0
    interval: float = 0.03


class FrameSettler(Generic[FrameT]):
    """Waits until screenshots stop changing; works for any screen. ``same_but_caret`` is a usual ``same``."""

    def __init__(
        self,
        grab: Callable[[], FrameT],
        same: Callable[[FrameT, FrameT], bool],
        limits: SettleLimits = SettleLimits(),
        clock: Clock = time.monotonic,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._grab, self._same = grab, same
        self._limits = limits
        self._clock, self._sleep = clock, sleep

    def wait(self, on_stable: Callable[[], None] = lambda: None) -> bool:
        """See ``ScreenSettler``; it never calls ``on_stable``.

        Each screenshot is compared with the first one of the quiet time, not with the one just before it, so
        that slow motion adds up to a change.
        """
        start = quiet_since = self._clock()
        reference = self._grab()
        while True:
            now = self._clock()
            if now - quiet_since >= self._limits.quiet:
                return True
            if now - start >= self._limits.maximum:
                return False
            self._sleep(self._limits.interval)
            frame = self._grab()
            if not self._same(reference, frame):
                reference, quiet_since = frame, self._clock()

    def close(self) -> None:
        """Does nothing: the camera belongs to whoever made it."""


def same_but_caret(before: Pixels, after: Pixels) -> bool:
    """Whether two screenshots are equal except for a region no larger than a blinking text cursor."""
    if before.shape != after.shape:
        return False
    changed = before != after
    return is_caret(changed.any(axis=2) if changed.ndim == 3 else changed)


def is_caret(changed: NDArray[np.bool_]) -> bool:
    """Whether the pixels that changed, if any, lie in a region no larger than a blinking text cursor."""
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    if rows.size == 0:
        return True
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    return bool(width <= CARET.width and height <= CARET.height)


def pause(seconds: float, sleep: Sleep = time.sleep) -> None:
    """Sleep because an action asks for it (``Wait``, ``LongPress``)."""
    if seconds > 0:
        sleep(seconds)


class WaitingPage(Protocol):
    """The one method of a Playwright page that is used here."""

    def wait_for_timeout(self, timeout: float) -> None:
        """Wait some milliseconds while the browser's events are handled."""


def sleep_in(
    page: Callable[[], WaitingPage], check: Callable[[], None] = lambda: None, clock: Clock = time.monotonic
) -> Sleep:
    """A sleep in a page, during which a browser's dialogs, downloads and new tabs are still handled.

    ``check`` is called every 0.05 s; an exception from it ends the sleep.
    """

    def sleep(seconds: float) -> None:
        end = clock() + seconds
        while (left := end - clock()) > 0:
            check()
            page().wait_for_timeout(min(left, _CHECK_SECONDS) * 1000)

    return sleep
