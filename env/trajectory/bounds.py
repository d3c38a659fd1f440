"""Bounds on the strings of a trajectory, so that one reply or page cannot make it unreadable for its readers."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

from ...actions.characters import LONGEST_TEXT, clipped
from ...actions.errors import TrajectoryError

Record = TypeVar("Record", bound=BaseModel)


def bounded(event: Record) -> Record:
    """The event, with the beginning of strings that are too long."""
    long = {name: clipped(value) for name, value in event if isinstance(value, str) and len(value) > LONGEST_TEXT}
    return event.model_copy(update=long) if long else event


def check_lengths(data: object, where: str) -> None:
    """Raise ``TrajectoryError`` for JSON with a string that no writer writes, because it is too long."""
    left = [data]
    while left:
        value = left.pop()
        if isinstance(value, str):
            if len(value) > LONGEST_TEXT:
                raise TrajectoryError(
                    f"{where}: a text has {len(value):,} characters; at most {LONGEST_TEXT:,} are read"
                )
        elif isinstance(value, dict):
            left += [*value, *value.values()]
        elif isinstance(value, list):
            left += value
