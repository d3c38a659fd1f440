"""A suite in memory whose tasks break in every way that an evaluation has to survive, and a policy for it.

Importable by worker processes: they get the search path of the tests.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saccade.actions.errors import EnvironmentFailure, UnknownTaskError, UsageError
from saccade.actions.schema import Action
from saccade.agent.policy import Context, Prediction, ScriptedPolicy
from saccade.env.base import Environment, StepResult
from saccade.env.control import Control
from saccade.env.guard.guard import Guard
from saccade.env.memory import demo
from saccade.perception.observation import Observation
from saccade.tasks.evaluation.console import EvalProgress
from saccade.tasks.evaluation.evaluate import Evaluation, evaluate
from saccade.tasks.evaluation.folder import read_evaluation
from saccade.tasks.evaluation.summary import Summary, summarise
from saccade.tasks.suites.interactive import EnvironmentProvider

TASKS = (
    "form",
    "form-2",
    "crash-once",
    "crash",
    "broken-once",
    "broken",
    "no-start",
    "hang",
    "lost",
    "confusing",
    "slow",
)
SOLVES = (
    "Thought: a\nAction: click(start_box='(250,250)')",
    "Thought: b\nAction: type(content='Ada')",
    "Thought: c\nAction: click(start_box='(250,708)')",
    "Action: finished()",
)


@dataclass(frozen=True)
class MadeSuite:
    """Forms in memory; the buttons lie where the seed says, so that equal clicks solve some and not others.

    Attributes:
        marks: an empty folder, where it is noted what broke once already.
        version: of the suite, as its place tells it.
    """

    marks: Path
    version: str = "1"
    name: str = "made"

    def tasks(self, subset: str | None = None) -> Sequence[str]:
        return TASKS

    def check(self, tasks: Sequence[str]) -> None:
        for task in tasks:
            if task not in TASKS:
                raise UnknownTaskError(f"made has no task {task!r}")

    def open(self, control: Control, guard: Guard) -> EnvironmentProvider:
        if self.version == "missing":
            raise UsageError("the made suite is missing; make it")
        if self.version == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        return MadePlace(self.marks, self.version)


class MadePlace:
    def __init__(self, marks: Path, version: str) -> None:
        self._marks = marks
        self.settings: dict[str, Any] = {"made": version}

    def environment(self, task: str) -> Environment:
        return Breaking(task, self._marks)

    def alive(self) -> bool:
        return not (self._marks / "lost").exists()

    def close(self) -> None:
        (self._marks / f"closed-{os.getpid()}").touch()


class Breaking:
    """The demo form, which breaks at its second step as its task's name says."""

    def __init__(self, task: str, marks: Path) -> None:
        self._within = demo(shuffle=True, guard=Guard.of("open"))
        self._task, self._marks, self._steps = task, marks, 0
        self._mark = marks / "unset"

    @property
    def instruction(self) -> str:
        return f"{self._task}: {self._within.instruction}"

    def reset(self, seed: int | None = None) -> Observation:
        self._mark = self._marks / f"{self._task}-{seed}"
        if self._task == "no-start":
            raise EnvironmentFailure("it does not start; make a new one")
        return self._within.reset(seed)

    def step(self, action: Action) -> StepResult:
        self._steps += 1
        if self._steps == 2:
            self._break()
        return self._within.step(action)

    def close(self) -> None:
        self._within.close()

    def _break(self) -> None:
        kind, _, once = self._task.partition("-")
        if once == "once":
            if self._mark.exists():
                return
            self._mark.touch()
        if kind == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        elif kind == "broken":
            raise EnvironmentFailure("it broke; reset it")
        elif kind == "lost":
            (self._marks / "lost").touch()
            threading.Event().wait(600)
        elif kind == "hang":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
            threading.Event().wait(600)
        elif kind == "slow":
            threading.Event().wait(0.3)


class MadePolicy(ScriptedPolicy):
    name = "made"

    def predict(self, context: Context) -> Prediction:
        if context.instruction.startswith("confusing"):
            raise RuntimeError("no idea")
        return super().predict(context)


@dataclass(frozen=True)
class MadeSource:
    """Solves a form whose buttons lie as they do without a seed."""

    asked = {"model": "made"}  # noqa: RUF012

    def open(self) -> MadePolicy:
        return MadePolicy(SOLVES)


class Told:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.begun: tuple[int, int] = (0, 0)
        self.records: list[Any] = []
        self.failures: list[tuple[str, int, str, bool]] = []
        self.faults: list[str] = []

    def begin(self, total: int, records: Sequence[Any]) -> None:
        self.begun = (total, len(records))

    def finished(self, record: Any) -> None:
        self.records.append(record)

    def failed(self, failure: Any, again: bool) -> None:
        self.failures.append((failure.key.task, failure.key.seed, failure.error, again))

    def left_out(self, reason: str) -> None:
        self.faults.append(reason)

    def tick(self, running: Any) -> None:
        pass


def made_evaluation(folder: Path, *tasks: str, seeds: Sequence[int] = range(3), **changes: Any) -> Evaluation:
    """An evaluation of the made suite in a folder's ``eval``."""
    marks = folder / "marks"
    marks.mkdir(parents=True, exist_ok=True)
    suite = MadeSuite(marks, changes.pop("version", "1"))
    return Evaluation(folder / "eval", suite, MadeSource(), tasks or ("form",), seeds, **changes)


def table(root: Path) -> dict[str, Any]:
    """What must be the same however often it was interrupted: all but time and what drafts saved."""
    config, records = read_evaluation(root)
    summary: Summary = summarise(config, records)
    costs = {"attempts", "timings", "seconds", "forwards", "accepted_tokens"}
    episodes = [record.model_dump(exclude=costs) for record in records]
    return summary.model_dump(exclude={"latency", "per_step"}) | {"records": episodes}


def main(folder: str, *tasks: str) -> None:
    """A runner to be killed: two workers, resuming what is there."""
    evaluation = made_evaluation(Path(folder), *tasks, seeds=range(6), workers=2)
    with EvalProgress() as progress:
        evaluate(evaluation, progress, resume=True)
