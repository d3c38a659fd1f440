"""A person's hold on the loop: what is injected, what is recorded, what the policy is told."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from saccade.actions.errors import Stopped
from saccade.actions.schema import Action, Wait
from saccade.agent.limits import Limits
from saccade.agent.loop import Agent
from saccade.agent.policy import Context, Policy, Prediction, ScriptedPolicy
from saccade.env.base import StepResult
from saccade.env.control import Control
from saccade.env.guard.guard import Guard
from saccade.env.memory import MemoryEnvironment, demo
from saccade.env.trajectory.events import EndEvent, StartEvent
from saccade.env.trajectory.trajectory import Trajectory, TrajectoryWriter

START = StartEvent(saccade_version="0", instruction="x", environment="memory", policy="scripted", time=0.0)
CLICK = "Action: click(start_box='(5,990)')"
TWO_CLICKS = "Action: click(start_box='(5,990)')\n\nclick(start_box='(9,990)')"


class Watched:
    """The demo environment; keeps what was executed, and lets something happen after each action."""

    instruction = None

    def __init__(self, inner: MemoryEnvironment, then: Callable[[Action], None]) -> None:
        self.inner = inner
        self.done: list[Action] = []
        self.then = then

    def reset(self, seed: int | None = None) -> object:
        return self.inner.reset(seed)

    def step(self, action: Action) -> StepResult:
        if action != Wait(seconds=0):
            self.done.append(action)
        result = self.inner.step(action)
        self.then(action)
        return result

    def close(self) -> None:
        self.inner.close()


class Remembering(ScriptedPolicy):
    """Keeps what it was shown, and lets something happen while it thinks."""

    def __init__(self, replies: list[str], meanwhile: Callable[[], None] = lambda: None) -> None:
        super().__init__(replies)
        self.seen: list[Context] = []
        self.meanwhile = meanwhile

    def predict(self, context: Context) -> Prediction:
        self.seen.append(context)
        self.meanwhile()
        return super().predict(context)


@pytest.fixture
def control() -> Control:
    return Control()


@pytest.fixture
def env() -> Iterator[Watched]:
    environment = Watched(demo(guard=Guard.of("open")), lambda action: None)
    yield environment
    environment.close()


@pytest.fixture
def run(env: Watched, control: Control, tmp_path: Path) -> Callable[..., tuple[EndEvent, Trajectory]]:
    def start(policy: Policy, clock: Callable[[], float] = time.time) -> tuple[EndEvent, Trajectory]:
        first = env.reset(0)
        with TrajectoryWriter(tmp_path / "run", START) as writer:
            end = Agent(policy, env, Limits(repeats=99), clock, control).run("x", first, writer)
        return end, Trajectory.load(tmp_path / "run")

    return start


def after(changes: int, control: Control, act: Callable[[], None]) -> None:
    """Call ``act`` in another thread as soon as the control has told of so many changes."""
    told: list[str] = []

    def listener(change: str, words: str) -> None:
        told.append(change)
        if len(told) == changes:
            threading.Thread(target=act).start()

    control.listen(listener)


def test_a_stop_in_the_middle_of_an_action_ends_the_run_and_records_the_action(env, control, run) -> None:
    def stop(action: Action) -> None:
        control.stop("stopped by ctrl+alt+q")
        control.check()

    env.then = stop
    end, trajectory = run(ScriptedPolicy([TWO_CLICKS] * 9))
    assert (end.end, end.success, end.message) == ("interrupted", False, "stopped by ctrl+alt+q")
    assert len(env.done) == 1
    (event,) = trajectory.steps[0].actions
    assert "broken off" in (event.error or "")
    trajectory.check()


def test_nothing_is_executed_after_a_stop_even_where_the_environment_knows_no_control(env, control, run) -> None:
    env.then = lambda action: control.stop("enough")
    end, _ = run(ScriptedPolicy([TWO_CLICKS] * 9))
    assert (end.end, end.message, len(env.done)) == ("interrupted", "enough", 1)


def test_a_stop_breaks_into_a_slow_reply(env, control, run) -> None:
    thinking = threading.Event()

    def think() -> None:
        threading.Thread(target=control.stop, args=("stopped by ctrl+alt+q",)).start()
        thinking.wait(60)

    begun = time.monotonic()
    end, trajectory = run(Remembering([CLICK], think))
    assert time.monotonic() - begun < 10
    assert (end.end, end.message) == ("interrupted", "stopped by ctrl+alt+q")
    assert (trajectory.steps, env.done) == ([], [])


def wait_after_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(20)


def test_a_stop_breaks_into_a_slow_reply_where_ctrl_c_is_ignored(control) -> None:
    """As in a background job of a shell script, where SIGINT is ignored from the start."""
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        begun = time.monotonic()
        threading.Timer(0.2, control.stop, ("enough",)).start()
        with pytest.raises(Stopped, match="enough"), control.interrupting():
            wait_after_ctrl_c()
        assert time.monotonic() - begun < 10
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, former)


def test_a_reply_in_another_thread_is_over_when_it_returns(env, control, run) -> None:
    ends: list[EndEvent] = []
    policy = Remembering([CLICK], lambda: control.stop("enough"))
    thread = threading.Thread(target=lambda: ends.append(run(policy)[0]))
    thread.start()
    thread.join(30)
    assert [(end.end, end.message) for end in ends] == [("interrupted", "enough")]
    assert env.done == []


def test_ctrl_c_while_the_policy_thinks_is_still_ctrl_c(control) -> None:
    with pytest.raises(KeyboardInterrupt), control.interrupting():
        raise KeyboardInterrupt


def test_a_paused_run_does_nothing_and_a_step_lets_exactly_one_pass(env, control, run) -> None:
    control.pause()
    counts: list[int] = []

    def person() -> None:
        for allowed in (0, 1, 2):
            for _ in range(1000):
                if len(env.done) >= allowed and control.paused:
                    break
                time.sleep(0.005)
            time.sleep(0.1)
            counts.append(len(env.done))
            control.step() if allowed < 2 else control.stop("enough")

    watcher = threading.Thread(target=person)
    watcher.start()
    end, trajectory = run(ScriptedPolicy([CLICK] * 9))
    watcher.join()
    assert counts == [0, 1, 2]
    assert (end.end, end.steps, len(env.done)) == ("interrupted", 2, 2)
    trajectory.check()


def test_a_reply_that_was_being_thought_out_when_the_person_paused_is_not_executed(env, control, run) -> None:
    pauses = iter([control.pause])
    after(1, control, lambda: threading.Timer(0.2, control.resume).start())
    policy = Remembering([TWO_CLICKS, CLICK], lambda: next(pauses, lambda: None)())
    end, trajectory = run(policy)
    assert (end.end, len(env.done)) == ("finished", 1), "only the second reply's click"
    (event,) = trajectory.steps[0].actions
    assert "paused" in (event.error or "")
    assert policy.seen[1].turns[0].feedback == event.error


def test_after_a_pause_the_screen_is_looked_at_again(env, control, run) -> None:
    policy = Remembering([CLICK])
    first = env.reset(0).screenshot.digest

    def person() -> None:
        env.inner.screen = "form"
        control.resume()

    control.pause()
    threading.Timer(0.1, person).start()
    run(policy)
    assert policy.seen[0].screenshot.digest != first


def test_the_time_a_person_takes_is_not_the_agents(control, run) -> None:
    ticks = iter(range(0, 10**9, 1))
    jump = [0.0]

    def clock() -> float:
        return next(ticks) + jump[0]

    def person() -> None:
        jump[0] = 5000.0
        control.resume()

    control.pause()
    threading.Timer(0.1, person).start()
    end, _ = run(ScriptedPolicy([CLICK]), clock)
    assert end.end == "finished"


def test_handing_over_without_anybody_there_ends_the_run(env, run) -> None:
    end, _ = run(ScriptedPolicy(["Action: call_user(content='the password?')"]))
    assert end.end == "call_user"


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (lambda control: control.answer("it is 7"), "The user answered: it is 7"),
        (lambda control: control.resume(), "The user has acted on the screen"),
    ],
)
def test_an_answer_reaches_the_policy_and_the_trajectory(env, control, run, act, told: str) -> None:
    control.attended = True

    def person() -> None:
        assert control.question is not None
        env.inner.screen = "form"
        act(control)

    after(1, control, person)
    policy = Remembering(["Action: call_user()", CLICK])
    end, trajectory = run(policy)
    assert (end.end, len(env.done)) == ("finished", 1)
    (event,) = trajectory.steps[0].actions
    assert (event.action.kind, event.error) == ("call_user", policy.seen[1].turns[0].feedback)
    assert told in (event.error or "")
    assert policy.seen[1].screenshot.digest != policy.seen[0].screenshot.digest
    trajectory.check()


def test_a_stop_while_a_person_is_asked_ends_the_run(control, run) -> None:
    control.attended = True
    after(1, control, lambda: control.stop("stopped in the terminal"))
    end, trajectory = run(ScriptedPolicy(["Action: call_user()"]))
    assert (end.end, end.message) == ("interrupted", "stopped in the terminal")
    assert trajectory.steps[0].actions[0].action.kind == "call_user"


def test_what_the_environment_ends_while_a_person_acts_is_noticed(env, control, run) -> None:
    env.step = lambda action: StepResult(env.inner.step(action).observation, terminated=True, reward=1.0)
    control.pause()
    threading.Timer(0.1, control.resume).start()
    end, trajectory = run(ScriptedPolicy([CLICK]))
    assert (end.end, trajectory.steps) == ("terminated", [])


def test_every_change_is_told_once() -> None:
    control, told = Control(), []
    control.listen(lambda change, words: told.append((change, words)))
    control.toggle()
    control.toggle()
    control.step()
    control.stop("a")
    control.stop("b")
    assert told == [("paused", ""), ("resumed", ""), ("stepping", ""), ("stopped", "a")]
    assert control.reason == "a"


def test_a_move_of_the_agents_own_is_known_by_its_place() -> None:
    control = Control()
    control.announce_move(0, 0)
    assert control.is_own_move(0, 0)
    assert not control.is_own_move(0, 9)
