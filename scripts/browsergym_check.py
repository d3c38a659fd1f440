"""Checks our agent inside BrowserGym; ``browsergym_overhead.py check`` runs this with BrowserGym's Python.

Checked are: BrowserGym's parser reads back every text; a page receives the events of each action; and
BrowserGym's own experiment loop runs MiniWoB++ episodes with our agent that succeed, fail and are given up.
"""

from __future__ import annotations

import logging
import random
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import browsergym.core  # registers the open-ended task
import browsergym.experiments.loop as harness
import browsergym.miniwob
import gymnasium
from browsergym.core.action.parsers import highlevel_action_parser

from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Finished, Type, action_adapter
from saccade.agent.policy import ScriptedPolicy
from saccade.tasks.adapters.browsergym_agent import BrowserGymAgent
from saccade.tasks.adapters.coord import CoordWriter, farewell

HARD = (*"'\"\\\n\t\r\0#() é日😀\ud800", "noop()", "goto('x')")
"""Pieces of text that are hard to quote."""
PAGE = Path(__file__).with_name("browsergym_page.html").read_text(encoding="utf-8")


def clicked(x: int, y: int, button: int = 0) -> list[list[Any]]:
    """The events of one click."""
    return [["mousedown", button, x, y], ["mouseup", button, x, y]]


WANTED: tuple[tuple[dict[str, Any], list[list[Any]]], ...] = (
    ({"kind": "click", "point": [500, 300]}, clicked(500, 300)),
    ({"kind": "right_click", "point": [9, 300]}, clicked(9, 300, 2)),
    ({"kind": "double_click", "point": [700, 300]}, [*clicked(700, 300) * 2, ["dblclick", 0, 700, 300]]),
    ({"kind": "mouse_down", "button": "right"}, clicked(700, 300, 2)[:1]),
    ({"kind": "mouse_up", "point": [710, 310], "button": "right"}, clicked(710, 310, 2)[1:]),
    ({"kind": "drag", "start": [400, 300], "end": [600, 320]}, [clicked(400, 300)[0], clicked(600, 320)[1]]),
    ({"kind": "scroll", "direction": "down", "amount": 3}, [["wheel", 0, 300, 600, 320]]),
    ({"kind": "scroll", "direction": "left", "point": [50, 300], "amount": 1}, [["wheel", -100, 0, 50, 300]]),
    ({"kind": "press", "key": "pageup"}, [["keydown", "PageUp"], ["keyup", "PageUp"]]),
    ({"kind": "key_down", "key": "shift"}, [["keydown", "Shift"]]),
    ({"kind": "key_up", "key": "shift"}, [["keyup", "Shift"]]),
    (
        {"kind": "hotkey", "keys": ["ctrl", "+"]},
        [["keydown", "Control"], ["keydown", "+"], ["keyup", "+"], ["keyup", "Control"]],
    ),
)
TEXT = 'It\'s <b>"5 € \\ größer"</b>\n# {noop()} 日本語'


def check_texts(count: int = 3000) -> None:
    """BrowserGym's parser reads back every text."""
    rng = random.Random(4)
    for _ in range(count):
        text = "".join(rng.choices(HARD, k=rng.randint(1, 12)))
        calls = [*CoordWriter().write(Type(text=text), Size(9, 9)), farewell(Finished(answer=text))]
        read = highlevel_action_parser.parse_string("\n".join(calls), parse_all=True).as_list()
        assert read == [["keyboard_type", [text]], ["send_msg_to_user", [text]]], (text, read)
    print(f"{count} texts are read back by BrowserGym's parser")


