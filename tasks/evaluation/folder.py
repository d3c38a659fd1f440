"""The folder of an evaluation: what was asked for, who works in it, and its list of records.

DIR/eval.json        what was asked for, and what it was run with; a resumed run must agree
DIR/episodes.jsonl   one line per finished episode, derived from the episodes' folders
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from ...actions.errors import TrajectoryError, UsageError
from .records import EpisodeRecord, Key, read_record

EVAL_NAME = "eval.json"
EPISODES_NAME = "episodes.jsonl"
_LOCK_NAME = ".lock"


class EvaluationConfig(BaseModel):
    """What makes two evaluations the same.

    Attributes:
        asked: what was asked for: suite, tasks, seeds, limits, model.
        settings: what it was run with: versions, the fingerprint of the weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = 1
    asked: dict[str, JsonValue]
    settings: dict[str, JsonValue]

    @property
    def keys(self) -> list[Key]:
        """All episodes, every task once before any comes again, so that half an evaluation saw them all."""
        tasks, seeds = self.asked["tasks"], self.asked["seeds"]
        assert isinstance(tasks, list)
        assert isinstance(seeds, list)
        return [Key(str(task), int(str(seed))) for seed in seeds for task in tasks]


def read_config(root: Path) -> EvaluationConfig | None:
    """What an evaluation's folder is pinned to; None where there is no evaluation.

    Raises:
        UsageError: it cannot be read.
    """
    path = root / EVAL_NAME
    try:
        return EvaluationConfig.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        raise UsageError(f"{path} is not an evaluation's: {error.errors()[0]['msg']}") from error


def read_evaluation(root: Path) -> tuple[EvaluationConfig, list[EpisodeRecord]]:
    """An evaluation as it is on disk, finished or not.

    Raises:
        UsageError: there is none.
        NewerSchemaError: a newer version wrote one of its trajectories.
    """
    pinned = read_config(root)
    if pinned is None:
        raise UsageError(f"{root} holds no evaluation; name the folder that saccade eval wrote")
    found = (read_record(root, key) for key in pinned.keys)
    return pinned, [record for record in found if record is not None]


def differences(then: Mapping[str, JsonValue], now: Mapping[str, JsonValue]) -> list[str]:
    """What differs between two configurations, in words: ``max_steps: 10 then, 20 now``."""
    names = [*then, *(name for name in now if name not in then)]
    return [
        f"{name}: {_short(then.get(name))} then, {_short(now.get(name))} now"
        for name in names
        if then.get(name) != now.get(name)
    ]


def write_file(path: Path, text: str) -> None:
    """Make a file appear, or be replaced, with all of its content or not at all.

    Raises:
        TrajectoryError: the disk is full, or the folder cannot be written.
    """
    part = path.with_name(f".part-{path.name}")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise _cannot_write(path, error) from error


def write_records(root: Path, records: Iterable[EpisodeRecord]) -> None:
    """Write ``episodes.jsonl`` anew."""
    write_file(root / EPISODES_NAME, "".join(record.model_dump_json() + "\n" for record in records))


def append_record(root: Path, record: EpisodeRecord) -> None:
    """Add a line to ``episodes.jsonl``.

    Raises:
        TrajectoryError: the disk is full.
    """
    path = root / EPISODES_NAME
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(record.model_dump_json() + "\n")
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextlib.contextmanager
def alone_in(root: Path) -> Iterator[None]:
    """Hold the folder against a second evaluation at the same time.

    Raises:
        UsageError: one is under way in it.
        TrajectoryError: the folder cannot be made.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        stream = (root / _LOCK_NAME).open("a")
    except OSError as error:
        raise _cannot_write(root, error) from error
    with stream:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UsageError(f"another saccade eval is at work in {root}; wait for it") from error
        yield


def _short(value: JsonValue) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 6:
        return f"{len(value)} of them ({', '.join(map(str, value[:3]))}, ...)"
    return json.dumps(value)


def _cannot_write(path: Path, error: OSError) -> TrajectoryError:
    return TrajectoryError(f"cannot write {path}: {error.strerror}; choose another --out, or free some space")
