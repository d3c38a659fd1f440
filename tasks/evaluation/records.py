"""One episode of an evaluation on disk, and what its folder says came of it.

    DIR/TASK/SEED/trajectory.jsonl   the episode
    DIR/TASK/SEED/failure.json       it could not be run, though tried several times
    DIR/TASK/SEED/attempts/N/        tries that were cut off; nothing is deleted

Results are derived from these folders alone. An episode counts once its end is written; one that was cut off,
or that something other than the policy broke, is set aside and run again.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ...actions.errors import NewerSchemaError, TrajectoryError
from ...env.trajectory.events import EndEvent, EndReason
from ...env.trajectory.trajectory import FILE_NAME, Trajectory

FAILURE_NAME = "failure.json"
ATTEMPTS = "attempts"
_CUT_OFF: tuple[EndReason, ...] = ("error", "interrupted")

ErrorKind = Literal[
    "environment",  # the browser crashed, or does not start
    "policy",  # the policy raised an error instead of replying
    "worker",  # the process that ran the episode died
    "timeout",  # the episode was not over in time
]


class Key(NamedTuple):
    """Which episode."""

    task: str
    seed: int

    def folder(self, root: Path) -> Path:
        """Where it is kept."""
        return root / self.task / str(self.seed)


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Failure(_Data):
    """Why an episode has no result, after all retries."""

    error: ErrorKind
    message: str
    attempts: int


class EpisodeRecord(_Data):
    """What came of one episode.

    Attributes:
        error: why it has no result; then ``success``, ``reward`` and ``end`` are None.
        message: the policy's answer, or what broke.
        reward: the environment's raw one.
        steps: predictions made.
        unreadable: replies among them that could not be read.
        seconds: from the first screen to the end.
        timings: seconds per phase, one number per step: ``predict`` and its parts, ``act``, ``settle`` and
            ``capture``.
        attempts: tries that were set aside before.
        versions: of everything that may change the result.
    """

    task: str
    seed: int
    error: ErrorKind | None = None
    message: str = ""
    success: bool | None = None
    reward: float | None = None
    end: EndReason | None = None
    steps: int = 0
    unreadable: int = 0
    seconds: float = 0.0
    prompt_tokens: int = 0
    reply_tokens: int = 0
    accepted_tokens: int = 0
    forwards: int = 0
    timings: dict[str, list[float]] = Field(default_factory=dict)
    attempts: int = 0
    versions: dict[str, JsonValue] = Field(default_factory=dict)

    @property
    def key(self) -> Key:
        """Which episode it is."""
        return Key(self.task, self.seed)


def read_record(root: Path, key: Key) -> EpisodeRecord | None:
    """What came of an episode; None when it has yet to be run, or to be run again.

    Raises:
        NewerSchemaError: a newer version wrote it.
    """
    folder = key.folder(root)
    tried = _attempts(folder)
    if (failure := read_failure(folder)) is not None:
        return EpisodeRecord(
            task=key.task, seed=key.seed, error=failure.error, message=failure.message, attempts=tried
        )
    trajectory = _whole(folder)
    if trajectory is None or trajectory.end is None or trajectory.end.end in _CUT_OFF:
        return None
    return _record(key, trajectory, trajectory.end, tried)


def read_failure(folder: Path) -> Failure | None:
    """Why an episode was given up; None when it was not, or the note is torn."""
    try:
        return Failure.model_validate_json((folder / FAILURE_NAME).read_bytes())
    except (OSError, ValidationError):
        return None


def blame(folder: Path) -> tuple[ErrorKind, str] | None:
    """Who broke an episode that ended in an error, and how; None when it did not end so."""
    trajectory = _whole(folder)
    if trajectory is None or trajectory.end is None or trajectory.end.end != "error":
        return None
    # A screen that was shown to the policy and never answered: it broke while deciding.
    kind: ErrorKind = "policy" if trajectory.final is not None else "environment"
    return kind, trajectory.end.message


def set_aside(folder: Path) -> None:
    """Move what is left of a try into the next free ``attempts/N``, the trajectory last.

    Raises:
        TrajectoryError: it cannot be moved.
    """
    try:
        left = [entry for entry in folder.iterdir() if entry.name != ATTEMPTS] if folder.is_dir() else []
        if not left:
            return
        numbered = (folder / ATTEMPTS / str(number) for number in itertools.count(1))
        target = next(place for place in numbered if not (place / FILE_NAME).exists())
        target.mkdir(parents=True, exist_ok=True)
        for entry in sorted(left, key=lambda entry: (entry.name == FILE_NAME, entry.name)):
            entry.rename(_free(target / entry.name))
    except OSError as error:
        raise TrajectoryError(f"cannot move {folder}: {error.strerror}; make it writable") from error


def _free(target: Path) -> Path:
    """``target``, or the same with a number where something is there."""
    names = itertools.chain([target], (target.with_name(f"{target.name}.{n}") for n in itertools.count(2)))
    return next(path for path in names if not path.exists())


def _attempts(folder: Path) -> int:
    tried = folder / ATTEMPTS
    return sum(1 for _ in tried.iterdir()) if tried.is_dir() else 0


def _whole(folder: Path) -> Trajectory | None:
    if not (folder / FILE_NAME).is_file():
        return None
    try:
        return Trajectory.load(folder)
    except NewerSchemaError:
        raise
    except TrajectoryError:
        return None


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
        prompt_tokens=sum(usage.prompt_tokens for usage in usages),
        reply_tokens=sum(usage.reply_tokens for usage in usages),
        accepted_tokens=sum(usage.accepted_tokens for usage in usages),
        forwards=sum(usage.forwards for usage in usages),
        timings=timings,
        attempts=attempts,
        versions={"saccade": start.saccade_version, "policy": start.policy, **start.all_settings()},
    )
