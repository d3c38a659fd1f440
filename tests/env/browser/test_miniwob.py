from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from miniwob_oracle import POINTED, solve
from saccade.actions.errors import EnvironmentFailure, UnknownTaskError
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Click, DoubleClick, MiddleClick, Navigate, NavigateBack, Type, Wait
from saccade.env.browser.chromium import Chromium
from saccade.env.browser.miniwob import MiniWobEnvironment
from saccade.env.browser.miniwob_pages import flight_tasks, miniwob_tasks, words
from saccade.env.check import check_environment
from saccade.env.guard.guard import Guard

Start = Callable[..., MiniWobEnvironment]


@pytest.fixture
def start(chromium: Chromium) -> Iterator[Start]:
    opened: list[MiniWobEnvironment] = []

    def begin(task: str, seed: int = 1) -> MiniWobEnvironment:
        opened.append(MiniWobEnvironment(task, chromium=chromium, guard=Guard.of("open")))
        opened[-1].reset(seed)
        return opened[-1]

    yield begin
    for environment in opened:
        environment.close()


def middle_of(environment: MiniWobEnvironment, selector: str) -> Point:
    """Where a person would see an element; tests may ask the page, policies may not."""
    assert environment._session is not None
    x, y = environment._session.evaluate(
        "s => { const b = document.querySelector(s).getBoundingClientRect();"
        " return [b.x + b.width / 2, b.y + b.height / 2]; }",
        selector,
    )
    return Point(x, y)


def test_all_tasks_are_known() -> None:
    assert len(miniwob_tasks()) == 130
    assert {"click-test-2", "use-slider", "terminal"} < set(miniwob_tasks())
    assert flight_tasks() == ["flight.AA", "flight.Alaska", "flight.Alaska-auto", "flight.Alaska-auto-medium"]


@pytest.mark.parametrize("task", ["click-tset", "", "../core/core", "flight.BA"])
def test_an_unknown_task_names_the_nearest(task: str) -> None:
    with pytest.raises(UnknownTaskError, match=r"click-test|flight\.AA") as caught:
        MiniWobEnvironment(task, guard=Guard.of("open"))
    assert "\n" not in str(caught.value)


def test_the_page_gives_instruction_screen_and_raw_reward(start: Start) -> None:
    environment = start("click-test-2")
    assert environment.instruction == "Click button ONE."
    missed = environment.step(Click(point=Point(2, 207)))
    assert (missed.terminated, missed.reward, missed.error) == (False, 0.0, None)
    assert missed.observation.screenshot.size == Size(160, 210)
    solved = environment.step(Click(point=middle_of(environment, "#subbtn")))
    assert (solved.terminated, solved.reward) == (True, 1.0)
    assert environment.outcome.raw == 1.0
    assert 0.99 < environment.outcome.scaled < 1.0


def test_a_failed_task_ends_with_a_negative_reward(start: Start) -> None:
    environment = start("click-test-2")
    result = environment.step(Click(point=middle_of(environment, "#subbtn2")))
    assert (result.terminated, result.reward) == (True, -1.0)


def test_after_the_end_only_a_reset_helps(start: Start) -> None:
    environment = start("click-test")
    environment.step(Click(point=middle_of(environment, "#subbtn")))
    with pytest.raises(EnvironmentFailure, match="over"):
        environment.step(Wait(seconds=0))
    environment.reset(2)
    assert not environment.step(Wait(seconds=0)).terminated


def test_a_second_click_cannot_start_an_unseeded_episode(start: Start) -> None:
    environment = start("click-test")
    result = environment.step(DoubleClick(point=middle_of(environment, "#subbtn")))
    assert (result.terminated, result.reward) == (True, 1.0)


def test_the_dialog_lies_inside_the_screenshot(start: Start) -> None:
    environment = start("click-dialog", seed=3)
    corner = middle_of(environment, "button.ui-button")
    assert 0 < corner.x < 160
    assert environment.step(Click(point=corner)).reward == 1.0


def test_typing_solves_a_form(start: Start) -> None:
    environment = start("enter-text", seed=5)
    assert environment.instruction is not None
    text = environment.instruction.split('"')[1]
    environment.step(Type(text=text, point=middle_of(environment, "#tt")))
    assert environment.step(Click(point=middle_of(environment, "#subbtn"))).reward == 1.0


@pytest.mark.parametrize("task", ["click-shape", "click-dialog", "multi-layouts", "book-flight", "login-user"])
def test_a_seed_determines_screen_and_words(start: Start, task: str) -> None:
    environment = start(task)
    first = environment.reset(11)
    words_then = environment.instruction
    other = environment.reset(12)
    again = environment.reset(11)
    assert first.screenshot.digest == again.screenshot.digest
    assert environment.instruction == words_then
    assert first.screenshot.digest != other.screenshot.digest


def test_without_a_seed_one_is_drawn_and_kept(start: Start) -> None:
    environment = start("click-shape")
    first = environment.reset()
    seed = environment.seed
    assert seed is not None
    assert environment.reset(seed).screenshot.digest == first.screenshot.digest


def test_a_long_wait_is_cut_as_the_pages_are_local(start: Start) -> None:
    waited = start("click-test", 1).step(Wait(seconds=600))
    assert waited.error is None
    assert waited.timings["act"] < 60


def test_the_task_stays_on_its_page(start: Start) -> None:
    environment = start("click-link")
    for action in (Navigate(url="about:blank"), NavigateBack()):
        assert environment.step(action).error is not None
    result = environment.step(MiddleClick(point=middle_of(environment, "#area span, #area a")))
    assert result.observation.url == "miniwob:click-link"
    assert environment._session is not None
    assert environment._session.usable
    assert environment._session.evaluate("() => location.href").endswith("/click-link.html")


def test_a_flight_task_shows_its_phone_sized_page(start: Start) -> None:
    environment = start("flight.AA")
    assert environment.instruction is not None
    assert "Departure City" in environment.instruction
    assert environment.step(Wait(seconds=0)).observation.screenshot.size == Size(375, 667)


def test_an_utterance_may_carry_fields() -> None:
    assert words({"utterance": "Book it.", "fields": {}}) == "Book it."
    assert words("Click.") == "Click."


def test_the_contract_is_kept(chromium: Chromium) -> None:
    assert check_environment(MiniWobEnvironment("click-button", chromium=chromium, guard=Guard.of("open"))) == []


def test_a_caret_does_not_tell_the_time(start: Start) -> None:
    environment = start("enter-text", 10)
    environment.step(Click(point=Point(81, 66)))
    shown = {environment.step(Wait(seconds=0.3)).observation.screenshot.digest for _ in range(5)}
    assert len(shown) == 1


@pytest.mark.parametrize("task", POINTED)
def test_the_mouse_alone_solves_what_has_popups(start: Start, task: str, scale: int) -> None:
    environment = start(task)
    for seed in range(scale):
        assert solve(environment, seed, POINTED) > 0.9, seed
