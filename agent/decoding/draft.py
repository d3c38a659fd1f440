"""What a drafter is, and what one round of drafting is told and learns."""

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
    """What a drafter may know when it proposes.

    Attributes:
        ids: all committed tokens, prompt and reply; the last one is the root of the tree.
        reply_start: index of the reply's first token in ``ids``.
        temperature: of the target; 0 for greedy decoding, where drawing drafts at random is of no use.
        hidden: hidden size; the target's last state, the one that predicted the root; None where the
            engine has none.
        banned: ids that must not be drafted.
        rng: for drafters that draw; the same one that acceptance uses.
    """

    ids: Sequence[int]
    reply_start: int
    temperature: float = 0.0
    hidden: Tensor | None = None
    banned: Collection[int] = frozenset()
    rng: np.random.Generator | None = field(default=None, compare=False)

    @property
    def root(self) -> int:
        """The last committed token."""
        return self.ids[-1]

    def tree(self) -> DraftTree:
        """An empty tree to propose in."""
        return DraftTree(self.root, self.banned)


class Drafter(Protocol):
    """Guesses how a reply goes on. A wrong guess costs time and never changes the reply.

    One reply is ``start``, then for every round ``observe`` what was committed and ``propose``.
    """

    @property
    def name(self) -> str:
        """Tells it from other drafters in trees and reports."""

    def start(self, prompt: Sequence[int], instruction: Sequence[int] = ()) -> None:
        """A reply to a prompt begins.

        Args:
            prompt: all its tokens, pictures' placeholders included.
            instruction: tokens of the task's text alone.
        """

    def propose(self, state: DraftState, budget: int) -> DraftTree:
        """At most ``budget`` nodes behind the root, likeliest first; only a root where it has no idea."""

    def observe(self, ids: Sequence[int], hidden: Tensor | None = None) -> None:
        """Tokens were committed to the reply.

        Args:
            ids: in order; the last one is the next round's root.
            hidden: tokens x hidden size; the target's state that predicted each of them.
        """
