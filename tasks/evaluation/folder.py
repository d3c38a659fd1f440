"""The folder of an evaluation: its configuration, its lock, and the list of its records.

DIR/eval.json        what was asked for, and the versions it ran with; a resumed run must agree
DIR/episodes.jsonl   a line per finished episode: derived from the episodes' folders, or, of recorded screens,
                     the record itself (the last line of a sample counts)
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ... import __version__
from ...actions.errors import DataError, NewerSchemaError, TrajectoryError, UsageError
from ...env.private_files import open_private, private_folder, private_part, write_private
from .records import EpisodeRecord, Key, read_record
from .upgrade import RECORDS_NAME, SUITE_NAME, upgrade_config, upgrade_recorded_config, upgrade_sample

EVAL_NAME = "eval.json"
EPISODES_NAME = "episodes.jsonl"
SCHEMA_VERSION = 2
_LOCK_NAME = ".lock"


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
    limit: int | None = None
    malformed_rows: int = 0
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
                f"To continue it, {how}; to start anew, choose another --out"
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


def read_config(root: Path) -> EvaluationConfig | None:
    """The configuration of an evaluation's folder; None where there is no evaluation."""
    path = root / EVAL_NAME
    try:
        if not path.is_file():
            path = root / SUITE_NAME
            return EvaluationConfig.model_validate(upgrade_recorded_config(root)) if path.is_file() else None
        data = upgrade_config(json.loads(path.read_bytes()))
        if data.get("schema_version", 0) > SCHEMA_VERSION:
            raise NewerSchemaError(f"{path} was written by a newer version of saccade; update it")
        return EvaluationConfig.model_validate(data)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is not an evaluation's: {_reason(error)}") from error


def read_evaluation(root: Path) -> tuple[EvaluationConfig, list[EpisodeRecord]]:
    """An evaluation as it is on disk, finished or not.

    Raises:
        UsageError: there is none.
        NewerSchemaError: a newer version wrote it, or one of its trajectories.
        DataError: a line of recorded screens is no record.
    """
    config = read_config(root)
    if config is None:
        raise UsageError(f"{root} holds no evaluation; name the folder that saccade eval wrote")
    return config, read_records(root, config)


def read_records(root: Path, config: EvaluationConfig) -> list[EpisodeRecord]:
    """The records that planned episodes have so far, in the planned order."""
    if config.samples is None:
        found = (read_record(root, key) for key in config.keys)
        return [record for record in found if record is not None]
    asked = {record.key: record for record in read_lines(root)}
    return [asked[key] for key in config.keys if key in asked]


def read_lines(root: Path) -> list[EpisodeRecord]:
    """All records of recorded screens as they were written; a last line that was cut off is left out."""
    current = (root / EPISODES_NAME).is_file()
    file = root / (EPISODES_NAME if current else RECORDS_NAME)
    records = []
    for number, line in enumerate(file.read_bytes().split(b"\n")[:-1] if file.is_file() else [], start=1):
        try:
            data = json.loads(line)
            records.append(EpisodeRecord.model_validate(data if current else upgrade_sample(data)))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{file}:{number}: not a record ({_reason(error)}); delete the line") from error
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


def append_record(root: Path, record: EpisodeRecord) -> None:
    """Add a line to ``episodes.jsonl``."""
    path = root / EPISODES_NAME
    try:
        with open_private(path, "a", encoding="utf-8") as stream:
            stream.write(record.model_dump_json() + "\n")
    except OSError as error:
        raise _cannot_write(path, error) from error


@contextlib.contextmanager
def lock_folder(root: Path) -> Iterator[None]:
    """Keep a second evaluation out of the folder; UsageError where one is running in it."""
    try:
        private_folder(root)
        stream = open_private(root / _LOCK_NAME, "a")
    except OSError as error:
        raise _cannot_write(root, error) from error
    with stream:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UsageError(f"another saccade eval is running in {root}; wait until it ends") from error
        yield


def _reason(error: Exception) -> str:
    return str(error.errors()[0]["msg"]) if isinstance(error, ValidationError) else str(error)


def _short(value: JsonValue) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 6:
        return f"{len(value)} of them ({', '.join(map(str, value[:3]))}, ...)"
    return json.dumps(value)


def _cannot_write(path: Path, error: OSError) -> TrajectoryError:
    return TrajectoryError(f"cannot write {path}: {error.strerror}; choose another --out, or free some space")
