"""Pictures of a real X display, against mss itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import mss
import numpy as np
import pytest
from Xlib import X
from Xlib.display import Display

from saccade.actions.errors import EnvironmentFailure, MissingPartError, UsageError
from saccade.actions.geometry import Point, Size
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.perception.observation import Screenshot
from saccade.perception.screen import Region, ScreenCamera

RED, GREEN, BLUE = 0xFF0000, 0x00FF00, 0x0000FF


@pytest.fixture(scope="module")
def display() -> Iterator[PrivateDisplay]:
    """A wide screen with three stripes of colour in its corner, one pixel at its far end."""
    with PrivateDisplay(Size(1920, 1080)) as private:
        paint(private.name, [(0, 0, 40, 10, RED), (0, 10, 40, 10, GREEN), (0, 20, 40, 10, BLUE)])
        yield private


def paint(display: str, boxes: list[tuple[int, int, int, int, int]]) -> None:
    connection = Display(display)
    root = connection.screen().root
    for left, top, width, height, colour in boxes:
        pen = root.create_gc(foreground=colour, subwindow_mode=X.IncludeInferiors)
        root.fill_rectangle(pen, left, top, width, height)
    connection.sync()
    connection.close()


def test_colours_and_places_are_right(display: PrivateDisplay) -> None:
    camera = ScreenCamera(display.name)
    seen = camera.grab()
    assert (seen.size, seen.device_scale, seen.origin) == (Size(1920, 1080), 1.0, Point(0, 0))
    assert [seen.pixels[row, 39].tolist() for row in (5, 15, 25)] == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    assert not seen.pixels[5, 40].any()
    camera.close()


def test_every_pixel_is_what_mss_says(display: PrivateDisplay) -> None:
    with mss.MSS(display=display.name) as bare:
        expected = np.frombuffer(bare.grab(bare.monitors[1]).rgb, np.uint8).reshape(1080, 1920, 3)
    camera = ScreenCamera(display.name)
    seen = camera.grab()
    camera.close()
    assert np.array_equal(seen.pixels, expected)
    packed = Screenshot(np.ascontiguousarray(seen.pixels))
    assert not seen.pixels.flags.c_contiguous, "the camera does not copy"
    assert (seen.digest, seen.png()) == (packed.digest, packed.png())
    assert np.array_equal(Screenshot.from_png(seen.png()).pixels, expected)


def test_pictures_do_not_change_afterwards(display: PrivateDisplay) -> None:
    camera = ScreenCamera(display.name, region=Region(100, 100, 8, 8))
    before = camera.grab()
    paint(display.name, [(100, 100, 8, 8, GREEN)])
    after = camera.grab()
    camera.close()
    assert not before.pixels.any()
    assert (after.pixels == (0, 255, 0)).all()


def test_a_region_knows_where_it_lies(display: PrivateDisplay) -> None:
    camera = ScreenCamera(display.name, region=Region(20, 15, 30, 10))
    seen = camera.grab()
    camera.close()
    assert seen.size == Size(30, 10)
    assert seen.screen_frame.to_frame(Point(3, 4)) == Point(23, 19)
    assert seen.pixels[4, 3].tolist() == [0, 255, 0]
    assert seen.pixels[5, 3].tolist() == [0, 0, 255]


def test_what_is_not_there_is_refused_in_words(display: PrivateDisplay) -> None:
    with pytest.raises(UsageError, match=r"no monitor 2; there are: 1 \(1920 x 1080 at 0, 0\)"):
        ScreenCamera(display.name, monitor=2)
    with pytest.raises(UsageError, match="not within the screen 1920 x 1080"):
        ScreenCamera(display.name, region=Region(1900, 0, 30, 10))
    with pytest.raises(EnvironmentFailure, match="cannot open the display :4711"):
        ScreenCamera(":4711")


def test_without_a_screen_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(MissingPartError, match="private desktop"):
        ScreenCamera()


def test_a_display_that_goes_away_is_a_failure_of_the_environment() -> None:
    with PrivateDisplay(Size(320, 240)) as private:
        camera = ScreenCamera(private.name)
        camera.grab()
    with pytest.raises(EnvironmentFailure, match=r"cannot take a picture|cannot open the display"):
        camera.grab()
    camera.close()
    camera.close()
    with pytest.raises(EnvironmentFailure, match="closed"):
        camera.grab()


def test_a_picture_costs_little_more_than_mss_takes(display: PrivateDisplay) -> None:
    """At 1920 x 1080, pixels in the order red, green, blue included; in turns, the fastest counts."""
    camera = ScreenCamera(display.name)
    with mss.MSS(display=display.name) as bare:
        monitor = bare.monitors[1]
        ours, theirs = in_turns(camera.grab, lambda: bare.grab(monitor), rounds=60)
    camera.close()
    assert ours <= 1.5 * theirs, f"{ours * 1000:.2f} ms against {theirs * 1000:.2f} ms"


def in_turns(one: Callable[[], object], other: Callable[[], object], *, rounds: int) -> tuple[float, float]:
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for call, times in zip((one, other), seconds, strict=True):
            begun = time.perf_counter()
            call()
            times.append(time.perf_counter() - begun)
    return min(seconds[0]), min(seconds[1])


def test_regions_know_their_edges_their_union_and_what_they_share() -> None:
    one, other = Region(10, 20, 30, 40), Region(39, 59, 5, 5)
    assert (one.right, one.bottom, str(one)) == (40, 60, "30 x 40 at 10, 20")
    assert one.overlaps(other)
    assert other.overlaps(one)
    assert one.union(other) == Region(10, 20, 34, 44)
    assert not one.overlaps(Region(40, 20, 5, 5)), "a region ends before its right edge"
    assert not one.overlaps(Region(10, 60, 5, 5))
