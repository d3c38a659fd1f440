"""Which step of a recording comes next, once the run has left it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ...perception.observation import Screenshot

_THUMB = 64
_WINDOW = 3


class Alignment:
    """A window of recorded steps that may come next: one while all agree, more after the run strayed.

    An answer of the model's own may have replaced the step that was expected or come before it, so after it
    both the same step and the next may follow; after many in a row the oldest is given up.

    Args:
        screens: of the recorded steps and, last, the end.
    """

    def __init__(self, screens: Sequence[Screenshot | None]) -> None:
        self._screens = screens
        self._low = self._high = 0

    @property
    def end(self) -> int:
        """The place of the end: how many steps there are."""
        return len(self._screens) - 1

    def places(self, live: Screenshot) -> list[int]:
        """What may come next, the likeliest by its screen first; ``end`` for the end.

        Where the run has strayed, a recorded screen that comes up again, to the pixel, says where it is.
        """
        window = range(self._low, self._high + 1)
        if len(window) > 1:
            rest = range(self._low, len(self._screens))
            again = [place for place in rest if difference(self._screens[place], live) == 0.0]
            if again:
                return again[:1]
        return sorted(window, key=lambda place: difference(self._screens[place], live))

    def nearby(self) -> range:
        """All places that the model's own answer may turn out to be."""
        return range(self._low, min(self._low + _WINDOW, self.end))

    def passed(self, place: int) -> None:
        """A recorded step was done; after the run strayed, perhaps only one that looks like it."""
        self._low = place + 1
        self._high = max(self._high, self._low)

    def strayed(self) -> None:
        """Something else was done."""
        self._high = min(self._high + 1, self.end)
        self._low = max(self._low, self._high - _WINDOW)


def difference(recorded: Screenshot | None, live: Screenshot) -> float:
    """How far apart two screens look: the mean difference of small grey pictures, 0 to 255."""
    if recorded is None or recorded.size != live.size:
        return math.inf
    if recorded.digest == live.digest:
        return 0.0
    left, right = (_thumbnail(screen) for screen in (recorded, live))
    return float(np.abs(left - right).mean())


def _thumbnail(screen: Screenshot) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    small = screen.image().convert("L").resize((_THUMB, _THUMB), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float32)
