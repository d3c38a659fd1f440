"""What learned heads draft from: the target's vocabulary, or for a large one the part that replies use."""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from typing import Final

import torch
from torch import Tensor

LARGEST: Final = 32768
"""Vocabularies up to this size are drafted from as a whole."""
PART: Final = 8192
"""How many tokens of a larger vocabulary are drafted from."""


class DraftOutput:
    """The target's own output layer over its draft vocabulary.

    A score for each of 152k tokens costs a fourth of a small target's forward; replies use few of them
    (EAGLE-3, arXiv 2503.01840, drafts from a part, too).

    Args:
        weight: vocabulary x hidden size; the target's output layer.
        ids: the draft vocabulary as ids of the target, rising; None for all.
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
        """Scores of ... x hidden size states: ... x draft vocabulary."""
        return states @ self.rows.T

    def places(self, tokens: Tensor) -> Tensor:
        """Where tokens stand in the draft vocabulary; -1 for those that are not in it."""
        if self.ids is None:
            return tokens
        if self._places is None:
            self._places = torch.full((self._size,), -1, device=self.ids.device)
            self._places[self.ids] = torch.arange(len(self.ids), device=self.ids.device)
        return self._places[tokens]

    def tokens(self, places: Tensor) -> list[list[int]]:
        """The ids of places in the draft vocabulary, rows x columns."""
        ids: list[list[int]] = (places if self.ids is None else self.ids[places]).tolist()
        return ids

    def probabilities(self, scores: Tensor, banned: Collection[int], temperature: float = 0.0) -> Tensor:
        """From scores, ... x draft vocabulary, to probabilities in float32; banned tokens have none.

        At temperature 0 they say how likely a token is the target's likeliest, for which those at 1 stand in.
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
    """Which tokens to draft from: all of a small vocabulary, else those that replies use most.

    Returns:
        Rising ids; None for all.
    """
    if vocabulary <= largest:
        return None
    counts = torch.zeros(vocabulary, dtype=torch.long)
    for reply in replies:
        counts += torch.bincount(torch.tensor(reply, dtype=torch.long), minlength=vocabulary)
    return counts.argsort(descending=True, stable=True)[:size].sort().values
