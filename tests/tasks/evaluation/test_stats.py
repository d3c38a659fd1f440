"""Intervals against published values, and against what they promise."""

from __future__ import annotations

import random

import pytest

from saccade.tasks.evaluation.stats import clustered, wilson


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I, method 3
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(successes: int, n: int, low: float, high: float) -> None:
    assert wilson(successes, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_stays_within_0_and_1() -> None:
    assert wilson(0, 0) == (0, 1)
    assert wilson(5, 5).high == 1
    assert wilson(3, 10, confidence=0.5).low > wilson(3, 10, confidence=0.95).low


def test_steps_of_one_task_are_no_further_evidence() -> None:
    tasks = {str(index): [float(index % 2)] for index in range(40)}
    repeated = {task: scores * 25 for task, scores in tasks.items()}
    assert clustered(repeated) == pytest.approx(clustered(tasks))
    single = {str(index): [float(index % 2)] for index in range(1000)}
    assert clustered(single).low > clustered(repeated).low + 0.1


def test_where_no_spread_is_seen_no_certainty_is_claimed() -> None:
    assert clustered({}) == (0, 1)
    assert clustered({"one": [1.0] * 100}) == wilson(1, 1)
    assert clustered({"one": [1.0] * 50, "two": [1.0] * 50}) == wilson(2, 2)


@pytest.mark.parametrize("tasks", [6, 40])
def test_the_interval_holds_the_mean_as_often_as_promised(tasks: int) -> None:
    """Tasks differ by 0.2 to 0.8 and have 10 steps each; 95 % of 400 intervals should hold 0.5."""
    dice = random.Random(7)
    held = 0
    for _ in range(400):
        chances = [dice.uniform(0.2, 0.8) for _ in range(tasks)]
        groups = {str(task): [float(dice.random() < chance) for _ in range(10)] for task, chance in enumerate(chances)}
        low, high = clustered(groups)
        held += low <= 0.5 <= high
    assert 0.91 <= held / 400 <= 0.98
