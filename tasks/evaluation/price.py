"""What an evaluation costs where tokens are paid for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from ...actions.errors import UsageError

_MILLION = 1_000_000


class Price(NamedTuple):
    """Money per million tokens read and written, in whatever currency it was given."""

    prompt: float
    reply: float


class Cost(BaseModel):
    """Money, in the currency of the price, for the tokens that the summary names.

    ``per_success`` is None where no episode succeeded, or where successes are not counted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    total: float
    per_episode: float | None
    per_success: float | None


def parse_price(text: str) -> Price:
    """``0.15,0.60`` as a price; UsageError for anything else."""
    try:
        price = Price(*map(float, text.split(",")))
    except (TypeError, ValueError):
        price = None
    if price is None or not all(math.isfinite(each) and each >= 0 for each in price):
        raise UsageError(f"a price is written READ,WRITTEN per million tokens, such as 0.15,0.60, not {text!r}")
    return price


def cost_of(price: Price, tokens: Mapping[str, int], episodes: int, successes: int | None) -> Cost:
    """What ``tokens`` (``prompt`` and ``reply``) cost, without what a server takes off for cached prompts.

    ``successes`` is None where they are not counted.
    """
    total = (tokens["prompt"] * price.prompt + tokens["reply"] * price.reply) / _MILLION
    return Cost(
        total=round(total, 6),
        per_episode=round(total / episodes, 6) if episodes else None,
        per_success=round(total / successes, 6) if successes else None,
    )


def cost_line(cost: Cost) -> str:
    """For people, in one line."""
    each = [
        f"{value:.4g} per {name}"
        for name, value in (("episode", cost.per_episode), ("success", cost.per_success))
        if value is not None
    ]
    return f"cost     {cost.total:.4g}" + (f" ({', '.join(each)})" if each else "")
