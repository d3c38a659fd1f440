"""Which distances a tolerance is made from, on a page where they are known."""

from __future__ import annotations

import random

import numpy as np

from saccade.actions.geometry import Point
from saccade.agent.policy import ScriptedPolicy
from saccade.agent.training.batches import Labelled
from saccade.agent.training.rendering import DomElement, PageRecord
from saccade.agent.training.tolerance import Distances, distances, within

RIGHT = DomElement(role="button", text="OK", box=[20.0, 40.0, 40.0, 60.0], point=[30.0, 50.0])
OTHER = DomElement(role="textbox", text="", box=[60.0, 40.0, 80.0, 60.0], point=[70.0, 50.0])
PAGE = Labelled(
    np.zeros((200, 100, 3), np.uint8),
    PageRecord(
        task="click-button",
        utterance='Click on the "OK" button.',
        elements=[RIGHT, OTHER],
        chars=[("O", 27.0, 50.0), ("K", 33.0, 50.0)],
        extra={},
    ),
)


def scripted(x: int, y: int) -> ScriptedPolicy:
    return ScriptedPolicy([f"Thought: Here.\nAction: click(start_box='({x},{y})')"] * 3)


def test_a_right_click_is_compared_with_both_kinds_of_points() -> None:
    found = distances([PAGE, PAGE], scripted(300, 250), random.Random(0))
    assert (len(found.same), len(found.other)) == (40, 40)
    assert 0 < max(found.same) <= 10 / 200
    assert 30 / 200 <= min(found.other) <= max(found.other) <= 50 / 200
    assert 30 / 200 - 0.001 <= found.tolerance() < 32 / 200
    assert found.agreeing(10 / 200) == (1.0, 0.0)


def test_a_wrong_click_says_nothing() -> None:
    assert distances([PAGE], scripted(700, 250), random.Random(0)) == Distances((), ())


def test_the_tolerance_allows_few_wrong_agreements() -> None:
    found = Distances((0.01, 0.02), tuple(0.0505 + 0.001 * n for n in range(100)))
    assert found.tolerance(0.01) == 0.051
    assert found.tolerance(0.1) == 0.06
    assert found.agreeing(0.015) == (0.5, 0.0)


def test_a_point_on_the_edge_is_within() -> None:
    assert within(Point(20, 60), RIGHT)
    assert not within(Point(41, 50), RIGHT)
