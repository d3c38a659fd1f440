"""The interface that OSWorld's runner calls, and the strings themselves, which are read and not run here."""

from __future__ import annotations

import ast
import inspect
import logging
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from saccade.actions.errors import EnvironmentFailure, UsageError
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import (
    Action,
    Click,
    DoubleClick,
    Hotkey,
    KeyDown,
    LongPress,
    Press,
    Type,
    Wait,
    action_adapter,
)
from saccade.agent.policy import ScriptedPolicy
from saccade.perception.observation import Screenshot
from saccade.tasks.adapters.computer13 import computer_13
from saccade.tasks.adapters.osworld_agent import OsWorldAgent
from saccade.tasks.adapters.pyautogui_code import pyautogui_code

SIZE = Size(1920, 1080)
OBS = {"screenshot": Screenshot(np.zeros((1080, 1920, 3), np.uint8)).png(), "accessibility_tree": None}
UNTIL_COPIED = "next((0 for _ in range(100) if pyperclip.paste() == text or time.sleep(0.1)), 0)"
MAY_BE_CALLED = {
    *(f"pyautogui.{name}" for name in ("moveTo", "click", "doubleClick", "rightClick", "middleClick")),
    *(f"pyautogui.{name}" for name in ("mouseDown", "mouseUp", "scroll", "hscroll", "write", "press")),
    *("pyautogui.hotkey", "pyautogui.keyDown", "pyautogui.keyUp", "text", "time.sleep"),
}
KEY_NAMES = {
    *"\t\n !\"#$%&'()*+,-./0123456789:;<=>?@[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~",
    *("alt", "apps", "backspace", "capslock", "ctrl", "delete", "down", "end", "enter", "escape", "home"),
    *("insert", "left", "numlock", "pagedown", "pageup", "pause", "printscreen", "right", "scrolllock"),
    *("shift", "space", "tab", "up", "win"),
    *(f"f{number}" for number in range(1, 13)),
}


def episode(*replies: str, action_space: Any = "pyautogui") -> OsWorldAgent:
    agent = OsWorldAgent(ScriptedPolicy(replies), action_space)
    agent.reset(logging.getLogger("test"), vm_ip="10.0.0.1", anything="else")
    return agent


def test_an_episode_as_the_published_runner_has_it() -> None:
    agent = episode(
        "Thought: there.\nAction: click(start_box='(500,500)')",
        "Action: type(content='a<b\\n')",
        "Action: wait()",
        "Action: finished(content='done')",
    )
    assert agent.observation_type == "screenshot"
    replies = [agent.predict("Do it", OBS) for _ in range(4)]
    assert replies[0][0] == "Thought: there.\nAction: click(start_box='(500,500)')"
    assert [actions for _, actions in replies] == [
        ["pyautogui.click(960, 540)"],
        ["pyautogui.write('a'); pyautogui.hotkey('shift', ','); pyautogui.write('b\\n')"],
        ["WAIT"],
        ["DONE"],
    ]
    assert len(agent.turns) == 4
    agent.reset()
    assert len(agent.turns) == 0
    assert agent.predict("Do it", OBS)[1] == ["pyautogui.click(960, 540)"]


def test_dictionaries_as_published() -> None:
    agent = episode(
        "Action: drag(start_box='(0,0)', end_box='(500,500)')",
        "Action: scroll(start_box='(500,500)', direction='left')",
        "Action: wait()",
        "Action: call_user()",
        action_space="computer_13",
    )
    found = [agent.predict("Do it", OBS)[1] for _ in range(4)]
    assert found == [
        [
            {"action_type": "MOVE_TO", "parameters": {"x": 0, "y": 0}},
            {"action_type": "DRAG_TO", "parameters": {"x": 960, "y": 540}},
        ],
        [
            {"action_type": "MOVE_TO", "parameters": {"x": 960, "y": 540}},
            {"action_type": "SCROLL", "parameters": {"dx": -5, "dy": 0}},
        ],
        ["WAIT"],
        ["FAIL"],
    ]
    with pytest.raises(UsageError, match="computer_13"):
        OsWorldAgent(ScriptedPolicy([]), "claude")  # type: ignore[arg-type]


def test_unreadable_replies_are_bounded_and_claim_nothing(caplog: pytest.LogCaptureFixture) -> None:
    agent = episode("what?", "hm", "Action: click(start_box='(500,500)')", *["no"] * 9)
    with caplog.at_level(logging.WARNING, "test"):
        assert agent.predict("Do it", OBS)[1] == ["pyautogui.click(960, 540)"]
    assert [record.args for record in caplog.records] == [("what?",), ("hm",)]
    assert agent.predict("Do it", OBS) == ("no", ["DONE"])
    assert len(agent.turns) == 6


@pytest.mark.parametrize("screenshot", [None, b"", b"no picture", "text"])
def test_no_screenshot_is_an_error_of_the_environment(screenshot: object) -> None:
    with pytest.raises(EnvironmentFailure, match="screenshot"):
        episode("Action: wait()").predict("Do it", {"screenshot": screenshot})


# -------------------------------------------------------------- whatever is asked for, nothing else is run


