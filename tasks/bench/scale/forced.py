"""Forces a model to write a script: its forwards are real, and the scores of the script's tokens win.

Random weights would write noise, of which no drafter could guess anything. The hooks are on the model itself, so the
runtime and transformers' ``generate`` are forced in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class ForcedReply:
    """What a model writes, token by token; after its end the stop token.

    Args:
        stop: the token that ends a reply.
        vocabulary: number of the model's tokens.
        mistakes: of so many tokens one is another one than the script's, as with a model that guesses; 0 for none.
    """

    def __init__(self, stop: int, vocabulary: int, mistakes: int = 0) -> None:
        self._stop = stop
        self._vocabulary = vocabulary
        self._mistakes = mistakes
        self._ids: Sequence[int] = ()
        self._start = 0
        self._positions: list[int] = []

    def script(self, ids: Sequence[int], start: int) -> None:
        """Write these tokens next; ``start`` is the position of the first one."""
        self._ids, self._start = ids, start

    def token(self, position: int) -> int:
        """The token after the one at a position."""
        place = position + 1 - self._start
        wanted = self._ids[place] if 0 <= place < len(self._ids) else self._stop
        wrong = self._mistakes and (place * 2_654_435_761 >> 7) % self._mistakes == 0
        return (wanted + 1) % self._vocabulary if wrong else wanted

    def note_positions(self, module: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Called before the layers run."""
        positions = kwargs["position_ids"]
        self._positions = positions.reshape(-1, positions.shape[-1])[-1].tolist()

    def force(self, module: object, args: tuple[Tensor, ...], scores: Tensor) -> Tensor:
        """Called after the output layer has run on the states of the last tokens."""
        rows = scores.view(-1, scores.shape[-1])
        tokens = [self.token(position) for position in self._positions[len(self._positions) - len(rows) :]]
        places = torch.tensor(tokens, device=scores.device)
        rows[torch.arange(len(rows), device=scores.device), places] = 1000.0
        return scores


@contextmanager
def forced(model: PreTrainedModel, stop: int, mistakes: int = 0) -> Iterator[ForcedReply]:
    """Force a model as long as the block runs."""
    loose = cast("Any", model)
    reply = ForcedReply(stop, loose.lm_head.out_features, mistakes)
    handles = [
        loose.model.language_model.register_forward_pre_hook(reply.note_positions, with_kwargs=True),
        loose.lm_head.register_forward_hook(reply.force),
    ]
    try:
        yield reply
    finally:
        for handle in handles:
            handle.remove()
