"""The path of the pointer in a drag on a desktop.

A drop target learns of a drag from single moves, through two programs: a jump never drops. With the first
move over a target browsers report to the page that it was entered, with the second they ask whether it
accepts the drop, and with the third they get the answer. So the path begins with a small move that makes the
press a drag, goes on in even steps, and ends with single pixels, with pauses before the last one and before
the release.
"""

from __future__ import annotations

from ..actions.geometry import Point

STEP_TIME = 0.02  # seconds between two moves
HOLD_TIME = 0.05
"""Seconds to pause before the last pixel and before the release."""
_FIRST_MOVE = 8.0
_STEPS = 10
_PIXELS = 4


def drag_path(start: Point, end: Point) -> list[Point]:
    """The points after the press at ``start``; empty if ``end`` is the same."""
    x, y = end.x - start.x, end.y - start.y
    length = max(abs(x), abs(y))
    if length == 0:
        return []
    first = min(_FIRST_MOVE, length / 2)
    rest = max(0.0, length - _PIXELS - first)
    steps = min(_STEPS, int(rest))
    ways = [first, *(first + rest * step / steps for step in range(1, steps + 1))]
    ways += [length - left for left in range(_PIXELS - 1, 0, -1) if length - left > first]
    return [Point(start.x + x * way / length, start.y + y * way / length) for way in ways] + [end]
