"""What two runs' paired differences say: an interval by clusters, and a test of won against lost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .stats import student


class PairedDifference(NamedTuple):
    """An interval of a difference; unlike a rate's it may reach below 0."""

    low: float
    high: float


def difference_interval(clusters: Mapping[str, Sequence[float]]) -> PairedDifference | None:
    """The 95 % interval of the mean of paired differences that come in clusters; None for a single pair.

    Episodes of one task resemble each other, so what counts is how many tasks there are (Miller 2024, *Adding
    Error Bars to Evals*); with few of them, Student's t keeps the interval honest. It is never narrower than
    for independent pairs, which those of a single task are taken to be.
    """
    filled = {name: values for name, values in clusters.items() if values}
    if len(filled) == 1:
        (values,) = filled.values()
        filled = {str(number): [value] for number, value in enumerate(values)}
    if len(filled) < 2:
        return None
    count, groups = sum(map(len, filled.values())), len(filled)
    mean = sum(map(sum, filled.values())) / count
    within = sum((value - mean) ** 2 for values in filled.values() for value in values)
    between = sum((sum(values) - mean * len(values)) ** 2 for values in filled.values())
    variance = max(between * groups / (groups - 1), within * count / (count - 1))
    half = student(groups - 1) * math.sqrt(variance) / count
    return PairedDifference(mean - half, mean + half)


def sign_test(won: int, lost: int) -> float:
    """McNemar's test, exactly: how likely a split at least so uneven is among pairs that differ by chance."""
    count = won + lost
    tail = sum(math.comb(count, number) for number in range(min(won, lost) + 1))
    return min(1.0, float(2 * tail / 2**count))
