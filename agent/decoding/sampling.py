"""How the next token is chosen, and where a reply ends: a distribution from scores, and a draw from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .tree import Probabilities


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        temperature: 0 is greedy decoding; higher values flatten the distribution.
        top_p: only the likeliest tokens that together reach this probability.
        seed: the same seed draws the same tokens from the same distributions.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            raise ValueError(f"temperature must be >= 0 and top_p in (0, 1], not {self.temperature}, {self.top_p}")


def sample(p: Probabilities, rng: np.random.Generator) -> int:
    """Draw one token; never one whose probability is 0."""
    return pick(p, rng.random())


def pick(p: Probabilities, where: float) -> int:
    """The token at a place between 0 and 1 in the order of tokens; never one whose probability is 0."""
    cumulative = np.cumsum(p, dtype=np.float64)
    index = int(np.searchsorted(cumulative, where * cumulative[-1], side="right"))
    # Rounding can put the draw onto the total itself, behind every token.
    return index if index < len(p) else int(np.flatnonzero(p)[-1])


def distribution(
    logits: Probabilities, temperature: float, top_k: int = 0, top_p: float = 1.0, mask: NDArray[np.bool_] | None = None
) -> Probabilities:
    """The distribution that a token is drawn from; warped as in transformers, in the same order.

    Args:
        logits: vocabulary; the model's scores.
        temperature: 0 gives all probability to the likeliest token.
        top_k: only tokens that score no lower than the k-th best; 0 for all.
        top_p: only the likeliest tokens that together reach this probability.
        mask: vocabulary; allowed tokens.

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


@dataclass(frozen=True)
class GenerationLimits:
    """What may be in a reply, and where it ends.

    Attributes:
        stop_ids: any of these tokens ends the reply.
        banned_ids: never generated: image tokens, and ids that the tokenizer does not know.
        max_new_tokens: the reply is cut off here.
    """

    stop_ids: frozenset[int]
    banned_ids: frozenset[int] = frozenset()
    max_new_tokens: int = 256
