"""A person takes over a desktop: what they do there is recorded beside the run, and can be learned from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from saccade.actions.errors import UsageError
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Action, Click, Type
from saccade.agent.policy import Context, Prediction, ScriptedPolicy
from saccade.env.chords import Chords
from saccade.env.control import Control
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.record.takeover import TAKEOVERS, TakeOverRecorder
from saccade.env.registry import DesktopOptions
from saccade.env.trajectory.trajectory import Trajectory
from saccade.env.x11.input import X11Input
from saccade.tasks.collect.runs import episodes_of
from saccade.tasks.commands.run import RunRequest, run_task
from saccade.tasks.commands.view import find_runs


@pytest.fixture(scope="module")
def display() -> Iterator[PrivateDisplay]:
    with PrivateDisplay(Size(640, 480)) as display:
        yield display


@pytest.fixture
def device(display: PrivateDisplay) -> Iterator[X11Input]:
    device = X11Input(display.name, Control())
    yield device
    device.close()


def recorder(display: PrivateDisplay, folder: Path, secrets: dict[str, str]) -> TakeOverRecorder:
    return TakeOverRecorder(display.name, folder, "desktop", Chords(), secrets, lambda line: None)


def actions(run: Trajectory) -> list[Action]:
    return [event.action for step in run.steps for event in step.actions]


def test_what_a_person_does_is_recorded_without_their_chord(
    display: PrivateDisplay, device: X11Input, tmp_path: Path
) -> None:
    taking_over = recorder(display, tmp_path, {"word": "sesame"})
    with taking_over("Write it"):
        device.click(Point(100, 100))
        device.keyboard.type("open sesame")
        device.keyboard.chord(("ctrl", "alt", "p"))
    with taking_over("Write it"):
        device.move(Point(200, 200))
    with taking_over("Write it"):
        device.click(Point(300, 200))
    first, second = (Trajectory.load(tmp_path / TAKEOVERS / name) for name in ("1", "2"))
    assert actions(first) == [Click(point=Point(100, 100)), Type(text="open {{word}}")]
    assert actions(second) == [Click(point=Point(300, 200))]
    assert (first.start.instruction, first.start.policy, first.start.environment) == ("Write it", "person", "desktop")
    assert len(list((tmp_path / TAKEOVERS).iterdir())) == 2, "where nothing was done, nothing is left"


def test_what_cannot_be_recorded_holds_nothing_up(tmp_path: Path) -> None:
    said: list[str] = []
    with TakeOverRecorder(":987", tmp_path, "desktop", Chords(), {}, said.append)("x"):
        pass
    assert len(said) == 1
    assert "not recorded" in said[0]


class Pausing(ScriptedPolicy):
    """Lets something happen before its second reply."""

    def __init__(self, replies: list[str], before: Callable[[], None]) -> None:
        super().__init__(replies)
        self.asked = 0
        self.before = before

    def predict(self, context: Context) -> Prediction:
        self.asked += 1
        if self.asked == 2:
            self.before()
        return super().predict(context)


def test_a_run_keeps_what_the_person_did_and_it_is_learned_as_theirs(
    display: PrivateDisplay, device: X11Input, tmp_path: Path
) -> None:
    control, acted = Control(), threading.Event()

    def person() -> None:
        while not control.paused:
            acted.wait(0.05)
        for _ in range(200):
            if (tmp_path / "run" / TAKEOVERS / "1" / "trajectory.jsonl").exists():
                break
            acted.wait(0.05)
        acted.wait(0.5)
        device.click(Point(50, 60))
        acted.wait(0.5)
        control.resume()

    policy = Pausing(["Action: click(start_box='(500,500)')"] * 2, control.pause)
    request = RunRequest(
        task="Do it",
        desktop=DesktopOptions(display=display.name),
        record_takeovers=True,
        yes=True,
        out=tmp_path / "run",
    )
    thread = threading.Thread(target=person)
    thread.start()
    run_task(request, policy, control)
    thread.join()
    run, taken = (Trajectory.load(folder) for folder in find_runs([tmp_path]))
    assert actions(taken) == [Click(point=Point(50, 60))]
    assert any("paused" in (event.error or "") for step in run.steps for event in step.actions)
    (kept,) = episodes_of(taken).kept
    assert kept.episode.source == "person"
    assert kept.episode.instruction == "Do it"
    assert [step.reply.actions for step in kept.episode.steps] == [(Click(point=Point(50, 60)),)], "it is not the end"


def test_only_a_desktop_can_be_taken_over() -> None:
    with pytest.raises(UsageError, match="is for desktops"):
        RunRequest(environment="miniwob:click-test", record_takeovers=True).check()
