"""The strings for BrowserGym, against its published signatures; ``scripts/browsergym_check.py`` runs them."""

from __future__ import annotations

import ast
import inspect
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from places import SOURCE
from saccade.actions.errors import EnvironmentFailure, MissingPartError, UsageError
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Action, Click, Drag, Finished, MouseDown, MouseUp, Scroll, Type, Wait, action_adapter
from saccade.agent.local import LocalPolicy
from saccade.agent.policy import ScriptedPolicy
from saccade.tasks.adapters.browsergym_agent import SUBSETS, BrowserGymAgent, SaccadeArgs
from saccade.tasks.adapters.coord import CoordWriter, farewell

SIZE = Size(498, 321)
# browsergym-core 0.14.3, the subsets chat, infeas, coord and nav: each call with the types of its values.
NUMBER, TEXT, BUTTON = "number", "text", "button"
SIGNATURES: dict[str, tuple[str, ...]] = {
    "noop": (NUMBER,),
    "send_msg_to_user": (TEXT,),
    "report_infeasible": (TEXT,),
    "scroll_at": ("int", "int", "int", "int"),
    "mouse_move": (NUMBER, NUMBER),
    "mouse_up": (NUMBER, NUMBER, BUTTON),
    "mouse_down": (NUMBER, NUMBER, BUTTON),
    "mouse_click": (NUMBER, NUMBER, BUTTON),
    "mouse_dblclick": (NUMBER, NUMBER, BUTTON),
    "mouse_drag_and_drop": (NUMBER, NUMBER, NUMBER, NUMBER),
    "keyboard_down": (TEXT,),
    "keyboard_up": (TEXT,),
    "keyboard_press": (TEXT,),
    "keyboard_type": (TEXT,),
    "keyboard_insert_text": (TEXT,),
    "go_back": (),
    "go_forward": (),
    "goto": (TEXT,),
}
ALL: tuple[tuple[dict[str, Any], list[str]], ...] = (
    ({"kind": "click", "point": [1, 2.5]}, ["mouse_click(1, 2.5, 'left')"]),
    ({"kind": "right_click", "point": [498, 321]}, ["mouse_click(497, 320, 'right')"]),
    ({"kind": "middle_click", "point": [1, 2]}, ["mouse_click(1, 2, 'middle')"]),
    ({"kind": "double_click", "point": [1, 2]}, ["mouse_dblclick(1, 2, 'left')"]),
    ({"kind": "move", "point": [1, 2]}, ["mouse_move(1, 2)"]),
    ({"kind": "mouse_down", "point": [1, 2], "button": "middle"}, ["mouse_down(1, 2, 'middle')"]),
    ({"kind": "mouse_up", "point": [1, 2], "button": "right"}, ["mouse_up(1, 2, 'right')"]),
    ({"kind": "drag", "start": [1, 2], "end": [3, 4]}, ["mouse_drag_and_drop(1, 2, 3, 4)"]),
    ({"kind": "scroll", "direction": "up", "point": [9, 8], "amount": 2}, ["scroll_at(9, 8, 0, -200)"]),
    ({"kind": "scroll", "direction": "right"}, ["scroll_at(249, 160, 500, 0)"]),
    ({"kind": "type", "text": "a\n'ü\""}, ["keyboard_type('a\\n\\'\\xfc\"')"]),
    ({"kind": "type", "text": "a", "point": [1, 2]}, ["mouse_click(1, 2, 'left')", "keyboard_type('a')"]),
    ({"kind": "type", "text": ""}, ["noop(0)"]),
    ({"kind": "hotkey", "keys": ["ctrl", "shift", "t"]}, ["keyboard_press('Control+Shift+t')"]),
    ({"kind": "hotkey", "keys": ["ctrl", "+"]}, ["keyboard_press('Control++')"]),
    ({"kind": "press", "key": "page down"}, ["keyboard_press('PageDown')"]),
    ({"kind": "press", "key": "'"}, ['keyboard_press("\'")']),
    ({"kind": "key_down", "key": "shift"}, ["keyboard_down('Shift')"]),
    ({"kind": "key_up", "key": "shift"}, ["keyboard_up('Shift')"]),
    ({"kind": "wait", "seconds": 0.5}, ["noop(500)"]),
    ({"kind": "navigate", "url": "example.org"}, ["goto('https://example.org')"]),
    ({"kind": "navigate_back"}, ["go_back()"]),
    ({"kind": "press_back"}, ["go_back()"]),
    ({"kind": "long_press", "point": [1, 2]}, ["mouse_down(1, 2, 'left')", "noop(1000)", "mouse_up(1, 2, 'left')"]),
)


