"""What came of one episode of an evaluation: the record, and how it is derived from the episode's folder.

    DIR/TASK/SEED/trajectory.jsonl   the episode
    DIR/TASK/SEED/failure.json       it could not be run, after all retries
    DIR/TASK/SEED/attempts/N/        earlier attempts that were cut off or broke

The record is derived from these files alone. An episode counts once its end is written; one that was cut off, or
that broke, is moved to ``attempts`` and run again. A recorded screen's record is its line in ``episodes.jsonl``.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from ...actions.characters import whole_text
from ...actions.errors import DataError, NewerSchemaError, TrajectoryError
from ...actions.files import read_file
from ...actions.untrusted import contained
from ...agent.policy import Usage
from ...env.private_files import private_folder
from ...env.trajectory.events import Count, EndEvent, EndReason
from ...env.trajectory.trajectory import FILE_NAME, Trajectory

FAILURE_NAME = "failure.json"
ATTEMPTS = "attempts"
_LONGEST_NOTE = 1 << 20
_CUT_OFF: tuple[EndReason, ...] = ("error", "interrupted")

ErrorKind = Literal[
    "environment",  # the browser crashed, or does not start
    "policy",  # the policy raised an error instead of replying
    "worker",  # the process that ran the episode died
    "timeout",  # the episode was not over in time
    "malformed",  # the picture of a recorded screen cannot be read
    "unreadable",  # the reply about a recorded screen is in no dialect: scored, as wrong
    "no_point",  # the answer to a grounding question points nowhere: scored, as wrong
]
WRONG_ANSWERS = ("unreadable", "no_point")
"""Kinds of error that are the model's: they have a result, 0."""


class Key(NamedTuple):
    """Which episode: a task and a seed, or the id of a recorded screen."""

    task: str
    seed: int | None = None

    def __str__(self) -> str:
        return self.task if self.seed is None else f"{self.task} seed {self.seed}"

    def folder(self, root: Path) -> Path:
        """The folder of an interactive suite's episode; ``DataError`` where it would lie outside ``root``."""
        try:
            return contained(root, f"{self.task}/{self.seed}")
        except OSError as error:
            raise DataError(f"{root}: {error.strerror}") from error


def whole_texts(data: object) -> object:
    """JSON whose texts can be written as UTF-8."""
    match data:
        case str():
            return whole_text(data)
        case dict():
            return {whole_texts(name): whole_texts(value) for name, value in data.items()}
        case list():
            return [whole_texts(value) for value in data]
    return data


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _whole(cls, data: object) -> object:
        return whole_texts(data)


class Failure(_Data):
    """Why an episode has no result, after all retries."""

    error: ErrorKind
    message: str
    attempts: Count


class EpisodeRecord(_Data):
    """What came of one episode, or of one recorded screen.

    Attributes:
        task: its task. A recorded screen that is no step of a task has its own id here.
        seed: None for a recorded screen.
        sample: the id of a recorded screen.
        error: why it has no result, or, for the kinds in ``WRONG_ANSWERS``, why the result is 0. Without a
            result, ``success``, ``reward`` and ``end`` are None.
        message: the policy's answer, or what broke.
        reward: the environment's raw one; of a recorded screen its score, 0 to 1, and a ``success`` only if 1.
        unreadable: how many replies could not be read.
        seconds: from the first screen to the end.
        timings: seconds per phase and step: ``predict`` and its parts, ``act``, ``settle`` and ``capture``.
        attempts: earlier attempts that were cut off or broke.
        versions: of everything that may change the result.
        scores: further numbers of the suite's rule, those that apply.
        task_steps: how many steps the recorded screen's task has; 0 where that is unknown.
        reply: to the question about a recorded screen; ``actions`` are parsed from it, in pixels of the screen.
    """

    task: str
    seed: int | None = None
    sample: str | None = None
    error: ErrorKind | None = None
    message: str = ""
    success: bool | None = None
    reward: float | None = None
    end: EndReason | None = None
    steps: Count = 0
    unreadable: Count = 0
    seconds: float = 0.0
    prompt_tokens: Count = 0
    reply_tokens: Count = 0
    accepted_tokens: Count = 0
    forwards: Count = 0
    timings: dict[str, list[float]] = Field(default_factory=dict)
    attempts: Count = 0
    versions: dict[str, JsonValue] = Field(default_factory=dict)
    scores: dict[str, float] = Field(default_factory=dict)
    labels: dict[str, str | tuple[str, ...]] = Field(default_factory=dict)
    task_steps: Count = 0
    reply: str = ""
    actions: list[dict[str, Any]] = Field(default_factory=list)

    @property
    def key(self) -> Key:
        """Which episode it is."""
        return Key(self.task, self.seed) if self.sample is None else Key(self.sample)

    @property
    def scored(self) -> bool:
        """Whether it has a result."""
        return self.error is None or self.error in WRONG_ANSWERS

    @property
    def score(self) -> float:
        """What success rates are the mean of: 0 or 1; of a recorded screen anything between."""
        return float(self.success is True) if self.sample is None else self.reward or 0.0


