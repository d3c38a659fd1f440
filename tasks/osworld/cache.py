"""OSWorld's file cache: what its tasks would download. It is read and never written."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...actions.errors import DataError
from ...actions.untrusted import contained

SOURCE = "the file cache of OSWorld (xlangai/ubuntu_osworld_file_cache on Hugging Face)"


@dataclass(frozen=True)
class Cache:
    """The folder that OSWorld's runner calls ``cache``, with a folder for each task; without a ``root`` it is empty."""

    root: Path | None = None

    def downloaded(self, task: str, url: str, path: str) -> Path | None:
        """The file that a set-up step downloads from ``url`` to ``path``; None if it is missing."""
        return self.kept(task, f"{uuid.uuid5(uuid.NAMESPACE_URL, url)}_{PurePosixPath(path).name}")

    def kept(self, task: str, name: str) -> Path | None:
        """The file that a result is compared with; None if it is missing."""
        if self.root is None:
            return None
        try:
            found = contained(contained(self.root, task), name)
            return found if found.is_file() else None
        except OSError:  # the name leads elsewhere
            return None

    def need(self, found: Path | None, what: str) -> Path:
        """A required file; raises ``DataError`` if it is missing."""
        if found is None:
            raise DataError(f"{what} is not in the cache; put it into osworld_cache (--osworld-cache), from {SOURCE}")
        return found
