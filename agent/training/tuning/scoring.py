"""Log probabilities of items: batches, number format, and which model scores."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Final

import torch
from torch import Tensor

from .batches import Collator
from .items import Scores, TrainingItem
from .lora import TunedModel
from .plan import TuningPlan
from .sequences import TrainingSequence

_FORMATS: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class ItemScorer:
    """Scores items by the model in training, or by the one before.

    Args:
        tuned: the model.
        plan: says the number format.
        forward: the forward pass, as accelerate wraps it; by default the model's own.
    """

    def __init__(self, tuned: TunedModel, plan: TuningPlan, forward: Any = None) -> None:
        self._tuned = tuned
        self._forward = forward or tuned.scorer
        self._collate = Collator(tuned.checkpoint.image_spec)
        self._device = tuned.checkpoint.model.device
        self._format = _FORMATS[plan.precision]

    def now(self, items: Sequence[TrainingItem]) -> Scores:
        """By the model in training, with gradients where they are wanted; one forward for all items."""
        return self._scores(items, self._forward)

    def before(self, items: Sequence[TrainingItem]) -> Scores:
        """By the model before training."""
        with self._tuned.as_before():
            return self._scores(items, self._tuned.reference)

    @torch.no_grad()
    def of(self, sequences: Sequence[TrainingSequence]) -> list[Tensor]:
        """Those of some sequences, with the weights as they are, one forward each."""
        self._tuned.learning(False)
        found = (self._scores([TrainingItem((each,))], self._tuned.scorer) for each in sequences)
        return [scores for ((scores,),) in found]

    def _scores(self, items: Sequence[TrainingItem], forward: Any) -> Scores:
        sequences = [sequence for item in items for sequence in item.sequences]
        batch = self._collate(sequences).to(self._device)
        half = self._format != torch.float32
        with torch.autocast(self._device.type, self._format) if half else nullcontext():
            flat: Tensor = forward(batch)
        parts = iter(torch.split(flat.float(), [len(each.learned) for each in sequences]))
        return [tuple(next(parts) for _ in item.sequences) for item in items]