def read(call: str) -> tuple[str, list[Any]]:
    """A call's name and values; anything that BrowserGym does not publish is a failure."""
    (node,) = ast.parse(call).body
    assert isinstance(node, ast.Expr)
    assert isinstance(node.value, ast.Call)
    assert not node.value.keywords
    name, values = ast.unparse(node.value.func), [ast.literal_eval(value) for value in node.value.args]
    wanted = SIGNATURES[name]
    assert len(values) == len(wanted), call
    for value, kind in zip(values, wanted, strict=True):
        if kind == BUTTON:
            assert value in ("left", "middle", "right")
        else:
            assert isinstance(value, {NUMBER: int | float, TEXT: str, "int": int}[kind]), call
    return name, values


@pytest.mark.parametrize(("data", "calls"), ALL, ids=[data["kind"] for data, _ in ALL])
def test_each_action_has_its_calls(data: dict[str, Any], calls: list[str]) -> None:
    found = CoordWriter().write(action_adapter.validate_python(data), SIZE)
    assert list(found) == calls
    for call in found:
        read(call)


def test_every_kind_is_written_or_refused() -> None:
    written = {data["kind"] for data, _ in ALL}
    kinds = {kind.model_fields["kind"].default for kind in Action.__origin__.__args__}  # type: ignore[attr-defined]
    assert kinds - written == {"finished", "call_user", "open_app", "press_home"}
    for data in (
        {"kind": "open_app", "name": "files"},
        {"kind": "press_home"},
        {"kind": "press", "key": "f20"},
        {"kind": "press", "key": "é"},
        {"kind": "navigate", "url": "file:///etc/passwd"},
        {"kind": "navigate", "url": "javascript:alert(1)"},
        {"kind": "click", "point": [499, 1]},
    ):
        with pytest.raises(UsageError, match=r"cannot|not opened|outside"):
            CoordWriter().write(action_adapter.validate_python(data), SIZE)


def test_the_pointer_is_remembered() -> None:
    writer = CoordWriter()

    def wrote(action: Action) -> list[str]:
        return list(writer.write(action, SIZE))

    assert wrote(MouseDown()) == ["mouse_down(249, 160.5, 'left')"]
    wrote(Click(point=Point(10, 20)))
    assert wrote(MouseDown(button="right")) == ["mouse_down(10, 20, 'right')"]
    wrote(Drag(start=Point(1, 1), end=Point(30, 40)))
    wrote(Wait(seconds=0))
    assert wrote(MouseUp()) == ["mouse_up(30, 40, 'left')"]
    assert wrote(Scroll(direction="down")) == ["scroll_at(30, 40, 0, 500)"]
    with pytest.raises(UsageError):
        wrote(Click(point=Point(999, 1)))
    assert wrote(MouseUp()) == ["mouse_up(30, 40, 'left')"]


@given(st.text(min_size=1))
@example("'); goto('https://evil.example')\nnoop() #\\")
def test_texts_are_nothing_but_literals(text: str) -> None:
    (call,) = CoordWriter().write(Type(text=text), SIZE)
    assert call.isascii()
    assert "\n" not in call
    assert read(call) == ("keyboard_type", [text])
    assert read(farewell(Finished(answer=text))) == ("send_msg_to_user", [text])


# -------------------------------------------------------------------------------------------- the agent


def observed(**changes: Any) -> dict[str, Any]:
    return {
        "goal": "old",
        "goal_object": ({"type": "text", "text": "Click"}, {"type": "text", "text": "the button"}),
        "screenshot": np.zeros((321, 498, 3), np.uint8),
        "url": "https://example.org",
        "last_action_error": "",
        "dom_object": {"a": 1},
        "axtree_object": {},
        **changes,
    }


