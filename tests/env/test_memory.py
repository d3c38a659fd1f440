"""The environments that need no browser, and the checker that judges them all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from saccade.actions.errors import EnvironmentFailure, UnknownTaskError, UsageError
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Action, CallUser, Click, Finished, Navigate, Press, Type, Wait
from saccade.env.base import Environment, StepResult
from saccade.env.browser.environment import BrowserEnvironment
from saccade.env.browser.miniwob import MiniWobEnvironment
from saccade.env.check import check_environment
from saccade.env.guard.guard import Guard
from saccade.env.memory import Button, MemoryEnvironment, MemoryScreen, Rectangle, demo
from saccade.env.places import NAMES
from saccade.env.registry import make_environment
from saccade.env.wrappers import BlankScreen
from saccade.perception.observation import Observation


def click(environment: MemoryEnvironment, label: str) -> StepResult:
    return environment.step(Click(point=environment.button(label).box.middle))


def test_the_demonstration_can_be_solved() -> None:
    environment = demo(guard=Guard.of("open"))
    environment.reset(1)
    assert environment.instruction == "Save the name Ada."
    assert not click(environment, "Start").terminated
    assert click(environment, "Save").reward == 0.0
    environment.step(Type(text="Adam"))
    environment.step(Press(key="backspace"))
    solved = click(environment, "Save")
    assert (solved.terminated, solved.reward) == (True, 1.0)
    with pytest.raises(EnvironmentFailure, match="over"):
        environment.step(Wait(seconds=0))


def test_every_screen_looks_different_and_the_same_each_time() -> None:
    environment = demo(guard=Guard.of("open"))
    first = environment.reset(1).screenshot
    form = click(environment, "Start").observation.screenshot
    typed = environment.step(Type(text="A")).observation.screenshot
    assert len({first.digest, form.digest, typed.digest}) == 3
    assert environment.reset(2).screenshot.digest == first.digest
    assert first.size == Size(320, 240)


def test_a_seed_deals_the_buttons() -> None:
    digests = {seed: demo(shuffle=True, guard=Guard.of("open")).reset(seed).screenshot.digest for seed in range(8)}
    assert len(set(digests.values())) == 2
    assert demo(shuffle=True, guard=Guard.of("open")).reset(3).screenshot.digest == digests[3]


def test_what_it_cannot_do_is_an_error_in_words() -> None:
    environment = demo(guard=Guard.of("open"))
    before = environment.reset()
    for action in (Navigate(url="x"), Click(point=Point(400, 4))):
        result = environment.step(action)
        assert result.error
        assert result.observation.screenshot.digest == before.screenshot.digest
    for ending in (Finished(), CallUser()):
        result = environment.step(ending)
        assert (result.error, result.terminated) == (None, False)


def test_a_typing_point_is_clicked_first() -> None:
    screens = {
        "one": MemoryScreen("1", (Button("go", Rectangle(0, 20, 50, 60), to="two"),)),
        "two": MemoryScreen("2", (Button("end", Rectangle(0, 20, 50, 60), ends=True, reward=-1.0),)),
    }
    environment = MemoryEnvironment(screens, "one", guard=Guard.of("open"))
    environment.reset()
    environment.step(Type(text="x", point=Point(5, 25)))
    assert (environment.screen, environment.text) == ("two", "x")
    assert environment.step(Type(text="y", point=Point(5, 25))).reward == -1.0
    assert environment.text == "x"


def test_a_button_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(UsageError, match="nowhere"):
        MemoryEnvironment(
            {"one": MemoryScreen("1", (Button("go", Rectangle(0, 0, 9, 9), to="nowhere"),))},
            "one",
            guard=Guard.of("open"),
        )
    with pytest.raises(UsageError, match="no button"):
        demo(guard=Guard.of("open")).button("Nothing")


def test_a_blank_screen_hides_everything_but_the_task() -> None:
    blind = BlankScreen(demo(guard=Guard.of("open")), colour=(9, 9, 9))
    assert (blind.reset(1).screenshot.pixels == 9).all()
    assert (blind.step(Click(point=Point(40, 60))).observation.screenshot.pixels == 9).all()
    assert blind.instruction == "Save the name Ada."
    assert check_environment(BlankScreen(demo(guard=Guard.of("open")))) == []


def test_environments_are_made_by_name(tmp_path: Path) -> None:
    assert isinstance(make_environment("memory", guard=Guard.of("open")), MemoryEnvironment)
    assert isinstance(make_environment("miniwob:click-test", guard=Guard.of("open")), MiniWobEnvironment)
    assert isinstance(
        make_environment("browser", url="about:blank", downloads=tmp_path, guard=Guard.of("open")), BrowserEnvironment
    )
    assert NAMES == ("browser", "desktop", "memory", "miniwob:TASK")


@pytest.mark.parametrize(
    ("spec", "nearest"),
    [
        *(("brwser", "browser"), ("click-test-2", "miniwob:click-test-2")),
        *(("miniwob:clik-test", "click-test"), ("", "miniwob:TASK"), ("browser:x", "browser")),
    ],
)
def test_an_unknown_name_lists_the_nearest(spec: str, nearest: str) -> None:
    with pytest.raises(UnknownTaskError, match=nearest):
        make_environment(spec, guard=Guard.of("open"))


def test_an_address_goes_with_a_browser_only() -> None:
    for spec in ("memory", "miniwob:click-test"):
        with pytest.raises(UsageError, match=r"url \(--url\) goes with"):
            make_environment(spec, url="about:blank", guard=Guard.of("open"))


def test_the_contract_is_kept() -> None:
    assert isinstance(demo(guard=Guard.of("open")), Environment)
    assert check_environment(demo(guard=Guard.of("open"))) == []
    assert check_environment(demo(shuffle=True, guard=Guard.of("open"))) == []


class Broken(MemoryEnvironment):
    """Breaks one promise at a time."""

    def __init__(self, flaw: str) -> None:
        super().__init__(
            {"one": MemoryScreen("1", (Button("go", Rectangle(0, 20, 50, 60)),))},
            "one",
            guard=Guard.of("open"),
            instruction="Go.",
        )
        self.flaw = flaw
        self.resets = 0
        self.closed = 0

    def reset(self, seed: int | None = None) -> Observation:
        self.resets += 1
        observation = super().reset(seed)
        if self.flaw == "unseeded":
            pixels = np.roll(observation.screenshot.pixels, self.resets * 20, axis=0)
            return replace(observation, screenshot=replace(observation.screenshot, pixels=pixels))
        return replace(observation, captured_at=0.0) if self.flaw == "clock" else observation

    def step(self, action: Action) -> StepResult:
        if self.flaw == "always steps" and self._state != "running":
            self._state = "running"
        result = super().step(action)
        if self.flaw == "swallows":
            return replace(result, error=None)
        if self.flaw == "ends" and isinstance(action, Finished):
            return replace(result, terminated=True)
        if self.flaw == "acts anyway" and result.error:
            self._screens = {"one": MemoryScreen("changed", field=Rectangle(0, 20, 300, 200))}
            return replace(result, observation=self._observe())
        return replace(result, reward=None) if self.flaw == "no reward" else result  # type: ignore[arg-type]

    @property
    def instruction(self) -> str | None:
        return "" if self.flaw == "mute" else super().instruction

    def close(self) -> None:
        self.closed += 1
        if self.flaw == "closes once" and self.closed > 1:
            raise RuntimeError("closed already")
        super().close()


@pytest.mark.parametrize(
    ("flaw", "finding"),
    [
        ("unseeded", "first screen differs"),
        ("clock", "captured_at"),
        ("always steps", "step before reset was accepted"),
        ("always steps", "step after close was accepted"),
        ("swallows", "no action is refused"),
        ("swallows", "gave no error"),
        ("ends", "finished ended"),
        ("acts anyway", "but changed the screen"),
        ("no reward", "reward must be a float"),
        ("mute", "instruction"),
        ("closes once", "closing twice raised RuntimeError"),
    ],
)
def test_the_checker_sees_each_broken_promise(flaw: str, finding: str) -> None:
    assert any(finding in found for found in check_environment(Broken(flaw)))


def test_the_unbroken_twin_passes() -> None:
    assert check_environment(Broken("none")) == []
