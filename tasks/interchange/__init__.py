"""Trajectories in the formats of others: export and import, one module for each format."""

from __future__ import annotations

import difflib

from ...actions.errors import UsageError
from .agentnet import AgentNet
from .base import Format
from .osworld import OsWorld
from .parquet import Parquet

FORMATS: dict[str, Format] = {made.name: made for made in (OsWorld(), AgentNet(), Parquet())}


def get_format(name: str) -> Format:
    """The format of this name; raises a ``UsageError`` that lists all formats for any other."""
    if name in FORMATS:
        return FORMATS[name]
    near = difflib.get_close_matches(name, FORMATS, n=1)
    hint = f" (nearest: {near[0]})" if near else ""
    raise UsageError(f"no format is called {name!r}{hint}; known are {', '.join(FORMATS)}")
