"""A name out of a few, as options and settings take it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from .errors import UsageError

Name = TypeVar("Name", bound=str)


def one_of(text: str, names: Sequence[Name], kind: str, option: str) -> Name:
    """The name that the text is.

    Raises:
        UsageError: it is none of them; says what ``kind`` of name is meant, and which ``option`` takes it.
    """
    for name in names:
        if name == text:
            return name
    raise UsageError(f"unknown {kind} {text!r}; use {', '.join(names[:-1])} or {names[-1]} ({option})")
