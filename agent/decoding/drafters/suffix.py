"""Drafts what followed the same tokens the last time (SuffixDecoding, arXiv 2411.04975): agents repeat themselves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from ..draft import DraftState
from ..layout import common_prefix
from ..tree import DraftTree
from .automaton import Match, SuffixIndex

if TYPE_CHECKING:
    from torch import Tensor


class SuffixDrafter:
    """Looks up the longest suffix of the conversation that occurred before, and how it continued.

    Args:
        capacity: tokens to remember; up to twice as many, the oldest are dropped first.
        longest: longer matches count as this long.
        shortest: shorter matches are not proposed.
        branches: maximum number of different next tokens to propose.
        unknown: ids that separate texts: image tokens.
    """

    name = "suffix"

    def __init__(
        self,
        capacity: int = 32768,
        longest: int = 64,
        shortest: int = 1,
        branches: int = 1,
        unknown: Collection[int] = frozenset(),
    ) -> None:
        self._index = SuffixIndex(capacity, longest)
        self._shortest = shortest
        self._branches = branches
        self._unknown = frozenset(unknown)
        self._seen: list[int] = []
        self._instruction: tuple[int, ...] = ()

    def add(self, ids: Sequence[int]) -> None:
        """Remember a separate text, such as a reply of an earlier run."""
        self._index.cut()
        self._extend(ids)
        self._index.cut()

    def start(self, prompt: Sequence[int], instruction: Sequence[int] = ()) -> None:
        """Read the instruction, if it is new, and what follows the prefix shared with the conversation so far."""
        if instruction and tuple(instruction) != self._instruction:
            self._instruction = tuple(instruction)
            self.add(instruction)
        shared = common_prefix(self._seen, prompt)
        if shared < len(self._seen):
            self._index.cut()
        self._extend(prompt[shared:])
        self._seen = list(prompt)

    def observe(self, ids: Sequence[int], hidden: Tensor | None = None) -> None:
        """Read committed tokens."""
        self._extend(ids)
        self._seen += ids

    def propose(self, state: DraftState, budget: int) -> DraftTree:
        """What followed the longest match last, then what else followed it, most frequent first."""
        tree = state.tree()
        match = self._index.match()
        if match is not None and match.length >= self._shortest:
            self._chain(tree, match.continuation(budget), match.length, 1.0)
            self._alternatives(tree, match, budget)
        return tree

    def _alternatives(self, tree: DraftTree, match: Match, budget: int) -> None:
        if self._branches < 2 or len(tree) == 1:
            return
        recent, others = tree.tokens[1], match.followers()
        total = sum(count for count, _, _ in others)
        left = 1.0 - tree.nodes[1].confidence
        for count, _, token in others[: self._branches]:
            if token != recent and len(tree) <= budget:
                text = match.continuation(budget + 1 - len(tree), token)
                self._chain(tree, text, match.length, left * count / total)

    def _chain(self, tree: DraftTree, text: Sequence[int], length: int, first: float) -> None:
        """Add a continuation; the confidence rises with the length of the match."""
        sure = [(length + i) / (length + i + 2) for i in range(len(text))]
        if sure and first < 1:
            sure[0] = first
        tree.add_chain(text, sure, self.name)

    def _extend(self, ids: Sequence[int]) -> None:
        for token in ids:
            if token in self._unknown:
                self._index.cut()
            else:
                self._index.append(token)