def check_actions() -> None:
    """A page receives the events of each action."""
    agent, writer, size = BrowserGymAgent(ScriptedPolicy([])), CoordWriter(), Size(1280, 720)
    environment = gymnasium.make(
        "browsergym/openended",
        disable_env_checker=True,
        task_kwargs={"start_url": "data:text/html;charset=utf-8," + quote(PAGE), "goal": "none"},
        action_mapping=agent.action_set.to_python_code,
        slow_mo=0,
        pre_observation_delay=0.0,
    )
    seen, _ = environment.reset(seed=1)
    assert seen["screenshot"].shape == (720, 1280, 3)

    def act(data: dict[str, Any], events: int) -> list[list[Any]]:
        page = environment.unwrapped.page
        page.evaluate("heard.length = 0")
        calls = writer.write(action_adapter.validate_python(data), size)
        seen, *_ = environment.step("\n".join(calls))
        assert seen["last_action_error"] == "", (calls, seen["last_action_error"])
        page.wait_for_function("events => heard.length >= events", arg=events)
        heard: list[list[Any]] = page.evaluate("heard")
        return heard

    for data, wanted in WANTED:
        heard = act(data, len(wanted))
        assert heard == wanted, (data, heard)
    act({"kind": "type", "text": TEXT, "point": [100, 50]}, 2)
    written = environment.unwrapped.page.evaluate("t.value")
    assert written == TEXT, written
    environment.close()
    print(f"{len(WANTED) + 1} actions arrive as the right events")


@dataclass(frozen=True)
class ScriptedArgs:
    """What BrowserGym's loop makes an agent from."""

    replies: tuple[str, ...]
    agent_name: str = "scripted"

    def prepare(self) -> None:
        """Nothing to load."""

    def close(self) -> None:
        """Nothing to release."""

    def make_agent(self) -> BrowserGymAgent:
        """An agent for one episode."""
        return BrowserGymAgent(ScriptedPolicy(self.replies))


def button_of(seed: int) -> Point:
    """Where the button of ``click-test`` is, in pixels of BrowserGym's screenshot."""
    environment = gymnasium.make("browsergym/miniwob.click-test", disable_env_checker=True)
    environment.reset(seed=seed)
    box = environment.unwrapped.page.locator("#subbtn").bounding_box()
    environment.close()
    return Point(1.5 * (box["x"] + box["width"] / 2), 1.5 * (box["y"] + box["height"] / 2))


def play(replies: tuple[str, ...], seed: int) -> dict[str, Any]:
    """Run one episode of BrowserGym's own loop; returns its summary."""
    with tempfile.TemporaryDirectory() as folder:
        task = harness.EnvArgs("miniwob.click-test", task_seed=seed, max_steps=3)
        experiment = harness.ExpArgs(
            agent_args=ScriptedArgs(replies), env_args=task, logging_level_stdout=logging.ERROR
        )
        experiment.prepare(Path(folder))
        experiment.run()
        result = harness.get_exp_result(experiment.exp_dir)
        return {**result.summary_info, "actions": [step.action for step in result.steps_info]}


def check_episodes() -> None:
    """A click on the button succeeds, an answer in words does not, and an unreadable reply gives up."""
    harness.count_tokens = len  # it would download a tokenizer to count words for its statistics
    harness.count_messages_token = len
    x, y = button_of(seed=3)
    click = f"Thought: there\nAction: click(start_box='({x / 498 * 1000:.0f},{y / 321 * 1000:.0f})')"
    won = play((click,), seed=3)
    assert (won["cum_reward"], won["terminated"], won["err_msg"]) == (1.0, True, None), won
    said = play(("Action: finished(content='It is done')",), seed=3)
    assert said["actions"][:2] == ["send_msg_to_user('It is done')", None], said
    assert (said["cum_reward"], said["truncated"], said["err_msg"]) == (0, True, None), said
    lost = play(("what?",) * 9, seed=3)
    assert (lost["actions"], lost["truncated"], lost["err_msg"]) == ([None], True, None), lost
    print("3 episodes of BrowserGym's own loop end as they should")


if __name__ == "__main__":
    browsergym.core._get_global_playwright()  # before any thread of its experiments
    check_texts()
    check_actions()
    check_episodes()
    sys.exit(0)
