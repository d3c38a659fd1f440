"""What a checkpoint's files may be, checked before anything reads them: it may come from others."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ...actions.errors import UsageError
from .model_card import read_json

_COUNTS: Final = ("num_hidden_layers", "depth", "num_experts", "num_local_experts")
"""Numbers of a configuration that say how many parts a network is made of."""
_MOST_PARTS: Final = 1000
_LARGEST: Final = 1 << 40
"""Of any other number in a configuration."""


def check_files(directory: Path) -> None:
    """Check that files are files, and that the lists of weights name files in this directory.

    Links are followed, since the hub's own cache is made of them.

    Raises:
        UsageError: one is a pipe or a device, or a list names a file elsewhere.
    """
    for path in sorted(directory.iterdir()):
        try:
            mode = path.stat().st_mode
        except OSError:
            continue  # a link to nothing; what needs it says so
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise UsageError(f"{path} is no regular file, but a pipe or a device; download the checkpoint again")
        if path.name.endswith(".index.json"):
            for name in _listed(read_json(path)):
                if not isinstance(name, str) or Path(name).name != name or name in ("", ".", ".."):
                    raise UsageError(f"{path} names {str(name)[:80]!r}, which is no file in its folder")


def _listed(index: Mapping[str, Any]) -> Iterator[object]:
    listed = index.get("weight_map")
    if isinstance(listed, dict):
        yield from set(map(_hashable, listed.values()))


def _hashable(name: object) -> object:
    return name if isinstance(name, str) else str(name) + "/"


def check_sizes(path: Path, config: object) -> None:
    """Check that no number in a configuration makes a network that no computer holds; raises ``UsageError``."""
    values = config.items() if isinstance(config, dict) else enumerate(config) if isinstance(config, list) else ()
    for name, value in values:
        limit = _MOST_PARTS if name in _COUNTS else _LARGEST
        if isinstance(value, int | float) and not abs(value) <= limit:
            raise UsageError(f"{path}: {str(name)[:60]} is beyond all use")
        check_sizes(path, value)
