"""OSWorld's file cache, read and never written: what its tasks would download."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...actions.errors import DataError

SOURCE = "the file cache of OSWorld (xlangai/ubuntu_osworld_file_cache on Hugging Face)"


@dataclass(frozen=True)
class Cache:
    """The folder that OSWorld's runner calls ``cache``, with a folder for each task.

    Attributes:
        root: where it is; None is an empty one.
    """

    root: Path | None = None

    def downloaded(self, task: str, url: str, path: str) -> Path | None:
        """The file that a set-up step downloads from ``url`` to ``path``; None where it is not there."""
        return self.kept(task, f"{uuid.uuid5(uuid.NAMESPACE_URL, url)}_{PurePosixPath(path).name}")

    def kept(self, task: str, name: str) -> Path | None:
        """A file by the name that results are compared under; None where it is not there."""
        if self.root is None:
            return None
        folder = (self.root / task).resolve()
        found = (folder / name).resolve()
        return found if found.is_relative_to(folder) and found.is_file() else None

    def need(self, found: Path | None, what: str) -> Path:
        """A file that must be there.

        Raises:
            DataError: it is not.
        """
        if found is None:
            raise DataError(f"{what} is not in the cache; fill --osworld-cache from {SOURCE}")
        return found
