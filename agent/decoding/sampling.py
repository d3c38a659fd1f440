"""How the next token is chosen; ``acceptance`` does it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        temperature: 0 takes the likeliest token, higher values flatten the distribution.
        top_p: only the likeliest tokens that together reach this probability.
        seed: equal seeds draw equal tokens from equal distributions.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            raise ValueError(
                f"temperature must be >= 0 and top_p in (0, 1], not {self.temperature}, {self.top_p}"
            )
