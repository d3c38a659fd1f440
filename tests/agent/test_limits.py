"""Bounds of an episode."""

import numpy as np
import pytest

from saccade.actions.geometry import Point
from saccade.actions.schema import Click, Type
from saccade.agent.limits import Interruption, Limits, RepeatCounter
from saccade.perception.observation import Screenshot

A, B = (Screenshot(np.full((20, 40, 3), level, np.uint8)) for level in (0, 255))
HERE = (Click(point=Point(1, 1)),)
THERE = (Click(point=Point(2, 2)),)


@pytest.mark.parametrize(
    ("steps", "seconds", "end"), [(3, 0.0, "step_limit"), (0, 10.0, "time_limit"), (4, 11.0, "step_limit")]
)
def test_a_spent_budget_stops_before_more_is_spent(steps: int, seconds: float, end: str) -> None:
    with pytest.raises(Interruption) as stop:
        Limits(steps=3, seconds=10).check_budget(steps, seconds)
    assert stop.value.end == end


def test_a_budget_that_is_not_spent_lets_go_on() -> None:
    Limits(steps=3, seconds=10).check_budget(2, 9.9)


def test_the_same_action_without_effect_is_stuck_at_the_limit() -> None:
    counter, limits = RepeatCounter(), Limits(repeats=3)
    limits.check_repeats(counter.record(HERE, A, A))
    limits.check_repeats(counter.record(HERE, A, A))
    with pytest.raises(Interruption, match="3 times"):
        limits.check_repeats(counter.record(HERE, A, A))


@pytest.mark.parametrize(
    "between",
    [(THERE, A, A), (HERE, A, B), (HERE, B, B)],
    ids=["another action", "the screen changed", "another screen"],
)
def test_anything_else_starts_the_count_again(between: tuple[tuple[Click, ...], Screenshot, Screenshot]) -> None:
    counter, limits = RepeatCounter(), Limits(repeats=2)
    limits.check_repeats(counter.record(HERE, A, A))
    limits.check_repeats(counter.record(*between))
    limits.check_repeats(counter.record(HERE, A, A))
    with pytest.raises(Interruption):
        limits.check_repeats(counter.record(HERE, A, A))


def test_points_within_the_tolerance_of_the_last_are_the_same() -> None:
    counter = RepeatCounter(0.05)  # of 40 pixels: 2
    places = (1, 3, 5, 7, 10, 12)
    counts = [counter.record((Click(point=Point(x, 1)),), A, A) for x in places]
    assert counts == [1, 2, 3, 4, 1, 2]
    assert counter.record((Type(text="a", point=Point(12, 1)),), A, A) == 1
    assert counter.record((Type(text="b", point=Point(12, 1)),), A, A) == 1
    assert counter.record((Type(text="b", point=Point(11, 2)),), A, A.without_pixels()) == 2
