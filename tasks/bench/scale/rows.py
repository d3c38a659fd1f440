"""One row of the table of ``saccade bench scale``, and the file that keeps the rows of finished measurements."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from ....actions.errors import UsageError
from ....env.private_files import private_folder, private_part, write_private

FILE: Final = "scale.json"


@dataclass(frozen=True)
class ScaleRow:
    """One measured number.

    Attributes:
        model: the shape.
        part: what was measured, such as ``decode``.
        name: which way of it, such as ``auto``.
        context: cached tokens; 0 where they do not matter.
        seconds: per token for ``decode``, else of the whole.
        faster: how many times faster than what the row is compared with; 0 for nothing.
        forwards: per reply.
        limit: share of the memory's bandwidth that its forwards use; 0 where it is not known.
        note: the rest, for people.
    """

    model: str
    part: str
    name: str
    context: int = 0
    seconds: float = 0.0
    faster: float = 0.0
    forwards: float = 0.0
    limit: float = 0.0
    note: str = ""


class RowStore:
    """Rows on disk, measurement by measurement; a measurement that is there is not made again.

    Raises:
        UsageError: the folder holds rows of other settings.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.path = folder / FILE
        private_folder(folder)
        self._settings = settings
        self._done: dict[str, list[dict[str, Any]]] = {}
        if self.path.is_file():
            self._read()

    def __contains__(self, measurement: str) -> bool:
        return measurement in self._done

    def add(self, measurement: str, rows: Sequence[ScaleRow]) -> None:
        """Keep the rows of a measurement."""
        self._done[measurement] = [asdict(row) for row in rows]
        text = json.dumps({"settings": self._settings, "measurements": self._done}, indent=1)
        with private_part(self.path) as part:
            write_private(part, text + "\n")

    def rows(self) -> list[ScaleRow]:
        """All rows, in the order in which they were measured."""
        return [ScaleRow(**row) for rows in self._done.values() for row in rows]

    def _read(self) -> None:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            settings, self._done = content["settings"], content["measurements"]
            self.rows()
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError(f"{self.path} cannot be read ({error}); choose another folder (--out)") from error
        if settings != self._settings:
            raise UsageError(
                f"{self.path} was measured with other options; repeat them or choose another folder (--out)"
            )
