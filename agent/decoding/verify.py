"""From the hidden states of a verify forward to the accepted tokens."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...actions.choices import one_of
from .acceptance import Accepted, greedy, rejection, subtract, typical
from .grammar import GrammarConstraint
from .network import Network
from .sampling import GenerationLimits, Sampling, distribution, pick
from .tree import DraftTree, Probabilities

Acceptance = Literal["exact", "typical"]
_LIKELIEST: Final = 64
"""Tokens that are read of a row of scores to draw from; the whole row is read where these do not decide it."""
_BROKEN: Final = "the model's scores are not numbers, or every token is banned"
ACCEPTANCES: Final[tuple[Acceptance, ...]] = get_args(Acceptance)


def parse_acceptance(text: str) -> Acceptance:
    """The acceptance rule of this name, as ``--acceptance`` takes it.

    Raises:
        UsageError: there is none.
    """
    return one_of(text, ACCEPTANCES, "acceptance rule", "--acceptance")


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
        """The likeliest token after each state (nodes x hidden size), without the grammar; one read."""
        best, places = self._network.scores(hidden, self._banned).max(-1)
        found: list[int] = torch.where(torch.isfinite(best), places, -1).tolist()
        if -1 in found:
            raise FloatingPointError(_BROKEN)
        return found

    @property
    def must_stop(self) -> bool:
        """Whether the grammar allows nothing but the end of the reply."""
        if self._grammar is None or not self._grammar.complete:
            return False
        allowed = self._grammar.mask()
        allowed[sorted(self._stop_ids)] = False
        return not allowed.any()

    def _decide(self, tree: DraftTree, scores: Tensor) -> Accepted:
        sampling = self._sampling
        if not self._typical and not (sampling.temperature > 0 and any(node.draws for node in tree.nodes)):
            return greedy(tree, self._choice(tree, scores), self._stop_ids)

        def target(node: int, temperature: float = sampling.temperature) -> Probabilities:
            row = scores[node].double().cpu().numpy()  # only what is asked for: the accepted path
            return distribution(row, temperature, top_p=sampling.top_p, mask=self._mask(tree, node))

        if self._typical:
            # Greedy decoding gives all probability to one token; temperature 1 tells what else is likely enough.
            wide = partial(target, temperature=sampling.temperature or 1.0)
            return typical(tree, wide, self.rng, self._stop_ids, last=target)
        return rejection(tree, target, self.rng, self._stop_ids, subtract)

    def _choice(self, tree: DraftTree, scores: Tensor) -> Callable[[int], int]:
        """The token that the target chooses after a node; nodes are asked for from the root downwards.

        Only the likeliest tokens are read. Rows are read one by one on a CPU, and all at once where a read is a stop.
        """
        temperature = self._sampling.temperature
        all_rows = scores.device.type != "cpu" and self._grammar is None
        summaries = _summary(scores, temperature).tolist() if all_rows else None

        def choose(node: int) -> int:
            row, mask = scores[node], self._mask(tree, node)
            if mask is not None:
                row = row.masked_fill(torch.from_numpy(~mask).to(row.device), float("-inf"))
            summary = _summary(row, temperature).tolist() if summaries is None else summaries[node]
            return self._draw(row, summary)

        return choose

    def _draw(self, row: Tensor, summary: list[float]) -> int:
        """Draw a token by one uniform number, from the likeliest ones where these decide it."""
        total, likely = summary[0], np.array(summary[1:]).reshape(2, -1)
        if not np.isfinite(total):
            raise FloatingPointError(_BROKEN)
        if self._sampling.temperature == 0:
            return int(likely[1, 0])
        order = np.argsort(likely[1])
        ids, p = likely[1, order].astype(np.int64), np.exp(likely[0] - total)
        where, mass = self.rng.random(), float(p.sum())
        if (top_p := self._sampling.top_p) < 1 and (mass >= top_p or len(p) == len(row)):
            p = np.where(np.cumsum(p) - p < top_p, p, 0.0)
            return int(ids[pick(p[order], where)])
        if top_p == 1 and (where < mass or len(p) == len(row)):
            return int(ids[pick(p[order], min(where / mass, 1.0))])
        rest = distribution(row.double().cpu().numpy(), self._sampling.temperature, top_p=top_p)
        if top_p == 1:
            rest[ids] = 0.0
            where = (where - mass) / (1.0 - mass)
        return pick(rest, where)

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


def _summary(scores: Tensor, temperature: float) -> Tensor:
    """Of each row: the logarithm of the sum of all weights, then the likeliest tokens' scores, and their ids."""
    if temperature == 0:
        best, place = scores.max(-1, keepdim=True)
        return torch.cat([best.double(), best.double(), place.double()], dim=-1)
    scaled = scores.float() / temperature
    best, places = scaled.topk(min(_LIKELIEST, scores.shape[-1]))
    return torch.cat([scaled.logsumexp(-1, keepdim=True).double(), best.double(), places.double()], dim=-1)
