"""What counts as a difference between a live screen and a recorded one.

Looked past are regions that are masked in either picture, regions that a person names, a blinking caret, and
what the pointer does to what it hovers over: pixels that change on the live screen when the pointer goes away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...actions.geometry import Point
from ...perception.observation import Observation, Screenshot
from ...perception.redact import redacted
from ...perception.screen import Region
from ...perception.settle import is_caret

Mask = NDArray[np.bool_]
_FADED = 2
"""Levels of a colour, of 256, by which it may differ unseen: how a fade ends depends on when it began."""

_STEP, _STEPS = 20.0, 8
"""Pixels between two places on a way, and how many of them are tried."""


@dataclass(frozen=True)
class Drift:
    """Where a live screen differs from the recorded one.

    Attributes:
        step: index among the recorded steps, from 0; their number for the screen after the last one.
        recorded: the expected screen.
        live: the screen that was seen.
        box: left, top, right and bottom of the difference, in pixels; None where the sizes differ.
        variables: names of variables that were typed with other values than recorded, so that a difference is no
            surprise.
    """

    step: int
    recorded: Screenshot
    live: Screenshot
    box: tuple[int, int, int, int] | None
    variables: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.box is None:
            sizes = [f"{shot.size.width} x {shot.size.height}" for shot in (self.live, self.recorded)]
            return f"step {self.step + 1}: the screen has {sizes[0]} pixels, the recording {sizes[1]}"
        left, top, right, bottom = self.box
        where = f"from ({left}, {top}) to ({right}, {bottom})"
        if self.variables:
            names = " and ".join(self.variables)
            return (
                f"step {self.step + 1}: with another value for {names} than recorded, the screen shows something "
                f"else {where}; leave --exact out, or look past it with --ignore {left},{top},{right - left},"
                f"{bottom - top}"
            )
        return f"step {self.step + 1}: the screen is not as recorded {where}"


def without_masks(observation: Observation, regions: Iterable[Region]) -> Screenshot:
    """The screenshot with some regions, and those that are masked in it anyway, black."""
    return redacted(observation.screenshot, (*regions, *observation.masked))


def differing(recorded: Screenshot, lives: Sequence[Screenshot]) -> Mask | None:
    """The pixels that differ from a live screen; None if nothing does but a blinking caret.

    Several pictures of one live screen show it with the pointer at several places. A pixel that the pointer changes
    may have any colour between those, as the recorded pointer may have been on its way. All sizes have to be equal.
    """
    least, most = lives[0].pixels, lives[0].pixels
    for live in lives[1:]:
        least, most = np.minimum(least, live.pixels), np.maximum(most, live.pixels)
    least = least - np.minimum(least, _FADED)
    most = most + np.minimum(255 - most, _FADED)
    changed: Mask = np.any((recorded.pixels < least) | (recorded.pixels > most), axis=2)
    return None if is_caret(changed) else changed


def box_of(changed: Mask) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the pixels that are set."""
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def between(start: Point, end: Point) -> list[Point]:
    """Places on the straight way from one point towards another, at most 160 pixels far."""
    distance = math.dist(start, end)
    steps = [_STEP * number / distance for number in range(1, _STEPS + 1) if _STEP * number < distance]
    return [Point(start.x + part * (end.x - start.x), start.y + part * (end.y - start.y)) for part in steps]


def away_from(point: Point, screen: Screenshot) -> Point:
    """The corner of a screen that is farthest from a point."""
    width, height = screen.size
    return Point(0.0 if point.x > width / 2 else width - 1.0, 0.0 if point.y > height / 2 else height - 1.0)
