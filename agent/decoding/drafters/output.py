"""The vocabulary that trained heads draft from: the target's, or the most used part of a large one."""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from typing import Final

import torch
from torch import Tensor

LARGEST: Final = 32768
"""Vocabularies up to this size are used as a whole."""
PART: Final = 8192
"""Size of the draft vocabulary for larger ones."""


class DraftOutput:
    """The target's output layer, restricted to the draft vocabulary.

    Scoring all of 152k tokens would cost a fourth of a small target's forward, and replies use few of them (EAGLE-3,
    arXiv 2503.01840, drafts from a part too).

    Args:
        weight: vocabulary x hidden size.
        ids: rising ids of the draft vocabulary; None for all.
    """

    def __init__(self, weight: Tensor, ids: Tensor | None = None) -> None:
        self.ids = ids if ids is None else ids.to(weight.device)
        self.rows = (weight if self.ids is None else weight[self.ids]).detach()
        self._places: Tensor | None = None
        self._size = len(weight)
        self._banned: tuple[Collection[int], Tensor] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def to(self, dtype: torch.dtype) -> DraftOutput:
        """The same in another number format."""
        other = copy.copy(self)
        other.rows = self.rows.to(dtype)
        return other

    def score(self, states: Tensor) -> Tensor:
        """Logits (... x draft vocabulary) of states (... x hidden size)."""
        return states @ self.rows.T

    def places(self, tokens: Tensor) -> Tensor:
        """Indices of tokens in the draft vocabulary; -1 for tokens not in it."""
        if self.ids is None:
            return tokens
        if self._places is None:
            self._places = torch.full((self._size,), -1, device=self.ids.device)
            self._places[self.ids] = torch.arange(len(self.ids), device=self.ids.device)
        return self._places[tokens]

    def tokens(self, places: Tensor) -> list[list[int]]:
        """The ids of indices in the draft vocabulary, rows x columns."""
        ids: list[list[int]] = (places if self.ids is None else self.ids[places]).tolist()
        return ids

    def probabilities(self, scores: Tensor, banned: Collection[int], temperature: float = 0.0) -> Tensor:
        """Probabilities (float32) from logits (... x draft vocabulary), without banned tokens.

        At temperature 0 those of temperature 1 are used as the chance to be the target's likeliest token.
        """
        scores = scores.float() / (temperature or 1.0)
        if banned:
            scores = scores.index_fill(-1, self._banned_places(banned), float("-inf"))
        return scores.softmax(-1)

    def _banned_places(self, banned: Collection[int]) -> Tensor:
        if self._banned is None or self._banned[0] is not banned:
            known = [token for token in banned if 0 <= token < self._size]
            places = self.places(torch.tensor(sorted(known), dtype=torch.long, device=self.rows.device))
            self._banned = (banned, places[places >= 0])
        return self._banned[1]


def draft_vocabulary(
    replies: Sequence[Sequence[int]], vocabulary: int, size: int = PART, largest: int = LARGEST
) -> Tensor | None:
    """The rising ids of the tokens that replies use most; None (all) for a small vocabulary."""
    if vocabulary <= largest:
        return None
    counts = torch.zeros(vocabulary, dtype=torch.long)
    for reply in replies:
        counts += torch.bincount(torch.tensor(reply, dtype=torch.long), minlength=vocabulary)
    return counts.argsort(descending=True, stable=True)[:size].sort().values
