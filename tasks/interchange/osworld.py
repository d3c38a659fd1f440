"""OSWorld's result folders: ``traj.jsonl``, a screenshot after each action, ``result.txt``.

The published runner writes one line for each action, the screenshot taken after it, and counts predictions in
``step_num`` from 1. It keeps neither the first screen nor the task: they go to ``step_0_….png`` and
``task.json`` here, which its readers pass over.

Paper: OSWorld (arXiv 2404.07972).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from ...actions.errors import TrajectoryError
from ...actions.geometry import Size
from ...actions.schema import Action, CallUser, Finished, Wait, ends_episode
from ...actions.untrusted import contained
from ...env.private_files import open_private, private_folder, write_private
from ...env.trajectory.events import ActionEvent, EndEvent, EndReason, ObservationEvent, PredictionEvent
from ...env.trajectory.trajectory import Step
from ...perception.observation import Observation, Screenshot
from . import base
from .base import ExportedRun, ForeignRun, ImportedScreen, LeaveOut, Note, Runs
from .code import PyCode

_FILE = "traj.jsonl"
_TIME = "%Y%m%d@%H%M%S%f"
_CODE = PyCode(relative=False, avoid_less_than=True)


@dataclass(frozen=True)
class OsWorld:
    """A folder for each run; several runs become folders inside one."""

    name: str = "osworld"
    suffix: str = "-osworld"

    def write(self, runs: Runs, target: Path, note: Note, leave_out: LeaveOut) -> Iterator[ExportedRun]:
        """See ``Format.write``."""
        for named in runs:
            folder = target if len(runs) == 1 else target / named.name
            with base.leaving_out(leave_out):
                try:
                    _Writer(named, folder, note).write()
                except BaseException:
                    shutil.rmtree(folder, ignore_errors=True)
                    raise
                yield named

    def read(self, source: Path, images: Path | None, note: Note, leave_out: LeaveOut) -> Iterator[ForeignRun]:
        """See ``Format.read``."""
        if source.is_dir() and not (source / _FILE).is_file():
            files = sorted(source.rglob(_FILE))
        else:
            files = [source / _FILE if source.is_dir() else source]
        if not files:
            raise TrajectoryError(f"{source} holds no {_FILE}")
        for file in files:
            with base.leaving_out(leave_out):
                yield _read(file, images, note)


class _Writer:
    """Writes one run."""

    def __init__(self, named: ExportedRun, folder: Path, note: Note) -> None:
        self._name, self._run = named
        self._folder = folder
        self._note = note

    def write(self) -> None:
        run, steps = self._run, self._run.steps
        private_folder(self._folder, exist_ok=False)
        screens = [*(step.observation for step in steps), run.final]
        if screens[0] is not None:
            self._picture(0, screens[0])
        with open_private(self._folder / _FILE, "x", encoding="utf-8") as stream:
            for step, after in zip(steps, screens[1:], strict=True):
                for line in self._lines(step, after):
                    stream.write(json.dumps(line) + "\n")
        if run.end is not None and run.end.judged:
            result = run.end.reward if run.end.reward is not None else float(run.end.success)
            write_private(self._folder / "result.txt", f"{result}\n")
        task = {"id": self._name, "instruction": run.start.instruction, "saccade": base.provenance(run)}
        write_private(self._folder / "task.json", json.dumps(task, indent=2) + "\n")

    def _lines(self, step: Step, after: ObservationEvent | None) -> Iterator[dict[str, Any]]:
        """The lines of one prediction: its code, and DONE or FAIL on lines of their own."""
        groups: list[list[ActionEvent]] = [[]]
        for event in step.actions:
            alone = ends_episode(event.action)
            if groups[-1] and (alone or ends_episode(groups[-1][-1].action)):
                groups.append([])
            groups[-1].append(event)
        if after is None and all(ends_episode(event.action) for event in step.actions):
            after = step.observation  # nothing was done to the screen
        shown = None if after is None else self._picture(step.index + 1, after)
        for group in groups:
            yield self._line(step, group, shown)

    def _line(self, step: Step, group: Sequence[ActionEvent], shown: str | None) -> dict[str, Any]:
        actions = [event.action for event in group]
        said = step.prediction
        answers = [getattr(action, "answer", getattr(action, "message", "")) for action in actions]
        errors = [event.error for event in group] if group else [said.error if said else None]
        info = {"thought": said.thought if said else "", "answer": "".join(map(str, answers))}
        info["error"] = "; ".join(error for error in errors if error)
        when = group[0].time if group else said.time if said else step.observation.time
        return {
            "step_num": step.index + 1,
            "action_timestamp": _stamp(when),
            "action": self._action(step, actions),
            "response": said.raw if said else "",
            "reward": sum(event.reward for event in group),
            "done": any(event.terminated or event.truncated for event in group) or any(map(ends_episode, actions)),
            "info": {name: text for name, text in info.items() if text},
            "screenshot_file": shown,
        }

    def _action(self, step: Step, actions: Sequence[Action]) -> str:
        match actions:
            case [Finished()]:
                return "DONE"
            case [CallUser()]:
                return "FAIL"
            case [Wait()] if actions[0] == Wait():
                return "WAIT"
        return _CODE.write_step(self._name, step.observation, actions, self._note)

    def _picture(self, number: int, seen: ObservationEvent) -> str:
        self._run.screenshot(seen)  # checks the digest
        name = f"step_{number}_{_stamp(seen.time)}.png"
        write_private(self._folder / name, self._run.image_bytes(seen))
        return name


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(_TIME)


def _seconds(where: str, stamp: str) -> float:
    try:
        return datetime.strptime(stamp, _TIME).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise TrajectoryError(f"{where}: action_timestamp is not YYYYMMDD@hhmmssffffff: {stamp!r}") from None


Line = tuple[str, dict[str, Any]]


def _read(file: Path, images: Path | None, note: Note) -> ForeignRun:
    with base.located(str(file)):
        contained(file.parent, file.name)
    lines = [(where, base.json_object(where, line)) for where, line in base.json_lines(file)]
    if not lines:
        raise TrajectoryError(f"{file}:1: holds no step")
    task = file.with_name("task.json")
    text = base.sibling(file, task.name)
    known = {} if text is None else base.json_object(str(task), text)
    start, end = base.restored(str(task), base.field(str(task), known, "saccade", dict, {}))
    where, first = lines[0]
    if start is None:
        instruction = base.field(str(task), known, "instruction", str, "")
        if not instruction:
            note(f"{file.parent}: no instruction is known; put the task's JSON there as task.json")
        time = _seconds(where, base.field(where, first, "action_timestamp", str))
        start = base.imported_start("osworld", instruction, time)
    folders = [folder for folder in (file.parent, images) if folder]
    return ForeignRun(file.parent.name, start, _Reader(file, folders, note).events(lines, end))


class _Reader:
    """Reads one run."""

    def __init__(self, file: Path, folders: Sequence[Path], note: Note) -> None:
        self._file, self._folders, self._note = file, folders, note

    def events(
        self, lines: Sequence[Line], end: EndEvent | None
    ) -> Iterator[ImportedScreen | PredictionEvent | ActionEvent | EndEvent]:
        seen, when = self._first(lines)
        last = 0
        done: list[ActionEvent] = []
        for index, (number, group) in enumerate(groupby(lines, key=_step_of)):
            same = list(group)
            if number <= last:
                raise TrajectoryError(f"{same[0][0]}: step_num {number} comes after {last}")
            last = number
            if seen is None:
                raise TrajectoryError(f"{same[0][0]}: no screenshot of what this step started from")
            yield ImportedScreen(index, Observation(seen, when))
            said, done = self._step(index, same, seen.size)
            yield said
            yield from done
            before, when = seen, done[-1].time if done else said.time
            seen = self._after(same[-1])
        still = all(ends_episode(event.action) for event in done)
        if seen is not None and not (still and seen.digest == before.digest):
            yield ImportedScreen(index + 1, Observation(seen, when))
        ending = end or self._end(index + 1, done, when)
        if ending is not None:
            yield ending

    def _first(self, lines: Sequence[Line]) -> tuple[Screenshot | None, float]:
        """The screen before the first action; OSWorld's own results have none."""
        where, line = lines[0]
        when = _seconds(where, base.field(where, line, "action_timestamp", str))
        kept = sorted(self._file.parent.glob("step_0_*.png"))
        if kept:
            stamp = kept[0].stem.removeprefix("step_0_")
            return base.picture(str(self._file.parent), self._folders, kept[0].name), _seconds(str(kept[0]), stamp)
        after = self._after(lines[0])
        if after is None:
            return None, when
        self._note(f"{self._file}: the screen before the first action was not kept; step 1 shows a grey one")
        return Screenshot(np.full_like(after.pixels, 128)), when

    def _after(self, line: Line) -> Screenshot | None:
        where, values = line
        name = values.get("screenshot_file")
        if name is None:
            return None
        return base.picture(where, self._folders, base.field(where, values, "screenshot_file", str))

    def _step(self, index: int, lines: Sequence[Line], size: Size) -> tuple[PredictionEvent, list[ActionEvent]]:
        done = [event for line in lines for event in self._done(index, line, size)]
        where, first = lines[0]
        info = base.field(where, first, "info", dict, {})
        error = base.field(where, info, "error", str, "") or None
        response = first.get("response")
        return PredictionEvent(
            step=index,
            raw=response if isinstance(response, str) else json.dumps(response),
            thought=base.field(where, info, "thought", str, ""),
            actions=tuple(event.action for event in done),
            error=None if done else error,
            time=_seconds(where, base.field(where, first, "action_timestamp", str)),
        ), done

    def _done(self, index: int, line: Line, size: Size) -> list[ActionEvent]:
        """The actions of one line; its error, reward and end belong to the last one."""
        where, values = line
        info = base.field(where, values, "info", dict, {})
        answer = base.field(where, info, "answer", str, "")
        action = values.get("action")
        action = action.get("action_type") if isinstance(action, dict) else action
        words = {"DONE": Finished(answer=answer), "FAIL": CallUser(message=answer), "WAIT": Wait()}
        if not isinstance(action, str):
            raise TrajectoryError(f"{where}: action is neither code nor one of {', '.join(words)}")
        with base.located(where):
            word = words.get(action)
            actions = (word,) if word else _CODE.read(action, size, lambda text: self._note(f"{where}: {text}"))
            time = _seconds(where, base.field(where, values, "action_timestamp", str))
            events = [ActionEvent(step=index, action=made, time=time) for made in actions]
            if events:
                ended = values.get("done") is True and not ends_episode(events[-1].action)
                error = base.field(where, info, "error", str, "") or None
                outcome = {"reward": values.get("reward") or 0.0, "terminated": ended, "error": error}
                events[-1] = ActionEvent(step=index, action=actions[-1], time=time, **outcome)
        return events

    def _end(self, steps: int, done: Sequence[ActionEvent], when: float) -> EndEvent | None:
        """How it ended, from ``result.txt``; None if there is no result."""
        file = self._file.with_name("result.txt")
        text = base.sibling(self._file, file.name)
        if text is None:
            return None
        with base.located(f"{file}:1"):
            try:
                reward = float(text.decode())
            except ValueError:
                raise TrajectoryError(f"{file}:1: not a number") from None
            return EndEvent(end=_reason(done), success=reward > 0, reward=reward, steps=steps, time=when)


def _reason(done: Sequence[ActionEvent]) -> EndReason:
    match done:
        case [*_, ActionEvent(action=Finished())]:
            return "finished"
        case [*_, ActionEvent(action=CallUser())]:
            return "call_user"
        case [*_, ActionEvent(terminated=True)]:
            return "terminated"
    return "step_limit"


def _step_of(line: Line) -> int:
    number: int = base.field(line[0], line[1], "step_num", int)
    return number
