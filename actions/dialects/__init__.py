"""Model families' languages; ``get_dialect(name)`` finds one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from ..errors import UnknownDialectError
from ..geometry import ResizeLimits
from . import opencua, qwen_tools, seed_xml, uitars
from .base import Dialect, Reply

__all__ = ["Dialect", "Reply", "dialect_names", "get_dialect", "resize_limits"]

_ALL: tuple[Dialect, ...] = (
    *uitars.DIALECTS,
    *seed_xml.DIALECTS,
    *qwen_tools.DIALECTS,
    *opencua.DIALECTS,
)
_DIALECTS: Mapping[str, Dialect] = MappingProxyType({dialect.name: dialect for dialect in _ALL})
_LIMITS: Mapping[str, ResizeLimits] = MappingProxyType(
    {
        "uitars-1.5": uitars.UITARS_15_LIMITS,
        "qwen2.5-vl-toolcall": qwen_tools.QWEN25_LIMITS,
        "opencua": opencua.OPENCUA_LIMITS,
    }
)


def get_dialect(name: str) -> Dialect:
    """The dialect registered under ``name``.

    Raises:
        UnknownDialectError: there is none; the message lists the nearest names.
    """
    if name in _DIALECTS:
        return _DIALECTS[name]
    near = difflib.get_close_matches(name, _DIALECTS, n=3, cutoff=0.4) or dialect_names()
    raise UnknownDialectError(f"no dialect is called {name!r}; nearest: {', '.join(near)}")


def dialect_names() -> list[str]:
    """All registered names."""
    return list(_DIALECTS)


def resize_limits(name: str) -> ResizeLimits | None:
    """The published limits of the image in whose pixels a dialect counts; None if it counts in none."""
    return _LIMITS.get(name)
