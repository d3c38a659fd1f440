"""The way a pointer goes in a drag on a desktop.

A drop target learns of a drag from move to move, by way of two programs: a jump never drops. Browsers tell
a page of the first move over a target that it was entered, ask it with the second whether it takes the drop,
and hear its answer with the third. So there is a nudge that makes the press a drag, even steps, then single
pixels to the end, the last of them after a rest; and a rest before the release.
"""

from __future__ import annotations

from ..actions.geometry import Point

STEP_TIME = 0.02
HOLD_TIME = 0.05
"""The rests before the last pixel and before the release."""
_NUDGE = 8.0
_STEPS = 10
_PIXELS = 4


def drag_path(start: Point, end: Point) -> list[Point]:
    """Where the pointer goes after the press at ``start``; empty when it stays there."""
    x, y = end.x - start.x, end.y - start.y
    length = max(abs(x), abs(y))
    if length == 0:
        return []
    nudge = min(_NUDGE, length / 2)
    rest = max(0.0, length - _PIXELS - nudge)
    steps = min(_STEPS, int(rest))
    ways = [nudge, *(nudge + rest * step / steps for step in range(1, steps + 1))]
    ways += [length - left for left in range(_PIXELS - 1, 0, -1) if length - left > nudge]
    return [Point(start.x + x * way / length, start.y + y * way / length) for way in ways] + [end]