def test_an_episode_as_the_published_loop_has_it() -> None:
    replies = [
        "Thought: There it is.\nAction: click(start_box='(500,500)')",
        "Action: hotkey(key='ctrl f20')",
        "Action: type(content='hi')",
        "Action: finished(content='It\\'s done')",
    ]
    agent = BrowserGymAgent(ScriptedPolicy(replies))
    obs = agent.obs_preprocessor(observed())
    assert set(obs) == {"goal", "goal_object", "screenshot", "url", "last_action_error"}
    action, info = agent.get_action(obs)
    assert action == "mouse_click(249, 160.5, 'left')"
    assert info["think"] == "There it is."
    assert info["stats"] == {"prompt_tokens": 0, "reply_tokens": 0, "replies": 1}
    action, info = agent.get_action(observed(last_action_error="TimeoutError: 500 ms"))
    assert action == "keyboard_type('hi')"
    assert [turn.feedback for turn in agent.turns] == [
        "TimeoutError: 500 ms",
        "the key 'f20' cannot be pressed here; type a character as text",
        None,
    ]
    assert info["stats"]["replies"] == 2
    assert info["extra_info"]["useless"] == ["Action: hotkey(key='ctrl f20')"]
    action, _ = agent.get_action(observed())
    assert read(str(action)) == ("send_msg_to_user", ["It's done"])
    assert agent.get_action(observed())[0] is None


def test_an_episode_that_gets_nowhere_ends() -> None:
    agent = BrowserGymAgent(ScriptedPolicy(["what?"] * 9))
    action, info = agent.get_action(observed())
    assert action is None
    assert len(agent.turns) == 3
    assert "could not be read" in info["extra_info"]["problem"]
    agent = BrowserGymAgent(ScriptedPolicy(["Action: call_user()"]))
    assert agent.get_action(observed())[0] == "report_infeasible('This needs a person.')"


def test_what_cannot_be_shown_is_an_error() -> None:
    agent = BrowserGymAgent(ScriptedPolicy([]))
    picture = ({"type": "image_url", "image_url": {"url": "data:"}},)
    with pytest.raises(UsageError, match="pictures"):
        agent.get_action(observed(goal_object=picture))
    with pytest.raises(EnvironmentFailure, match="no screenshot"):
        agent.get_action(observed(screenshot=None))
    with pytest.raises(EnvironmentFailure, match="no picture"):
        agent.get_action(observed(screenshot=np.zeros((3, 3), np.uint8)))


def test_without_browsergym_its_action_set_is_missing() -> None:
    with pytest.raises(MissingPartError, match="pip install browsergym-core"):
        _ = BrowserGymAgent(ScriptedPolicy([])).action_set
    assert set(SUBSETS) == {"chat", "infeas", "coord", "nav"}


def test_args_make_agents_with_one_checkpoint() -> None:
    args = SaccadeArgs()
    assert pickle.loads(pickle.dumps(args)) == args
    assert len({args, SaccadeArgs(), SaccadeArgs(constrained=True)}) == 2
    args.prepare()
    args.set_benchmark("miniwob", demo_mode=False)
    args.set_reproducibility_mode()
    one, other = args.make_agent(), args.make_agent()
    assert one is not other
    assert isinstance(one._guest._policy, LocalPolicy)
    assert one._guest._policy is other._guest._policy
    action, _ = one.get_action(observed(screenshot=np.full((210, 160, 3), 255, np.uint8)))
    for call in (action or "").splitlines():
        read(call)
    args.close()
    assert args.make_agent()._guest._policy is not one._guest._policy


def test_importing_it_loads_neither_a_browser_nor_a_model() -> None:
    """BrowserGym pins another Playwright than ours: in its environment, ours is not installed."""
    code = "import sys, saccade.tasks.adapters.browsergym_agent, saccade.tasks.adapters.osworld_agent\n"
    code += "print(sorted({'playwright', 'torch', 'transformers', 'pyautogui', 'mss'} & set(sys.modules)))"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(SOURCE)}, timeout=100
    )
    assert (shown.stdout, shown.stderr) == ("[]\n", "")


def test_the_interface_is_what_agentlab_calls() -> None:
    for name in ("get_action", "obs_preprocessor"):
        assert list(inspect.signature(getattr(BrowserGymAgent, name)).parameters) == ["self", "obs"]
    for name in ("prepare", "close", "make_agent", "set_reproducibility_mode"):
        assert list(inspect.signature(getattr(SaccadeArgs, name)).parameters) == ["self"]
    assert SaccadeArgs().agent_name == "Saccade"
