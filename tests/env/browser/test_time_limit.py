"""``--max-seconds`` breaks off what is under way: a reply, a wait, a press, a page that does not load."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from saccade.agent.limits import Limits
from saccade.agent.loop import Agent
from saccade.agent.policy import Context, Prediction, ScriptedPolicy
from saccade.env.base import Environment
from saccade.env.browser.environment import BrowserEnvironment
from saccade.env.control import Control
from saccade.env.deadline import Deadline
from saccade.env.guard.guard import Guard
from saccade.env.memory import demo
from saccade.env.trajectory.events import EndEvent, StartEvent
from saccade.env.trajectory.trajectory import Trajectory, TrajectoryWriter

LIMIT = 1.0
SLACK = 2.0


class Slow(ScriptedPolicy):
    """Never replies."""

    def predict(self, context: Context) -> Prediction:
        threading.Event().wait(60)
        return super().predict(context)


def run(policy: ScriptedPolicy, environment: Environment, control: Control, folder: Path) -> tuple[EndEvent, float]:
    start = StartEvent(saccade_version="0", instruction="x", environment="x", policy="scripted", time=0.0)
    first, begun = environment.reset(0), time.monotonic()
    with TrajectoryWriter(folder, start) as trajectory:
        end = Agent(policy, environment, Limits(seconds=LIMIT), control=control).run("x", first, trajectory)
    Trajectory.load(folder).check()
    return end, time.monotonic() - begun


def test_a_reply_that_does_not_come(tmp_path: Path) -> None:
    end, seconds = run(Slow(["Action: wait()"]), demo(guard=Guard.of("open")), Control(), tmp_path)
    assert (end.end, end.message) == ("time_limit", "not done after 1 seconds")
    assert seconds < LIMIT + SLACK


@pytest.mark.parametrize(
    "action",
    [
        "wait(time='60')",
        "long_press(start_box='(90,90)', time='60')",
        f"type(content='{'abcde' * 2000}')",
        "navigate(content='{slow}')",
        "wait()",
    ],
)
def test_an_action_that_takes_long(
    open_page: Callable[..., BrowserEnvironment], site, tmp_path: Path, action: str
) -> None:
    control = Control()
    environment = open_page("<textarea autofocus></textarea>", control=control)
    action = action.replace("{slow}", site.page("/slow", "x", seconds=20.0))
    environment.reset(0)
    end, seconds = run(ScriptedPolicy([f"Action: {action}"] * 50), environment, control, tmp_path)
    assert end.end == "time_limit"
    assert seconds < LIMIT + SLACK
    assert not control.stopped, "the next run with it is not stopped"


def test_a_person_takes_the_time_that_they_need(tmp_path: Path) -> None:
    control = Control()
    control.pause()
    threading.Timer(LIMIT + 0.5, control.resume).start()
    end, _ = run(ScriptedPolicy(["Action: finished()"]), demo(guard=Guard.of("open")), control, tmp_path)
    assert end.end == "finished"


def test_a_deadline_that_is_suspended_comes_later() -> None:
    expired: list[float] = []
    begun = time.monotonic()
    with Deadline(0.2, lambda: expired.append(time.monotonic() - begun)) as deadline:
        with deadline.suspended():
            time.sleep(0.4)
        assert expired == []
        time.sleep(0.4)
    assert len(expired) == 1
    assert 0.55 < expired[0] < 0.8


def test_a_stop_that_comes_first_is_what_is_recorded(tmp_path: Path) -> None:
    control = Control()
    threading.Timer(0.3, control.stop, ("enough",)).start()
    end, _ = run(Slow(["Action: wait()"]), demo(guard=Guard.of("open")), control, tmp_path)
    assert (end.end, end.message) == ("interrupted", "enough")
