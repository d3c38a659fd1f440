"""What a forward costs by its width and by the number of cached tokens: a fixed curve, or one that is learned.

A forward over more tokens does more arithmetic, and attention on a longer cache reads more. How much that is depends
on the model, the machine and the number format, so it is learned from the forwards that happen anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

_CONTEXT_UNIT: Final = 8192.0
_NOISE: Final = 0.1
"""Standard deviation of the time of one forward, as a share of it."""
_SPREAD: Final = (0.5, 0.5, 0.1, 0.5, 0.1)
"""How far each coefficient may lie from the first guess, in forwards of one token."""
_FORGET: Final = 0.998
_OUTLIER: Final = 0.5
"""Times that differ by more than this share from what was expected count as if they differed by it."""
_REOPEN: Final = 4.0
"""By so much what was learned in an earlier process counts as less certain: the machine may be busier now."""
_REFRESH: Final = 8
"""A curve is used for so many forwards before it is computed anew."""


@dataclass(frozen=True)
class VerifyCost:
    """Cost of a forward over several tokens, as a multiple of a forward over one.

    Costs are interpolated linearly between the widths (numbers of tokens, rising from 1) and extrapolated beyond the
    last one. The defaults are close to what was measured on server CPUs; on a GPU, all widths cost about the same.
    """

    widths: tuple[int, ...] = (1, 4, 8, 16, 32, 64)
    costs: tuple[float, ...] = (1.0, 1.2, 1.4, 1.7, 2.4, 3.7)

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.widths, self.widths[1:], strict=False))
        if len(self.widths) < 2 or self.widths[0] != 1 or not rising or len(self.costs) != len(self.widths):
            raise ValueError("verify costs need one cost for each of at least two widths that rise from 1")
        if min(self.costs) <= 0:
            raise ValueError("verify costs must be above 0")

    def __call__(self, width: int) -> float:
        """The cost of a forward over ``width`` tokens."""
        if width <= self.widths[-1]:
            return self._table[width - 1]
        slope = (self.costs[-1] - self.costs[-2]) / (self.widths[-1] - self.widths[-2])
        return self.costs[-1] + max(slope, 0.0) * (width - self.widths[-1])

    @cached_property
    def _table(self) -> tuple[float, ...]:
        """The cost of each width up to the widest; needed at every node of every draft."""
        return tuple(np.interp(range(1, self.widths[-1] + 1), self.widths, self.costs).tolist())

    def curve(self, context: int) -> VerifyCost:
        """Itself: it is the same at any context."""
        return self

    def learn(self, width: int, context: int, seconds: float) -> None:
        """Nothing: it is fixed."""


CAUTIOUS: Final = VerifyCost((1, 2, 64), (1.0, 1.12, 8.5))
"""What to expect of a machine of which nothing is known: so the first forwards over several tokens are narrow."""


class ForwardCosts(Protocol):
    """The cost of forwards of one model on one machine."""

    def curve(self, context: int) -> VerifyCost:
        """The cost by width with so many cached tokens."""

    def learn(self, width: int, context: int, seconds: float) -> None:
        """A forward over ``width`` tokens after ``context`` cached ones took so many seconds."""


class LearnedCosts:
    """Seconds of a forward as a linear function of its width, of the cached tokens, and of their product.

    A step from one token to several is part of it: with one, matrices are multiplied by a vector. Recursive least
    squares on relative errors, which forget slowly (Haykin, Adaptive Filter Theory, chapter 10).

    Args:
        prior: the costs to expect before anything is known.
    """

    def __init__(self, prior: VerifyCost = CAUTIOUS) -> None:
        self.count = 0
        self._wide = 0
        self._prior = prior
        self._known: NDArray[np.float64] = np.zeros(5)
        self._doubt: NDArray[np.float64] = np.zeros((5, 5))
        self._curve, self._at, self._age = prior, -1, 0

    def curve(self, context: int) -> VerifyCost:
        """See ``ForwardCosts``."""
        place = context // 1024
        if self.count and (place != self._at or self._age >= _REFRESH):
            self._curve, self._at, self._age = self._compute(context), place, 0
        return self._curve

    def learn(self, width: int, context: int, seconds: float) -> None:
        """See ``ForwardCosts``; times of 0 come from clocks that stand still and are ignored."""
        if seconds <= 0:
            return
        if not self.count:
            self._begin(seconds / self._prior(width))
        features = _features(width, context)
        expected = max(float(features @ self._known), seconds / 100)
        scaled = features / expected
        error = (seconds - float(features @ self._known)) / expected
        if width == 1 or self._wide:
            error = min(max(error, -_OUTLIER), _OUTLIER)
        reach = self._doubt @ scaled
        gain = reach / (_FORGET + float(scaled @ reach))
        self._known += gain * error
        self._doubt = (self._doubt - np.outer(gain, reach)) / _FORGET
        self.count += 1
        self._wide += width > 1
        self._age += 1
        if self.count <= _REFRESH:
            self._age = _REFRESH

    def dump(self) -> dict[str, Any]:
        """What is known, for ``load``."""
        known, doubt = self._known.tolist(), self._doubt.tolist()
        return {"count": self.count, "wide": self._wide, "known": known, "doubt": doubt}

    def load(self, content: object) -> None:
        """Go on from what ``dump`` returned; anything else is ignored."""
        try:
            assert isinstance(content, dict)
            known, doubt = (np.array(content[name], dtype=np.float64) for name in ("known", "doubt"))
            count, wide = int(content["count"]), int(content["wide"])
        except (AssertionError, KeyError, TypeError, ValueError, OverflowError):
            return
        shaped = known.shape == (5,) and doubt.shape == (5, 5)
        if count > 0 and shaped and np.isfinite(known).all() and np.isfinite(doubt).all() and known[0] > 0:
            self.count, self._wide, self._known, self._doubt = count, wide, known, doubt * _REOPEN
            self._age = _REFRESH

    def _begin(self, single: float) -> None:
        """Take the prior's shape and the size of the first forward."""
        rise = (self._prior(16) - self._prior(2)) / 14
        step = max(self._prior(2) - 1.0 - rise, 0.0)
        self._known = single * np.array([1.0, step, rise, 0.0, 0.0])
        self._doubt = np.diag(np.square(single * np.array(_SPREAD) / _NOISE))

    def _compute(self, context: int) -> VerifyCost:
        past = context / _CONTEXT_UNIT
        first, step, rise, more, product = self._known.tolist()
        single = max(first + more * past, first / 10, 1e-9)
        slope = max(rise + product * past, 0.0) / single
        jump = max(step, 0.0) / single
        return VerifyCost((1, 2, 64), (1.0, 1.0 + jump + slope, 1.0 + jump + 63 * slope))


def _features(width: int, context: int) -> NDArray[np.float64]:
    past = context / _CONTEXT_UNIT
    return np.array([1.0, width > 1, width - 1, past, (width - 1) * past])
