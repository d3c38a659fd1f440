"""Blackened parts of pictures: all of the region, nothing else, at any scale."""

from __future__ import annotations

import numpy as np

from saccade.actions.geometry import Point
from saccade.perception.observation import Observation, Screenshot
from saccade.perception.redact import redacted, within, without
from saccade.perception.screen import Region


def white(scale: float = 1.0, origin: Point = Point(0.0, 0.0)) -> Screenshot:
    return Screenshot(np.full((100, 200, 3), 255, np.uint8), scale, origin)


def black_box(screenshot: Screenshot) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what is black; all of that is black."""
    rows, columns = np.nonzero(~screenshot.pixels.any(axis=2))
    box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    assert len(rows) == (box[2] - box[0]) * (box[3] - box[1])
    return box


def test_a_region_is_black_and_the_picture_itself_is_left_alone() -> None:
    picture = white()
    assert black_box(redacted(picture, [Region(10, 20, 30, 40)])) == (10, 20, 40, 60)
    assert picture.pixels.all()


def test_regions_are_in_points_of_the_screen() -> None:
    assert black_box(redacted(white(2.0, Point(5.0, 5.0)), [Region(10, 20, 30, 15)])) == (10, 30, 70, 60)


def test_a_region_may_reach_beyond_the_picture() -> None:
    assert black_box(redacted(white(), [Region(-50, 90, 100, 100)])) == (0, 90, 50, 100)
    assert redacted(white(), [Region(500, 500, 10, 10)]).pixels.all()


def test_without_regions_nothing_is_copied() -> None:
    picture = white()
    assert redacted(picture, []) is picture
    assert without(Observation(picture, 0.0), []).screenshot is picture


def test_edges_belong_to_a_region() -> None:
    region = Region(10, 10, 20, 20)
    assert [within(Point(x, 15), region) for x in (9.9, 10, 30, 30.1)] == [False, True, True, False]
