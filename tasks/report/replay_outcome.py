"""What a replay leaves beside its own run: which recording it repeated, and how each step came about."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...actions.errors import TrajectoryError
from ...agent.replay.policy import StepOutcome

RECORD_NAME = "replay.json"
Digest = Field(pattern=r"^[0-9a-f]{64}$")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class LookRecord(_Part):
    """``agent.replay.Looked`` as it is kept."""

    step: int
    recorded: int | None
    outcome: StepOutcome
    forwards: int = 0


class DriftRecord(_Part):
    """Where an exact replay left its recording.

    Attributes:
        step: place in the recording, counting the steps that were repeated.
        expected: digest of the recorded screen, kept among the replay's screenshots.
        live: digest of the screen that was seen.
        box: left, top, right and bottom of what differs, in pixels; None where the sizes differ.
    """

    step: int
    expected: str = Digest
    live: str = Digest
    box: tuple[int, int, int, int] | None = None


class ReplayRecord(_Part):
    """The whole of ``replay.json``.

    Attributes:
        recording: its folder or file, absolute.
        looked: how each step of a verified replay came about.
    """

    recording: str
    mode: Literal["verify", "exact"]
    looked: tuple[LookRecord, ...] = ()
    drift: DriftRecord | None = None


def read_record(directory: Path) -> ReplayRecord | None:
    """What a run's folder says about a replay; None for a run that is none.

    Raises:
        TrajectoryError: it cannot be read.
    """
    file = directory / RECORD_NAME
    if not file.exists():
        return None
    try:
        return ReplayRecord.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise TrajectoryError(f"{file}: is not what a replay writes; delete it to see the run") from error
