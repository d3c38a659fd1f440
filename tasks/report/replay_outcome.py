"""``replay.json`` in a replay's folder: which recording it repeated, and the outcome of each step."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from ...actions.errors import TrajectoryError
from ...actions.files import read_file
from ...actions.untrusted import contained, parse_json
from ...agent.replay.policy import StepOutcome

RECORD_NAME = "replay.json"
Digest = Field(pattern=r"^[0-9a-f]{64}$")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class StepRecord(_Part):
    """The outcome of one step of a verified replay."""

    step: int
    recorded: int | None
    outcome: StepOutcome
    forwards: int = 0
    tolerance: float = 0.0


class DriftRecord(_Part):
    """Where an exact replay stopped matching its recording.

    Attributes:
        step: index among the recorded steps that are replayed.
        expected: digest of the recorded screen, kept among the replay's screenshots.
        live: digest of the screen that was seen.
        box: left, top, right and bottom of the difference, in pixels; None if the sizes differ.
    """

    step: int
    expected: str = Digest
    live: str = Digest
    box: tuple[int, int, int, int] | None = None


class ReplayRecord(_Part):
    """The whole of ``replay.json``.

    Attributes:
        recording: its folder or file, absolute.
        steps: the outcome of each step of a verified replay.
    """

    recording: str
    mode: Literal["verify", "exact"]
    steps: tuple[StepRecord, ...] = Field((), validation_alias=AliasChoices("steps", "looked"))
    drift: DriftRecord | None = None


def read_record(directory: Path) -> ReplayRecord | None:
    """The record of a replay, None for any other run; raises ``TrajectoryError`` where it cannot be read."""
    file = directory / RECORD_NAME
    if not file.exists():
        return None
    try:
        return ReplayRecord.model_validate(parse_json(read_file(contained(directory, RECORD_NAME))))
    except (OSError, ValueError) as error:
        raise TrajectoryError(f"{file}: is not what a replay writes; delete it to see the run") from error
