"""The folder of an evaluation: its configuration, its lock, and the list of its records.

DIR/eval.json        what was asked for, and the versions it ran with; a resumed run must agree
DIR/episodes.jsonl   a line per finished episode: derived from the episodes' folders, or, of recorded screens,
                     the record itself (the last line of a sample counts)
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self, TextIO

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from ... import __version__
from ...actions.errors import NewerSchemaError, TrajectoryError, UsageError
from ...actions.files import UnusableFileError, read_file
from ...actions.untrusted import contained, parse_json
from ...env.private_files import lock_alone, private_folder, private_part, write_private
from ...env.trajectory.events import Count
from .records import EpisodeRecord, Key, ignore, read_record, whole_texts
from .upgrade import RECORDS_NAME, SUITE_NAME, upgrade_config, upgrade_recorded_config, upgrade_sample

EVAL_NAME = "eval.json"
EPISODES_NAME = "episodes.jsonl"
SCHEMA_VERSION = 2
_LOCK_NAME = ".lock"
_LARGEST = 1 << 30


class EvaluationConfig(BaseModel):
    """What makes two evaluations the same, and which episodes are planned.

    Attributes:
        asked: suite, tasks, seeds, limits, model.
        settings: what it ran with: versions, the fingerprint of the weights.
        samples: the ids of the recorded screens; None for an interactive suite.
        limit: only the first so many screens.
        malformed_rows: rows of the suite's files that cannot be used.
        upgraded_from: the older version that wrote it; only what that version stated is compared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    asked: dict[str, JsonValue]
    settings: dict[str, JsonValue] = {}
    samples: list[str] | None = None
    limit: Count | None = None
    malformed_rows: Count = 0
    upgraded_from: int | None = Field(default=None, exclude=True)

    def refuse_other(self, root: Path, asked: Mapping[str, JsonValue], settings: Mapping[str, JsonValue]) -> None:
        """Raise UsageError, with the differences, where a run asks for something else than this evaluation."""
        differing = []
        for then, now in ((self.asked, asked), (self.settings, settings)):
            older = self.upgraded_from is not None
            stated = {name: value for name, value in now.items() if name in then or not older}
            differing += differences(then, stated)
        if differing:
            version = self.settings.get("saccade", __version__)
            how = "use the same settings" if version == __version__ else f"install saccade {version}"
            raise UsageError(
                f"{root} holds an evaluation of another configuration, so it is not resumed: {'; '.join(differing)}. "
                f"To continue it, {how}; to start anew, choose another folder (--out)"
            )

    @property
    def keys(self) -> list[Key]:
        """All episodes, every task once before any comes again, so that half an evaluation saw them all."""
        if self.samples is not None:
            return [Key(sample) for sample in self.samples]
        tasks, seeds = self.asked["tasks"], self.asked["seeds"]
        assert isinstance(tasks, list)
        assert isinstance(seeds, list)
        return [Key(str(task), int(str(seed))) for seed in seeds for task in tasks]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """What others rely on is there: the suite, and tasks and seeds where there are no samples."""
        if not isinstance(self.asked.get("suite"), str):
            raise ValueError("it names no suite")
        if self.samples is None:
            tasks, seeds = self.asked.get("tasks"), self.asked.get("seeds")
            if not isinstance(tasks, list) or not all(isinstance(task, str) for task in tasks):
                raise ValueError("it names no tasks")
            if not isinstance(seeds, list) or not all(type(seed) is int and abs(seed) < 1 << 63 for seed in seeds):
                raise ValueError("it names no seeds")
        return self


def read_config(root: Path) -> EvaluationConfig | None:
    """The configuration of an evaluation's folder; None where there is no evaluation."""
    path = root / EVAL_NAME
    try:
        if not path.exists():
            path = root / SUITE_NAME
            return EvaluationConfig.model_validate(upgrade_recorded_config(root)) if path.exists() else None
        data = upgrade_config(whole_texts(parse_json(read_file(contained(root, EVAL_NAME)))))
        if data.get("schema_version", 0) > SCHEMA_VERSION:
            raise NewerSchemaError(f"{path} was written by a newer version of saccade; update it")
        return EvaluationConfig.model_validate(data)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not an evaluation's: {_reason(error)}") from error


def read_evaluation(
    root: Path, unreadable: Callable[[str], None] = ignore
) -> tuple[EvaluationConfig, list[EpisodeRecord]]:
    """An evaluation as it is on disk, finished or not; ``unreadable`` is called with why a record cannot be read.

    Raises:
        UsageError: there is none.
        NewerSchemaError: a newer version wrote it; or one of its trajectories, where ``unreadable`` is not given.
    """
    config = read_config(root)
    if config is None:
        raise UsageError(f"{root} holds no evaluation; name the folder that saccade eval wrote")
    return config, read_records(root, config, unreadable, newer_too=unreadable is not ignore)


