"""What the page shows, as plain JSON: the recorded events, and how the run went in plain words."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from ...env.trajectory.events import EndEvent, EndReason
from ...env.trajectory.trajectory import Step, Trajectory
from .pairing import Pairing, pairing_data

Tone = Literal["good", "bad", "open"]

_WHY: dict[EndReason, str] = {
    "terminated": "the environment ended the task",
    "truncated": "the environment cut the task off",
    "finished": "the policy said it was done",
    "call_user": "the policy handed over to a person",
    "step_limit": "the step limit was reached",
    "time_limit": "the time limit was reached",
    "stuck": "the same actions again and again, and the screen did not change",
    "unreadable": "several replies in a row could not be read",
    "interrupted": "a person stopped it",
    "error": "something broke",
}


class RunStatus(NamedTuple):
    """How a run ended.

    Attributes:
        tone: ``open`` where there is nothing to judge, as after an interruption.
        word: one word for the badge.
        why: the rest of the sentence.
    """

    tone: Tone
    word: str
    why: str


_DRIFTED = RunStatus("bad", "Drift", "the screen was not as recorded, so nothing further was done")


def outcome(end: EndEvent | None, drifted: bool = False) -> RunStatus:
    """How a run ended, in words; a run without an end was cut off, an exact replay may have drifted."""
    if drifted:
        return _DRIFTED
    if end is None:
        return RunStatus(
            "open", "Cut off", "the recording stops without an end: the run was killed or is going on"
        )
    why = _WHY[end.end]
    if end.success and end.reward is None:
        return RunStatus("good", "Success", f"{why}; the environment did not judge it")
    if end.success:
        return RunStatus("good", "Success", why)
    if end.end == "interrupted":
        return RunStatus("open", "Interrupted", why)
    if end.end == "error":
        return RunStatus("bad", "Error", why)
    return RunStatus("bad", "Failure", why)


def report_data(trajectory: Trajectory, pairing: Pairing | None = None) -> dict[str, Any]:
    """Everything the page needs except the pictures; of a replay, with its recording."""
    return {
        "outcome": outcome(trajectory.end, drifted=bool(pairing and pairing.drift))._asdict(),
        "duration": duration(trajectory),
        "start": trajectory.start.model_dump(mode="json"),
        "settings": trajectory.start.all_settings(),
        "steps": [_step_data(step) for step in trajectory.steps],
        "final": trajectory.final.model_dump(mode="json") if trajectory.final else None,
        "end": trajectory.end.model_dump(mode="json") if trajectory.end else None,
        "replay": pairing_data(pairing, _step_data),
    }


def _step_data(step: Step) -> dict[str, Any]:
    return {
        "index": step.index,
        "observation": step.observation.model_dump(mode="json"),
        "prediction": step.prediction.model_dump(mode="json") if step.prediction else None,
        "actions": [event.model_dump(mode="json") for event in step.actions],
    }


def duration(trajectory: Trajectory) -> float:
    """Seconds from the start to the last thing that was recorded."""
    times = [trajectory.start.time, *(event.time for event in trajectory.observations())]
    for step in trajectory.steps:
        times += [event.time for event in (step.prediction, *step.actions) if event]
    if trajectory.end:
        times.append(trajectory.end.time)
    return max(times) - trajectory.start.time
