"""How sizes and regions are written on the command line."""

from __future__ import annotations

import re

from ...actions.errors import UsageError
from ...actions.geometry import Size
from ...perception.screen import Region


def parse_size(text: str) -> Size:
    """``"1920x1080"`` as a size.

    Raises:
        UsageError: it is not two positive whole numbers.
    """
    match = re.fullmatch(r"\s*(\d{1,5})\s*[x×,]\s*(\d{1,5})\s*", text, flags=re.IGNORECASE)
    size = Size(int(match[1]), int(match[2])) if match else Size(0, 0)
    if min(size) <= 0:
        raise UsageError(f"a size is written WIDTHxHEIGHT, such as 1280x720, not {text!r}")
    return size


def parse_counts(text: str) -> tuple[int, ...]:
    """``"1000,6500"`` as numbers.

    Raises:
        UsageError: it is not whole numbers above 0.
    """
    parts = text.replace(" ", "").split(",")
    if not all(re.fullmatch(r"[1-9]\d{0,8}", part) for part in parts):
        raise UsageError(f"numbers are written N,N, such as 1000,6500, not {text!r}")
    return tuple(map(int, parts))


def parse_region(text: str) -> Region:
    """``"10,20,300x200"``, or ``"10,20,300,200"``, as a part of the screen.

    Raises:
        UsageError: it is not written so.
    """
    match = re.fullmatch(r"(-?\d{1,6}),(-?\d{1,6}),(\d{1,6})[x×,](\d{1,6})", text.replace(" ", ""))
    if match is None:
        raise UsageError(f"a region is written X,Y,WIDTHxHEIGHT, such as 0,0,640x480, not {text!r}")
    return Region(*(int(part) for part in match.groups()))
