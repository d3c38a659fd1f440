"""Bounds of an episode."""

import pytest

from saccade.actions.geometry import Point
from saccade.actions.schema import Click
from saccade.agent.limits import Interruption, Limits, RepeatCounter

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
    limits.check_repeats(counter.record(HERE, "a", "a"))
    limits.check_repeats(counter.record(HERE, "a", "a"))
    with pytest.raises(Interruption, match="3 times"):
        limits.check_repeats(counter.record(HERE, "a", "a"))


@pytest.mark.parametrize(
    "between",
    [(THERE, "a", "a"), (HERE, "a", "b"), (HERE, "b", "b")],
    ids=["another action", "the screen changed", "another screen"],
)
def test_anything_else_starts_the_count_again(between: tuple[tuple[Click, ...], str, str]) -> None:
    counter, limits = RepeatCounter(), Limits(repeats=2)
    limits.check_repeats(counter.record(HERE, "a", "a"))
    limits.check_repeats(counter.record(*between))
    limits.check_repeats(counter.record(HERE, "a", "a"))
    with pytest.raises(Interruption):
        limits.check_repeats(counter.record(HERE, "a", "a"))
