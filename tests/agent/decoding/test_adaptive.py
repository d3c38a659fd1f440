"""Drafting must pay for itself: budgets, calibration, and what a useless drafter costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.agent.decoding.acceptance import greedy
from saccade.agent.decoding.adaptive import (
    ALLOWANCE_PER_FORWARD,
    CONFIDENCE_BINS,
    MAX_BALANCE,
    MAX_NODES,
    AdaptiveDrafter,
    DrafterStats,
    best_size,
)
from saccade.agent.decoding.costs import CAUTIOUS, LearnedCosts, VerifyCost
from saccade.agent.decoding.draft import DraftState
from saccade.agent.decoding.tree import DraftTree

BAD, GOOD = 1, 2
FLAT = VerifyCost((1, 64), (1.0, 1.0))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Guesser:
    """Proposes a chain each token of which is right with some probability; drafting takes time."""

    def __init__(self, name: str, right: float, clock: Clock, seconds: float = 0.0, claims: float = 0.8) -> None:
        self.name, self.right, self.seconds, self.claims = name, right, seconds, claims
        self.asked = 0
        self._clock = clock
        self._rng = np.random.default_rng(0)

    def start(self, prompt, instruction=()):
        pass

    def observe(self, ids, hidden=None):
        pass

    def propose(self, state, budget):
        self.asked += 1
        self._clock.now += self.seconds
        tree = state.tree()
        guesses = np.where(self._rng.random(budget) < self.right, GOOD, BAD)
        tree.add_chain(guesses.tolist(), [self.claims] * budget, self.name)
        return tree


def tokens_per_second(guessers, rounds: int, clock: Clock, curve: VerifyCost = VerifyCost()) -> float:
    """Decode a text of good tokens only; a forward of one token takes a second."""
    drafter = AdaptiveDrafter(guessers, curve, clock)
    return run(drafter, rounds, clock, curve)


def run(
    drafter: AdaptiveDrafter, rounds: int, clock: Clock, curve: VerifyCost, context: int = 1, budget: int = 16
) -> float:
    started, tokens = clock.now, 0
    drafter.start([0])
    for _ in range(rounds):
        tree = drafter.propose(DraftState([GOOD] * context, 0), budget)
        clock.now += curve(len(tree))
        accepted = greedy(tree, [GOOD] * len(tree))
        drafter.update(tree, accepted, curve(len(tree)))
        drafter.observe(accepted.tokens)
        tokens += len(accepted.tokens)
    return tokens / (clock.now - started)


@pytest.mark.parametrize("rounds", [40, 60, 100, 300, 2000])
@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("claims", [0.05, 0.1, 0.2, 0.5, 0.95, 1.0])
def test_a_useless_drafter_costs_at_most_three_percent(rounds, seconds, claims):
    clock = Clock()
    speed = tokens_per_second([Guesser("bad", 0.0, clock, seconds, claims)], rounds, clock)
    assert speed >= 1 / (1.03 + max(seconds - 0.5, 0.0) / rounds)  # its price is only known after the first draft


@pytest.mark.parametrize("rounds", [60, 300, 2000])
def test_one_that_is_dearer_than_forwards_costs_its_first_draft_and_then_no_more_than_others(rounds):
    clock = Clock()
    guesser = Guesser("bad", 0.0, clock, 3.0)
    speed = tokens_per_second([guesser], rounds, clock)
    assert guesser.asked >= 1
    assert speed >= 1 / (1.05 + 2.0 / rounds)
    assert 3.0 * (guesser.asked - 1) <= 0.05 * rounds


def test_a_drafter_that_was_right_may_lose_what_it_won_and_no_more():
    clock, curve = Clock(), VerifyCost()
    guesser = Guesser("fallen", 1.0, clock, 0.1)
    drafter = AdaptiveDrafter([guesser], curve, clock)
    run(drafter, 40, clock, curve)
    assert drafter.stats["fallen"].balance == MAX_BALANCE
    guesser.right = 0.0
    started = clock.now
    run(drafter, 60, clock, curve)
    assert clock.now - started <= 1.05 * 60 + MAX_BALANCE


@pytest.mark.parametrize(("seconds", "earned"), [(0.0, 0.0), (5.0, 5 * ALLOWANCE_PER_FORWARD), (1e6, None)])
def test_the_time_in_which_a_prompt_is_read_is_credit_for_one_attempt(seconds, earned):
    clock = Clock()
    drafter = AdaptiveDrafter([Guesser("bad", 0.0, clock, 0.5)], FLAT, clock)
    run(drafter, 2, clock, FLAT)
    before = drafter.stats["bad"].balance
    tree = DraftTree(GOOD)
    drafter.start([0])
    drafter.update(tree, greedy(tree, [GOOD]), seconds, prompt=True)
    after = drafter.stats["bad"].balance
    if earned is None:
        assert after == pytest.approx(0.5)
    else:
        assert after - before == pytest.approx(earned)


def test_a_drafter_rests_before_its_price_is_covered_and_is_asked_for_little_at_first():
    clock = Clock()
    drafter = AdaptiveDrafter([Guesser("new", 1.0, clock)], VerifyCost(), clock)
    first = drafter.max_tokens("new")
    assert 1 <= first <= 8
    run(drafter, 10, clock, VerifyCost())
    assert drafter.max_tokens("new") > 16


@settings(deadline=None, max_examples=200)
@given(st.floats(0.5, 20.0))
def test_whatever_its_price_a_drafter_that_rests_long_enough_is_asked_again(draft_cost):
    class Silent:
        name = "silent"

    adaptive = AdaptiveDrafter([Silent()])
    adaptive.stats["silent"] = DrafterStats(balance=-3.0, draft_cost=draft_cost)
    for _ in range(2000):
        adaptive.stats["silent"] = adaptive.stats["silent"].add_allowance(1.0, adaptive._extra_cost[1])
    assert adaptive.max_tokens("silent") == 1


def test_a_useful_drafter_is_used_at_its_best_length():
    clock = Clock()
    curve = VerifyCost()
    speed = tokens_per_second([Guesser("good", 0.9, clock, 0.01)], 400, clock, curve)
    ideal = max((1 - 0.9 ** (n + 1)) / 0.1 / (curve(1 + n) + 0.01) for n in range(17))
    assert speed > 0.93 * ideal


def test_a_bad_drafter_does_not_spoil_a_good_one():
    clock = Clock()
    alone = tokens_per_second([Guesser("good", 0.8, clock)], 500, clock)
    clock = Clock()
    both = tokens_per_second([Guesser("good", 0.8, clock), Guesser("bad", 0.1, clock, 0.05)], 500, clock)
    assert both > 0.93 * alone


def test_a_dear_drafter_that_repeats_a_cheap_one_earns_nothing():
    clock = Clock()
    cheap, dear = Guesser("cheap", 1.0, clock, 0.001), Guesser("dear", 1.0, clock, 0.8)
    run(AdaptiveDrafter([cheap, dear], FLAT, clock), 300, clock, FLAT)
    assert cheap.asked == 300
    assert dear.asked < 60


@pytest.mark.parametrize("seconds", [0.001, 0.3])
def test_drafters_that_change_are_noticed(seconds):
    clock, curve = Clock(), VerifyCost()
    guesser = Guesser("moody", 0.0, clock, seconds)
    drafter = AdaptiveDrafter([guesser], curve, clock)
    run(drafter, 200, clock, curve)
    guesser.right = 0.95
    run(drafter, 600, clock, curve)
    assert run(drafter, 100, clock, curve) > 2
    guesser.right = 0.0
    run(drafter, 30, clock, curve)
    assert run(drafter, 300, clock, curve) > 0.93


def test_a_useless_drafter_is_asked_ever_more_rarely():
    clock = Clock()
    guesser = Guesser("bad", 0.0, clock, seconds=1.0)
    tokens_per_second([guesser], 4000, clock)
    assert guesser.asked < 4000 * 0.05


def test_decisions_depend_on_counts_alone():
    def history() -> list[DrafterStats]:
        clock = Clock()
        drafter = AdaptiveDrafter([Guesser("some", 0.5, clock, 0.1)], VerifyCost(), clock)
        run(drafter, 100, clock, VerifyCost())
        return [drafter.stats["some"]]

    assert history() == history()


def test_drafters_need_names_of_their_own():
    clock = Clock()
    with pytest.raises(ValueError, match="different names"):
        AdaptiveDrafter([Guesser("a", 0, clock), Guesser("a", 0, clock)])


values = st.lists(st.floats(0, 1), max_size=12)
costs = st.lists(st.floats(0, 1), min_size=1, max_size=5)


@given(values, costs)
def test_the_best_size_is_the_best(nodes, steps):
    curve = VerifyCost(tuple(range(1, len(steps) + 2)), tuple(np.cumsum([1.0, *steps])))
    ordered = sorted(nodes, reverse=True)

    def gain(count: int) -> float:
        return (1 + sum(ordered[:count])) / curve(1 + count)

    size = best_size(nodes, curve)
    assert gain(size) >= max(gain(count) for count in range(len(nodes) + 1)) - 1e-9


def test_free_nodes_are_all_taken_and_dear_ones_none():
    assert best_size([0.5, 0.1, 0.9], FLAT) == 3
    assert best_size([0.9, 0.9], VerifyCost((1, 2), (1.0, 2.0))) == 0
    assert best_size([], FLAT) == 0


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=200), st.floats(0, 1))
def test_estimates_are_probabilities(tests, confidence):
    stats = DrafterStats().learn(tests)
    assert 0 <= stats.estimate(confidence) <= 1
    assert len(stats.trials) == CONFIDENCE_BINS


def test_estimates_follow_what_was_measured():
    boaster = DrafterStats().learn([(0.95, False)] * 50)
    assert boaster.estimate(0.95) < 0.12
    assert boaster.estimate(0.3) == 0.3
    modest = DrafterStats().learn([(0.1, True)] * 50)
    assert modest.estimate(0.1) > 0.85


@pytest.mark.parametrize(
    ("widths", "costs"), [((1,), (1.0,)), ((2, 3), (1.0, 1.0)), ((1, 1), (1.0, 1.0)), ((1, 2), (1.0,))]
)
def test_a_curve_that_is_none_is_refused(widths, costs):
    with pytest.raises(ValueError, match="at least two widths"):
        VerifyCost(widths, costs)
    with pytest.raises(ValueError, match="above 0"):
        VerifyCost((1, 2), (1.0, 0.0))


MACHINES = {  # forwards of 2B in bf16 with 13,500 cached tokens, except where another size is named
    "matrix unit": VerifyCost((1, 2, 4, 8, 16, 24), (1.0, 1.0, 1.01, 1.2, 1.23, 1.37)),
    "no matrix unit": VerifyCost((1, 2, 4, 8, 16, 24), (1.0, 1.04, 1.21, 1.82, 2.89, 3.85)),
    "keys copied per query head": VerifyCost((1, 2, 4, 8, 16, 24), (1.0, 4.0, 4.0, 3.9, 4.2, 4.7)),
    "0.5B in float32": VerifyCost((1, 4, 8, 16, 32, 64), (1.0, 1.82, 2.05, 2.66, 3.71, 6.13)),
    "GPU": FLAT,
}


def learned(curve: VerifyCost, growth: float = 0.0) -> LearnedCosts:
    """What an earlier process kept of a machine, where forwards cost more with a longer cache."""
    costs, known = LearnedCosts(), LearnedCosts()
    for number in range(120):
        width, context = (1, 1, 2, 5, 9, 17)[number % 6], 13_500 * (number % 7) // 6
        costs.learn(width, context, curve(width) * (1 + growth * context))
    known.load(costs.dump())
    return known


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("rounds", [40, 100, 1000])
@pytest.mark.parametrize("claims", [0.1, 0.5, 1.0])
def test_a_useless_drafter_costs_little_on_any_machine(machine, rounds, claims):
    curve = MACHINES[machine]
    for costs, known in ((LearnedCosts(), False), (learned(curve), True)):
        clock = Clock()
        drafter = AdaptiveDrafter([Guesser("bad", 0.0, clock, 0.01, claims)], costs, clock)
        # The first forward over several tokens shows what one costs, and cannot be taken back.
        surprise = 0.0 if known else max(curve(4) - CAUTIOUS(4), 0.0)
        assert run(drafter, rounds, clock, curve, 13_500) >= 1 / (1.03 + surprise / rounds)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("growth", [0.0, 2e-5, 1e-4])
def test_a_useless_drafter_costs_little_at_every_context(machine, growth):
    curve = MACHINES[machine]
    clock, costs, plain = Clock(), learned(curve, growth), 0.0
    drafter = AdaptiveDrafter([Guesser("bad", 0.0, clock, 0.01, 1.0)], costs, clock)
    for context in (1000, 13_500, 200, 6500, 1000, 13_500):
        factor = 1 + growth * context
        plain += 60 * factor
        run(drafter, 60, clock, VerifyCost(curve.widths, tuple(factor * cost for cost in curve.costs)), context)
        assert clock.now <= 1.03 * plain


@pytest.mark.parametrize("machine", MACHINES)
def test_as_many_tokens_are_drafted_as_pay(machine):
    curve, clock = MACHINES[machine], Clock()
    drafter = AdaptiveDrafter([Guesser("sure", 1.0, clock)], learned(curve), clock)
    run(drafter, 60, clock, curve, 13_500, budget=MAX_NODES)
    most, widest = drafter.max_tokens("sure"), max(width for width in range(1, 65) if curve(width) <= 1 + MAX_BALANCE)
    assert most >= 0.7 * (widest - 1)
    assert run(drafter, 60, clock, curve, 13_500, budget=MAX_NODES) >= 0.85 * widest / curve(widest)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("right", [0.6, 0.9])
def test_a_useful_drafter_is_used_at_its_best_length_on_any_machine(machine, right):
    clock, curve = Clock(), MACHINES[machine]
    drafter = AdaptiveDrafter([Guesser("good", right, clock, 0.01)], LearnedCosts(), clock)
    run(drafter, 100, clock, curve, 13_500)
    speed = run(drafter, 300, clock, curve, 13_500)
    ideal = max((1 - right ** (n + 1)) / (1 - right) / (curve(1 + n) + 0.01 * (n > 0)) for n in range(17))
    assert speed > 0.8 * ideal


def test_a_cost_that_was_overestimated_is_measured_again():
    clock = Clock()
    costs = LearnedCosts()
    for _ in range(20):
        costs.learn(1, 100, 1.0)
        costs.learn(8, 100, 3.0)
    drafter = AdaptiveDrafter([Guesser("good", 1.0, clock)], costs, clock)
    run(drafter, 600, clock, FLAT, 100)
    assert run(drafter, 100, clock, FLAT, 100) > 8
