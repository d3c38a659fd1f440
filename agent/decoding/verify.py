"""From the hidden states of a verify forward to the accepted tokens."""

from __future__ import annotations

from functools import partial
from typing import Final, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...actions.errors import UsageError
from .acceptance import Accepted, greedy, rejection, subtract, typical
from .grammar import GrammarConstraint
from .network import Network
from .sampling import GenerationLimits, Sampling, distribution, sample
from .tree import DraftTree, Probabilities

Acceptance = Literal["exact", "typical"]
ACCEPTANCES: Final[tuple[Acceptance, ...]] = get_args(Acceptance)


def parse_acceptance(text: str) -> Acceptance:
    """The acceptance rule of this name, as ``--acceptance`` takes it.

    Raises:
        UsageError: there is none.
    """
    for rule in ACCEPTANCES:
        if rule == text:
            return rule
    raise UsageError(f"unknown acceptance rule {text!r}; use {' or '.join(ACCEPTANCES)}")


class Verifier:
    """Applies an acceptance rule to one reply, forward by forward.

    ``exact`` at temperature 0 accepts the tokens of greedy decoding. Above 0 it draws one uniform number per token of
    the reply. With deterministic drafts this number decides the token itself, so that a seed gives the same reply with
    any drafts and with none. Randomly drawn drafts go through rejection sampling, which accepts more of them.
    ``typical`` is lossy.
    """

    def __init__(
        self,
        network: Network,
        limits: GenerationLimits,
        sampling: Sampling = Sampling(),
        constraint: GrammarConstraint | None = None,
        acceptance: Acceptance = "exact",
    ) -> None:
        self.rng = np.random.default_rng(sampling.seed)
        self._network = network
        self._sampling = sampling
        self._stop_ids = limits.stop_ids
        self._banned = torch.tensor(sorted(limits.banned_ids), dtype=torch.long, device=network.device)
        self._grammar = constraint.start() if constraint is not None else None
        self._typical = acceptance == "typical"

    def accept(self, tree: DraftTree, hidden: Tensor) -> Accepted:
        """The accepted nodes of a verified tree, given their states (nodes x hidden size), and the token after them.

        Raises:
            FloatingPointError: the model's scores are not finite, or all tokens are banned.
        """
        accepted = self._decide(tree, self._network.scores(hidden, self._banned))
        if self._grammar is not None:
            for token in accepted.tokens:
                self._grammar.advance(token)
        return accepted

    def likeliest(self, hidden: Tensor) -> list[int]:
        """The likeliest token after each state (nodes x hidden size), without the grammar."""
        return self._likeliest(self._network.scores(hidden, self._banned))

    @property
    def must_stop(self) -> bool:
        """Whether the grammar allows nothing but the end of the reply."""
        if self._grammar is None or not self._grammar.complete:
            return False
        allowed = self._grammar.mask()
        allowed[sorted(self._stop_ids)] = False
        return not allowed.any()

    def _likeliest(self, scores: Tensor) -> list[int]:
        """The best token of each row; one read from the device."""
        best, places = scores.max(-1)
        found: list[int] = torch.where(torch.isfinite(best), places, -1).tolist()
        if -1 in found:
            raise FloatingPointError("the model's scores are not numbers, or every token is banned")
        return found

    def _decide(self, tree: DraftTree, scores: Tensor) -> Accepted:
        sampling = self._sampling
        likeliest = self._likeliest(scores)
        if sampling.temperature == 0 and self._grammar is None and not self._typical:
            return greedy(tree, likeliest, self._stop_ids)

        def target(node: int, temperature: float = sampling.temperature) -> Probabilities:
            row = scores[node].double().cpu().numpy()  # only what is asked for: the accepted path
            return distribution(row, temperature, top_p=sampling.top_p, mask=self._mask(tree, node))

        if self._typical:
            # Greedy decoding gives all probability to one token; temperature 1 tells what else is likely enough.
            wide = partial(target, temperature=sampling.temperature or 1.0)
            return typical(tree, wide, self.rng, self._stop_ids, last=target)
        if sampling.temperature > 0 and any(node.draws for node in tree.nodes):
            return rejection(tree, target, self.rng, self._stop_ids, subtract)
        return greedy(tree, lambda node: sample(target(node), self.rng), self._stop_ids)

    def _mask(self, tree: DraftTree, node: int) -> NDArray[np.bool_] | None:
        """The tokens that the grammar allows after a node, which it allows itself."""
        if self._grammar is None:
            return None
        path = tree.path_tokens(node)
        for token in path:
            self._grammar.advance(token)
        mask = self._grammar.mask()
        self._grammar.rollback(len(path))
        return mask
