"""A replay beside its recording: which recorded step belongs to each of its own."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from pathlib import Path

from ...actions.errors import TrajectoryError
from ...actions.files import read_file
from ...actions.geometry import Size
from ...actions.untrusted import contained
from ...env.trajectory.events import ObservationEvent
from ...env.trajectory.trajectory import Step, Trajectory
from ...perception.pictures import decode_picture
from .images import Shown
from .replay_outcome import DriftRecord, ReplayRecord, read_record


@dataclass(frozen=True)
class StepPair:
    """The recorded side of one step of a replay.

    Attributes:
        outcome: ``exact``, ``drift``, or as in ``agent.replay``; empty if unknown.
        recorded: the recorded step; None if there is none.
        after: the screen after it.
        tolerance: distance of points, in pixels, at which they counted as the same.
    """

    outcome: str
    recorded: Step | None = None
    after: ObservationEvent | None = None
    tolerance: float = 0.0


@dataclass(frozen=True)
class Pairing:
    """A replay and its recording.

    Attributes:
        mode: ``verify`` or ``exact``.
        name: the recording's folder; not its path, because pages are shared.
        note: why the recording cannot be shown; empty if it can.
        recording: None if it cannot be read.
        pairs: one for each step of the replay, and one more for a drift.
        drift: where an exact replay stopped matching the recording.
        expected: the screen it expected there.
    """

    mode: str
    name: str
    note: str
    recording: Trajectory | None
    pairs: tuple[StepPair, ...]
    drift: DriftRecord | None
    expected: ObservationEvent | None

    def shown(self, replay: Trajectory) -> list[Shown]:
        """The screenshots of the recording that the page needs."""
        found = [Shown(replay, self.expected)] if self.expected else []
        if self.recording is None:
            return found
        events = [self.recording.final]
        for pair in self.pairs:
            events += [pair.recorded.observation if pair.recorded else None, pair.after]
        return found + [Shown(self.recording, event) for event in events if event]


def pairing(replay: Trajectory) -> Pairing | None:
    """Read a replay's record and its recording; None for a run that is no replay."""
    try:
        record = read_record(replay.directory)
    except TrajectoryError as error:
        note = str(error).replace(f"{replay.directory}/", "")
        return Pairing("", "", note, None, (), None, None)
    if record is None:
        return None
    recording, note = _recording(Path(record.recording), replay)
    of_mode = _exact if record.mode == "exact" else _verified
    pairs = of_mode(replay, record, recording)
    name = Path(record.recording).name
    expected = _expected(replay, record.drift) if record.drift else None
    return Pairing(record.mode, name, note, recording, pairs, record.drift, expected)


def _recording(path: Path, replay: Trajectory) -> tuple[Trajectory | None, str]:
    """The recording that one's own replay repeated; another's may name any folder of this computer."""
    if not replay.own or Path(replay.start.replay_of or "").name not in ("", path.name):
        return None, f"The recording {path.name} is not shown: the replay was not made by you on this computer."
    try:
        return Trajectory.load(path), ""
    except TrajectoryError:
        return None, f"The recording {path.name} cannot be read any more; only the replay is shown."


def _verified(replay: Trajectory, record: ReplayRecord, recording: Trajectory | None) -> tuple[StepPair, ...]:
    records = {each.step: each for each in record.steps}
    found = [records.get(step.index) for step in replay.steps]
    return tuple(
        replace(_paired(each.outcome, recording, each.recorded), tolerance=each.tolerance) if each else StepPair("")
        for each in found
    )


def _exact(replay: Trajectory, record: ReplayRecord, recording: Trajectory | None) -> tuple[StepPair, ...]:
    """One recorded step after the other; unreadable replies are not replayed."""
    if recording is None:
        drift = [StepPair("drift")] if record.drift is not None else []
        return (*(StepPair("exact") for _ in replay.steps), *drift)
    places = [step.index for step in recording.steps if step.prediction and step.prediction.error is None]
    count = len(replay.steps)
    pairs = [_paired("exact", recording, place) for place in places[:count]]
    pairs += [StepPair("end")] * (count - len(pairs))
    if record.drift is not None:
        where = places[record.drift.step] if 0 <= record.drift.step < len(places) else None
        pairs.append(_paired("drift", recording, where))
    return tuple(pairs)


def _paired(outcome: str, recording: Trajectory | None, index: int | None) -> StepPair:
    if recording is None or index is None or not 0 <= index < len(recording.steps):
        return StepPair(outcome)
    later = recording.steps[index + 1].observation if index + 1 < len(recording.steps) else recording.final
    return StepPair(outcome, recording.steps[index], later)


def _expected(replay: Trajectory, drift: DriftRecord) -> ObservationEvent:
    """The expected screen, of which the replay keeps a copy."""
    seen = replay.observations()[-1] if replay.observations() else None
    size, scale = (seen.size, seen.device_scale) if seen else (Size(16, 9), 1.0)
    with contextlib.suppress(OSError):
        picture = decode_picture(read_file(contained(replay.directory, f"screenshots/{drift.expected}.png")))
        size = Size(*picture.size)
    return ObservationEvent(
        step=drift.step, screenshot=drift.expected, size=size, device_scale=scale, time=replay.start.time
    )
