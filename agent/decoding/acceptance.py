"""Which drafted tokens stay: pure functions from a draft tree and the model's verdict on each node.

``greedy`` gives the tokens of greedy decoding. ``rejection`` gives tokens distributed as if each had been
drawn from the model (Leviathan et al. 2023, arXiv 2211.17192; Chen et al. 2023, arXiv 2302.01318; for trees
SpecInfer, arXiv 2305.09781; without replacement Sequoia, arXiv 2402.12374). ``typical`` (Medusa, arXiv
2401.10774) is faster and changes the distribution, so nothing uses it unless told to.

The model's probabilities are asked for node by node along the accepted path, as a row over the whole
vocabulary is expensive to prepare and most nodes are never visited.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .tree import DraftSamples, DraftTree, Probabilities

Target = Callable[[int], Probabilities]
"""The model's distribution after a node, final: temperature, top-p and masks are in it.

``rejection`` asks for accepted nodes only, once each, from the root downwards, so a grammar can follow it.
"""
Residual = Callable[[Probabilities, "Probabilities | int"], Probabilities]
"""What remains of the model's distribution once a draw, or a token proposed for certain, was rejected."""


@dataclass(frozen=True)
class Accepted:
    """What a verify forward yielded.

    Attributes:
        nodes: accepted nodes from the root, left out, downwards; their keys and values are to be kept.
        tokens: their tokens and one more, which is the root of the next tree.
    """

    nodes: tuple[int, ...]
    tokens: tuple[int, ...]

    @property
    def last(self) -> int:
        """The node whose hidden state predicted the last token."""
        return self.nodes[-1] if self.nodes else 0

    def cut(self, count: int) -> Accepted:
        """The first ``count`` tokens, for when the reply ends among them."""
        if count >= len(self.tokens):
            return self
        return Accepted(self.nodes[: max(count - 1, 0)], self.tokens[:count])


