"""Merges the trees of several drafters and spends no more on drafting than it saves.

All decisions are pure functions of counters. The constants were chosen on simulated drafters
(tests/agent/decoding/test_adaptive.py): a useless drafter costs at most 3 % of the time from 40 forwards on, and a
useful one drafts chains of about the best length.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .acceptance import Accepted
from .costs import ForwardCosts, VerifyCost
from .draft import Drafter, DraftState
from .tree import DraftTree

if TYPE_CHECKING:
    from torch import Tensor

Clock = Callable[[], float]

CONFIDENCE_BINS = 8
"""Confidences are calibrated separately in this many classes."""
PRIOR_TRIALS = 3.0
"""How many verified tokens a drafter's own confidence weighs as much as."""
TRIAL_DECAY = 0.97
"""Factor on the weight of a class's earlier trials with each new one."""
ALLOWANCE_PER_FORWARD = 0.02
"""Forwards that a drafter may lose per forward that the target runs."""
INITIAL_BALANCE = 0.3
"""Forwards that a new drafter may lose."""
MAX_ALLOWANCE = 0.5
"""The allowance saves up no more forwards than this, unless a single attempt costs more."""
MAX_BALANCE = 2.0
"""No more saved forwards than this are counted in a drafter's favour."""
MAX_UNUSED_ROUNDS = 32
"""Rounds without a used draft after which a drafter's statistics are discounted, the first time."""
PROBE_ROUNDS = 64
"""After so many forwards of one token in a row, one token is drafted whatever it seems to cost."""
PROBE_SHARE = 0.01
"""That takes no larger share of the time: where it seems to cost much, it happens more rarely."""
MAX_NODES = 64
"""No forward verifies more drafted nodes than this. A drafter is asked for as many as its balance pays for at what
forwards cost here, so no more than cost ``MAX_BALANCE`` forwards."""
_ROUNDING = 1e-9


def best_size(values: Iterable[float], cost: VerifyCost) -> int:
    """The number of drafted nodes, likeliest first, that yields the most tokens per time.

    A forward is expected to yield one token plus the sum of the nodes' values, their probabilities to be accepted.
    """
    best, size, expected = 1.0 / cost(1), 0, 1.0
    for count, value in enumerate(sorted(values, reverse=True), start=1):
        expected += value
        if expected / cost(1 + count) > best:
            best, size = expected / cost(1 + count), count
    return size


@dataclass(frozen=True)
class DrafterStats:
    """Statistics of one drafter. Costs and savings are in forwards of one token.

    Attributes:
        trials: verified tokens per confidence class, older ones discounted.
        accepted: how many of them the target accepted.
        balance: forwards saved plus allowance, minus forwards spent.
        draft_cost: moving average of the cost of one proposal; 0 before the first.
        unused_rounds: rounds in a row in which none of its tokens was verified.
        backoffs: consecutive times that it overspent or stayed unused; each doubles the next pause.
        paused_until: the round from which on it may propose again.
    """

    trials: tuple[float, ...] = (0.0,) * CONFIDENCE_BINS
    accepted: tuple[float, ...] = (0.0,) * CONFIDENCE_BINS
    balance: float = INITIAL_BALANCE
    draft_cost: float = 0.0
    unused_rounds: int = 0
    backoffs: int = 0
    paused_until: int = 0

    def estimate(self, confidence: float) -> float:
        """The calibrated probability that a token of this confidence is accepted."""
        index = _confidence_bin(confidence)
        return (self.accepted[index] + PRIOR_TRIALS * confidence) / (self.trials[index] + PRIOR_TRIALS)

    def learn(self, results: Iterable[tuple[float, bool]]) -> DrafterStats:
        """Count verified tokens, each with the drafter's confidence and whether it was accepted."""
        trials, accepted = list(self.trials), list(self.accepted)
        for confidence, agreed in results:
            index = _confidence_bin(confidence)
            trials[index] = trials[index] * TRIAL_DECAY + 1
            accepted[index] = accepted[index] * TRIAL_DECAY + agreed
        return replace(self, trials=tuple(trials), accepted=tuple(accepted))

    def add_allowance(self, forwards: float, token_cost: float) -> DrafterStats:
        """Add the allowance for forwards that the target ran; it saves up to the cost of one attempt."""
        limit = max(MAX_ALLOWANCE, self.draft_cost + token_cost)
        balance = min(self.balance + ALLOWANCE_PER_FORWARD * forwards, limit)
        return replace(self, balance=max(self.balance, balance))

    def close_round(self, number: int, saved: float, spent: float, used: bool, token_cost: float) -> DrafterStats:
        """Book a round in which the drafter proposed; one that overspent pauses, longer each time.

        Args:
            number: of the round.
            saved: forwards.
            spent: forwards, on its proposal and on verifying it.
            used: whether any of its tokens was verified.
            token_cost: forwards that verifying one drafted token costs.
        """
        balance = min(self.balance + saved - spent, MAX_BALANCE)
        stats = replace(self, balance=balance, unused_rounds=0 if used else self.unused_rounds + 1)
        if saved < spent and balance < self.draft_cost + token_cost:
            return stats._back_off(number + 1 + 2**self.backoffs)
        if stats.unused_rounds >= MAX_UNUSED_ROUNDS * 2**self.backoffs:
            return stats._back_off(self.paused_until)
        recovered = balance > max(MAX_ALLOWANCE, self.draft_cost + token_cost)
        return replace(stats, backoffs=0) if recovered else stats

    def _back_off(self, paused_until: int) -> DrafterStats:
        """Pause, and discount most of the counts so that the drafter gets another chance."""
        return replace(
            self,
            trials=tuple(count / 8 for count in self.trials),
            accepted=tuple(count / 8 for count in self.accepted),
            unused_rounds=0,
            backoffs=min(self.backoffs + 1, 10),
            paused_until=paused_until,
        )


