"""Taking screenshots: the camera protocol, and screenshots of a browser page."""

from __future__ import annotations

import base64
import io
from typing import Any, Protocol

import numpy as np
from PIL import Image

from ..actions.geometry import Point, Size
from .observation import Pixels, Screenshot


class Camera(Protocol):
    """Takes screenshots of one screen."""

    def grab(self) -> Screenshot:
        """The screen as it is now."""


class DevTools(Protocol):
    """The one method of a Chrome DevTools session that a camera needs."""

    def send(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call a DevTools method and wait for its result."""


class PageCamera:
    """Takes exact (lossless) screenshots of one browser page over the DevTools protocol.

    The whole viewport is captured and cropped here: with a clip, Chromium lays out a second frame, which
    takes longer than the pixels that it saves. ``optimizeForSpeed`` only changes the compression of the PNG.

    Args:
        devtools: a session attached to the page.
        device_scale: screenshot pixels per CSS pixel.
        clip: keep only this much of the top left corner, in CSS pixels.
    """

    def __init__(self, devtools: DevTools, device_scale: float = 1.0, clip: Size | None = None) -> None:
        self._devtools = devtools
        self._device_scale = device_scale
        self._clip = clip

    def grab(self) -> Screenshot:
        """Take one screenshot."""
        how: dict[str, Any] = {"format": "png", "optimizeForSpeed": True}
        if self._device_scale != 1.0:
            how["clip"] = self._scaled_view()
        file = base64.b64decode(self._devtools.send("Page.captureScreenshot", how)["data"])
        pixels = decode(file)
        if self._clip is not None:
            return Screenshot(top_left(pixels, self._clip, self._device_scale), self._device_scale)
        return Screenshot(pixels, self._device_scale, file=file)

    def _scaled_view(self) -> dict[str, float]:
        """The viewport as a clip: without one, Chromium ignores the scale and answers in CSS pixels."""
        view = self._devtools.send("Page.getLayoutMetrics")["cssVisualViewport"]
        corner = {"x": view["pageX"], "y": view["pageY"]}
        return corner | {"width": view["clientWidth"], "height": view["clientHeight"], "scale": self._device_scale}


def decode(data: bytes) -> Pixels:
    """The pixels of an image file, height x width x 3.

    Raises:
        OSError: the bytes are not an image.
    """
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def top_left(pixels: Pixels, size: Size, device_scale: float = 1.0) -> Pixels:
    """The top left ``size`` input points of a screenshot, as far as it goes."""
    height, width = round(size.height * device_scale), round(size.width * device_scale)
    return np.ascontiguousarray(pixels[:height, :width])


def blank(like: Screenshot, colour: tuple[int, int, int] = (127, 127, 127)) -> Screenshot:
    """A screenshot of the same size and scale in one colour."""
    pixels = np.empty_like(like.pixels)
    pixels[:] = colour
    return Screenshot(pixels, like.device_scale, Point(*like.origin))
