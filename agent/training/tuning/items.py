"""What a training method gives to the trainer: items to learn from, and the loss of their replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from torch import Tensor

from .sequences import TrainingSequence


@dataclass(frozen=True)
class TrainingItem:
    """What is learned from at once: one sequence, or a pair of which the first has the better reply.

    Attributes:
        sequences: one or two.
        task: where they come from, for the report.
        advantage: of the attempt that it belongs to, where it is one.
        old: log probabilities of the learned tokens under the model that wrote them, where they are needed.
    """

    sequences: tuple[TrainingSequence, ...]
    task: str = ""
    advantage: float = 0.0
    old: tuple[float, ...] = ()

    def __len__(self) -> int:
        return sum(map(len, self.sequences))


Scores = Sequence[tuple[Tensor, ...]]
"""For each item, the log probabilities of the learned tokens of each of its sequences."""


class ItemLoss(NamedTuple):
    """The summed loss of some items, and further sums to report, which are divided as the loss is."""

    loss: Tensor
    sums: Mapping[str, Tensor] = {}


class Method(Protocol):
    """A training method."""

    @property
    def needs_reference(self) -> bool:
        """Whether the loss compares with the model before training."""

    @property
    def held_out(self) -> Sequence[TrainingItem]:
        """Items that are never learned from."""

    @property
    def numbers(self) -> Mapping[str, float]:
        """What is to be reported of the last update, beside its loss."""

    def draw(self, step: int) -> Sequence[TrainingItem]:
        """The items of an update: a function of the step, the weights and the saved state."""

    def size(self, items: Sequence[TrainingItem]) -> float:
        """What the summed loss of items is divided by."""

    def loss(self, items: Sequence[TrainingItem], now: Scores, before: Scores) -> ItemLoss:
        """The loss of items by the model in training; ``before`` is of the reference, empty where it is not needed."""

    def state_dict(self) -> dict[str, Any]:
        """What it needs to go on, beside the weights."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