def ignore(reason: str) -> None:
    """What is called with why a record cannot be read, where nobody wants to know."""


def read_record(root: Path, key: Key, unreadable: Callable[[str], None] = ignore) -> EpisodeRecord | None:
    """What came of an episode; None when it has yet to be run, or to be run again, as one that is unreadable."""
    folder = key.folder(root)
    attempts = sum(1 for _ in (folder / ATTEMPTS).iterdir()) if (folder / ATTEMPTS).is_dir() else 0
    with contextlib.suppress(OSError, ValidationError):  # not given up, or the note is cut off
        failure = Failure.model_validate_json(read_file(folder / FAILURE_NAME, _LONGEST_NOTE))
        return EpisodeRecord(
            task=key.task, seed=key.seed, error=failure.error, message=failure.message, attempts=attempts
        )
    trajectory = _load(folder, unreadable)
    if trajectory is None or trajectory.end is None or trajectory.end.end in _CUT_OFF:
        return None
    return _record(key, trajectory, trajectory.end, attempts)


def episode_error(folder: Path) -> tuple[ErrorKind, str] | None:
    """The kind and message of the error that ended an episode; None when it did not end in one."""
    trajectory = _load(folder)
    if trajectory is None or trajectory.end is None or trajectory.end.end != "error":
        return None
    kind: ErrorKind = "policy" if trajectory.end.fault == "policy" else "environment"
    return kind, trajectory.end.message


def archive_attempt(folder: Path) -> None:
    """Move what is left of an attempt into the next free ``attempts/N``, the trajectory last."""
    try:
        left = [entry for entry in folder.iterdir() if entry.name != ATTEMPTS] if folder.is_dir() else []
        if not left:
            return
        numbered = (folder / ATTEMPTS / str(number) for number in itertools.count(1))
        target = next(path for path in numbered if not (path / FILE_NAME).exists())
        private_folder(target)
        for entry in sorted(left, key=lambda entry: (entry.name == FILE_NAME, entry.name)):
            entry.rename(_free(target / entry.name))
    except OSError as error:
        raise TrajectoryError(f"cannot move {folder}: {error.strerror}; make it writable") from error


def _free(target: Path) -> Path:
    """``target``, or the same with a number where something is there."""
    names = itertools.chain([target], (target.with_name(f"{target.name}.{n}") for n in itertools.count(2)))
    return next(path for path in names if not path.exists())


def _load(folder: Path, unreadable: Callable[[str], None] = ignore) -> Trajectory | None:
    if not (folder / FILE_NAME).exists():
        return None
    try:
        return Trajectory.load(folder)
    except NewerSchemaError:
        raise
    except TrajectoryError as error:
        unreadable(str(error))
    return None


def usage_totals(usages: Sequence[Usage]) -> dict[str, Any]:
    """The fields of a record that add up what its predictions used."""
    names = ("prompt_tokens", "reply_tokens", "accepted_tokens", "forwards")
    return {name: sum(getattr(usage, name) for usage in usages) for name in names}


def _record(key: Key, trajectory: Trajectory, end: EndEvent, attempts: int) -> EpisodeRecord:
    predictions = [step.prediction for step in trajectory.steps if step.prediction]
    usages = [prediction.usage for prediction in predictions]
    timings: dict[str, list[float]] = {"predict": [prediction.seconds for prediction in predictions]}
    spent = [usage.timings for usage in usages]
    spent += [action.timings for step in trajectory.steps for action in step.actions]
    for each in spent:
        for phase, seconds in each.items():
            timings.setdefault(phase, []).append(round(seconds, 6))
    start = trajectory.start
    return EpisodeRecord(
        task=key.task,
        seed=key.seed,
        message=end.message,
        success=end.success,
        reward=end.reward,
        end=end.end,
        steps=end.steps,
        unreadable=sum(prediction.error is not None for prediction in predictions),
        seconds=round(end.time - start.time, 3),
        **usage_totals(usages),
        timings=timings,
        attempts=attempts,
        versions={"saccade": start.saccade_version, "policy": start.policy, **start.all_settings()},
    )
