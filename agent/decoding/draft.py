"""The drafter interface, and what a drafter knows in each round."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from .tree import DraftTree

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


@dataclass(frozen=True)
class DraftState:
    """What a drafter may use for a proposal.

    Attributes:
        ids: all committed tokens of prompt and reply; the last one is the root of the tree.
        reply_start: index of the reply's first token in ``ids``.
        temperature: of the target; at 0 (greedy decoding) drawing drafts at random is of no use.
        hidden: hidden size; the target's state that predicted the root; None before the first forward.
        banned: ids that must not be drafted.
        rng: for drafters that draw; the acceptance rule uses the same one.
    """

    ids: Sequence[int]
    reply_start: int
    temperature: float = 0.0
    hidden: Tensor | None = None
    banned: Collection[int] = frozenset()
    rng: np.random.Generator | None = field(default=None, compare=False)

    def tree(self) -> DraftTree:
        """An empty tree to propose in."""
        return DraftTree(self.ids[-1], self.banned)


class Drafter(Protocol):
    """Proposes how a reply continues. A wrong draft costs time and never changes the reply.

    For each reply ``start`` is called once, then in each round ``propose`` and ``observe``.
    """

    @property
    def name(self) -> str:
        """Its name in trees and reports; unique among the drafters of a policy."""

    def start(self, prompt: Sequence[int], instruction: Sequence[int] = ()) -> None:
        """A reply begins: to all tokens of a prompt, image tokens included, of which some spell the instruction."""

    def propose(self, state: DraftState, budget: int) -> DraftTree:
        """A tree of at most ``budget`` drafted nodes; a bare root for no proposal."""

    def observe(self, ids: Sequence[int], hidden: Tensor | None = None) -> None:
        """Tokens were committed to the reply; ``hidden`` (tokens x hidden size) are the states that predicted them."""