def _confidence_bin(confidence: float) -> int:
    return min(int(confidence * CONFIDENCE_BINS), CONFIDENCE_BINS - 1)


class AdaptiveDrafter:
    """Several drafters as one: merges their trees and drafts as many tokens as pay off.

    Args:
        drafters: with different names.
        costs: of verify forwards; they learn from each.
        clock: measures the drafters' time, in seconds.
        share: maximum number of nodes per drafter.
    """

    name = "adaptive"

    def __init__(
        self,
        drafters: Sequence[Drafter],
        costs: ForwardCosts = VerifyCost(),
        clock: Clock = time.perf_counter,
        share: int = MAX_NODES,
    ) -> None:
        self._drafters = {drafter.name: drafter for drafter in drafters}
        if len(self._drafters) < len(drafters):
            raise ValueError("drafters need different names")
        self.stats = {name: DrafterStats() for name in self._drafters}
        self._costs = costs
        self._clock = clock
        self._share = share
        self._context = 0
        self._narrow_rounds = 0
        self._price(costs.curve(0))
        self._seconds = dict.fromkeys(self._drafters, 0.0)
        self._proposal_seconds: dict[str, float] = {}
        self._forward_seconds = 0.0
        self._prompt_seconds = 0.0
        self._round = 0

    def max_tokens(self, name: str) -> int:
        """How many tokens a drafter may propose this round; 0 while it is paused or cannot pay."""
        stats = self.stats[name]
        if stats.paused_until > self._round:
            return 0
        # The balance may stop at exactly the cost of one attempt; rounding must not keep it below for ever.
        affordable = stats.balance - stats.draft_cost + _ROUNDING
        return max(bisect_right(self._extra_cost, affordable) - 1, 0)

    def _price(self, cost: VerifyCost) -> None:
        """Use a curve of costs from now on."""
        self._cost = cost
        # The cost of so many more tokens in a forward.
        self._extra_cost = [cost(1 + count) - cost(1) for count in range(self._share + 1)]

    def start(self, prompt: Sequence[int], instruction: Sequence[int] = ()) -> None:
        """A reply to a prompt begins."""
        self._proposal_seconds = {}
        for name, drafter in self._drafters.items():
            started = self._clock()
            drafter.start(prompt, instruction)
            self._seconds[name] += self._clock() - started

    def observe(self, ids: Sequence[int], hidden: Tensor | None = None) -> None:
        """Pass committed tokens on to all drafters, paused ones included."""
        for name, drafter in self._drafters.items():
            started = self._clock()
            drafter.observe(ids, hidden)
            self._seconds[name] += self._clock() - started

    def propose(self, state: DraftState, budget: int) -> DraftTree:
        """The tree of at most ``budget`` nodes that yields the most tokens per time; often none."""
        union = state.tree()
        self._context = len(state.ids) - 1
        if (curve := self._costs.curve(self._context)) is not self._cost:
            self._price(curve)
        self._proposal_seconds = {}
        for name in sorted(self._drafters):
            if (count := min(self.max_tokens(name), budget)) > 0:
                started = self._clock()
                union.include(self._drafters[name].propose(state, count))
                self._proposal_seconds[name] = self._clock() - started
                self._seconds[name] += self._proposal_seconds[name]
        union.rate(self._estimate)
        return union.cut(min(budget, self._size(union)))

    def _size(self, union: DraftTree) -> int:
        """The best number of nodes; now and then a few, to learn whether a wider forward still costs so much."""
        size = best_size(union.values()[1:], self._cost)
        self._narrow_rounds = 0 if size else self._narrow_rounds + 1
        if self._narrow_rounds >= max(PROBE_ROUNDS, self._extra_cost[1] / PROBE_SHARE) and len(union) > 1:
            self._narrow_rounds = 0
            return 1
        return size

    def update(self, tree: DraftTree, accepted: Accepted, seconds: float, *, prompt: bool = False) -> None:
        """Learn from a verify forward; where it also read the ``prompt``, the cost of the tree is negligible."""
        node_cost = 0.0
        if prompt:
            self._prompt_seconds += seconds
        else:
            width = len(tree)
            self._costs.learn(width, self._context, seconds)
            single = seconds / self._cost(width)
            self._forward_seconds = 0.9 * (self._forward_seconds or single) + 0.1 * single
            node_cost = (self._cost(width) - self._cost(1)) / max(width - 1, 1)
        forwards = 0.0 if prompt else 1.0
        # Prompts are converted into forwards once the time of a forward is known.
        if self._forward_seconds > 0:
            forwards += self._prompt_seconds / self._forward_seconds
            self._prompt_seconds = 0.0
        token_cost = self._extra_cost[1]
        shares, saved = _shares(tree), _saved(tree, accepted.nodes, self._seconds)
        for name, stats in self.stats.items():
            spent, used = node_cost * shares.get(name, 0.0), name in shares
            if self._forward_seconds > 0:
                spent += self._seconds[name] / self._forward_seconds
                self._seconds[name] = 0.0
            if name in self._proposal_seconds:
                stats = self._learn(stats.add_allowance(forwards, token_cost), tree, accepted, name)
                stats = stats.close_round(self._round, saved[name], spent, used, token_cost)
            else:
                # The cost of observing comes off first; otherwise an attempt might never be affordable.
                stats = replace(stats, balance=stats.balance - spent).add_allowance(forwards, token_cost)
            self.stats[name] = stats
        self._round += 1

    def _learn(self, stats: DrafterStats, tree: DraftTree, accepted: Accepted, name: str) -> DrafterStats:
        """Count which of a drafter's tokens were accepted, and what its proposal cost."""
        if self._forward_seconds > 0:
            cost = self._proposal_seconds[name] / self._forward_seconds
            average = 0.7 * stats.draft_cost + 0.3 * cost if stats.draft_cost else cost
            stats = replace(stats, draft_cost=average)
        return stats.learn(_results(tree, accepted, name))

    def _estimate(self, sources: Mapping[str, float]) -> float:
        return max(self.stats[name].estimate(confidence) for name, confidence in sources.items())


def _shares(tree: DraftTree) -> dict[str, float]:
    """How many of a tree's nodes each drafter proposed; nodes of several drafters count in parts."""
    shares: dict[str, float] = {}
    for node in tree.nodes[1:]:
        for name in node.sources:
            shares[name] = shares.get(name, 0.0) + 1 / len(node.sources)
    return shares


def _saved(tree: DraftTree, nodes: Iterable[int], seconds: Mapping[str, float]) -> Counter[str]:
    """Forwards saved by each drafter: an accepted node counts for the cheapest drafter that proposed it.

    So an expensive drafter that repeats a cheap one saves nothing, however often it is right.
    """
    return Counter(min(tree.nodes[node].sources, key=lambda name: seconds[name]) for node in nodes)


def _results(tree: DraftTree, accepted: Accepted, name: str) -> list[tuple[float, bool]]:
    """Confidence and outcome of each of a drafter's tokens whose parent was accepted."""
    results = []
    for node, token in zip((0, *accepted.nodes), accepted.tokens, strict=True):
        for child in (tree.nodes[index] for index in tree.nodes[node].children.values()):
            if name in child.sources:
                results.append((child.sources[name], child.token == token))
    return results
