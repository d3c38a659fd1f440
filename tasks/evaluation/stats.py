"""Intervals for the numbers an evaluation prints.

* ``wilson``: a proportion (Wilson 1927; recommended for small counts by Brown, Cai and DasGupta 2001).
* ``clustered``: a mean over samples in groups, such as the steps or seeds of a task, which are not independent
  (cluster-robust standard error as in Miller 2024, "Adding Error Bars to Evals", arXiv 2411.00640, with G / (G - 1)
  and Student's t for few groups).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import NamedTuple

CONFIDENCE = 0.95


class Interval(NamedTuple):
    """From ``low`` to ``high``: of a rate both between 0 and 1, of a difference between -1 and 1."""

    low: float
    high: float


def wilson(successes: float, n: int, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval of a proportion; 0 to 1 when nothing was counted.

    For scores between 0 and 1 ``successes`` is their sum, and the interval is wider than it has to be.
    """
    if n == 0:
        return Interval(0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = successes / n, z * z / n
    centre = share + weight / 2
    spread = z * math.sqrt(max(share * (1 - share), 0.0) / n + weight / (4 * n))
    return _within((centre - spread) / (1 + weight), (centre + spread) / (1 + weight))


def clustered(groups: Mapping[str, Sequence[float]]) -> Interval:
    """The 95 % interval of the mean over all samples of all groups, with groups as what was drawn.

    Scores are between 0 and 1. One group, or groups that are all the same, show no spread; the interval is then
    Wilson's for as many samples as there are groups.
    """
    scores = [score for group in groups.values() for score in group]
    count = sum(1 for group in groups.values() if group)
    if not scores:
        return Interval(0.0, 1.0)
    mean = math.fsum(scores) / len(scores)
    squares = math.fsum(math.fsum(score - mean for score in group) ** 2 for group in groups.values())
    if count < 2 or squares < 1e-18:
        return wilson(mean * count, count)
    error = math.sqrt(squares * count / (count - 1)) / len(scores)
    half = student(count - 1) * error
    return _within(mean - half, mean + half)


def student(freedom: int) -> float:
    """The two-sided 95 % quantile of Student's t, by Fisher's expansion; from 3 on off by less than 0.005."""
    if freedom == 1:
        return math.tan(math.pi * CONFIDENCE / 2)
    if freedom == 2:
        return CONFIDENCE * math.sqrt(2 / (1 - CONFIDENCE**2))
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(float(term / freedom**power) for power, term in enumerate(terms, start=1))


def _within(low: float, high: float) -> Interval:
    return Interval(max(0.0, low), min(1.0, high))


def difference_interval(clusters: Mapping[str, Sequence[float]]) -> Interval | None:
    """The 95 % interval of the mean of paired differences that come in clusters; None for a single pair.

    As ``clustered``; never narrower than for independent pairs, which those of a single task are taken to be.
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
    return Interval(mean - half, mean + half)


def sign_test(won: int, lost: int) -> float:
    """McNemar's test, exactly: how likely a split at least so uneven is among pairs that differ by chance."""
    count = won + lost
    tail = sum(math.comb(count, number) for number in range(min(won, lost) + 1))
    return min(1.0, float(2 * tail / 2**count))
