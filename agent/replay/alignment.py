"""Aligns a run with its recording: which recorded step comes next after the run diverged."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ...actions.schema import Action
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


def matched(own: Sequence[Sequence[Action]], recorded: Sequence[Sequence[Action]]) -> list[int | None]:
    """Which recorded step each of some steps in a row replaced, in order, by what is done; None for an extra one.

    The pairs are those with the greatest likeness in sum, the earliest where several have it.
    """
    best: list[list[tuple[float, tuple[int | None, ...]]]] = [[(0.0, ())] * (len(recorded) + 1)]
    for mine in own:
        row: list[tuple[float, tuple[int | None, ...]]] = [(0.0, (*best[-1][0][1], None))]
        for index, theirs in enumerate(recorded):
            above, beside = best[-1][index + 1], row[-1]
            paired = (best[-1][index][0] + _likeness(mine, theirs), (*best[-1][index][1], index))
            options = (beside, paired, (above[0], (*above[1], None)))
            row.append(max(options, key=lambda option: option[0]))
        best.append(row)
    return list(best[-1][-1][1])


def _likeness(mine: Sequence[Action], theirs: Sequence[Action]) -> float:
    """From 0.1, as any action may replace any other, to 3 for the same."""
    if [action.kind for action in mine] != [action.kind for action in theirs]:
        return 0.1
    ours, others = (
        [action.model_dump(exclude={"point", "start", "end"}) for action in actions] for actions in (mine, theirs)
    )
    if ours != others:
        return 1.0
    return 3.0 if list(mine) == list(theirs) else 2.0


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
