from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest

from saccade.actions.geometry import Point
from saccade.env.screen_input import drag_path


def pixels(points: list[Point]) -> list[tuple[int, int]]:
    return [(math.floor(point.x), math.floor(point.y)) for point in points]


@pytest.mark.parametrize("seed", range(50))
def test_every_step_is_a_move_and_the_last_four_are_pixels(seed: int) -> None:
    chance = random.Random(seed)
    start = Point(chance.random() * 800, chance.random() * 600)
    end = Point(chance.random() * 800, chance.random() * 600)
    way = pixels([start, *drag_path(start, end)])
    assert way[-1] == pixels([end])[0]
    assert len(way) == 16 or max(abs(end.x - start.x), abs(end.y - start.y)) < 22
    assert all(one != next_ for one, next_ in pairwise(way))
    apart = [max(abs(x - way[-1][0]), abs(y - way[-1][1])) for x, y in way[-5:]]
    assert apart == [4, 3, 2, 1, 0]


@pytest.mark.parametrize("length", [1, 2, 3, 5, 9, 12, 13])
def test_a_short_way_is_gone_forward_in_several_steps(length: int) -> None:
    way = [point.x for point in drag_path(Point(0, 0), Point(length, 0))]
    assert way == sorted(way)
    assert way[-1] == length
    assert len(way) >= 2


def test_no_way_is_no_step() -> None:
    assert drag_path(Point(3, 4), Point(3, 4)) == []
