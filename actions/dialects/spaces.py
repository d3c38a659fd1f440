"""Coordinate spaces that models answer in: ``Frame`` with range checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..geometry import Frame, Point, ResizeLimits, Size, inside, smart_resize
from .reply_errors import InvalidReply

SPAN = 1000
EDGE = 1.0
"""Models that count pixels may name the one just past the last."""


@dataclass(frozen=True)
class Space:
    """A frame with its bounds.

    Attributes:
        frame: how its numbers relate to screenshot pixels.
        extent: the largest x and y it has.
        slack: how far past the extent a number may lie before it is an error.
        fractions: whether broken numbers that are at most 1 are points of it, and not shares of the screen.
    """

    frame: Frame
    extent: Size
    slack: float = 0.0
    fractions: bool = False

    def read(self, numbers: Sequence[float]) -> Point:
        """The screenshot point of two numbers, or the centre of the box of four numbers.

        Raises:
            InvalidReply: another count, or a number outside of the frame.
        """
        if len(numbers) not in (2, 4):
            raise InvalidReply(f"a point needs 2 numbers and a box 4, not {len(numbers)}")
        for index, number in enumerate(numbers):
            limit = self.extent[index % 2]
            if not 0 <= number <= limit + self.slack:
                raise InvalidReply(f"coordinate {number:g} lies outside of the frame, 0 to {limit}")
        if not self.fractions and max(numbers) <= 1 and any(number != int(number) for number in numbers):
            raise InvalidReply(self._no_fractions())
        xs, ys = numbers[0::2], numbers[1::2]
        x, y = sum(xs) / len(xs), sum(ys) / len(ys)
        return self.frame.to_pixels(Point(min(x, self.extent.width), min(y, self.extent.height)))

    def _no_fractions(self) -> str:
        """What to do about coordinates that are shares of the screen."""
        if not self.slack:
            return f"coordinates are 0 to {SPAN}, not fractions of 1; multiply them by {SPAN}"
        width, height = self.extent
        return (
            f"coordinates are pixels, 0 to {width} and 0 to {height}, not fractions of 1; multiply x by {width} and y "
            f"by {height}"
        )

    def write(self, point: Point) -> tuple[int, int]:
        """The nearest whole numbers of this frame; raises ``UsageError`` for a point that is not on the screenshot."""
        x, y = self.frame.to_frame(point)
        if not inside(Point(round(x), round(y)), self.extent):
            raise UsageError(f"({point.x:g}, {point.y:g}) is not on the screenshot")
        return round(x), round(y)


def relative(screenshot: Size) -> Space:
    """0 to 1000 over both sides of the screenshot."""
    _check(screenshot)
    return Space(Frame.relative(screenshot, SPAN), Size(SPAN, SPAN))


def absolute(screenshot: Size, resized: Size | None, limits: ResizeLimits) -> Space:
    """Pixels of the resized image; ``limits`` give its size where the caller does not."""
    _check(screenshot)
    try:
        size = resized or smart_resize(screenshot, limits)
    except ValueError as error:
        raise UsageError(str(error)) from None
    _check(size)
    return Space(Frame.resized(screenshot, size), size, EDGE)


def _check(size: Size) -> None:
    if min(size) <= 0:
        raise UsageError(f"an image of {size[0]} x {size[1]} has no points")
