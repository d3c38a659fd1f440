"""From scores to the next token."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        temperature: 0 takes the likeliest token, higher values flatten the distribution.
        top_p: only the likeliest tokens that together reach this probability.
        seed: equal seeds draw equal tokens from equal distributions.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            raise ValueError(
                f"temperature must be >= 0 and top_p in (0, 1], not {self.temperature}, {self.top_p}"
            )


def distribution(logits: Tensor, sampling: Sampling) -> Tensor:
    """The probabilities that a token is drawn from; at temperature 0 the likeliest one has it all.

    Args:
        logits: ... x vocabulary; ``-inf`` where a token is banned.
        sampling: how to choose.
    """
    if sampling.temperature == 0:
        return torch.zeros_like(logits).scatter_(-1, logits.argmax(-1, keepdim=True), 1.0)
    probabilities = torch.softmax(logits / sampling.temperature, dim=-1)
    if sampling.top_p >= 1:
        return probabilities
    ordered, order = probabilities.sort(dim=-1, descending=True, stable=True)
    # A token stays while those before it have not reached top_p; the first one always stays.
    ordered[ordered.cumsum(-1) - ordered >= sampling.top_p] = 0.0
    kept = torch.zeros_like(probabilities).scatter_(-1, order, ordered)
    return kept / kept.sum(-1, keepdim=True)


class Chooser:
    """Draws tokens; one per reply, so that a reply depends on its seed alone."""

    def __init__(self, sampling: Sampling) -> None:
        self._sampling = sampling
        self._generator = torch.Generator().manual_seed(sampling.seed)

    def choose(self, logits: Tensor) -> int:
        """One token for one row of scores."""
        if self._sampling.temperature == 0:
            return int(logits.argmax())
        probabilities = distribution(logits.cpu(), self._sampling)
        return int(torch.multinomial(probabilities, 1, generator=self._generator))