def read_records(
    root: Path, config: EvaluationConfig, unreadable: Callable[[str], None] = ignore, *, newer_too: bool = False
) -> list[EpisodeRecord]:
    """The records that planned episodes have so far, in the planned order.

    ``unreadable`` gets why one cannot be read; with ``newer_too`` also of those that a newer version wrote, which are
    an error otherwise: an evaluation must not be continued over them.
    """
    if config.samples is None:
        found: list[EpisodeRecord | None] = []
        for key in config.keys:
            try:
                found.append(read_record(root, key, unreadable))
            except NewerSchemaError as error:
                if not newer_too:
                    raise
                unreadable(str(error))
        return [record for record in found if record is not None]
    asked = {record.key: record for record in read_lines(root, unreadable)}
    return [asked[key] for key in config.keys if key in asked]


def read_lines(root: Path, unreadable: Callable[[str], None] = ignore) -> list[EpisodeRecord]:
    """All records of recorded screens as they were written; a last line that was cut off is left out."""
    current = (root / EPISODES_NAME).exists()
    file = root / (EPISODES_NAME if current else RECORDS_NAME)
    try:
        lines = read_file(contained(root, file.name), _LARGEST).split(b"\n")[:-1] if file.exists() else []
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            data = parse_json(line)
            records.append(EpisodeRecord.model_validate(data if current else upgrade_sample(data)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            unreadable(f"{file}:{number}: not a record ({_reason(error)})")
    return records


def differences(then: Mapping[str, JsonValue], now: Mapping[str, JsonValue]) -> list[str]:
    """What differs between two configurations, in words: ``max_steps: 10 then, 20 now``."""
    names = [*then, *(name for name in now if name not in then)]
    return [
        f"{name}: {_short(then.get(name))} then, {_short(now.get(name))} now"
        for name in names
        if then.get(name) != now.get(name)
    ]


def write_file(path: Path, text: str) -> None:
    """Make a file appear, or be replaced, with all of its content or not at all; else TrajectoryError."""
    try:
        with private_part(path) as part:
            write_private(part, text)
    except OSError as error:
        raise _cannot_write(path, error) from error


def write_records(root: Path, records: Iterable[EpisodeRecord]) -> None:
    """Write ``episodes.jsonl`` anew."""
    write_file(root / EPISODES_NAME, "".join(record.model_dump_json() + "\n" for record in records))


def keep_damaged(root: Path, reasons: Sequence[str]) -> None:
    """Keep ``episodes.jsonl`` as it is, before its unreadable lines are left out; nothing is deleted."""
    if not reasons:
        return
    numbered = (root / f"episodes.damaged.{number}.jsonl" for number in itertools.count(1))
    target = next(path for path in numbered if not path.exists() and not path.is_symlink())
    write_file(target, read_file(contained(root, EPISODES_NAME), _LARGEST).decode(errors="replace"))


def append_record(root: Path, record: EpisodeRecord) -> None:
    """Add a line to ``episodes.jsonl``."""
    path = root / EPISODES_NAME
    try:
        with _open_to_append(path) as stream:
            stream.write(record.model_dump_json() + "\n")
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextlib.contextmanager
def lock_folder(root: Path) -> Iterator[None]:
    """Keep a second evaluation out of the folder; UsageError where one is running in it."""
    try:
        private_folder(root)
        stream = _open_to_append(root / _LOCK_NAME)
    except OSError as error:
        raise _cannot_write(root, error) from error
    with stream:
        try:
            lock_alone(stream)
        except BlockingIOError as error:
            raise UsageError(f"another saccade eval is running in {root}; wait until it ends") from error
        yield


def _open_to_append(path: Path) -> TextIO:
    """Open a file of the evaluation; a link to elsewhere, a pipe or a device is refused."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    stream = os.fdopen(os.open(path, flags, 0o600), "a", encoding="utf-8")
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise UnusableFileError(path, "it is no regular file")
    return stream


def _reason(error: Exception) -> str:
    return str(error.errors()[0]["msg"]) if isinstance(error, ValidationError) else str(error)


def _short(value: JsonValue) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 6:
        return f"{len(value)} of them ({', '.join(map(str, value[:3]))}, ...)"
    return json.dumps(value)


def _cannot_write(path: Path, error: OSError) -> TrajectoryError:
    return TrajectoryError(f"cannot write {path}: {error.strerror}; choose another --out, or free some space")
