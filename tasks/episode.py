"""One episode from its first screen to its report; every command that runs a policy calls this."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .. import __version__
from ..actions.errors import UsageError
from ..agent.limits import Limits
from ..agent.loop import Agent
from ..agent.policy import Policy, settings_of
from ..env.base import Environment
from ..env.control import Control
from ..env.expect import Expectation, Expecting
from ..env.guard.guard import guard_of
from ..env.secrets import Secrets
from ..env.trajectory.events import EndEvent, EnvironmentSettings, PolicySettings, StartEvent
from ..env.trajectory.trajectory import FILE_NAME, Listener, Trajectory, TrajectoryWriter
from .report import write_report
from .report.times import duration


@dataclass(frozen=True)
class RunResult:
    """The end, the recorded trajectory, and the HTML report of a run, if one was written."""

    end: EndEvent
    trajectory: Trajectory
    report: Path | None

    @property
    def seconds(self) -> float:
        """The wall time of the episode, from its first screen to its end."""
        return duration(self.trajectory)

    @property
    def judged(self) -> bool:
        """Whether the environment or an expectation judged it; a policy's "finished" is only a claim."""
        return self.end.judged

    @property
    def success(self) -> bool:
        """Whether the task was achieved, as judged; never true where nothing judged."""
        return self.end.success

    @property
    def answer(self) -> str | None:
        """What the policy said when it finished; None when it did not."""
        return self.end.message if self.end.end == "finished" else None

    @property
    def steps(self) -> int:
        """How often the policy was asked."""
        return self.end.steps

    def as_json(self) -> str:
        """One line for scripts."""
        return json.dumps(
            {
                "success": self.success,
                "judged": self.judged,
                "verdict": self.end.verdict,
                "reward": self.end.reward,
                "steps": self.steps,
                "end": self.end.end,
                "message": self.end.message,
                "instruction": self.trajectory.start.instruction,
                "seconds": round(self.seconds, 3),
                "trajectory": str(self.trajectory.directory / FILE_NAME),
                "report": str(self.report) if self.report else None,
            },
            ensure_ascii=False,
        )

    @property
    def exit_status(self) -> int:
        """0 achieved, or finished where nothing judges; 1 not achieved; 2 something broke; 130 stopped by a person."""
        return exit_status(self.end)


def exit_status(end: EndEvent) -> int:
    """The exit status of a command whose episode ended so."""
    special = {"error": 2, "interrupted": 130}
    achieved = end.success if end.judged else end.end == "finished"
    return special.get(end.end, 0 if achieved else 1)


class Replayed(NamedTuple):
    """Which recording an episode repeats, and how: ``verify`` or ``exact``; a replay is ``own`` as its recording is."""

    recording: str
    mode: str
    own: bool = True


def run_episode(
    policy: Policy,
    environment: Environment,
    task: str | None,
    folder: Path,
    *,
    name: str = "custom",
    seed: int | None = None,
    limits: Limits | None = None,
    control: Control | None = None,
    listeners: Iterable[Listener] = (),
    policy_settings: PolicySettings | None = None,
    environment_settings: EnvironmentSettings | None = None,
    variables: Mapping[str, str] | None = None,
    secrets: Secrets | None = None,
    expect: Sequence[Expectation] = (),
    replayed: Replayed | None = None,
    own_task_first: bool = False,
    anchor: Path | None = None,
    report: bool = True,
) -> RunResult:
    """Reset the environment, let the policy work on the task, and record all of it in ``folder``.

    The environment stays open: who made it closes it.

    Args:
        policy: decides.
        environment: where it acts.
        task: the instruction; None takes the one that the environment sets.
        folder: for the trajectory and the report; must not hold a trajectory.
        name: of the environment in the records, as ``make_environment`` takes it.
        seed: given to ``environment.reset``.
        limits: when to stop.
        control: lets a person pause and stop; the environment has the same one. With one, Ctrl-C, SIGTERM and SIGHUP
            stop the run through it; without, they raise what they raise in your program.
        listeners: called with each event after it is written.
        policy_settings: by default those that the policy states.
        environment_settings: enough to make the environment again; the screen's size is added.
        variables: values that were put into the task, by name.
        secrets: typed where an action names them, and written nowhere; an environment that draws text must have them,
            too, to hide it in its pictures.
        expect: what must hold at the end; the policy does not see it.
        replayed: the recording that this repeats.
        own_task_first: take the task that the environment sets, where it sets one, instead of ``task``.
        anchor: a file elsewhere, to which hashes of the run's audit are appended.
        report: whether to write ``report.html``.

    Raises:
        UsageError: there is no task; or the environment cannot tell what is expected.
        EnvironmentFailure: the environment cannot be started.
        TrajectoryError: the folder cannot be written.
        Stopped: a person stopped it before it began.
    """
    limits = limits or Limits()
    if expect:
        environment = Expecting(environment, expect, name)
    first = environment.reset(seed)
    if control is not None:
        control.check()
    own = environment.instruction if task is None or own_task_first else None
    instruction = task if own is None else own
    if instruction is None:
        raise UsageError(f"{name} sets no task of its own; say what to do")
    screen = (environment_settings or EnvironmentSettings()).model_copy(update={"screen": first.screenshot.size})
    start = StartEvent(
        saccade_version=__version__,
        instruction=instruction,
        environment=name,
        environment_settings=screen,
        policy=policy.name,
        policy_settings=settings_of(policy) if policy_settings is None else policy_settings,
        seed=seed,
        max_steps=limits.steps,
        max_seconds=limits.seconds if math.isfinite(limits.seconds) else None,
        variables=dict(variables or {}),
        expect=tuple(map(str, expect)),
        replay_of=replayed.recording if replayed else None,
        replay_mode=replayed.mode if replayed else None,
        time=time.time(),
    )
    signals = nullcontext() if control is None else control.stop_signals()
    mine = replayed is None or replayed.own
    conceal = secrets.conceal if secrets else None
    writer = TrajectoryWriter(folder, start, listeners, own=mine, conceal=conceal, anchor=anchor)
    with signals, writer as trajectory, _audited(environment, trajectory):
        end = Agent(policy, environment, limits, control=control, secrets=secrets).run(instruction, first, trajectory)
    recorded = Trajectory.load(folder)
    page = write_report(recorded) if report else None
    return RunResult(end, recorded, page)


@contextmanager
def _audited(environment: Environment, trajectory: TrajectoryWriter) -> Iterator[None]:
    """What the environment's guard decides is written to the run's audit meanwhile."""
    guard = guard_of(environment)
    if guard is None:
        yield
        return
    trajectory.audit.append("guard", guard.policy.model_dump(mode="json"))
    guard.log = trajectory.audit.append
    try:
        yield
    finally:
        guard.log = None
