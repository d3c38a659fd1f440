"""Spends no more on drafting than it earns: how many tokens to draft, and whom to ask.

All decisions are pure functions of what was counted. What a forward of several tokens costs is measured,
not assumed: on a CPU a tree of 64 nodes costs as much as four single steps, on a GPU as much as one.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .acceptance import Accepted
from .draft import Drafter, DraftState
from .tree import DraftTree

if TYPE_CHECKING:
    from torch import Tensor

Clock = Callable[[], float]

BINS = 8
"""Confidences are checked against reality in this many classes."""
PRIOR = 3.0
"""How many tests a drafter's own confidence weighs."""
DECAY = 0.97
"""What a test's weight becomes with the next test of its class."""
ALLOWANCE = 0.04
"""Forwards that a drafter may lose for each forward's time that has passed."""
ROUNDING = 1e-9
START = 0.4
"""Forwards that it may lose before any have."""
PATIENCE = 0.5
"""Forwards that it may save up to lose at once."""
CREDIT = 2.0
"""Forwards won that are held in its favour at most."""
UNUSED = 32
"""Rounds after which a drafter whose drafts are never used is tried again, the first time."""


@dataclass(frozen=True)
class CostCurve:
    """What a forward of several tokens costs, as a multiple of a forward of one.

    Attributes:
        widths: numbers of tokens, rising from 1.
        costs: of each; between them costs lie on a line, behind them they rise as before.
    """

    widths: tuple[int, ...] = (1, 4, 8, 16, 32, 64)
    costs: tuple[float, ...] = (1.0, 1.2, 1.4, 1.7, 2.4, 3.7)

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.widths, self.widths[1:], strict=False))
        if len(self.widths) < 2 or self.widths[0] != 1 or not rising or len(self.costs) != len(self.widths):
            raise ValueError("a cost curve needs a cost for each of at least two widths that rise from 1")
        if min(self.costs) <= 0:
            raise ValueError("costs are above 0")

    def __call__(self, width: int) -> float:
        """The cost of a forward of ``width`` tokens."""
        if width <= self.widths[-1]:
            return self._table[width - 1]
        slope = (self.costs[-1] - self.costs[-2]) / (self.widths[-1] - self.widths[-2])
        return self.costs[-1] + max(slope, 0.0) * (width - self.widths[-1])

    @cached_property
    def _table(self) -> tuple[float, ...]:
        """The cost of each width up to the widest; asked for at every node of every draft."""
        return tuple(np.interp(range(1, self.widths[-1] + 1), self.widths, self.costs).tolist())

    @classmethod
    def measure(
        cls,
        forward: Callable[[int], object],
        widths: Sequence[int] = (1, 2, 4, 8, 16, 32, 64),
        clock: Clock = time.perf_counter,
        rounds: int = 5,
    ) -> CostCurve:
        """Time forwards of these widths, in turns, and keep the fastest of each."""
        best = [math.inf] * len(widths)
        for _ in range(rounds):
            for index, width in enumerate(widths):
                started = clock()
                forward(width)
                best[index] = min(best[index], clock() - started)
        # A wider forward that ran faster says that the narrower one was disturbed, not that it is dearer.
        relative = np.maximum.accumulate(np.array(best) / best[0])
        return cls(tuple(widths), tuple(float(cost) for cost in relative))


def best_size(values: Iterable[float], curve: CostCurve) -> int:
    """How many of the likeliest nodes to draft for the most tokens per time.

    A forward yields one token and each node that is accepted one more, so it is expected to yield one plus
    the sum of the nodes' values.

    Args:
        values: probability of each node to be accepted.
        curve: what the verify forward costs.
    """
    best, size, expected = 1.0 / curve(1), 0, 1.0
    for count, value in enumerate(sorted(values, reverse=True), start=1):
        expected += value
        if expected / curve(1 + count) > best:
            best, size = expected / curve(1 + count), count
    return size


