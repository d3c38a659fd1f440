"""The languages of the model families; each module here with ``DIALECTS`` registers its own."""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module

from ..errors import UnknownDialectError
from ..geometry import ResizeLimits
from .base import Call, Dialect, Reply

__all__ = ["Call", "Dialect", "Reply", "dialect_names", "get_dialect", "resize_limits"]


@cache
def _registered() -> dict[str, Dialect]:
    return {dialect.name: dialect for dialect in _found()}


def _found() -> Iterator[Dialect]:
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        yield from getattr(import_module(module.name), "DIALECTS", ())


def get_dialect(name: str) -> Dialect:
    """The dialect registered under ``name``.

    Raises:
        UnknownDialectError: there is none; the message lists the nearest names.
    """
    dialects = _registered()
    if name in dialects:
        return dialects[name]
    near = difflib.get_close_matches(name, dialects, n=3, cutoff=0.4) or dialect_names()
    raise UnknownDialectError(f"no dialect is called {name!r}; nearest: {', '.join(near)}")


def dialect_names() -> list[str]:
    """All registered names."""
    return list(_registered())


def resize_limits(name: str) -> ResizeLimits | None:
    """The published image limits of a dialect that answers in pixels; None for all others."""
    dialect = _registered().get(name)
    return dialect.limits if dialect else None
