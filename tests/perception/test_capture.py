from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.actions.geometry import Size
from saccade.perception.capture import PageCamera, blank, decode, top_left
from saccade.perception.observation import Region, Screenshot
from saccade.perception.redact import redacted


def noise(width: int, height: int, seed: int = 0) -> Screenshot:
    random = np.random.default_rng(seed)
    return Screenshot(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


class FakeDevTools:
    def __init__(self, screenshot: Screenshot) -> None:
        self.data = base64.b64encode(screenshot.png()).decode()
        self.calls: list[tuple[str, dict[str, Any] | None]] = []

    def send(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        self.calls.append((method, params))
        if method == "Page.getLayoutMetrics":
            view = {"pageX": 3, "pageY": 5, "clientWidth": 30, "clientHeight": 20}
            return {"cssVisualViewport": view}
        return {"data": self.data}


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 10))
def test_pixels_survive_the_camera_exactly(width: int, height: int, seed: int) -> None:
    seen = noise(width, height, seed)
    assert PageCamera(FakeDevTools(seen)).grab().digest == seen.digest


def test_the_camera_asks_for_a_lossless_picture() -> None:
    devtools = FakeDevTools(noise(4, 4))
    PageCamera(devtools).grab()
    ((method, params),) = devtools.calls
    assert method == "Page.captureScreenshot"
    assert params is not None
    assert params["format"] == "png"


def test_the_file_that_the_browser_made_is_kept() -> None:
    """It is not compressed a second time, and never says anything else than the pixels."""
    devtools = FakeDevTools(noise(6, 4))
    shot = PageCamera(devtools).grab()
    assert base64.b64encode(shot.png()).decode() == devtools.data
    cut = PageCamera(devtools, clip=Size(3, 2)).grab()
    assert Screenshot.from_png(cut.png()).digest == cut.digest
    hidden = redacted(shot, [Region(0, 0, 2, 2)])
    assert Screenshot.from_png(hidden.png()).digest == hidden.digest
    assert shot.without_pixels().file is None


def test_the_clip_is_in_css_pixels() -> None:
    seen = noise(60, 40)
    devtools = FakeDevTools(seen)
    shot = PageCamera(devtools, device_scale=2.0, clip=Size(16, 10)).grab()
    params = devtools.calls[-1][1]
    assert params is not None
    assert params["clip"] == {"x": 3, "y": 5, "width": 30, "height": 20, "scale": 2.0}
    assert (shot.size, shot.device_scale) == (Size(32, 20), 2.0)
    assert (shot.pixels == seen.pixels[:20, :32]).all()


def test_a_clip_beyond_the_picture_keeps_the_picture() -> None:
    assert top_left(noise(6, 4).pixels, Size(100, 100)).shape == (4, 6, 3)


def test_a_blank_shows_one_colour_at_the_same_size() -> None:
    seen = noise(9, 7)
    hidden = blank(seen, (1, 2, 3))
    assert hidden.size == seen.size
    assert np.unique(hidden.pixels.reshape(-1, 3), axis=0).tolist() == [[1, 2, 3]]


def test_what_is_no_image_is_an_error() -> None:
    with pytest.raises(OSError, match="identify"):
        decode(b"no image")
