"""Waiting until what a browser page shows is finished where its document cannot tell.

Canvas, video, PDF, animated images, frames of other origins and closed shadow roots draw without a change of the
document. There screenshots are compared, after the document itself is stable.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .observation import Screenshot
from .settle import Clock, Sleep, same_but_caret

QUIET = 0.1
"""Seconds without a change; canvas and timers draw more often than that."""
_INTERVAL = 0.02
_CELL = 16
"""Side of the squares, in pixels, by which it is remembered what never rests."""

Changes = NDArray[np.bool_]


class PictureSettler:
    """Waits until screenshots of a page stop changing.

    What still moves when the time is over (a video, a banner) is remembered, and looked past from then on: a page
    with endless motion is waited for once.
    """

    def __init__(self, clock: Clock, sleep: Sleep) -> None:
        self._clock, self._sleep = clock, sleep
        self._restless: Changes | None = None
        self._place: Any = None

    def wait(self, first: Screenshot, grab: Callable[[], Screenshot], longest: float, place: Any) -> Screenshot:
        """The screenshot of the finished picture, or the last one after the longest time.

        Args:
            first: the screenshot to begin with.
            grab: takes another.
            longest: how long to wait, in seconds.
            place: what is on show; endless motion is remembered for as long as it is the same.
        """
        if place != self._place:
            self._place, self._restless = place, None
        begun = since = self._clock()
        reference = last = first
        recent: list[Changes] = []
        while self._clock() - since < QUIET:
            if self._clock() - begun >= longest:
                self._remember(recent)
                break
            self._sleep(_INTERVAL)
            frame = grab()
            if frame.size != last.size:
                reference, last, since = frame, frame, self._clock()
                continue
            if self._clock() - begun >= longest / 2:
                recent.append(_changes(last, frame))
            if not self._same(_changes(reference, frame)):
                reference, since = frame, self._clock()
            last = frame
        return last

    def _same(self, changes: Changes) -> bool:
        if self._restless is not None and self._restless.shape == changes.shape:
            changes = changes & ~self._restless
        return same_but_caret(np.zeros_like(changes, np.uint8), changes.astype(np.uint8))

    def _remember(self, recent: list[Changes]) -> None:
        if not recent or len({each.shape for each in recent}) > 1:
            return
        moved = np.logical_or.reduce(recent)
        height, width = moved.shape
        cells = np.logical_or.reduceat(moved, range(0, height, _CELL), axis=0)
        cells = np.logical_or.reduceat(cells, range(0, width, _CELL), axis=1)
        whole = np.kron(cells, np.ones((_CELL, _CELL), np.bool_))[:height, :width]
        self._restless = (
            whole if self._restless is None or self._restless.shape != whole.shape else self._restless | whole
        )


def _changes(one: Screenshot, other: Screenshot) -> Changes:
    return np.asarray((one.pixels != other.pixels).any(axis=2))
