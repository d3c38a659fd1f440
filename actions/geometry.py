"""The one place where coordinate frames convert.

The canonical frame of every ``Action`` is **pixels of the screenshot the policy saw**, as floats:
x grows right, y grows down, (0, 0) is the outer corner of the top left pixel. Three other frames exist:

* *relative*: 0-1000 over the width and the height of the screenshot (UI-TARS 1.0, Doubao, Qwen3-VL);
* *resized*: pixels of the image after ``smart_resize`` (UI-TARS 1.5, Qwen2.5-VL, OpenCUA);
* *screen*: points of the device that input is injected at (screenshot pixels / scale, plus an origin).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple


class Point(NamedTuple):
    """A position; the frame is said by whoever holds it."""

    x: float
    y: float


class Size(NamedTuple):
    """Width and height, in pixels."""

    width: int
    height: int


@dataclass(frozen=True)
class Frame:
    """An affine, axis-aligned coordinate frame laid over a screenshot.

    ``origin + screenshot_point * scale = frame_point`` on each axis.

    Attributes:
        scale_x: frame units for one screenshot pixel, horizontally (> 0).
        scale_y: frame units for one screenshot pixel, vertically (> 0).
        origin: where the screenshot's (0, 0) lies in this frame.
    """

    scale_x: float
    scale_y: float
    origin: Point = field(default=Point(0.0, 0.0))

    def __post_init__(self) -> None:
        if self.scale_x <= 0 or self.scale_y <= 0:
            raise ValueError(f"a frame needs positive scales, not {self.scale_x}, {self.scale_y}")

    @classmethod
    def pixels(cls) -> Frame:
        """The canonical frame itself."""
        return cls(1.0, 1.0)

    @classmethod
    def relative(cls, screenshot: Size, span: float = 1000.0) -> Frame:
        """0 to ``span`` over the whole width and the whole height."""
        return cls(span / screenshot.width, span / screenshot.height)

    @classmethod
    def resized(cls, screenshot: Size, resized: Size) -> Frame:
        """Pixels of the image that the model got after resizing."""
        return cls(resized.width / screenshot.width, resized.height / screenshot.height)

    @classmethod
    def screen(cls, device_scale: float, origin: Point = Point(0.0, 0.0)) -> Frame:
        """Input points of a device on which one point is ``device_scale`` screenshot pixels."""
        return cls(1.0 / device_scale, 1.0 / device_scale, origin)

    def to_frame(self, point: Point) -> Point:
        """Screenshot pixels to this frame."""
        return Point(self.origin.x + point.x * self.scale_x, self.origin.y + point.y * self.scale_y)

    def to_pixels(self, point: Point) -> Point:
        """This frame to screenshot pixels, rounded to a millionth: 959.9999999 must not become pixel 959."""
        x, y = (point.x - self.origin.x) / self.scale_x, (point.y - self.origin.y) / self.scale_y
        return Point(round(x, 6), round(y, 6))


def inside(point: Point, size: Size) -> bool:
    """Whether a screenshot point lies on the screenshot (the far edges count)."""
    return 0 <= point.x <= size.width and 0 <= point.y <= size.height


def clamp(point: Point, size: Size) -> Point:
    """The nearest point whose pixel exists."""
    return Point(min(max(point.x, 0.0), size.width - 1.0), min(max(point.y, 0.0), size.height - 1.0))


class ResizeLimits(NamedTuple):
    """How a Qwen-VL image processor bounds the images it makes.

    Attributes:
        factor: both sides become multiples of this (patch size x merge size).
        min_pixels: smaller images are enlarged.
        max_pixels: larger images are shrunk.
    """

    factor: int
    min_pixels: int
    max_pixels: int


def smart_resize(size: Size, limits: ResizeLimits) -> Size:
    """The size a Qwen-VL image processor resizes an image to, exactly as ``transformers`` computes it.

    Raises:
        ValueError: a side is 0, or one side is more than 200 times the other.
    """
    width, height = size
    if min(width, height) <= 0 or max(width, height) / min(width, height) > 200:
        raise ValueError(f"cannot resize {width} x {height}: sides must be positive and within a ratio of 200")
    factor, min_pixels, max_pixels = limits
    new_height, new_width = round(height / factor) * factor, round(width / factor) * factor
    if new_height * new_width > max_pixels:
        beta = math.sqrt(height * width / max_pixels)
        new_height = max(factor, math.floor(height / beta / factor) * factor)
        new_width = max(factor, math.floor(width / beta / factor) * factor)
    elif new_height * new_width < min_pixels:
        beta = math.sqrt(min_pixels / (height * width))
        new_height = math.ceil(height * beta / factor) * factor
        new_width = math.ceil(width * beta / factor) * factor
    return Size(new_width, new_height)