def greedy(
    tree: DraftTree,
    choices: Sequence[int] | NDArray[np.int64] | Callable[[int], int],
    stop_ids: Collection[int] = (),
) -> Accepted:
    """Follow the likeliest token as long as it was drafted.

    Args:
        tree: what was verified.
        choices: nodes; the token the model finds likeliest after each. A function is asked for accepted
            nodes only, from the root downwards, so that a grammar can follow it.
        stop_ids: nothing follows one of these.
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
        child = tree.children(node).get(token)
        if child is None or token in stop_ids:
            return Accepted(tuple(nodes), tuple(tokens))
        nodes.append(child)
        node = child


def subtract(p: Probabilities, draft: Probabilities | int) -> Probabilities:
    """The residual rule ``norm((p - q)+)``; a token proposed for certain is a ``q`` of that token alone."""
    if isinstance(draft, int):
        rest = np.array(p, dtype=np.float64)
        rest[draft] = 0.0
    else:
        rest = np.maximum(np.subtract(p, draft, dtype=np.float64), 0.0)
    total = float(rest.sum())
    # Nothing is left only if p and q are equal, and then only rounding can have rejected.
    return rest / total if total > 0 else p


def rejection(
    tree: DraftTree,
    target: Target,
    rng: np.random.Generator,
    stop_ids: Collection[int] = (),
    residual: Residual = subtract,
) -> Accepted:
    """Accept drafted tokens so that the reply is distributed as the model alone would have written it.

    A draw of ``c`` from ``q`` is accepted with probability ``min(1, p(c) / q(c))``; otherwise ``p`` becomes
    its residual and the next draw is tried; at the end a token comes from what remains of ``p``.

    Args:
        tree: what was verified.
        target: vocabulary, after each node.
        rng: where chance comes from.
        stop_ids: nothing follows one of these.
        residual: the residual rule; tests put a wrong one here.

    Raises:
        FloatingPointError: the model's probabilities are not numbers.
    """
    return _follow(
        tree, lambda node: _decide(tree, node, _checked(target(node), node), rng, residual), stop_ids
    )


def _decide(
    tree: DraftTree, node: int, p: Probabilities, rng: np.random.Generator, residual: Residual
) -> int:
    """The token after a node."""
    for token in tree.fixed(node):
        if rng.random() < p[token]:
            return token
        p = residual(p, token)
    for draws in tree.draws(node):
        for token, q in _rounds(draws):
            if rng.random() * q[token] < p[token]:
                return token
            p = residual(p, q)
    return sample(p, rng)


def _rounds(draws: DraftSamples) -> Iterator[tuple[int, Probabilities]]:
    """Each draw with the distribution it came from."""
    q = draws.q
    for token in draws.tokens:
        yield token, q
        if not draws.replacement:
            q = subtract(q, token)


def typical(
    tree: DraftTree,
    target: Target,
    rng: np.random.Generator,
    stop_ids: Collection[int] = (),
    epsilon: float = 0.09,
    delta: float = 0.3,
) -> Accepted:
    """Accept every token that is likely enough: the longest path on which ``p > min(epsilon, delta e^-H)``.

    LOSSY: replies are likelier ones than the model would have drawn, even at temperature 1. Of equally long
    paths the likeliest is taken. ``epsilon`` and ``delta`` are those of the Medusa paper.

    Raises:
        FloatingPointError: the model's probabilities are not numbers.
    """
    score = {0: 0.0}
    depths, best = tree.depths, 0
    for node in range(len(tree)):
        if node not in score or not tree.children(node) or (node and tree.tokens[node] in stop_ids):
            continue
        p = _checked(target(node), node)
        entropy = -float(np.sum(p * np.log(np.maximum(p, 1e-30))))
        bound = min(epsilon, delta * float(np.exp(-entropy)))
        for token, child in tree.children(node).items():
            if p[token] > bound:
                score[child] = score[node] + float(np.log(p[token]))
                best = max(best, child, key=lambda index: (depths[index], score[index], -index))
    path, tokens = tree.path(best), tree.path_tokens(best)
    if tokens and tokens[-1] in stop_ids:
        return Accepted(path[:-1], tokens)
    return Accepted(path, (*tokens, sample(_checked(target(best), best), rng)))


def sample(p: Probabilities, rng: np.random.Generator) -> int:
    """Draw one token; never one whose probability is 0."""
    cumulative = np.cumsum(p, dtype=np.float64)
    index = int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))
    # Rounding can put the draw onto the total itself, behind every token.
    return index if index < len(p) else int(np.flatnonzero(p)[-1])


def distribution(
    logits: Probabilities,
    temperature: float,
    top_k: int = 0,
    top_p: float = 1.0,
    mask: NDArray[np.bool_] | None = None,
) -> Probabilities:
    """The distribution that a token is drawn from, as transformers' warpers shape it, in their order.

    Args:
        logits: vocabulary; the model's scores.
        temperature: 0 gives all probability to the likeliest token.
        top_k: only tokens that score no lower than the k-th best; 0 for all.
        top_p: only the likeliest tokens that together reach this probability.
        mask: vocabulary; tokens that are allowed.

    Raises:
        FloatingPointError: a score is not a number, or no token is allowed.
    """
    scores = np.array(logits, dtype=np.float64)
    if mask is not None:
        scores[~mask] = -np.inf
    best = float(scores.max())
    if not np.isfinite(best):
        raise FloatingPointError("the scores hold no token to choose: they are not numbers or all masked")
    if temperature == 0:
        choice = np.zeros_like(scores)
        choice[int(scores.argmax())] = 1.0
        return choice
    if 0 < top_k < len(scores):
        scores[scores < np.partition(scores, -top_k)[-top_k]] = -np.inf
    p = np.exp((scores - best) / temperature)
    p /= p.sum()
    return p if top_p >= 1 else _nucleus(p, top_p)


def _nucleus(p: Probabilities, top_p: float) -> Probabilities:
    """Keep each token while those likelier than it have not reached ``top_p``."""
    count = min(len(p), 1024)
    order = np.argpartition(p, -count)[-count:]
    if p[order].sum() < top_p:
        order = np.arange(len(p))
    order = order[np.argsort(-p[order], kind="stable")]
    before = np.cumsum(p[order]) - p[order]
    kept = order[before < top_p]
    kept = kept if kept.size else order[:1]
    rest: Probabilities = np.zeros_like(p)
    rest[kept] = p[kept]
    rest /= rest.sum()
    return rest


def _checked(p: Probabilities, node: int) -> Probabilities:
    total = float(p.sum())
    if not abs(total - 1) < 1e-3:
        raise FloatingPointError(
            f"the model's probabilities after node {node} sum to {total}, not to 1: its scores are broken"
        )
    return p
