"""The records of a run over recorded screens: one line per sample, of which a kill loses none but the last.

OUT/suite.json      which suite and which policy
OUT/records.jsonl   one ``SampleRecord`` per line; of a sample judged twice the later one counts
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from .... import __version__
from ....actions.errors import DataError, UsageError

RECORDS: Final = "records.jsonl"
HEADER: Final = "suite.json"
FAILED: Final = "failed"
"""The error kind of a sample on which the policy broke; it is asked again when the run goes on."""


class SampleRecord(BaseModel):
    """What a policy said about one sample, and what it was worth.

    Attributes:
        id: the sample's.
        value: 0 to 1.
        parts: other numbers of the suite's rule, those that apply.
        error: ``unreadable``, ``no_point`` or ``failed``; None for an answer.
        message: what was wrong.
        labels: what results are told apart by.
        task: whose step it is; the sample's own id where it is nobody's.
        steps: how many steps that task has; 0 where nobody counts them.
        reply: as the model wrote it.
        actions: as it was read, in pixels of the screen.
        seconds: the policy took.
        prompt_tokens: it read, over all screens it was shown.
        reply_tokens: it wrote.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    value: float
    parts: dict[str, float] = Field(default_factory=dict)
    error: str | None = None
    message: str = ""
    labels: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    task: str
    steps: int = 0
    reply: str = ""
    actions: list[dict[str, Any]] = Field(default_factory=list)
    seconds: float = 0.0
    prompt_tokens: int = 0
    reply_tokens: int = 0


class SampleStore:
    """The folder of one run.

    Args:
        folder: made if need be.
        asked: what a run that goes on must be of again.

    Raises:
        UsageError: the folder holds another run, or cannot be made.
        DataError: a line that was written whole is no record.
    """

    def __init__(self, folder: Path, asked: Mapping[str, JsonValue]) -> None:
        self._file = folder / RECORDS
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make {folder}: {error.strerror}; choose another --out") from error
        _same_run(folder / HEADER, asked)
        _drop_torn_line(self._file)
        self.records = {record.id: record for record in _read(self._file)}

    @property
    def finished(self) -> set[str]:
        """The samples that need not be asked again."""
        return {record.id for record in self.records.values() if record.error != FAILED}

    def add(self, record: SampleRecord) -> None:
        """Write one more."""
        with self._file.open("ab") as stream:
            stream.write(record.model_dump_json().encode() + b"\n")
        self.records[record.id] = record


def read_run(folder: Path) -> tuple[dict[str, JsonValue], dict[str, SampleRecord]]:
    """What a folder's run was of, and its records by sample.

    Raises:
        UsageError: the folder holds none.
        DataError: a line is no record.
    """
    try:
        header = json.loads((folder / HEADER).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} holds no run over recorded screens ({error})") from error
    return header, {record.id: record for record in _read(folder / RECORDS)}


def _same_run(header: Path, asked: Mapping[str, JsonValue]) -> None:
    if not header.is_file():
        header.write_text(json.dumps({**asked, "saccade": __version__}) + "\n", encoding="utf-8")
        return
    try:
        known = json.loads(header.read_text(encoding="utf-8"))
    except ValueError:  # torn: nothing was judged yet
        known = dict(asked)
    for name, value in asked.items():
        if known.get(name) != value:
            raise UsageError(
                f"{header.parent} holds a run with {name} {known.get(name)!r}, not {value!r}; "
                "choose another --out"
            )


def _drop_torn_line(file: Path) -> None:
    if file.is_file() and (text := file.read_bytes()) and not text.endswith(b"\n"):
        with file.open("r+b") as stream:
            stream.truncate(text.rfind(b"\n") + 1)


def _read(file: Path) -> list[SampleRecord]:
    found = []
    lines = file.read_bytes().splitlines() if file.is_file() else []
    for number, line in enumerate(lines, start=1):
        try:
            found.append(SampleRecord.model_validate_json(line))
        except ValidationError as error:
            raise DataError(f"{file}:{number}: no record ({error.errors()[0]['msg']}); delete it") from error
    return found
