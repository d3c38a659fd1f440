"""Drafts what the action grammar forces: ``click(start_box='(`` takes one forward instead of eight.

Forced text is verified like any other draft, because the model decides which tokens spell it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..draft import DraftState
from ..grammar import GrammarConstraint
from ..tree import DraftTree

if TYPE_CHECKING:
    from torch import Tensor


class GrammarDrafter:
    """Follows the reply in a grammar, also in unconstrained decoding; stops where a reply leaves the grammar.

    Args:
        constraint: the grammar of replies; another one takes effect with the next reply.
        confidence: in forced tokens.
        ending: confidence that a reply ends where it may.
    """

    name = "grammar"

    def __init__(self, constraint: GrammarConstraint, confidence: float = 0.95, ending: float = 0.8) -> None:
        self.constraint = constraint
        self._confidence = confidence
        self._ending = ending
        self.start(())

    def start(self, prompt: Sequence[int], instruction: Sequence[int] = ()) -> None:
        """A reply begins."""
        self._state = self.constraint.start()
        self._inside = True

    def observe(self, ids: Sequence[int], hidden: Tensor | None = None) -> None:
        """Follow committed tokens as far as the grammar allows them."""
        for token in ids:
            if self._inside and self._state.accepts([token]) == 1:
                self._state.advance(token)
            else:
                self._inside = False

    def propose(self, state: DraftState, budget: int) -> DraftTree:
        """The forced tokens after the root, and the end of the reply where it may end."""
        tree = state.tree()
        if not self._inside or budget < 1:
            return tree
        forced = self._state.forced()[:budget]
        last = tree.add_chain(forced, [self._confidence] * len(forced), self.name)
        if len(forced) == len(tree) - 1 < budget:
            for token in forced:
                self._state.advance(token)
            if self._state.complete:
                tree.add(last, self.constraint.table.stop_id, self._ending, self.name)
            self._state.rollback(len(forced))
        return tree
