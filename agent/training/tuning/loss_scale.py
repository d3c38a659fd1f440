"""Dynamic loss scaling for float16 (arXiv 1710.03740): small gradients are kept from becoming zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass
class LossScale:
    """The factor of the loss before the backward.

    An update whose gradient is not finite is skipped and halves the scale; after so many good ones it doubles. Other
    formats have the range of float32: their scale stays 1, and a broken gradient is skipped all the same.

    Attributes:
        scale: the factor.
        dynamic: whether it changes.
        growth: good updates after which it doubles.
        good: updates since it last changed.
        skipped: updates that were skipped, in all.
    """

    scale: float = 1.0
    dynamic: bool = False
    growth: int = 2000
    good: int = 0
    skipped: int = 0

    @classmethod
    def of(cls, precision: str) -> LossScale:
        """That of a number format."""
        return cls(65536.0, True) if precision == "float16" else cls()

    def update(self, finite: bool) -> bool:
        """Note whether an update's gradient was finite; returns whether to make it."""
        self.good = self.good + 1 if finite else 0
        self.skipped += not finite
        if self.dynamic and not finite:
            self.scale /= 2
        elif self.dynamic and self.good >= self.growth:
            self.scale, self.good = self.scale * 2, 0
        return finite

    def state_dict(self) -> dict[str, Any]:
        """What a saved training needs."""
        return {"scale": self.scale, "good": self.good, "skipped": self.skipped}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved training."""
        self.scale, self.good, self.skipped = state["scale"], state["good"], state["skipped"]
