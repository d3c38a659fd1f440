"""Drafts with a smaller model that sees the same conversation (Leviathan et al. 2023, arXiv 2211.17192).

Unlike transformers' assistant models it sees the screenshots too, without which few drafts would be right.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from ....actions.errors import UsageError
from ....actions.geometry import Size
from ....perception.resize import ImageSpec
from ..draft import DraftState
from ..layout import ImageSegment, Segment, TextSegment, common_prefix
from ..network import Network
from ..sampling import distribution, sample
from ..session import Session
from ..tree import DraftSamples, DraftTree, Probabilities

if TYPE_CHECKING:
    from ..target import TargetModel


class DraftModel:
    """A second model with its own session; it drafts a chain, token by token.

    Args:
        network: the draft model.
        spec: how screenshots are cut for it.
        vocabulary: number of the target's logits.
        depth: maximum length of the chain.
        surest: the chain ends where its probability falls below this.
    """

    name = "draft"

    def __init__(self, network: Network, spec: ImageSpec, vocabulary: int, depth: int = 6, surest: float = 0.2) -> None:
        self._network = network
        self._spec = spec
        self._vocabulary = vocabulary
        self._depth = depth
        self._surest = surest
        self._session = Session(network, spec)
        self._prompt: list[Segment] | None = None
        # A prompt that is not read yet; it is read when a draft is asked for.
        self._ahead: list[Segment] | None = None
        # Committed tokens not read yet, drafted tokens read, and drafted tokens not read yet.
        self._pending: list[int] = []
        self._drafted: list[int] = []
        self._unread: list[int] = []

    def prepare(self, prompt: Sequence[Segment], screenshot: Size, resized: Size) -> None:
        """Take the prompt's screenshots, cut by this model's own image processor."""
        self._prompt = [
            ImageSegment.of(segment.screenshot, self._spec) if isinstance(segment, ImageSegment) else segment
            for segment in prompt
        ]

    def start(self, prompt: Sequence[int], instruction: Sequence[int] = ()) -> None:
        """Note the prompt for when a draft is asked for; without ``prepare`` only its token ids."""
        self._ahead = self._prompt or [TextSegment(tuple(prompt))]
        self._prompt = None
        self._pending, self._drafted, self._unread = [], [], []

    def observe(self, ids: Sequence[int], hidden: Tensor | None = None) -> None:
        """Keep the accepted part of the draft in the cache."""
        accepted = common_prefix(ids, self._drafted)
        self._session.rewind(len(self._drafted) - accepted)
        self._pending += ids[accepted:]
        self._drafted = []

    @torch.inference_mode()
    def propose(self, state: DraftState, budget: int) -> DraftTree:
        """A chain of the likeliest tokens; above temperature 0, of tokens drawn from its distribution."""
        tree, node, value = state.tree(), 0, 1.0
        for _ in range(min(self._depth, budget)):
            token, sure, following = self._follow(tree, node, state)
            value *= sure
            if following is None or value < self._surest:
                break
            self._unread, node = [token], following
        self._unread = []
        return tree

    def _follow(self, tree: DraftTree, node: int, state: DraftState) -> tuple[int, float, int | None]:
        """Draft the token after a node; returns it, its probability and its node."""
        scores = self._read()
        mask = np.ones(self._vocabulary, dtype=np.bool_)
        mask[list(state.banned)] = False
        q = distribution(scores, state.temperature or 1.0, mask=mask)
        if state.temperature == 0 or state.rng is None:
            token = int(q.argmax())
            return token, float(q[token]), tree.add(node, token, float(q[token]), self.name)
        token = sample(q, state.rng)
        draws = DraftSamples((token,), q)
        return token, float(q[token]), tree.draw(node, draws, float(q[token]), self.name)[0]

    def _read(self) -> Probabilities:
        """Read all that is not read yet; returns the next token's logits, as many as the target has."""
        if self._ahead is not None:
            self._hidden = self._session.prefill(self._ahead).states[0]
            self._ahead = None
        if new := [*self._pending, *self._unread]:
            self._hidden = self._session.extend(new)[-1]
        self._drafted += self._unread
        self._pending, self._unread = [], []
        scores = self._network.logits(self._hidden).cpu().numpy()[: self._vocabulary]
        missing = self._vocabulary - len(scores)
        return cast("Probabilities", np.pad(scores, (0, missing), constant_values=-np.inf))


def load_draft_model(path: str, target: TargetModel) -> DraftModel:
    """The draft model in a checkpoint's directory.

    Raises:
        MissingPartError: there is no checkpoint.
        UsageError: its tokenizer is another one than the target's.
    """
    from ...checkpoints.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(path, device=str(target.network.device))
    if checkpoint.vocabulary != target.checkpoint.vocabulary:
        name = target.checkpoint.name
        raise UsageError(f"{path} cannot draft for {name}: it has another tokenizer; use one with the same tokenizer")
    return DraftModel(Network(checkpoint.model), checkpoint.image_spec, target.network.vocabulary)
