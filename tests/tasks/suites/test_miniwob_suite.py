"""MiniWoB++ as a suite: the published lists, and scripts that solve tasks, scored as an evaluation would."""

from __future__ import annotations

from contextlib import closing

import pytest

from miniwob_oracle import SCRIPTS, solve
from saccade.actions.errors import EnvironmentFailure, UnknownTaskError, UsageError
from saccade.actions.geometry import Point
from saccade.actions.schema import Click, KeyDown, Wait
from saccade.env.browser.chromium import Chromium
from saccade.env.browser.miniwob import MiniWobEnvironment
from saccade.env.browser.miniwob_pages import flight_tasks, miniwob_tasks
from saccade.env.control import Control
from saccade.env.guard.guard import Guard
from saccade.tasks.suites.miniwob import SUBSETS, MiniWobSuite, published
from saccade.tasks.suites.registry import interactive_suite


def test_the_subsets_are_as_published() -> None:
    assert {subset: len(published(subset)) for subset in SUBSETS} == {
        "browsergym": 125,
        "browsergym-test": 63,
        "pix2act": 59,
        "webgum": 56,
        "nonhidden": 107,
        "gym": 128,
        "html": 130,
    }
    known = {*miniwob_tasks(), *flight_tasks()}
    assert {task for subset in SUBSETS for task in published(subset)} - known == {"drag-item"}
    assert len(MiniWobSuite().tasks("pix2act")) == 58
    assert set(published("browsergym-test")) < set(published("browsergym"))
    assert list(MiniWobSuite().tasks()) == published("browsergym")


def test_an_unknown_suite_subset_or_task_is_named() -> None:
    with pytest.raises(UnknownTaskError, match="miniwob"):
        interactive_suite("miniwobb")
    with pytest.raises(UsageError, match="webgum"):
        MiniWobSuite().tasks("webgumm")
    with pytest.raises(UnknownTaskError, match="click-test"):
        MiniWobSuite().check(["click-test", "click-tset"])


def test_scripts_solve_what_is_scored(chromium: Chromium) -> None:
    """One episode of every third scripted task; a mistake in a click, a key or a reward shows."""
    assert len(SCRIPTS) >= 25
    rewards = {}
    for number, task in enumerate(list(SCRIPTS)[::3]):
        with MiniWobEnvironment(task, chromium=chromium, guard=Guard.of("open")) as environment:
            rewards[task] = solve(environment, seed=number)
    assert {task: reward for task, reward in rewards.items() if reward < 1} == {}


def test_a_seed_gives_the_same_first_screen(chromium: Chromium) -> None:
    """Every eighth task of the largest list, and those that do something by a timer from the start."""
    moving = ["stock-market", "terminal"]
    differing = []
    for task in (*published("browsergym")[::8], *moving):
        with MiniWobEnvironment(task, chromium=chromium, guard=Guard.of("open")) as environment:
            screens = {environment.reset(7).screenshot.digest for _ in range(2)}
        if len(screens) > 1:
            differing.append(task)
    assert differing == []


def test_what_a_page_repeats_goes_on_after_the_first_look(chromium: Chromium) -> None:
    with MiniWobEnvironment("stock-market", chromium=chromium, guard=Guard.of("open")) as environment:
        first = environment.reset(7).screenshot.digest
        later = {environment.step(Wait(seconds=0.5)).observation.screenshot.digest for _ in range(3)}
    assert len(later - {first}) > 1


def test_what_an_episode_did_is_not_seen_in_the_next(chromium: Chromium) -> None:
    """The profile is the same, the page is new: pointer, focus and text of before are gone."""
    tasks = ["click-button", "login-user", "click-dialog", "use-slider", "click-menu", "enter-text"]
    alone = {}
    for task in tasks:
        with MiniWobEnvironment(task, chromium=chromium, guard=Guard.of("open")) as environment:
            alone[task] = environment.reset(7).screenshot.digest
    place = MiniWobSuite().open(Control(), Guard.of("open"))
    seen, profiles = {}, set()
    with closing(place):
        for task in tasks * 2:
            with closing(place.environment(task)) as lent:
                seen[task] = lent.reset(7).screenshot.digest
                lent.step(KeyDown(key="shift"))
                lent.step(Click(point=Point(60, 100)))  # may end the episode
                profiles.add(id(lent._inner._session))  # type: ignore[attr-defined]
    assert seen == alone
    assert len(profiles) == 1


def test_after_an_error_an_episode_gets_a_new_profile() -> None:
    with closing(MiniWobSuite().open(Control(), Guard.of("open"))) as place:
        broken = place.environment("click-test")
        with pytest.raises(EnvironmentFailure):
            broken.step(Wait(seconds=0))
        broken.close()
        with closing(place.environment("click-test")) as other:
            other.reset(1)
            assert other._inner is not broken._inner  # type: ignore[attr-defined]
