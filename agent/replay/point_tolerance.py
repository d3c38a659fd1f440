"""The tokens of a reply that may differ within the point tolerance: the digits of its coordinates.

Which numbers are coordinates is not guessed from the syntax: a number is changed by one and the reply is
parsed again. If only points moved, it is a coordinate; the distance they moved is its pixels per unit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, groupby

import numpy as np
from numpy.typing import NDArray

from ...actions.dialects import Reply
from ...actions.errors import ParseError
from ...actions.geometry import Point
from ...actions.schema import Action, points
from ...perception.observation import Pixels

Read = Callable[[str], Reply]
Mask = NDArray[np.bool_]
Places = NDArray[np.intp]
_MOST_ROOM = 0.02
"""The largest tolerance that is measured on a screenshot, as a share of its longer side."""
_NEAR = 7
"""How far from a point its element's colour is looked for, in pixels: further than the holes of letters reach."""
_NUMBER = re.compile(r"\d+")


def same_but_points(left: Sequence[Action], right: Sequence[Action]) -> bool:
    """Whether actions are equal but for their points."""
    one, other = (
        [(action.model_dump(exclude={"point", "start", "end"}), len(points(action))) for action in actions]
        for actions in (left, right)
    )
    return one == other


def farthest(left: Sequence[Action], right: Sequence[Action]) -> float:
    """The largest distance along an axis between corresponding points, in pixels."""
    ours, theirs = (chain.from_iterable(map(points, actions)) for actions in (left, right))
    return max((max(abs(a.x - b.x), abs(a.y - b.y)) for a, b in zip(ours, theirs, strict=True)), default=0.0)


def room_around(pixels: Pixels, point: Point) -> float:
    """How far a point may move along any axis and stay in its element, in pixels, measured on the screenshot.

    The element is the region of one colour, connected, that the point lies in or next to (a button around its
    text). A region that reaches beyond the largest tolerance on every side tells of no element.
    """
    height, width = pixels.shape[:2]
    most = round(_MOST_ROOM * max(width, height))
    x, y = min(int(point.x), width - 1), min(int(point.y), height - 1)
    left, top = max(0, x - most), max(0, y - most)
    window = pixels[top : y + most + 1, left : x + most + 1].astype(np.int32)
    colours = window[:, :, 0] << 16 | window[:, :, 1] << 8 | window[:, :, 2]
    near = np.zeros(colours.shape, bool)
    near[max(0, y - top - _NEAR) : y - top + _NEAR + 1, max(0, x - left - _NEAR) : x - left + _NEAR + 1] = True
    values, counts = np.unique(colours[near], return_counts=True)
    rows, columns = _connected(colours == values[counts.argmax()], near)
    if rows.size == 0:
        return 0.0
    edges = (x - left - columns.min(), columns.max() - (x - left), y - top - rows.min(), rows.max() - (y - top))
    return float(max(0, min(edges)))


def _connected(same: Mask, near: Mask) -> tuple[Places, Places]:
    """Rows and columns of the connected region of a mask that covers most of the places near."""
    best, left = np.zeros_like(same), same & near
    while left.any():
        region = np.zeros_like(same)
        region[tuple(place[0] for place in np.nonzero(left))] = True
        while True:
            grown = region.copy()
            grown[1:] |= region[:-1]
            grown[:-1] |= region[1:]
            grown[:, 1:] |= region[:, :-1]
            grown[:, :-1] |= region[:, 1:]
            grown &= same
            if (grown == region).all():
                break
            region = grown
        left &= ~region
        best = max(best, region, key=lambda each: int((each & near).sum()))
    rows, columns = np.nonzero(best)
    return rows, columns


def coordinates(raw: str, read: Read) -> dict[int, float]:
    """Find the numbers of a reply that are coordinates: pixels per unit, by index among the reply's numbers.

    Raises:
        ParseError: the reply cannot be parsed.
    """
    actions = read(raw).actions
    found: dict[int, float] = {}
    for index, match in enumerate(_NUMBER.finditer(raw)):
        value = int(match.group())
        changed = str(value - 1 if value else 1)
        try:
            moved = read(raw[: match.start()] + changed + raw[match.end() :]).actions
        except ParseError:
            continue
        if same_but_points(actions, moved) and (pixels := farthest(actions, moved)):
            found[index] = pixels
    return found


def tolerated_tokens(
    tokens: Sequence[str], numbers: Mapping[int, float], digits: Mapping[int, str], pixels: float
) -> dict[int, frozenset[int]]:
    """The tokens that stand for nearly the same point, by position in a reply.

    A number may be one token or several; the value of a token follows from the digits after it. A coordinate
    with another number of digits counts as different.

    Args:
        tokens: the reply's tokens as text.
        numbers: its coordinates, from ``coordinates``.
        digits: all tokens of the vocabulary that consist of digits.
        pixels: the largest distance along an axis.
    """
    found: dict[int, frozenset[int]] = {}
    for index, places in enumerate(_runs(tokens)):
        if index not in numbers:
            continue
        behind = sum(len(tokens[place]) for place in places)
        single = len(places) == 1
        for place in places:
            behind -= len(tokens[place])
            worth = numbers[index] * 10**behind
            found[place] = frozenset(
                token
                for token, text in digits.items()
                if (single or len(text) == len(tokens[place])) and abs(int(text) - int(tokens[place])) * worth <= pixels
            )
    return found


def _runs(tokens: Sequence[str]) -> list[list[int]]:
    """Positions of the tokens of each number."""
    runs = groupby(range(len(tokens)), lambda place: tokens[place].isascii() and tokens[place].isdigit())
    return [list(places) for digits, places in runs if digits]
