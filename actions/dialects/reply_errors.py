"""Errors while a dialect reads a reply, and how they become a ``ParseError``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from ..errors import ParseError, UnknownActionError, UnknownKeyError, first_problem


class InvalidReply(Exception):
    """Raised while a reply is read; its text says what is wrong and can be shown to the model."""


class UnknownActionName(InvalidReply):
    """Raised for an action name that the dialect does not have."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no action is called {excerpt(name)}; known are {', '.join(sorted(known))}")


@contextmanager
def parse_errors(raw: str) -> Iterator[None]:
    """Raise every error of reading as a ``ParseError`` that carries the whole reply."""
    try:
        yield
    except UnknownActionName as error:
        raise UnknownActionError(str(error), raw) from None
    except (InvalidReply, UnknownKeyError) as error:
        raise ParseError(str(error), raw) from None
    except ValidationError as error:
        raise ParseError(first_problem(error), raw) from None


def excerpt(text: str, limit: int = 60) -> str:
    """The start of a text, quoted, for a message."""
    return repr(text if len(text) <= limit else text[:limit] + "…")
