"""Methods that learn from items on disk: supervised from replies, DPO from pairs of replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ..tuning.batches import drawn
from ..tuning.items import ItemLoss, Scores, TrainingItem
from ..tuning.plan import TuningPlan
from .losses import preference_loss, preference_margin, reply_loss


class _FromItems:
    """Draws from a list: all once, in another order, before any comes again."""

    numbers: Mapping[str, float] = {}

    def __init__(self, items: Sequence[TrainingItem], held_out: Sequence[TrainingItem], plan: TuningPlan) -> None:
        self.items = items
        self._held_out = held_out
        self._plan = plan

    @property
    def held_out(self) -> Sequence[TrainingItem]:
        """Items that are never learned from."""
        return self._held_out

    def draw(self, step: int) -> Sequence[TrainingItem]:
        """The items of an update, by the plan's seed and the step."""
        return [self.items[index] for index in drawn(self._plan.seed, step, self._plan.batch, len(self.items))]

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the items are on disk."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing."""


class Supervised(_FromItems):
    """The loss is the mean over the tokens of the replies; nothing else is learned."""

    needs_reference = False

    def size(self, items: Sequence[TrainingItem]) -> float:
        """The number of learned tokens, by their weights."""
        return float(sum(sequence.weights.sum() for item in items for sequence in item.sequences))

    def loss(self, items: Sequence[TrainingItem], now: Scores, before: Scores) -> ItemLoss:
        """See ``losses.reply_loss``."""
        losses = [
            reply_loss(scores, torch.from_numpy(sequence.weights[sequence.learned]).to(scores.device))
            for item, each in zip(items, now, strict=True)
            for sequence, scores in zip(item.sequences, each, strict=True)
        ]
        return ItemLoss(torch.stack(losses).sum())


class Preferring(_FromItems):
    """DPO (arXiv 2305.18290): the better reply of each pair gains probability, the worse one loses it.

    Args:
        items: pairs, the better reply first.
        held_out: the same.
        plan: the order.
        beta: how much straying from the model before training costs.
        anchor: weight of the better reply's own loss beside, as in RPO (arXiv 2404.19733), which keeps it from losing
            probability together with the worse one.
    """

    needs_reference = True

    def __init__(
        self,
        items: Sequence[TrainingItem],
        held_out: Sequence[TrainingItem],
        plan: TuningPlan,
        beta: float = 0.1,
        anchor: float = 0.0,
    ) -> None:
        super().__init__(items, held_out, plan)
        self._beta, self._anchor = beta, anchor

    def size(self, items: Sequence[TrainingItem]) -> float:
        """The number of pairs."""
        return float(len(items))

    def loss(self, items: Sequence[TrainingItem], now: Scores, before: Scores) -> ItemLoss:
        """See ``losses.preference_loss``; ``preferred`` is the share of pairs in which the better reply gained more."""
        whole = [torch.stack([scores.sum() for pair in side for scores in pair]).view(-1, 2) for side in (now, before)]
        (chosen, rejected), (chosen_before, rejected_before) = (each.unbind(1) for each in whole)
        loss = preference_loss(chosen, rejected, chosen_before, rejected_before, self._beta)
        if self._anchor:
            loss = loss - self._anchor * torch.stack([pair[0].mean() for pair in now])
        margin = preference_margin(chosen, rejected, chosen_before, rejected_before)
        return ItemLoss(loss.sum(), {"margin": margin.sum(), "preferred": (margin > 0).float().sum()})