@dataclass(frozen=True)
class DrafterStats:
    """What is known about a drafter.

    Attributes:
        tested: per class of confidence, how many of its tokens were put to the test, old tests for less.
        accepted: how many of these the target agreed with.
        credit: forwards that it may cost: what it saved and was allowed, less what it cost.
        price: forwards that asking it took of late; 0 before the first time.
        unused: rounds in a row in which nothing it proposed was worth testing.
        failures: how often in a row it spent its credit or was tried again in vain.
        wakes: the round from which on it is asked again.
    """

    tested: tuple[float, ...] = (0.0,) * BINS
    accepted: tuple[float, ...] = (0.0,) * BINS
    credit: float = START
    price: float = 0.0
    unused: int = 0
    failures: int = 0
    wakes: int = 0

    def estimate(self, confidence: float) -> float:
        """How probable a token is, given how sure the drafter is of it."""
        index = _bin(confidence)
        return (self.accepted[index] + PRIOR * confidence) / (self.tested[index] + PRIOR)

    def learn(self, tests: Iterable[tuple[float, bool]]) -> DrafterStats:
        """Count tests: how sure it was of a token, and whether the target agreed."""
        tested, accepted = list(self.tested), list(self.accepted)
        for confidence, agreed in tests:
            index = _bin(confidence)
            tested[index] = tested[index] * DECAY + 1
            accepted[index] = accepted[index] * DECAY + agreed
        return replace(self, tested=tuple(tested), accepted=tuple(accepted))

    def allow(self, forwards: float, node: float) -> DrafterStats:
        """Give credit for time in which the target ran, but no more than one attempt takes.

        Args:
            forwards: that the time was worth.
            node: what testing one token costs.
        """
        enough = max(PATIENCE, self.price + node)
        return replace(self, credit=max(self.credit, min(self.credit + ALLOWANCE * forwards, enough)))

    def settle(self, number: int, won: float, spent: float, used: bool, node: float) -> DrafterStats:
        """Close a round in which it was asked.

        A drafter that has spent its credit rests, longer each time.

        Args:
            number: of the round.
            won: forwards saved.
            spent: forwards its drafting and testing were worth.
            used: whether anything it proposed was tested.
            node: what testing one token costs.
        """
        credit = min(self.credit + won - spent, CREDIT)
        tally = replace(self, credit=credit, unused=0 if used else self.unused + 1)
        if won < spent and credit < self.price + node:
            return tally._forgive(wakes=number + 1 + 2**self.failures)
        if tally.unused >= UNUSED * 2**self.failures:
            return tally._forgive(wakes=self.wakes)
        return replace(tally, failures=0) if credit > max(PATIENCE, self.price + node) else tally

    def _forgive(self, wakes: int) -> DrafterStats:
        """Forget most of what was counted, so that it gets another chance."""
        tested, accepted = (tuple(count / 8 for count in counts) for counts in (self.tested, self.accepted))
        failures = min(self.failures + 1, 10)
        return replace(self, tested=tested, accepted=accepted, unused=0, failures=failures, wakes=wakes)


def _bin(confidence: float) -> int:
    return min(int(confidence * BINS), BINS - 1)


