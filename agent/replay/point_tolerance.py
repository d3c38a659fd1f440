"""Where a reply may differ and still mean the same: the digits of its points.

Which numbers of a reply are coordinates is not guessed from its syntax: a number is changed by one, the reply
is read again, and if nothing but points moved, it is a coordinate; how far they moved is what one is worth.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from ...actions.dialects import Reply
from ...actions.errors import ParseError
from ...actions.schema import Action, points

Read = Callable[[str], Reply]
_NUMBER = re.compile(r"\d+")


def same_but_points(left: Sequence[Action], right: Sequence[Action]) -> bool:
    """Whether actions are equal once their points are left out."""
    bare = [
        [action.model_dump(exclude={"point", "start", "end"}) for action in each] for each in (left, right)
    ]
    counts = [[len(points(action)) for action in each] for each in (left, right)]
    return bare[0] == bare[1] and counts[0] == counts[1]


def farthest(left: Sequence[Action], right: Sequence[Action]) -> float:
    """The largest distance along an axis, in pixels, between points that correspond."""
    return max(
        (
            max(abs(a.x - b.x), abs(a.y - b.y))
            for one, other in zip(left, right, strict=True)
            for a, b in zip(points(one), points(other), strict=True)
        ),
        default=0.0,
    )


def coordinates(raw: str, read: Read) -> dict[int, float]:
    """Which numbers of a reply are coordinates, by their place among its numbers, and pixels per unit.

    Args:
        raw: the reply.
        read: what it means for one screenshot.

    Raises:
        ParseError: the reply cannot be read.
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


def lenient_tokens(
    tokens: Sequence[str], numbers: Mapping[int, float], digits: Mapping[int, str], pixels: float
) -> dict[int, frozenset[int]]:
    """Which other tokens mean nearly the same place, by position in a reply.

    A number may be one token or several; what a token of it is worth follows from the digits behind it. A
    coordinate whose number of digits differs counts as different.

    Args:
        tokens: the reply's tokens as text.
        numbers: its coordinates, as ``coordinates`` finds them.
        digits: all tokens of the vocabulary that are digits only.
        pixels: how far a point may be off along an axis.
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
                if (single or len(text) == len(tokens[place]))
                and abs(int(text) - int(tokens[place])) * worth <= pixels
            )
    return found


def _runs(tokens: Sequence[str]) -> list[list[int]]:
    """Positions of tokens that together are one number, number by number."""
    runs: list[list[int]] = []
    for place, text in enumerate(tokens):
        if not (text.isascii() and text.isdigit()):
            continue
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs
