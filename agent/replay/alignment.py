"""Aligns a run with its recording: which recorded step comes next after the run diverged."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ...perception.observation import Screenshot

_THUMB = 64
"""Side of the images that are compared, in pixels."""
_WINDOW = 3
"""Most steps that may come next."""


class Alignment:
    """A window of recorded steps that may come next: one while all agree, more after the run diverged.

    A reply of the model's own may reindex the expected step or come before it, so that either the same step
    or the next one follows. After several in a row the oldest step leaves the window.

    Args:
        screens: of the recorded steps and, last, of the end.
    """

    def __init__(self, screens: Sequence[Screenshot | None]) -> None:
        self._screens = screens
        self._low = self._high = 0

    @property
    def end(self) -> int:
        """The index of the end: the number of steps."""
        return len(self._screens) - 1

    def candidates(self, live: Screenshot) -> list[int]:
        """The steps that may come next, the most similar screen first; ``end`` for the end.

        After the run diverged, a recorded screen that is equal to the live one decides alone.
        """
        window = range(self._low, self._high + 1)
        if len(window) > 1:
            rest = range(self._low, len(self._screens))
            equal = [index for index in rest if difference(self._screens[index], live) == 0.0]
            if equal:
                return equal[:1]
        return sorted(window, key=lambda index: difference(self._screens[index], live))

    def window(self) -> range:
        """The steps that a reply of the model's own may correspond to."""
        return range(self._low, min(self._low + _WINDOW, self.end))

    def advance(self, index: int) -> None:
        """Note that a recorded step was repeated."""
        self._low = index + 1
        self._high = max(self._high, self._low)

    def diverge(self) -> None:
        """Note that something else was done."""
        self._high = min(self._high + 1, self.end)
        self._low = max(self._low, self._high - _WINDOW)


def difference(recorded: Screenshot | None, live: Screenshot) -> float:
    """The mean difference of two screens as small grey images, 0 to 255; infinite if the sizes differ."""
    if recorded is None or recorded.size != live.size:
        return math.inf
    if recorded.digest == live.digest:
        return 0.0
    left, right = (_thumbnail(screen) for screen in (recorded, live))
    return float(np.abs(left - right).mean())


def _thumbnail(screen: Screenshot) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    small = screen.image().convert("L").resize((_THUMB, _THUMB), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32)
