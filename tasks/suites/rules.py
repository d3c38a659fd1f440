"""The rules that published scoring codes share: boxes, polygons, distances, and texts that are alike."""

from __future__ import annotations

import math
import string
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ...actions.geometry import Frame, Point, Size
from ...actions.schema import Action, CallUser, Direction, Drag, points


class BoundingBox(NamedTuple):
    """A box with its borders, in the frame of whoever has it."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def xywh(cls, x: float, y: float, width: float, height: float) -> BoundingBox:
        """From the upper left corner and the size."""
        return cls(x, y, x + width, y + height)

    @classmethod
    def corners(cls, x1: float, y1: float, x2: float, y2: float) -> BoundingBox:
        """From two opposite corners, in either order: some sets have them swapped."""
        return cls(min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))

    @property
    def area(self) -> float:
        """In square units of its frame."""
        return (self.right - self.left) * (self.bottom - self.top)

    def holds(self, point: Point) -> bool:
        """Whether a point of the same frame lies in it or on its border."""
        return self.left <= point.x <= self.right and self.top <= point.y <= self.bottom


def in_polygon(point: Point, flat: Sequence[float]) -> bool:
    """Whether a horizontal ray to the right of the point crosses the outline an odd number of times.

    As in OSWorld-G's evaluation, left and upper borders are inside and right and lower ones are not. ``flat`` is
    x and y of each corner in turn.
    """
    corners = [Point(x, y) for x, y in zip(flat[::2], flat[1::2], strict=True)]
    inside = False
    for one, other in zip(corners, [*corners[-1:], *corners[:-1]], strict=True):
        if (one.y > point.y) != (other.y > point.y):
            crossing = (other.x - one.x) * (point.y - one.y) / (other.y - one.y) + one.x
            inside ^= point.x < crossing
    return inside


def relative(point: Point, size: Size, span: float = 1.0) -> Point:
    """A point in screenshot pixels as 0 to ``span`` over the width and over the height."""
    return Frame.relative(size, span).to_frame(point)


def first_point(actions: Iterable[Action]) -> Point | None:
    """Where the first action that has a point begins; None where none has one."""
    return next((at for action in actions for at in points(action)[:1]), None)


def refuses(actions: Sequence[Action]) -> bool:
    """Whether the policy says that it cannot be done: it hands over to the user before anything else."""
    return bool(actions) and isinstance(actions[0], CallUser)


def finger(start: Point, end: Point) -> Direction:
    """The direction in which a finger moves, along the axis it moves further on; on a tie up or down."""
    across, down = end.x - start.x, end.y - start.y
    if abs(across) > abs(down):
        return "left" if across < 0 else "right"
    return "up" if down < 0 else "down"


OPPOSITE: dict[Direction, Direction] = {"up": "down", "down": "up", "left": "right", "right": "left"}


def scrolled(drag: Drag) -> Direction:
    """The direction in which a finger's drag scrolls: opposite to the finger."""
    return OPPOSITE[finger(drag.start, drag.end)]


def tokens(text: str, punctuation: bool = True) -> set[str]:
    """The lower-case words of a text; single punctuation marks only where asked for."""
    words = set(text.lower().split())
    return words if punctuation else {word for word in words if word not in string.punctuation}


def f1(said: set[str], wanted: set[str]) -> float:
    """Harmonic mean of precision and recall over sets of words; 0 where they share none."""
    common = len(said & wanted)
    return 2 * common / (len(said) + len(wanted)) if common else 0.0


def edit_distance(one: str, other: str) -> int:
    """Levenshtein's: how many characters are inserted, deleted or replaced."""
    row = list(range(len(other) + 1))
    for i, char in enumerate(one, start=1):
        previous, row = row, [i]
        for j, wanted in enumerate(other, start=1):
            replaced = previous[j - 1] + (char != wanted)
            row.append(min(previous[j] + 1, row[j - 1] + 1, replaced))
    return row[-1]


def similarity(one: str, other: str) -> float:
    """1 - edit distance / length of the longer text; two empty texts are alike."""
    longer = max(len(one), len(other))
    return 1.0 - edit_distance(one, other) / longer if longer else 1.0


def distance(one: Point, other: Point) -> float:
    """Euclid's."""
    return math.dist(one, other)