texts = st.text(max_size=30)


def calls_in(code: str) -> list[tuple[str, list[object]]]:
    """Each call with its values; anything but calls and one import is a failure."""
    found = []
    for node in ast.parse(code).body:
        if isinstance(node, ast.Import):
            assert [alias.name for alias in node.names] == ["pyperclip"]
            continue
        if isinstance(node, ast.Pass) or ast.unparse(node) in ("pyperclip.copy(text)", UNTIL_COPIED):
            continue
        if isinstance(node, ast.Assign):
            assert ast.unparse(node.targets[0]) == "text"
            found.append(("text", [ast.literal_eval(node.value)]))
            continue
        assert isinstance(node, ast.Expr)
        assert isinstance(node.value, ast.Call)
        values = [ast.literal_eval(value) for value in node.value.args]
        values += [ast.literal_eval(word.value) for word in node.value.keywords]
        found.append((ast.unparse(node.value.func), values))
    return found


def texts_of(code: str) -> str:
    parts = []
    for name, values in calls_in(code):
        if name in ("pyautogui.write", "text"):
            parts.append(str(values[0]))
        elif (name, values) == ("pyautogui.hotkey", ["shift", ","]):
            parts.append("<")
    return "".join(parts)


@given(texts)
@example("pyautogui.press('<'); pyautogui.typewrite('a<b')")
@example("x\n<ü<\r\n\r'\"\\")
def test_texts_are_nothing_but_literals(text: str) -> None:
    code = pyautogui_code(Type(text=text), SIZE)
    assert code.isascii()
    assert "\n" not in code
    assert {name for name, _ in calls_in(code)} <= MAY_BE_CALLED
    assert texts_of(code) == text.replace("\r\n", "\n").replace("\r", "\n")
    assert code.count("pyautogui.") == sum(name.startswith("pyautogui.") for name, _ in calls_in(code))
    compile("import pyautogui; import time; pyautogui.FAILSAFE = False; " + code, "command", "exec")


def test_a_text_that_is_pasted_is_left_time_before_enter_is_pressed() -> None:
    assert pyautogui_code(Type(text="é\n<\n\n"), SIZE) == (
        f"import pyperclip; text = '\\xe9\\n<'; pyperclip.copy(text); {UNTIL_COPIED}; "
        "pyautogui.hotkey('ctrl', 'v'); time.sleep(0.5); pyautogui.write('\\n\\n')"
    )
    assert pyautogui_code(Type(text=""), SIZE) == "pass"


@given(st.text(min_size=1, max_size=1))
@example("'")
@example("\\")
@example("<")
def test_keys_are_ones_that_the_harness_knows(key: str) -> None:
    for action in (_made(Press, key=key), _made(KeyDown, key=key), _made(Hotkey, keys=("ctrl", key))):
        if action is None:
            continue
        try:
            calls = computer_13(action, SIZE)
        except UsageError:
            continue
        for call in calls:
            keys = call["parameters"].get("keys", [call["parameters"].get("key", "a")])
            assert {name.lower() for name in keys} <= KEY_NAMES
            assert not {"'", "\\"} & set(keys)


def _made(kind: Any, **values: object) -> Action | None:
    try:
        made: Action = kind(**values)
    except (ValueError, UsageError):  # no keyboard has such a key
        return None
    return made


@pytest.mark.parametrize("write", [pyautogui_code, computer_13])
def test_what_a_machine_cannot_do_is_refused(write: Any) -> None:
    for data in (
        {"kind": "navigate", "url": "https://example.org"},
        {"kind": "navigate_back"},
        {"kind": "open_app", "name": "files"},
        {"kind": "press_home"},
        {"kind": "press_back"},
        {"kind": "press", "key": "f20"},
        {"kind": "hotkey", "keys": ["ctrl", "é"]},
    ):
        with pytest.raises(UsageError, match="cannot"):
            write(action_adapter.validate_python(data), SIZE)
    with pytest.raises(UsageError, match=r"outside the screenshot of 1920 x 1080"):
        write(Click(point=Point(1921, 5)), SIZE)
    with pytest.raises(UsageError, match="US keyboard"):
        computer_13(Type(text="ß"), SIZE)


def test_waits_end_before_the_harness_gives_up() -> None:
    assert pyautogui_code(Wait(seconds=600), SIZE) == "time.sleep(60)"
    assert "time.sleep(60)" in pyautogui_code(LongPress(point=Point(1, 1), seconds=60), SIZE)
    assert pyautogui_code(Wait(seconds=0.25), SIZE) == "time.sleep(0.25)"


def test_the_clicks_of_a_double_click_are_told_apart() -> None:
    """Browsers take two clicks of one millisecond for the same."""
    assert pyautogui_code(DoubleClick(point=Point(5, 6)), SIZE) == "pyautogui.doubleClick(5, 6, interval=0.01)"


def test_the_signatures_are_those_that_runners_call() -> None:
    assert list(inspect.signature(OsWorldAgent.predict).parameters) == ["self", "instruction", "obs"]
    OsWorldAgent(ScriptedPolicy([])).reset(None)
