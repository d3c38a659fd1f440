"""An environment that judges at the end, with the loop and a real trajectory."""

from __future__ import annotations

from pathlib import Path

import pytest

from saccade.actions.errors import EnvironmentFailure
from saccade.actions.schema import Action, CallUser, Finished, Wait
from saccade.agent.limits import Limits
from saccade.agent.loop import Agent
from saccade.agent.policy import ScriptedPolicy
from saccade.env.base import StepResult, Verdict
from saccade.env.guard.guard import Guard
from saccade.env.memory import demo
from saccade.env.trajectory.events import EndEvent, StartEvent
from saccade.env.trajectory.trajectory import TrajectoryWriter
from saccade.perception.observation import Observation
from saccade.tasks.evaluation.records import episode_error

START = StartEvent(saccade_version="0", instruction="Wait.", environment="memory", policy="scripted", time=0.0)


class Judged:
    """The demo form, judged by what the last action was."""

    def __init__(self, verdict: Verdict | None) -> None:
        self._within = demo(guard=Guard.of("open"))
        self._verdict = verdict
        self.instruction = "Wait."
        self.heard: list[Action | None] = []

    def reset(self, seed: int | None = None) -> Observation:
        return self._within.reset(seed)

    def step(self, action: Action) -> StepResult:
        return self._within.step(action)

    def judge(self, last: Action | None) -> Verdict:
        self.heard.append(last)
        if self._verdict is None:
            raise EnvironmentFailure("the display is gone")
        return self._verdict

    def close(self) -> None:
        self._within.close()


def run(environment: Judged, folder: Path, *replies: str, steps: int = 5) -> EndEvent:
    policy = ScriptedPolicy([f"Action: {reply}" for reply in replies])
    with TrajectoryWriter(folder, START) as writer:
        return Agent(policy, environment, Limits(steps=steps)).run("Wait.", environment.reset(0), writer)


@pytest.mark.parametrize(
    ("replies", "last", "end"),
    [
        (["wait()", "finished(content='so')"], Finished(answer="so"), "finished"),
        (["wait()", "call_user()"], CallUser(), "call_user"),
        (["wait()", "wait()"], Wait(), "step_limit"),
    ],
)
def test_it_is_asked_once_with_the_last_action(tmp_path: Path, replies: list[str], last: Action, end: str) -> None:
    environment = Judged(Verdict(0.5, False))
    ended = run(environment, tmp_path / "run", *replies, steps=2)
    assert environment.heard == [last]
    assert (ended.end, ended.reward, ended.success) == (end, 0.5, False)


def test_its_word_counts_more_than_the_reward(tmp_path: Path) -> None:
    assert run(Judged(Verdict(0.0, True)), tmp_path / "run", "finished()").success is True


def test_what_cannot_be_judged_has_no_result_and_the_environment_is_blamed(tmp_path: Path) -> None:
    ended = run(Judged(None), tmp_path / "run", "wait()", "finished()")
    assert (ended.end, ended.reward, ended.success) == ("error", None, False)
    assert episode_error(tmp_path / "run") == ("environment", "the display is gone")