class AdaptiveDrafter:
    """Several drafters as one: merges their trees and asks and believes each as much as it has earned.

    Args:
        drafters: with different names.
        curve: what a verify forward costs.
        clock: seconds; what drafters are charged by.
        share: nodes that each drafter may propose.
    """

    name = "adaptive"

    def __init__(
        self,
        drafters: Sequence[Drafter],
        curve: CostCurve = CostCurve(),
        clock: Clock = time.perf_counter,
        share: int = 32,
    ) -> None:
        self._drafters = {drafter.name: drafter for drafter in drafters}
        if len(self._drafters) < len(drafters):
            raise ValueError("drafters need different names")
        self.curve = curve
        self._clock = clock
        # What so many more tokens in a forward cost.
        self._extra = [curve(1 + count) - curve(1) for count in range(share + 1)]
        self._tallies = {name: DrafterStats() for name in self._drafters}
        self._seconds = dict.fromkeys(self._drafters, 0.0)
        self._asked: dict[str, float] = {}
        self._step = 0.0
        self._waited = 0.0
        self._round = 0

    @property
    def tallies(self) -> dict[str, DrafterStats]:
        """What is known about each drafter."""
        return dict(self._tallies)

    def affords(self, name: str) -> int:
        """How many tokens a drafter may propose this round; none while it rests or has no credit."""
        tally = self._tallies[name]
        if tally.wakes > self._round:
            return 0
        # Credit stops at exactly one attempt's price, which rounding must not put out of reach for ever.
        return max(bisect_right(self._extra, tally.credit - tally.price + ROUNDING) - 1, 0)

    def start(self, prompt: Sequence[int], instruction: Sequence[int] = ()) -> None:
        """A reply to a prompt begins."""
        self._asked = {}
        for name, drafter in self._drafters.items():
            started = self._clock()
            drafter.start(prompt, instruction)
            self._seconds[name] += self._clock() - started

    def observe(self, ids: Sequence[int], hidden: Tensor | None = None) -> None:
        """Tokens were committed to the reply; drafters that sleep hear of them, too."""
        for name, drafter in self._drafters.items():
            started = self._clock()
            drafter.observe(ids, hidden)
            self._seconds[name] += self._clock() - started

    def propose(self, state: DraftState, budget: int) -> DraftTree:
        """The tree that is worth most per time, of at most ``budget`` nodes; often none."""
        union = state.tree()
        self._asked = {}
        for name in sorted(self._drafters):
            if (count := min(self.affords(name), budget)) > 0:
                started = self._clock()
                union.include(self._drafters[name].propose(state, count))
                self._asked[name] = self._clock() - started
                self._seconds[name] += self._asked[name]
        union.rate(self._estimate)
        return union.cut(min(budget, best_size(union.values()[1:], self.curve)))

    def judge(self, tree: DraftTree, accepted: Accepted, seconds: float, *, prompt: bool = False) -> None:
        """Learn from a verify forward.

        Args:
            tree: what was verified, as ``propose`` returned it.
            accepted: what came of it.
            seconds: what the forward took.
            prompt: whether the forward read the prompt, too, beside which the tree costs nothing.
        """
        width = 0.0
        if prompt:
            self._waited += seconds
        else:
            step = seconds / self.curve(len(tree))
            self._step = step if self._step == 0 else 0.9 * self._step + 0.1 * step
            width = (self.curve(len(tree)) - self.curve(1)) / max(len(tree) - 1, 1)
        # Before a forward by itself was timed, nobody knows what the others were worth.
        passed = 0.0 if prompt else 1.0
        if self._step > 0:
            passed, self._waited = passed + self._waited / self._step, 0.0
        shares = _shares(tree, range(1, len(tree)))
        won = _earned(tree, accepted.nodes, self._seconds)
        node = self._extra[1]
        for name, tally in self._tallies.items():
            spent = width * shares.get(name, 0.0)
            if self._step > 0:
                spent += self._seconds[name] / self._step
                self._seconds[name] = 0.0
            if name in self._asked:
                tally = self._learn(tally.allow(passed, node), tree, accepted, name)
                tally = tally.settle(self._round, won.get(name, 0.0), spent, name in shares, node)
            else:
                # What listening takes comes off first, or it would keep an attempt out of reach for ever.
                tally = replace(tally, credit=tally.credit - spent).allow(passed, node)
            self._tallies[name] = tally
        self._round += 1

    def _learn(self, tally: DrafterStats, tree: DraftTree, accepted: Accepted, name: str) -> DrafterStats:
        """Count what came of a drafter's tokens, and what asking it took."""
        if self._step > 0:
            price = self._asked[name] / self._step
            tally = replace(tally, price=0.7 * tally.price + 0.3 * price if tally.price else price)
        return tally.learn(_tests(tree, accepted, name))

    def _estimate(self, sources: Mapping[str, float]) -> float:
        return max(self._tallies[name].estimate(confidence) for name, confidence in sources.items())


def _shares(tree: DraftTree, nodes: Iterable[int]) -> dict[str, float]:
    """How many of these nodes each drafter proposed; those of several count in parts."""
    shares: dict[str, float] = {}
    for node in nodes:
        for name in tree.sources(node):
            shares[name] = shares.get(name, 0.0) + 1 / len(tree.sources(node))
    return shares


def _earned(tree: DraftTree, nodes: Iterable[int], seconds: Mapping[str, float]) -> dict[str, float]:
    """Whom the forwards saved by accepted nodes are owed to: of those who proposed a node, the cheapest.

    A dear drafter that repeats what a cheap one knows earns nothing, however right it is.
    """
    earned: dict[str, float] = {}
    for node in nodes:
        cheapest = min(tree.sources(node), key=lambda name: seconds[name])
        earned[cheapest] = earned.get(cheapest, 0.0) + 1.0
    return earned


def _tests(tree: DraftTree, accepted: Accepted, name: str) -> list[tuple[float, bool]]:
    """Each of a drafter's tokens that the target had an opinion on, and whether it agreed."""
    tests = []
    for node, token in zip((0, *accepted.nodes), accepted.tokens, strict=True):
        for child in tree.children(node).values():
            if name in tree.sources(child):
                tests.append((tree.sources(child)[name], tree.tokens[child] == token))
    return tests
