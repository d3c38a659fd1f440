"""Acceptance rules: pure functions from a draft tree and the target's probabilities to the accepted tokens.

``greedy`` gives the tokens of greedy decoding. ``rejection`` gives tokens distributed as if each had been drawn from
the target (Leviathan et al. 2023, arXiv 2211.17192; Chen et al. 2023, arXiv 2302.01318; for trees SpecInfer, arXiv
2305.09781; without replacement Sequoia, arXiv 2402.12374). ``typical`` (Medusa, arXiv 2401.10774) is lossy: it accepts
more and changes the distribution. After a token in ``stop_ids`` nothing follows.

Probabilities are computed node by node along the accepted path: a row over the whole vocabulary is expensive.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .sampling import sample
from .tree import DraftTree, Probabilities

Target = Callable[[int], Probabilities]
"""The target's distribution after a node, with temperature, top-p and masks applied.

``rejection`` calls it for accepted nodes only, once each, from the root downwards, so a grammar can follow.
"""
Residual = Callable[[Probabilities, "Probabilities | int"], Probabilities]
"""The target's distribution after a draw, or a token proposed deterministically, was rejected."""


@dataclass(frozen=True)
class Accepted:
    """What was accepted of a verified tree.

    Attributes:
        nodes: the accepted path, without the root; the KV cache keeps these nodes.
        tokens: their tokens and one more from the target, which is the root of the next tree.
    """

    nodes: tuple[int, ...]
    tokens: tuple[int, ...]

    @property
    def last(self) -> int:
        """The node whose state predicted the last token."""
        return self.nodes[-1] if self.nodes else 0

    def cut(self, count: int) -> Accepted:
        """The first ``count`` tokens, where the reply has to end."""
        if count >= len(self.tokens):
            return self
        return Accepted(self.nodes[: max(count - 1, 0)], self.tokens[:count])


def greedy(
    tree: DraftTree, choices: Sequence[int] | NDArray[np.int64] | Callable[[int], int], stop_ids: Collection[int] = ()
) -> Accepted:
    """Accept drafts as long as they are the token that the target chooses.

    Where ``choices`` is a function, it is called for accepted nodes only, from the root downwards, so that a grammar
    can follow.
    """
    choose = choices if callable(choices) else choices.__getitem__
    return _follow(tree, lambda node: int(choose(node)), stop_ids)


def _follow(tree: DraftTree, decide: Callable[[int], int], stop_ids: Collection[int]) -> Accepted:
    """Take tokens until one was not drafted or ends the reply."""
    node = 0
    nodes: list[int] = []
    tokens: list[int] = []
    while True:
        token = decide(node)
        tokens.append(token)
        child = tree.nodes[node].children.get(token)
        if child is None or token in stop_ids:
            return Accepted(tuple(nodes), tuple(tokens))
        nodes.append(child)
        node = child


def subtract(p: Probabilities, draft: Probabilities | int) -> Probabilities:
    """The residual ``norm((p - q)+)``; for a deterministic proposal, ``q`` is all on that token."""
    if isinstance(draft, int):
        rest = np.array(p, dtype=np.float64)
        rest[draft] = 0.0
    else:
        rest = np.maximum(np.subtract(p, draft, dtype=np.float64), 0.0)
    total = float(rest.sum())
    # Nothing is left only if p equals q; then only rounding can have rejected.
    return rest / total if total > 0 else p


def rejection(
    tree: DraftTree,
    target: Target,
    rng: np.random.Generator,
    stop_ids: Collection[int] = (),
    residual: Residual = subtract,
) -> Accepted:
    """Rejection sampling: the reply is distributed as if the target alone had written it.

    A draw of ``c`` from ``q`` is accepted with probability ``min(1, p(c) / q(c))``. Otherwise ``p`` becomes
    the residual and the next draw is tried; if none is accepted, a token is drawn from what remains of ``p``.
    ``residual`` is a parameter because tests pass wrong rules.

    Raises:
        FloatingPointError: the target's probabilities are not numbers.
    """
    return _follow(tree, lambda node: _decide(tree, node, _checked(target(node), node), rng, residual), stop_ids)


def _decide(tree: DraftTree, node: int, p: Probabilities, rng: np.random.Generator, residual: Residual) -> int:
    """The token after a node."""
    for token in tree.nodes[node].fixed:
        if rng.random() < p[token]:
            return token
        p = residual(p, token)
    for draws in tree.nodes[node].draws:
        q = draws.q
        for token in draws.tokens:
            if rng.random() * q[token] < p[token]:
                return token
            p = residual(p, q)
            q = q if draws.replacement else subtract(q, token)
    return sample(p, rng)


def typical_threshold(p: Probabilities, epsilon: float = 0.09, delta: float = 0.3) -> float:
    """The probability above which typical acceptance accepts a token: ``min(epsilon, delta exp(-H(p)))``.

    ``H`` is the entropy in nats: the more uncertain the target, the less likely tokens are accepted. The defaults are
    those of the Medusa paper.
    """
    entropy = -float(np.sum(p * np.log(np.maximum(p, 1e-30))))
    return min(epsilon, delta * float(np.exp(-entropy)))


def typical(
    tree: DraftTree,
    target: Target,
    rng: np.random.Generator,
    stop_ids: Collection[int] = (),
    last: Target | None = None,
) -> Accepted:
    """Typical acceptance: the longest path on which every token is above ``typical_threshold``. LOSSY.

    Replies are likelier than those that the target would have drawn, even at temperature 1. Of equally long paths the
    likeliest is taken. The token after it is drawn from ``last``, by default the target's distribution.

    Raises:
        FloatingPointError: the target's probabilities are not numbers.
    """
    score = {0: 0.0}
    best = 0
    for index, node in enumerate(tree.nodes):
        if index not in score or not node.children or (index and node.token in stop_ids):
            continue
        p = _checked(target(index), index)
        threshold = typical_threshold(p)
        for token, child in node.children.items():
            if p[token] > threshold:
                score[child] = score[index] + float(np.log(p[token]))
                best = max(best, child, key=lambda index: (tree.nodes[index].depth, score[index], -index))
    path, tokens = tree.path(best), tree.path_tokens(best)
    if tokens and tokens[-1] in stop_ids:
        return Accepted(path[:-1], tokens)
    return Accepted(path, (*tokens, sample(_checked((last or target)(best), best), rng)))


def _checked(p: Probabilities, node: int) -> Probabilities:
    total = float(p.sum())
    if not abs(total - 1) < 1e-3:
        raise FloatingPointError(
            f"the model's probabilities after node {node} sum to {total}, not to 1: its scores are broken"
        )
    return p
