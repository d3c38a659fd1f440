"""Our environments as Gymnasium has them, checked by Gymnasium's own checker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from places import SOURCE
from saccade.actions.errors import EnvironmentFailure, UnknownTaskError, UsageError
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Action, Click, Finished
from saccade.env.browser.miniwob import MiniWobEnvironment
from saccade.env.browser.miniwob_pages import flight_tasks, miniwob_tasks
from saccade.env.guard.guard import Guard
from saccade.env.memory import demo
from saccade.tasks.adapters.gym import register
from saccade.tasks.adapters.gym_env import ActionSpace, AnyText, MiniWobEnv, SaccadeEnv, read_action


@pytest.fixture(scope="module")
def names() -> list[str]:
    return register()


@pytest.fixture(scope="module")
def button(names: list[str]) -> Iterator[gymnasium.Env[Any, Any]]:
    environment = gymnasium.make("saccade/miniwob-click-button-v0", render_mode="rgb_array")
    yield environment
    environment.close()


def test_every_task_is_registered_once(names: list[str]) -> None:
    tasks = [*miniwob_tasks(), *flight_tasks()]
    assert names == ["saccade/browser-v0", "saccade/desktop-v0", *(f"saccade/miniwob-{t}-v0" for t in tasks)]
    assert set(names) <= set(gymnasium.registry)
    specs = [gymnasium.spec(name) for name in names]
    assert register() == names
    assert [gymnasium.spec(name) for name in names] == specs
    with pytest.raises(UnknownTaskError, match="click-button"):
        MiniWobEnv("click-buton")


def test_gymnasiums_own_checker_has_nothing_to_say(button: gymnasium.Env[Any, Any]) -> None:
    """All of its checks apply, rendering and determinism included; a warning would be an error here."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(button.unwrapped, skip_close_check=True)


def test_an_episode(button: gymnasium.Env[Any, Any]) -> None:
    first, info = button.reset(seed=7)
    assert info == {}
    assert set(first) == {"goal", "screenshot", "url", "last_action_error"}
    assert first["goal"].startswith("Click on the")
    assert (first["screenshot"].shape, first["screenshot"].dtype) == ((210, 160, 3), np.uint8)
    assert (first["url"], first["last_action_error"]) == ("miniwob:click-button", "")
    assert np.array_equal(button.render(), first["screenshot"])
    first["screenshot"][:] = 0  # what is handed out belongs to whoever got it
    assert button.render().any()
    unwrapped = button.unwrapped
    assert isinstance(unwrapped, SaccadeEnv)
    assert isinstance(unwrapped.environment, MiniWobEnvironment)
    assert unwrapped.environment.seed == 7
    look, reward, terminated, truncated, _ = button.step({"kind": "open_app", "name": "x"})
    assert look["last_action_error"] == "this environment cannot execute open_app"
    assert (reward, terminated, truncated) == (0.0, False, False)
    with pytest.raises(UsageError, match="this is no action"):
        button.step("click the button")
    *before, (terminated, reward) = _click_everywhere(button)
    assert set(before) <= {(False, 0.0)}
    assert terminated
    assert reward in (1.0, -1.0)


def _click_everywhere(environment: gymnasium.Env[Any, Any]) -> Iterator[tuple[bool, float]]:
    for y in range(55, 210, 8):
        for x in (10, 40, 80, 120):
            _, reward, terminated, _, _ = environment.step(Click(point=Point(x, y)).model_dump_json())
            yield bool(terminated), float(reward)
            if terminated:
                return


def test_seeds_decide_what_comes(button: gymnasium.Env[Any, Any]) -> None:
    def screens() -> list[bytes]:
        looks = [button.reset(seed=11)[0], button.reset()[0], button.reset()[0]]
        return [look["screenshot"].tobytes() for look in looks]

    once, again = screens(), screens()
    assert once == again
    assert len(set(once)) > 1
    with pytest.raises(UsageError, match="no options"):
        button.reset(options={"difficulty": 3})


