"""How a checkpoint is trained: which of its weights, how fast, for how long, in which number format."""

from __future__ import annotations

import math
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from ....actions.choices import one_of

Weights = Literal["lora", "all"]
WEIGHTS: Final[tuple[Weights, ...]] = get_args(Weights)
Precision = Literal["float32", "bfloat16", "float16"]
PRECISIONS: Final[tuple[Precision, ...]] = get_args(Precision)
SMALL: Final = 50_000_000
"""Parameters up to which all weights are trained by default."""


class TuningPlan(BaseModel):
    """What a training that is resumed must have in common with the one before.

    Attributes:
        model: the checkpoint that it starts from.
        method: what is learned from which replies.
        data: the fingerprint of what is learned.
        weights: ``lora`` trains an adapter, ``all`` every weight.
        rank: of the adapter.
        alpha: the adapter's change is scaled by ``alpha / rank``.
        vision: whether the vision tower's matrices get an adapter, too.
        steps: updates of the weights.
        batch: items of each update.
        tokens: of one forward at most, where an item is not longer; updates do not depend on it but for rounding.
        rate: the highest learning rate; it warms up for 5 % of the steps and falls to a tenth (cosine).
        decay: of weights with two dimensions, per unit of the rate.
        clip: largest norm of the gradient.
        precision: the format of forward and backward; what is trained is kept in float32.
        checkpointing: whether layers are computed again in the backward, which saves memory.
        measure_every: steps between measurements on held-out items.
        patience: measurements without a better one after which training stops; 0 never stops early.
        seed: of the order of items, of new weights and of dropout.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    method: str = "sft"
    data: str = ""
    weights: Weights = "lora"
    rank: Annotated[PositiveInt, Field(le=4096)] = 16
    alpha: PositiveFloat = 32.0
    vision: bool = False
    steps: PositiveInt = 100
    batch: PositiveInt = 8
    tokens: PositiveInt = 16384
    rate: PositiveFloat = 2e-4
    decay: float = 0.0
    clip: PositiveFloat = 1.0
    precision: Precision = "float32"
    checkpointing: bool = False
    measure_every: PositiveInt = 20
    patience: int = Field(default=0, ge=0)
    seed: int = 0
    settings: dict[str, Any] = {}
    """Those of the method."""

    def rate_at(self, step: int) -> float:
        """The learning rate of an update, counted from 0."""
        warm = max(1, self.steps // 20)
        falling = 0.55 + 0.45 * math.cos(math.pi * min(1.0, step / self.steps))
        return self.rate * min((step + 1) / warm, 1.0) * falling


def parse_weights(text: str) -> Weights:
    """The choice of weights of this name; raises ``UsageError`` if there is none."""
    return one_of(text, WEIGHTS, "choice of weights", "--weights")


def parse_precision(text: str) -> Precision:
    """The precision of this name; raises ``UsageError`` if there is none."""
    return one_of(text, PRECISIONS, "precision", "--precision")
