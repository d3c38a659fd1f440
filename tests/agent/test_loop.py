"""The loop, with a real trajectory on disk and an environment in memory."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass, replace
from pathlib import Path

import pytest

from saccade.actions.errors import EnvironmentFailure, ParseError, PolicyFailure, TrajectoryError
from saccade.actions.schema import Action
from saccade.agent.checkpoints.model_card import ModelCard
from saccade.agent.context import conversation
from saccade.agent.episode import BESIDE
from saccade.agent.limits import Limits
from saccade.agent.loop import Agent
from saccade.agent.policy import Context, Policy, Prediction, ScriptedPolicy
from saccade.env.base import StepResult
from saccade.env.guard.guard import Guard
from saccade.env.memory import MemoryEnvironment, demo
from saccade.env.trajectory.events import EndEvent, PredictionEvent, StartEvent
from saccade.env.trajectory.trajectory import Trajectory, TrajectoryWriter
from saccade.env.wrappers import EnvironmentWrapper
from saccade.perception.observation import Observation

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
    environment = demo(guard=Guard.of("open"))
    yield environment
    environment.close()


class InexactPolicy(ScriptedPolicy):
    """A model of which is known how far its points are off."""

    tolerance = 0.05


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


def test_clicks_beside_each_other_without_effect_end_the_episode_of_a_policy_that_is_as_inexact(run) -> None:
    replies = [f"Action: click(start_box='({x},990)')" for x in range(1, 20)]
    policy = InexactPolicy(replies)
    end, _ = run(policy, repeats=3)
    assert (end.end, end.steps) == ("stuck", 3)


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


class Telling(EnvironmentWrapper):
    """Notes what happened in ``reset`` and with each click."""

    def reset(self, seed: int | None = None) -> Observation:
        return replace(self._environment.reset(seed), notes=("the page could not be found",))

    def step(self, action: Action) -> StepResult:
        return replace(self._environment.step(action), notes=(f"note of {action.kind}", "another"))


def test_what_happens_beside_the_screen_is_told_and_recorded(env: MemoryEnvironment, tmp_path: Path) -> None:
    """Told before the first reply and after each one, whether or not the action had an effect."""
    policy = Asking(["Action: wait()\n\nclick(start_box='(5,990)')", "Action: press_home()", "Action: finished()"])
    telling = Telling(env)
    with TrajectoryWriter(tmp_path, START) as writer:
        Agent(policy, telling).run("x", telling.reset(0), writer)
    begins = f"{BESIDE}: "
    assert [context.feedback for context in policy.seen] == [begins + "the page could not be found"] * 3
    feedback = [turn.feedback for turn in policy.seen[2].turns]
    refused = "this environment cannot execute press_home"
    assert feedback == [
        f"{begins}note of wait; another; {begins}note of click; another",
        f"{begins}note of press_home; another; {refused}",
    ]
    shown = [
        said.content
        for said in conversation(policy.seen[2], ModelCard(dialect="uitars-1.0"))
        if isinstance(said.content, str)
    ]
    assert [text for text in shown if text.startswith(BESIDE)] == [policy.seen[0].feedback, *feedback]
    first, second, last = Trajectory.load(tmp_path).steps
    assert (first.observation.notes, second.observation.notes) == (("the page could not be found",), ())
    assert [event.notes for event in (*first.actions, *second.actions, *last.actions)] == [
        ("note of wait", "another"),
        ("note of click", "another"),
        ("note of press_home", "another"),
        (),
    ]


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
    assert (end.end, end.message, end.fault) == ("error", "ZeroDivisionError: by zero", "policy")


@pytest.mark.parametrize(
    ("error", "fault"),
    [(EnvironmentFailure("the screen changed"), "environment"), (PolicyFailure("no server"), "policy")],
)
def test_an_error_says_whose_it_is_and_not_where_it_came_up(run, error: Exception, fault: str) -> None:
    event, _ = run(Failing(error))
    assert (event.end, event.fault) == ("error", fault)


@pytest.mark.parametrize("error", [EnvironmentFailure("gone"), ZeroDivisionError("by zero")])
def test_an_error_of_a_step_is_the_environments(env: MemoryEnvironment, tmp_path: Path, error: Exception) -> None:
    class Broken(MemoryEnvironment):
        def step(self, action: Action) -> StepResult:
            raise error

    env.__class__ = Broken
    first = env.reset(0)
    with contextlib.suppress(ZeroDivisionError), TrajectoryWriter(tmp_path, START) as writer:
        Agent(ScriptedPolicy(["Action: wait()"]), env).run("x", first, writer)
    end = Trajectory.load(tmp_path).end
    assert end is not None
    assert (end.end, end.fault) == ("error", "environment")


def test_a_policy_that_cannot_start_is_recorded_as_its_own_fault(run) -> None:
    class Unstarted(ScriptedPolicy):
        def start(self) -> None:
            raise PolicyFailure("no server")

    event, _ = run(Unstarted([]))
    assert (event.end, event.fault, event.steps) == ("error", "policy", 0)


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
        policy.predict(Context("x", env.reset(0).screenshot))
    assert error.value.raw == "nonsense"


def test_a_policy_can_reach_neither_address_nor_times(tmp_path: Path) -> None:
    """What is recorded of a screen and what a policy sees are two things; the second has pixels only."""
    shown: list[Context] = []

    class Curious(ScriptedPolicy):
        def predict(self, context: Context) -> Prediction:
            shown.append(context)
            return super().predict(context)

    env = demo(guard=Guard.of("open"))
    first = replace(env.reset(0), url="https://secret.example/?token=1", timings={"settle": 0.123})
    with TrajectoryWriter(tmp_path, START) as writer:
        Agent(Curious(["Action: wait()", "Action: finished()"]), env).run("x", first, writer)
    reachable = {name for context in shown for name in names_within(context)}
    assert len(shown) == 2
    assert reachable.isdisjoint({"url", "timings", "captured_at", "reward"})
    assert {"instruction", "screenshot", "turns", "reply", "feedback", "pixels"} <= reachable
    assert Trajectory.load(tmp_path).steps[0].observation.url == first.url


def names_within(thing: object) -> set[str]:
    """The names of all attributes that can be reached from the fields of a dataclass."""
    if isinstance(thing, tuple | list):
        return {name for each in thing for name in names_within(each)}
    if not is_dataclass(thing):
        return set()
    return set(vars(thing)) | {name for value in vars(thing).values() for name in names_within(value)}


class Looking(ScriptedPolicy):
    """Shows its model three screenshots, and keeps every context that it was given."""

    max_images = 3

    def start(self) -> None:
        super().start()
        self.contexts: list[Context] = []

    def predict(self, context: Context) -> Prediction:
        self.contexts.append(context)
        return super().predict(context)


def test_pixels_that_are_never_shown_again_are_dropped(run) -> None:
    policy = Looking(["Action: wait()"] * 12)
    end, trajectory = run(policy, steps=8, repeats=100)
    last = policy.contexts[-1]
    assert end.steps == 8
    assert len(last.turns) == 7
    digests = [turn.screenshot.digest for turn in last.turns]
    assert digests == [context.screenshot.digest for context in policy.contexts[:-1]]
    for turn in last.turns[:-3]:
        assert turn.screenshot.size == last.screenshot.size
        with pytest.raises(LookupError, match="max_images"):
            turn.screenshot.png()
    for turn in last.turns[-3:]:
        turn.screenshot.png()
    trajectory.check()
