"""From the states of a verify forward to the tokens that stay."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .acceptance import Accepted, distribution, greedy, rejection, sample, subtract, typical
from .grammar import GrammarConstraint
from .network import Network
from .sampling import Sampling
from .tree import DraftTree, Probabilities

Acceptance = Literal["exact", "typical"]


class Verifier:
    """Decides one reply, forward by forward.

    At temperature 0 the tokens are the likeliest ones. Above it, one uniform number is drawn per token of
    the reply; where drafts are not random themselves it decides the token and not whether a draft is
    accepted, so that a seed writes the same reply with any drafts and with none. Random drafts go through
    rejection sampling, which accepts more of them.

    Args:
        network: scores states.
        sampling: how tokens are chosen.
        banned: ids that are never chosen.
        stop_ids: nothing follows one of these.
        constraint: the grammar that replies must be in; None for any reply.
        acceptance: ``typical`` is faster and does not keep the model's distribution.
    """

    def __init__(
        self,
        network: Network,
        sampling: Sampling = Sampling(),
        banned: Collection[int] = (),
        stop_ids: frozenset[int] = frozenset(),
        constraint: GrammarConstraint | None = None,
        acceptance: Acceptance = "exact",
    ) -> None:
        self.rng = np.random.default_rng(sampling.seed)
        self._network = network
        self._sampling = sampling
        self._stop_ids = stop_ids
        self._bans = torch.zeros(network.vocabulary, device=network.device)
        self._bans[sorted(banned)] = float("-inf")
        self._grammar = constraint.start() if constraint is not None else None
        self._typical = acceptance == "typical"

    def accept(self, tree: DraftTree, hidden: Tensor) -> Accepted:
        """What stays of a tree, and the token after it.

        Args:
            tree: what was verified.
            hidden: nodes x hidden size; their states.

        Raises:
            FloatingPointError: the model's scores are not numbers, or all tokens are forbidden.
        """
        accepted = self._decide(tree, self._scores(hidden))
        if self._grammar is not None:
            for token in accepted.tokens:
                self._grammar.advance(token)
        return accepted

    def likeliest(self, hidden: Tensor) -> list[int]:
        """The likeliest token after each of some states, nodes x hidden size, whatever the grammar.

        Raises:
            FloatingPointError: the model's scores are not numbers, or all tokens are forbidden.
        """
        found: list[int] = self._scores(hidden).argmax(-1).tolist()
        return found

    @property
    def must_stop(self) -> bool:
        """Whether the grammar allows nothing but the end of the reply."""
        if self._grammar is None or not self._grammar.complete:
            return False
        allowed = self._grammar.mask()
        allowed[sorted(self._stop_ids)] = False
        return not allowed.any()

    def _scores(self, hidden: Tensor) -> Tensor:
        scores = self._network.logits(hidden) + self._bans
        if not bool(torch.isfinite(scores.amax(-1)).all()):
            raise FloatingPointError("the model's scores are not numbers, or every token is banned")
        return scores

    def _decide(self, tree: DraftTree, scores: Tensor) -> Accepted:
        sampling = self._sampling
        if sampling.temperature == 0 and not self._typical:
            if self._grammar is None:
                return greedy(tree, scores.argmax(-1).tolist(), self._stop_ids)
            return greedy(tree, lambda node: self._likeliest(tree, node, scores), self._stop_ids)
        rows = scores.double().cpu().numpy()

        def target(node: int) -> Probabilities:
            mask = self._mask(tree, node)
            return distribution(rows[node], sampling.temperature, top_p=sampling.top_p, mask=mask)

        if self._typical:
            return typical(tree, target, self.rng, self._stop_ids)
        if any(tree.draws(node) for node in range(len(tree))):
            return rejection(tree, target, self.rng, self._stop_ids, subtract)
        return greedy(tree, lambda node: sample(target(node), self.rng), self._stop_ids)

    def _likeliest(self, tree: DraftTree, node: int, scores: Tensor) -> int:
        row = scores[node].cpu().numpy()
        mask = self._mask(tree, node)
        return int(distribution(row, 0, mask=mask).argmax())

    def _mask(self, tree: DraftTree, node: int) -> NDArray[np.bool_] | None:
        """What the grammar allows after a node that it allows itself."""
        if self._grammar is None:
            return None
        path = tree.path_tokens(node)
        for token in path:
            self._grammar.advance(token)
        mask = self._grammar.mask()
        self._grammar.rollback(len(path))
        return mask
