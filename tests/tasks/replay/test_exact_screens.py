"""What an exact replay looks past on a screen, and what it does not: a bar that opens a menu under the pointer."""

from __future__ import annotations

import time

import numpy as np
import pytest

from saccade.actions.geometry import Point
from saccade.actions.schema import Action, Click, Press, Wait, points
from saccade.agent.replay.recording import RecordedStep, Recording
from saccade.env.base import StepResult
from saccade.perception.observation import Observation, Screenshot
from saccade.tasks.replay.exact import AwaitRecordedScreens
from saccade.tasks.replay.screens import Drift

BAR, MENU, HINTED = range(60, 80), range(80, 160), range(200, 220)
"""Rows of a screen of 200 x 300 pixels; the menu is there while the pointer is on either and came by the bar."""


class Hovering:
    """A bar that opens a menu, as long as the pointer is on either; a place with a hint; a lamp that keys switch on."""

    instruction = None

    def __init__(self, tint: int = 0) -> None:
        self.pointer = Point(100, 10)
        self.open = self.lit = False
        self.tint = tint
        self.moved = 0.0

    def reset(self, seed: int | None = None) -> Observation:
        return self.look()

    def step(self, action: Action) -> StepResult:
        for point in points(action):
            self.pointer = point
            self.open = point.y in BAR or (self.open and point.y in MENU)
        self.lit = self.lit or isinstance(action, Press)
        self.moved = time.monotonic() if points(action) else self.moved
        if isinstance(action, Wait):
            time.sleep(0.01)
        return StepResult(self.look())

    def look(self) -> Observation:
        pixels = np.full((300, 200, 3), 200 + self.tint, np.uint8)
        pixels[BAR] = 120
        if self.open:
            pixels[MENU] = 90
        if self.pointer.y in HINTED and time.monotonic() - self.moved > 1.0:
            pixels[220:230] = 0
        if self.lit:
            pixels[280:290, 180:190] = 255
        return Observation(Screenshot(pixels), 0.0)

    def close(self) -> None:
        pass


def replayed(
    first: Action, shown: Screenshot, pointer: Point, then: Point, tint: int = 0, patience: float = 0.3
) -> tuple[Drift | None, Hovering]:
    """Do one step; whether the screen after it is the recorded one, in the way of a replay."""
    begun = Hovering().look()
    looks = (begun, Observation(shown, 0.0, pointer=pointer))
    steps = (RecordedStep(0, "", "", (first,), begun.screenshot), RecordedStep(1, "", "", (Click(point=then),), shown))
    place = Hovering(tint)
    exact = AwaitRecordedScreens(place, Recording(steps, None, False, looks=looks), patience=patience)
    exact.reset()
    exact.drift = None
    exact.step(first)
    return exact.drift, place


def picture(*ways: Point, lit: bool = False, tint: int = 0) -> Screenshot:
    place = Hovering(tint)
    for point in ways:
        place.step(Click(point=point))
    place.lit = lit
    return place.look().screenshot


def test_a_menu_that_is_still_open_is_left_open_though_the_pointer_was_on_its_way() -> None:
    opened = picture(Point(100, 70))
    drift, place = replayed(Click(point=Point(100, 70)), opened, Point(100, 250), Point(100, 100))
    assert drift is None
    assert place.open


def test_a_menu_that_the_pointer_passed_by_is_found_on_the_way() -> None:
    opened = picture(Point(100, 70))
    drift, _ = replayed(Click(point=Point(100, 200)), opened, Point(100, 30), Point(100, 20), patience=5.0)
    assert drift is None


def test_a_hint_that_comes_where_the_pointer_rests_is_waited_for() -> None:
    place = Hovering()
    place.step(Click(point=Point(100, 210)))
    place.moved = 0.0
    shown = place.look().screenshot
    drift, _ = replayed(Click(point=Point(100, 180)), shown, Point(100, 210), Point(100, 20), patience=5.0)
    assert drift is None


def test_what_the_pointer_does_not_change_is_drift_wherever_it_goes() -> None:
    lit = picture(Point(100, 200), lit=True)
    drift, _ = replayed(Click(point=Point(100, 200)), lit, Point(100, 30), Point(100, 20))
    assert drift is not None
    assert drift.box == (180, 280, 190, 290)
    drift, _ = replayed(Press(key="enter"), lit, Point(100, 30), Point(100, 20))
    assert drift is None


@pytest.mark.parametrize(("tint", "same"), [(2, True), (-2, True), (6, False), (-6, False)])
def test_the_end_of_a_fade_is_no_difference(tint: int, same: bool) -> None:
    drift, _ = replayed(Press(key="enter"), picture(lit=True), Point(100, 10), Point(100, 20), tint)
    assert (drift is None) is same
