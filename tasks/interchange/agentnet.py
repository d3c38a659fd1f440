"""AgentNet's JSONL: one task on each line, its steps with code whose points are fractions of the screenshot.

A step's image is the screen before its action. As in the published data, the last step is a ``terminate`` on
the last screen; if our run has no such step, it is added and marked ``added``.

Paper: OpenCUA (arXiv 2508.09123).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...actions.errors import TrajectoryError
from ...actions.geometry import Size
from ...actions.schema import Action, CallUser, Finished, ends_episode
from ...actions.untrusted import contained
from ...env.private_files import open_private, private_folder, write_private
from ...env.trajectory.events import ActionEvent, EndEvent, ObservationEvent, PredictionEvent, StartEvent
from ...env.trajectory.trajectory import Step, Trajectory
from ...perception.observation import Observation
from . import base
from .base import ExportedRun, ForeignRun, ImportedScreen, LeaveOut, Note, Runs
from .code import PyCode

_FILE = "trajectories.jsonl"
_CODE = PyCode(relative=True, avoid_less_than=False)


@dataclass(frozen=True)
class AgentNet:
    """A folder with one JSONL file for all runs, and the screenshots in ``images/``."""

    name: str = "agentnet"
    suffix: str = "-agentnet"

    def write(self, runs: Runs, target: Path, note: Note, leave_out: LeaveOut) -> Iterator[ExportedRun]:
        """See ``Format.write``."""
        private_folder(target / "images")
        with open_private(target / _FILE, "x", encoding="utf-8") as stream:
            for named in runs:
                with base.leaving_out(leave_out):
                    stream.write(json.dumps(_task(named, target / "images", note)) + "\n")
                    yield named

    def read(self, source: Path, images: Path | None, note: Note, leave_out: LeaveOut) -> Iterator[ForeignRun]:
        """See ``Format.read``."""
        with base.located(str(source)):
            file = contained(source, _FILE) if source.is_dir() else source
        folders = [folder for folder in (images, file.parent / "images", file.parent) if folder]
        for where, line in base.json_lines(file):
            with base.leaving_out(leave_out):
                yield _read(where, base.json_object(where, line), folders, note)


def _task(named: ExportedRun, images: Path, note: Note) -> dict[str, Any]:
    name, run = named
    steps = [_step(name, run, step, images, note) for step in run.steps]
    if run.final is not None:
        ending = [] if run.end is None else [Finished() if _completed(run.end) else CallUser()]
        code = _CODE.write_step(name, run.final, ending, note)
        image = _image(run, run.final, images)
        steps.append({"index": len(steps), "image": image, "value": {"code": code, "added": True}})
    judged = {"task_completed": run.end.success} if run.end is not None and run.end.judged else {}
    known = {"task_id": name, "instruction": run.start.instruction, **judged}
    return {**known, "traj": steps, "saccade": base.provenance(run)}


def _completed(end: EndEvent) -> bool:
    """Whether it was achieved; where nothing judged that, whether it was finished."""
    return end.success if end.judged else end.end == "finished"


def _step(name: str, run: Trajectory, step: Step, images: Path, note: Note) -> dict[str, Any]:
    prediction = step.prediction
    errors = [event.error for event in step.actions if event.error] + [prediction.error if prediction else None]
    value = {
        "code": _CODE.write_step(name, step.observation, [event.action for event in step.actions], note),
        "thought": prediction.thought if prediction else "",
        "response": prediction.raw if prediction else "",
    }
    if error := "; ".join(text for text in errors if text):
        value["error"] = error
    return {"index": step.index, "image": _image(run, step.observation, images), "value": value}


def _image(run: Trajectory, seen: ObservationEvent, images: Path) -> str:
    target = images / f"{seen.screenshot}.png"
    if not target.exists():
        run.screenshot(seen)  # checks the digest
        write_private(target, run.image_bytes(seen))
    return target.name


def _read(where: str, task: dict[str, Any], folders: Sequence[Path], note: Note) -> ForeignRun:
    name = base.field(where, task, "task_id", str)
    instruction = base.field(where, task, "instruction", str)
    traj = base.field(where, task, "traj", list)
    start, end = base.restored(where, base.field(where, task, "saccade", dict, {}))
    if start is None:
        start = base.imported_start("agentnet", instruction, 0.0)
    completed = base.field(where, task, "task_completed", bool) if "task_completed" in task else None
    return ForeignRun(name, start, _events(where, traj, folders, note, start, end, completed))


def _events(
    where: str,
    traj: Sequence[object],
    folders: Sequence[Path],
    note: Note,
    start: StartEvent,
    end: EndEvent | None,
    completed: bool | None,
) -> Iterator[ImportedScreen | PredictionEvent | ActionEvent | EndEvent]:
    """The format has no times: every event gets the time of the start."""
    actions: tuple[Action, ...] = ()
    steps = 0
    for index, step in enumerate(traj):
        place = f"{where}: traj[{index}]"
        if not isinstance(step, dict):
            raise TrajectoryError(f"{place} is not an object")
        if base.field(place, step, "index", int, index) != index:
            raise TrajectoryError(f"{place}: index is {step['index']}; the steps are out of order")
        shown = base.picture(place, folders, base.field(place, step, "image", str))
        yield ImportedScreen(index, Observation(shown, start.time))
        value = base.field(place, step, "value", dict)
        if value.get("added") is True and index == len(traj) - 1:
            break
        steps, (prediction, done) = index + 1, _prediction(place, index, value, shown.size, note, start.time)
        actions = prediction.actions
        yield prediction
        yield from done
    if end is not None:
        yield end
    elif actions and ends_episode(actions[-1]):
        how = "finished" if isinstance(actions[-1], Finished) else "call_user"
        judged = {"judged": completed is not None, "success": bool(completed)}
        yield EndEvent.model_validate({"end": how, **judged, "steps": steps, "time": start.time})


def _prediction(
    where: str, index: int, value: dict[str, Any], size: Size, note: Note, time: float
) -> tuple[PredictionEvent, list[ActionEvent]]:
    code = base.field(where, value, "code", str)
    error = base.field(where, value, "error", str, "") or None
    with base.located(where):
        actions = _CODE.read(code, size, lambda text: note(f"{where}: {text}"))
    prediction = PredictionEvent(
        step=index,
        raw=base.field(where, value, "response", str, code),
        thought=base.field(where, value, "thought", str, ""),
        actions=actions,
        error=None if actions else error,
        time=time,
    )
    done = [ActionEvent(step=index, action=action, time=time) for action in actions]
    if done and error:
        done[-1] = ActionEvent(step=index, action=actions[-1], error=error, time=time)
    return prediction, done
