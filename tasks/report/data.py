"""The data of the page as JSON: the recorded events, and in plain words how the run ended."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel

from ...env.trajectory.events import EndEvent, EndReason
from ...env.trajectory.trajectory import Step, Trajectory
from .pairing import Pairing
from .times import duration, step_times, total

Tone = Literal["good", "bad", "open", "claim"]

_WHY: dict[EndReason, str] = {
    "terminated": "the environment ended the task",
    "truncated": "the environment stopped the task at its limit",
    "finished": "the policy said it was done",
    "call_user": "the policy handed over to a person",
    "step_limit": "the step limit was reached",
    "time_limit": "the time limit was reached",
    "stuck": "the policy repeated the same actions and the screen did not change",
    "unreadable": "several replies in a row could not be parsed",
    "interrupted": "a person stopped it",
    "error": "an error ended the run",
}


class RunStatus(NamedTuple):
    """How a run ended.

    Attributes:
        tone: ``open`` where it was broken off; ``claim`` where nothing judged it.
        word: the text of the badge.
        why: the reason.
    """

    tone: Tone
    word: str
    why: str


_DRIFTED = RunStatus("bad", "Drift", "the screen was not as recorded, so the replay stopped")
_RECORDED = RunStatus("claim", "Recorded", "a person did this")
_CLAIMED = RunStatus("claim", "Finished (claimed)", "the policy said it was done; nothing judged that")
_REPEATED = RunStatus("good", "As recorded", "every screen was as recorded")


def outcome(end: EndEvent | None, *, policy: str = "", mode: str = "", drifted: bool = False) -> RunStatus:
    """How a run ended.

    Args:
        end: None for a run that was cut off.
        policy: its name; ``person`` for a recording.
        mode: of a replay: ``verify`` or ``exact``, which compares every screen.
        drifted: whether an exact replay met another screen than the recorded one.
    """
    if drifted:
        return _DRIFTED
    if end is None:
        return RunStatus("open", "Cut off", "the run was killed or is still running")
    why = "; ".join(filter(None, (_WHY[end.end], end.verdict)))
    if end.success:
        return RunStatus("good", "Success", why)
    if end.end == "interrupted":
        return RunStatus("open", "Interrupted", why)
    if end.end == "finished" and not end.judged:
        return _RECORDED if policy == "person" else _REPEATED if mode == "exact" else _CLAIMED
    return RunStatus("bad", "Error" if end.end == "error" else "Failure", why)


def outcome_of(trajectory: Trajectory, drifted: bool = False) -> RunStatus:
    """How a trajectory's run ended."""
    start = trajectory.start
    return outcome(trajectory.end, policy=start.policy, mode=start.replay_mode or "", drifted=drifted)


def report_data(trajectory: Trajectory, pairing: Pairing | None = None) -> dict[str, Any]:
    """Everything that the page needs except the screenshots; for a replay, its recording too."""
    times = step_times(trajectory)
    return {
        "outcome": outcome_of(trajectory, drifted=bool(pairing and pairing.drift))._asdict(),
        "duration": duration(trajectory),
        "times": [asdict(time) for time in times],
        "total": asdict(total(times)),
        "start": trajectory.start.model_dump(mode="json"),
        "settings": trajectory.start.all_settings(),
        "steps": [_step_data(step) for step in trajectory.steps],
        "final": _event_data(trajectory.final),
        "end": _event_data(trajectory.end),
        "replay": _pairing_data(pairing) if pairing else None,
    }


def _step_data(step: Step) -> dict[str, Any]:
    return {
        "index": step.index,
        "observation": _event_data(step.observation),
        "prediction": _event_data(step.prediction),
        "actions": [_event_data(event) for event in step.actions],
    }


def _event_data(event: BaseModel | None) -> dict[str, Any] | None:
    return event.model_dump(mode="json") if event else None


def _pairing_data(pairing: Pairing) -> dict[str, Any]:
    return {
        "mode": pairing.mode,
        "name": pairing.name,
        "note": pairing.note,
        "pairs": [
            {
                "outcome": pair.outcome,
                "tolerance": pair.tolerance,
                "recorded": _step_data(pair.recorded) if pair.recorded else None,
                "after": _event_data(pair.after),
            }
            for pair in pairing.pairs
        ],
        "drift": _event_data(pairing.drift),
        "expected": _event_data(pairing.expected),
        "final": _event_data(pairing.recording.final if pairing.recording else None),
    }
