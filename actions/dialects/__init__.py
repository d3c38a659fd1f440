"""Model families' languages; ``get_dialect(name)`` finds one."""

from __future__ import annotations

from .base import Dialect, Reply

__all__ = ["Dialect", "Reply", "dialect_names", "get_dialect"]


def get_dialect(name: str) -> Dialect:
    """The dialect registered under ``name``."""
    raise NotImplementedError(name)


def dialect_names() -> list[str]:
    """All registered names."""
    return []
