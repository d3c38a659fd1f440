"""Parses the many ways in which models write a point or a box."""

from __future__ import annotations

import re
from typing import NamedTuple

from .punctuation import QUOTES, plain_punctuation
from .reply_errors import InvalidReply, excerpt

_SKIP = re.compile(r"\s++|<\|box_(?:start|end)\|>|</?(?:point|bbox|box)>?", re.IGNORECASE)
_NUMBER = re.compile(r"-?\d{1,9}(?:\.\d{1,20})?(?![\w.%])")
_NEXT_ARGUMENT = re.compile(r",\s*+[A-Za-z_]\w*+\s*+[=:]")
_OPEN, _CLOSE = "([{", ")]}"
_SPACES = re.compile(r"\s*+")
_MOST_MARKS = 64
"""Numbers and marks that are read; the longest box has half as many."""


class Numbers(NamedTuple):
    """What was read, and where reading stopped.

    Attributes:
        values: the numbers, in order.
        end: the first position behind them and their closing marks.
        closed: whether something closes the last number, so that no digit of it can be missing.
    """

    values: tuple[float, ...]
    end: int
    closed: bool


def scan(text: str, start: int = 0) -> Numbers:
    """Read numbers with their quotes, brackets and tags from ``start`` on, as far as they go.

    The text has plain punctuation. A closing parenthesis that nothing opened belongs to the call and is left alone.
    """
    position = _end_of_quotes(text, start)
    values: list[float] = []
    depth, closed, separated = 0, False, True
    for _ in range(_MOST_MARKS):
        if position == len(text):
            break
        char = text[position]
        if (skip := _SKIP.match(text, position)) is not None:
            closed, separated, position = bool(values), True, skip.end()
        elif separated and (number := _NUMBER.match(text, position)) is not None:
            values.append(float(number[0]))
            closed, separated, position = False, False, number.end()
        elif char in QUOTES:
            return Numbers(tuple(values), _end_of_quotes(text, position), True)
        elif char in _OPEN:
            depth, position, separated = depth + 1, position + 1, True
        elif char in _CLOSE and depth:
            depth, position, closed, separated = depth - 1, position + 1, True, True
        elif char == "," and not _NEXT_ARGUMENT.match(text, position):
            position, separated = position + 1, True
        else:
            return Numbers(tuple(values), before_spaces(text, position), True)
    return Numbers(tuple(values), before_spaces(text, position), closed)


def read_all(value: str) -> tuple[float, ...]:
    """The numbers of a value; raises ``InvalidReply`` where it holds anything else."""
    value = plain_punctuation(value)
    numbers = scan(value)
    if value[numbers.end :].strip() or not numbers.values:
        raise InvalidReply(f"{excerpt(value)} is not a point or a box")
    return numbers.values


def skip_spaces(text: str, position: int) -> int:
    """Where the spaces from ``position`` on end."""
    match = _SPACES.match(text, position)
    return match.end() if match else position


def before_spaces(text: str, position: int) -> int:
    """Where the spaces before ``position`` begin."""
    while position and text[position - 1].isspace():
        position -= 1
    return position


def _end_of_quotes(text: str, position: int) -> int:
    """The position behind a quote, or behind up to three that a model doubled."""
    stop = position + 3
    while position < min(len(text), stop) and text[position] in QUOTES:
        position += 1
    return position
