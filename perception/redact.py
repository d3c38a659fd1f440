"""Blacking out parts of screenshots that must not be stored."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from ..actions.geometry import Point
from .observation import Observation, Screenshot
from .screen import Region


def redacted(screenshot: Screenshot, regions: Iterable[Region]) -> Screenshot:
    """The screenshot with every pixel black that touches a region, given in input points of the screen."""
    regions = tuple(regions)
    if not regions:
        return screenshot
    pixels = screenshot.pixels.copy()
    frame = screenshot.screen_frame
    for region in regions:
        left, top = frame.to_pixels(Point(region.left, region.top))
        right, bottom = frame.to_pixels(Point(region.right, region.bottom))
        rows = slice(max(0, math.floor(top)), max(0, math.ceil(bottom)))
        columns = slice(max(0, math.floor(left)), max(0, math.ceil(right)))
        pixels[rows, columns] = 0
    return Screenshot(pixels, screenshot.device_scale, screenshot.origin)


def without(observation: Observation, regions: Iterable[Region]) -> Observation:
    """The observation with its screenshot redacted."""
    return replace(observation, screenshot=redacted(observation.screenshot, regions))


def within(point: Point, region: Region) -> bool:
    """Whether a point, in input points of the screen, lies in a region."""
    return region.left <= point.x <= region.right and region.top <= point.y <= region.bottom
