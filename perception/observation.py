"""What the policy sees: pixels, and nothing of the DOM."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..actions.geometry import Frame, Point, Size
from .pictures import decode_picture

Pixels = NDArray[np.uint8]


class Region(NamedTuple):
    """Part of the screen, in input points."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column to the right of it."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """The first row below it."""
        return self.top + self.height

    def union(self, other: Region) -> Region:
        """The smallest region that holds both."""
        left, top = min(self.left, other.left), min(self.top, other.top)
        right, bottom = max(self.right, other.right), max(self.bottom, other.bottom)
        return Region(left, top, right - left, bottom - top)

    def overlaps(self, other: Region) -> bool:
        """Whether the two share a point."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def __str__(self) -> str:
        return f"{self.width} x {self.height} at {self.left}, {self.top}"


@dataclass(frozen=True, eq=False)
class Screenshot:
    """One screenshot.

    Attributes:
        pixels: height x width x 3, uint8, RGB, read-only by convention.
        device_scale: screenshot pixels per input point (2.0 on a HiDPI screen).
        origin: where the screenshot's corner lies on the screen, in input points.
        file: the same pixels as the PNG file that the camera gave, if it gave one: it needs no second compression.
    """

    pixels: Pixels
    device_scale: float = 1.0
    origin: Point = field(default=Point(0.0, 0.0))
    file: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8:
            raise ValueError(f"pixels must be height x width x 3 uint8, not {self.pixels.shape} {self.pixels.dtype}")

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return Size(self.pixels.shape[1], self.pixels.shape[0])

    @property
    def screen_frame(self) -> Frame:
        """The frame in which input is injected."""
        return Frame.screen(self.device_scale, self.origin)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of size and pixels, in hexadecimal: equal screenshots have equal digests."""
        known = hashlib.sha256(f"{self.size.width}x{self.size.height}:".encode())
        known.update(self._packed.data)
        return known.hexdigest()

    def image(self) -> Image.Image:
        """The screenshot as a PIL image in mode RGB."""
        return Image.fromarray(self._packed)

    @cached_property
    def _packed(self) -> Pixels:
        """The pixels in contiguous memory: a camera may return a view of the screen's buffer."""
        if self.pixels.flags.c_contiguous:
            return self.pixels
        packed = np.empty(self.pixels.shape, np.uint8)
        for channel in range(3):  # four times as fast as copying pixel by pixel
            packed[:, :, channel] = self.pixels[:, :, channel]
        return packed

    def png(self) -> bytes:
        """The screenshot as a PNG file, compressed fast rather than small."""
        if self.file is not None:
            return self.file
        buffer = io.BytesIO()
        self.image().save(buffer, format="PNG", compress_level=1)
        return buffer.getvalue()

    def without_pixels(self) -> Screenshot:
        """The same screenshot without its pixels, which take megabytes; digest and size stay."""
        return _Forgotten(self)

    @classmethod
    def from_png(cls, data: bytes, device_scale: float = 1.0, origin: Point | None = None) -> Screenshot:
        """Decode a PNG, JPEG or WebP file.

        Raises:
            OSError: the bytes are no such picture, or one of too many pixels.
        """
        return cls(np.asarray(decode_picture(data)), device_scale, origin or Point(0.0, 0.0))


class _Forgotten(Screenshot):
    """A screenshot whose pixels were dropped."""

    _size: Size
    _digest: str

    def __init__(self, known: Screenshot) -> None:
        for name, value in (("device_scale", known.device_scale), ("origin", known.origin), ("_size", known.size)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_digest", known.digest)

    @property
    def pixels(self) -> Pixels:
        raise LookupError("the pixels of this screenshot were dropped: its policy shows no more than max_images")

    @property
    def size(self) -> Size:
        return self._size

    @property
    def digest(self) -> str:
        return self._digest

    def without_pixels(self) -> Screenshot:
        return self


@dataclass(frozen=True)
class Observation:
    """The screen before a step.

    Attributes:
        screenshot: the settled screen.
        captured_at: seconds since the epoch.
        url: the address of the page, for reports and records; a policy never gets it.
        timings: seconds spent per phase (``settle``, ``capture``).
        notes: what happened beside the screen where no action was: during ``reset``, or while a person had it.
        pointer: where the pointer was, in pixels of the screenshot; None where that is unknown.
        masked: regions that are black in the screenshot, in input points of the screen.
    """

    screenshot: Screenshot
    captured_at: float
    url: str | None = None
    timings: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    pointer: Point | None = None
    masked: tuple[Region, ...] = ()
