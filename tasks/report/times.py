"""Where the time of a run went: of each step, by phases that add up to the step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ...env.trajectory.trajectory import Step, Trajectory

AHEAD = "ahead"
"""Encoding and prefill that were over before the model was asked: they took no time of their own."""
OTHER = "other"


@dataclass(frozen=True)
class StepTime:
    """The time of a step, from the end of the one before.

    Attributes:
        seconds: all of it.
        phases: seconds of each phase; they add up to ``seconds``, where what no phase accounts for is ``other``.
        ahead: seconds of work that was done during an earlier step's phases.
    """

    seconds: float
    phases: dict[str, float] = field(default_factory=dict)
    ahead: float = 0.0


def duration(trajectory: Trajectory) -> float:
    """Seconds from the start of a run to its last event: what is called its time everywhere."""
    return _ends(trajectory)[-1] - trajectory.start.time


def step_times(trajectory: Trajectory) -> list[StepTime]:
    """The time of each step, and last that after them: of judging, and of ending."""
    rests = [until - begun for begun, until in pairwise(_ends(trajectory))]
    phases = [*map(_phases, trajectory.steps), {}]
    return [_filled(seconds, found) for seconds, found in zip(rests, phases, strict=True)]


def total(times: Sequence[StepTime]) -> StepTime:
    """The sum of some times."""
    phases: dict[str, float] = {}
    for each in times:
        for phase, seconds in each.phases.items():
            phases[phase] = phases.get(phase, 0.0) + seconds
    return StepTime(sum(each.seconds for each in times), phases, sum(each.ahead for each in times))


def seconds_in_words(seconds: float) -> str:
    """``0.0123`` as ``12 ms``, ``4.56`` as ``4.56 s``, ``75`` as ``1 min 15 s``; as in the report."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.{1 if seconds < 0.01 else 0}f} ms"
    if seconds < 99.95:
        return f"{seconds:.{2 if seconds < 9.995 else 1}f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _ends(trajectory: Trajectory) -> list[float]:
    """When it began, when each step ended, and when it ended; never backwards."""
    steps = trajectory.steps
    following = [*(step.observation for step in steps[1:]), trajectory.final] if steps else []
    ends = [trajectory.start.time]
    for step, after in zip(steps, following, strict=True):
        events = (step.observation, step.prediction, *step.actions, after)
        ends.append(max(ends[-1], *(event.time for event in events if event)))
    last = [each.time for each in (trajectory.final, trajectory.end) if each]
    return [*ends, max([ends[-1], *last])]


def _phases(step: Step) -> dict[str, float]:
    """What is recorded of a step; its first screen belongs to the step before."""
    said = step.prediction
    parts = [dict(said.usage.timings) if said else {}, *(event.timings for event in step.actions)]
    if said and not set(parts[0]) - {AHEAD} and said.seconds:
        parts.append({"predict": said.seconds})
    phases: dict[str, float] = {}
    for phase, seconds in (item for part in parts for item in part.items()):
        phases[phase] = phases.get(phase, 0.0) + seconds
    return phases


def _filled(seconds: float, phases: dict[str, float]) -> StepTime:
    ahead = phases.pop(AHEAD, 0.0)
    rest = seconds - sum(phases.values())
    if rest > 0:
        phases[OTHER] = phases.get(OTHER, 0.0) + rest
    return StepTime(seconds if rest > 0 else seconds - rest, phases, ahead)
