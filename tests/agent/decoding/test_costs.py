"""The cost of a forward is learned from forwards: by width, by context, in spite of noise."""

from collections.abc import Callable

import numpy as np
import pytest

from saccade.agent.decoding.costs import CAUTIOUS, LearnedCosts

Truth = Callable[[int, int], float]
TRUTHS: dict[str, Truth] = {
    "short cache": lambda width, context: 0.003 * (1 + 0.05 * (width - 1)),
    "attention dominates": lambda width, context: 0.35 + 0.01 * width + (0.004 + 0.002 * width) * context / 1000,
    "a step from one token to two": lambda width, context: 0.1 + 0.08 * (width > 1) + 0.002 * width,
    "flat": lambda width, context: 0.02,
}


@pytest.mark.parametrize("truth", TRUTHS)
def test_costs_are_learned_in_spite_of_noise(truth: str) -> None:
    seconds = TRUTHS[truth]
    rng = np.random.default_rng(0)
    costs = LearnedCosts()
    for number in range(300):
        width, context = int(rng.choice([1, 1, 2, 5, 9, 17])), 1000 + 40 * number
        noise = float(rng.lognormal(0.0, 0.08)) * (4.0 if rng.random() < 0.02 else 1.0)
        costs.learn(width, context, seconds(width, context) * noise)
    for context in (4000, 12_000):
        curve = costs.curve(context)
        for width in (2, 4, 8, 16):
            assert curve(width) == pytest.approx(seconds(width, context) / seconds(1, context), rel=0.15)


def test_the_first_forward_of_each_kind_already_counts() -> None:
    costs = LearnedCosts()
    costs.learn(1, 13_000, 0.4)
    assert costs.curve(13_000)(16) == pytest.approx(CAUTIOUS(16), rel=0.1)
    costs.learn(16, 13_000, 1.6)
    assert costs.curve(13_000)(16) == pytest.approx(4.0, rel=0.1)


def test_a_clock_that_stands_still_teaches_nothing() -> None:
    costs = LearnedCosts()
    costs.learn(4, 10, 0.0)
    assert costs.curve(10) == CAUTIOUS


def test_what_was_learned_goes_on_elsewhere() -> None:
    costs, other = LearnedCosts(), LearnedCosts()
    for width in (1, 8, 1, 16, 2, 1, 24):
        costs.learn(width, 5000, 0.1 + 0.01 * width)
    other.load(costs.dump())
    assert other.curve(5000) == costs.curve(5000)
    assert other.count == 7


BROKEN: list[object] = [
    None,
    [],
    {},
    {"count": 1},
    {"count": "x", "wide": 1, "known": [], "doubt": []},
    {"count": 3, "known": [1.0] * 5, "doubt": [[0.0] * 5] * 5},
    {"count": 3, "wide": 1, "known": [1] * 5, "doubt": [[1]]},
    {"count": 3, "wide": 1, "known": [float("nan")] * 5, "doubt": [[0.0] * 5] * 5},
    {"count": 3, "wide": 1, "known": [-1.0] * 5, "doubt": [[0.0] * 5] * 5},
]


@pytest.mark.parametrize("content", BROKEN)
def test_broken_files_are_ignored(content: object) -> None:
    costs = LearnedCosts()
    costs.load(content)
    assert costs.count == 0
    assert costs.curve(0) == CAUTIOUS
