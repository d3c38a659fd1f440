"""How a reading goes wrong inside a dialect, and how that becomes a ``ParseError``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from ..errors import ParseError, UnknownActionError, UnknownKeyError


class Fault(Exception):
    """Raised while reading; its text says what is wrong in words that can be shown to the model."""


class UnknownName(Fault):
    """Raised for an action name that the dialect does not have."""


@contextmanager
def blame(raw: str) -> Iterator[None]:
    """Turn every way in which reading can fail into a ``ParseError`` that carries the whole reply."""
    try:
        yield
    except UnknownName as fault:
        raise UnknownActionError(str(fault), raw) from None
    except (Fault, UnknownKeyError) as fault:
        raise ParseError(str(fault), raw) from None
    except ValidationError as fault:
        first = fault.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ParseError(f"{place}: {first['msg']}", raw) from None


def clip(text: str, limit: int = 60) -> str:
    """The start of a text, quoted, for use in a message."""
    return repr(text if len(text) <= limit else text[:limit] + "…")