@pytest.mark.parametrize(
    ("data", "action"),
    [
        ('{"kind": "click", "point": [1, 2]}', Click(point=Point(1, 2))),
        ({"kind": "click", "point": [1, 2]}, Click(point=Point(1, 2))),
        ({"kind": "finished"}, Finished()),
        ("{}", None),
        ("nonsense", None),
        ({"kind": "click"}, None),
        ({"kind": "fly"}, None),
        ({"kind": "press", "key": "no such key"}, None),
        (5, None),
        (None, None),
    ],
)
def test_what_is_an_action(data: object, action: Action | None) -> None:
    space = ActionSpace(Size(160, 210))
    assert space.contains(data) is (action is not None)
    if action is not None:
        assert read_action(data) == action
        return
    with pytest.raises(UsageError, match=r"no action|no key"):
        read_action(data)


def test_spaces_sample_what_they_contain() -> None:
    space, text = ActionSpace(Size(160, 210), seed=3), AnyText(seed=3)
    samples = [space.sample() for _ in range(50)]
    assert all(sample in space for sample in samples)
    assert len(set(samples)) > 40
    assert [ActionSpace(Size(160, 210), seed=3).sample(), samples[0]] == [samples[0]] * 2
    points = np.array([json.loads(sample)["point"] for sample in samples])
    assert (points >= 0).all()
    assert (points < (160, 210)).all()
    assert text.sample() in text
    assert "Größe \u202e" in text
    assert 5 not in text
    assert (space == ActionSpace(Size(160, 210)), space == ActionSpace(Size(1, 1))) == (True, False)
    assert not space.is_np_flattenable
    assert not text.is_np_flattenable


def test_a_page_and_its_goal(names: list[str], tmp_path: Path) -> None:
    page = "data:text/html,<title>t</title><body style='margin:0;background:rgb(10,20,30)'>"
    made = gymnasium.make("saccade/browser-v0", url=page, goal="Look at it", viewport=(320, 200))
    look, _ = made.reset(seed=1)
    assert look["goal"] == "Look at it"
    assert look["url"].startswith("data:text/html,<title>t</title>")
    assert look["screenshot"].shape == (200, 320, 3)
    assert look["screenshot"][100, 100].tolist() == [10, 20, 30]
    look, *_ = made.step({"kind": "navigate", "url": "file:///etc/passwd"})
    assert "not opened here" in look["last_action_error"]
    made.close()
    made.close()
    with pytest.raises(EnvironmentFailure):
        made.unwrapped.step({"kind": "wait", "seconds": 0})


def test_a_program_on_a_desktop(names: list[str]) -> None:
    made = gymnasium.make("saccade/desktop-v0", app="mousepad", goal="Write", size=(640, 480))
    first, _ = made.reset(seed=1)
    assert first["screenshot"].shape == (480, 640, 3)
    look, *_ = made.step({"kind": "type", "text": "Hello, this is a line of text."})
    assert not np.array_equal(look["screenshot"], first["screenshot"])
    made.close()


def test_any_environment_can_be_wrapped() -> None:
    environment = demo(guard=Guard.of("open"))
    size = environment.reset(seed=1).screenshot.size
    made = SaccadeEnv(environment, size)
    with pytest.raises(EnvironmentFailure, match="nothing to show"):
        SaccadeEnv(environment, size, render_mode="rgb_array").render()
    assert made.render() is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(made, skip_render_check=True)


def test_closing_leaves_no_process_behind() -> None:
    """A process of its own: everything that it started knows it by a variable, and is gone while it lives."""
    code = """
import gymnasium, pathlib, time
from saccade.tasks.adapters.gym import register
register()
def family():
    found = []
    for entry in pathlib.Path('/proc').iterdir():
        try:
            if entry.name.isdigit() and b'SACCADE_GYM_TEST=1' in (entry / 'environ').read_bytes():
                found.append((entry / 'comm').read_text().strip())
        except OSError:
            pass
    return sorted(found)
before = family()
made = gymnasium.make('saccade/miniwob-click-test-v0')
made.reset(seed=1)
print(len(family()) > len(before))
made.close()
until = time.monotonic() + 60
while family() != before and time.monotonic() < until:
    time.sleep(0.05)
print(family() == before)
"""
    environ = {**os.environ, "PYTHONPATH": str(SOURCE), "SACCADE_GYM_TEST": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environ, timeout=200)
    assert done.stdout.split() == ["True", "True"], done.stderr
