"""The tokens of a reply that may differ within the point tolerance: the digits of its coordinates.

Which numbers are coordinates is not guessed from the syntax: a number is changed by one and the reply is
parsed again. If only points moved, it is a coordinate; the distance they moved is its pixels per unit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, groupby

from ...actions.dialects import Reply
from ...actions.errors import ParseError
from ...actions.schema import Action, points

Read = Callable[[str], Reply]
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
