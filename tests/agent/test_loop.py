"""The loop, with a real trajectory on disk and an environment in memory."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from saccade.actions.errors import EnvironmentFailure, ParseError, TrajectoryError
from saccade.agent.limits import Limits
from saccade.agent.loop import Agent
from saccade.agent.policy import Context, Policy, Prediction, ScriptedPolicy
from saccade.env.memory import MemoryEnvironment, demo
from saccade.env.trajectory.events import EndEvent, PredictionEvent, StartEvent
from saccade.env.trajectory.trajectory import Trajectory, TrajectoryWriter

START = StartEvent(
    saccade_version="0", instruction="Save the name Ada.", environment="memory", policy="scripted", time=0.0
)


def click(env: MemoryEnvironment, label: str) -> str:
    """A reply that clicks the middle of a button, in relative coordinates of the 320 x 240 screen."""
    middle = env.button(label).box.middle
    x, y = round(middle.x / 320 * 1000), round(middle.y / 240 * 1000)
    return f"Thought: {label}.\nAction: click(start_box='({x},{y})')"


@pytest.fixture
def env() -> Iterator[MemoryEnvironment]:
    environment = demo()
    yield environment
    environment.close()


@pytest.fixture
def run(env: MemoryEnvironment, tmp_path: Path) -> Callable[..., tuple[EndEvent, Trajectory]]:
    def start(policy: Policy | list[str], **limits: float) -> tuple[EndEvent, Trajectory]:
        policy = ScriptedPolicy(policy) if isinstance(policy, list) else policy
        first = env.reset(0)
        with TrajectoryWriter(tmp_path / "run", START) as writer:
            end = Agent(policy, env, Limits(**limits)).run("Save the name Ada.", first, writer)
        return end, Trajectory.load(tmp_path / "run")

    return start


def the_way(env: MemoryEnvironment) -> list[str]:
    env.reset(0)
    begin = click(env, "Start")
    env.screen = "form"
    return [begin, "Action: type(content='Ada')", click(env, "Save")]


def test_a_task_done_is_recorded_look_by_look(env: MemoryEnvironment, run) -> None:
    end, trajectory = run(the_way(env))
    assert (end.end, end.success, end.reward, end.steps) == ("terminated", True, 1.0, 3)
    assert trajectory.end == end
    assert [step.prediction.thought for step in trajectory.steps] == ["Start.", "", "Save."]
    assert [step.actions[0].action.kind for step in trajectory.steps] == ["click", "type", "click"]
    trajectory.check()
    screens = {observation.screenshot for observation in trajectory.observations()}
    assert len(screens) == 4, "start, empty form, filled form, saved"


def test_what_the_policy_says_is_not_what_the_environment_judges(run) -> None:
    end, _ = run(["Action: finished(content='done')"])
    assert (end.end, end.success, end.reward, end.message) == ("finished", False, 0.0, "done")


def test_call_user_hands_over(run) -> None:
    end, trajectory = run(["Action: call_user()"])
    assert (end.end, end.success) == ("call_user", False)
    assert trajectory.steps[0].actions[0].action.kind == "call_user"


def test_nothing_is_executed_after_the_episode_was_given_up(run) -> None:
    _, trajectory = run(["Action: finished()\n\nclick(start_box='(100,100)')"])
    assert [event.action.kind for event in trajectory.steps[0].actions] == ["finished"]


def test_limits_end_the_episode(run) -> None:
    replies = [f"Action: click(start_box='({x},990)')" for x in range(1, 20)]
    end, trajectory = run(replies, steps=4)
    assert (end.end, end.steps, len(trajectory.steps)) == ("step_limit", 4, 4)


def test_actions_without_effect_end_the_episode(run) -> None:
    end, _ = run(["Action: click(start_box='(5,990)')"] * 9, repeats=3)
    assert (end.end, end.steps) == ("stuck", 3)


class Asking(ScriptedPolicy):
    """Remembers what it was told."""

    def __init__(self, replies: list[str]) -> None:
        super().__init__(replies)
        self.seen: list[Context] = []

    def predict(self, context: Context) -> Prediction:
        self.seen.append(context)
        return super().predict(context)


def test_an_unreadable_reply_is_told_and_asked_again(env: MemoryEnvironment, run) -> None:
    policy = Asking(["Thought: hm", *the_way(env)])
    end, trajectory = run(policy)
    assert end.success
    assert trajectory.steps[0].prediction.error
    assert trajectory.steps[0].actions == ()
    assert policy.seen[1].turns[0].reply == "Thought: hm"
    assert "could not be read" in (policy.seen[1].turns[0].feedback or "")


def test_unreadable_replies_in_a_row_end_the_episode_without_a_click(run) -> None:
    end, trajectory = run(["Action: click(start_box='[]')"] * 5, unreadable=3)
    assert (end.end, end.steps) == ("unreadable", 3)
    assert all(step.actions == () for step in trajectory.steps)


def test_an_action_without_effect_is_told(env: MemoryEnvironment, run) -> None:
    policy = Asking(["Action: press_home()", *the_way(env)])
    end, trajectory = run(policy)
    assert end.success
    assert trajectory.steps[0].actions[0].error
    assert policy.seen[1].turns[0].feedback == trajectory.steps[0].actions[0].error


class Failing(ScriptedPolicy):
    """Raises what it was given."""

    def __init__(self, error: BaseException) -> None:
        super().__init__([])
        self.error = error

    def predict(self, context: Context) -> Prediction:
        raise self.error


@pytest.mark.parametrize(
    ("error", "end"), [(KeyboardInterrupt(), "interrupted"), (EnvironmentFailure("gone"), "error")]
)
def test_interruptions_are_recorded(run, error: BaseException, end: str) -> None:
    event, trajectory = run(Failing(error))
    assert event.end == end
    assert event.success is False
    assert trajectory.steps == []
    assert trajectory.final is not None


def test_an_unknown_error_is_recorded_and_raised_again(run, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        run(Failing(ZeroDivisionError("by zero")))
    end = Trajectory.load(tmp_path / "run").end
    assert end is not None
    assert (end.end, end.message) == ("error", "ZeroDivisionError: by zero")


def test_nothing_goes_on_unrecorded(env: MemoryEnvironment, tmp_path: Path) -> None:
    first = env.reset(0)
    writer = TrajectoryWriter(tmp_path / "run", START)
    replies = the_way(env)
    env.reset(0)

    def full(event: object) -> None:
        if isinstance(event, PredictionEvent):
            raise TrajectoryError("disk full")

    listening = TrajectoryWriter(tmp_path / "other", START, [full])
    with pytest.raises(TrajectoryError), listening:
        Agent(ScriptedPolicy(replies), env).run("x", first, listening)
    assert env.screen == "start", "the click was not executed"
    writer.close()


def test_a_scripted_reply_that_cannot_be_read_raises_a_typed_error(env: MemoryEnvironment) -> None:
    policy = ScriptedPolicy(["nonsense"])
    with pytest.raises(ParseError) as error:
        policy.predict(Context("x", env.reset(0)))
    assert error.value.raw == "nonsense"
