"""What the strings for OSWorld do when they are run, next to what our own input device does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from made_desktops import Notepad, texts
from made_guard import permitted
from saccade.actions.errors import UsageError
from saccade.actions.geometry import Point, Size
from saccade.actions.keys import NAMED_KEYS
from saccade.actions.schema import (
    Action,
    Click,
    DoubleClick,
    Drag,
    Hotkey,
    KeyDown,
    KeyUp,
    LongPress,
    MiddleClick,
    MouseDown,
    MouseUp,
    Move,
    Press,
    RightClick,
    Scroll,
    Type,
    Wait,
)
from saccade.env.control import Control
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.input import perform
from saccade.env.input_events import ButtonInput, Input, KeyInput, MoveInput, TickInput, WheelInput
from saccade.env.record.source import listening
from saccade.env.x11.input import X11Input
from saccade.tasks.adapters.computer13 import computer_13
from saccade.tasks.adapters.pyautogui_code import pyautogui_code

SIZE = Size(1280, 720)
START = Point(600, 500)
MARK = "f8"
# What OSWorld puts in front of a command, and how it runs one: each in its own namespace.
RUNNER = """
import json, sys, pyautogui
pyautogui.PAUSE = 0  # its rest of 0.1 s after each call is for programs, and here only events are heard
for line in sys.stdin:
    command = json.loads(line)
    exec("import pyautogui; import time; pyautogui.FAILSAFE = False; {command}".format(command=command), {})
    print("done", flush=True)
"""
PLAIN: tuple[tuple[Action, ...], ...] = (
    (Move(point=Point(300, 200)),),
    (Click(point=Point(700.7, 355.2)),),
    (DoubleClick(point=Point(10, 10)),),
    (RightClick(point=Point(1280, 720)),),
    (MiddleClick(point=Point(0, 0)),),
    (Drag(start=Point(100, 100), end=Point(300, 161)),),
    (Drag(start=Point(500, 300), end=Point(497, 300)),),
    (MouseDown(point=Point(400, 400), button="right"), MouseUp(button="right")),
    (MouseDown(button="middle"), MouseUp(point=Point(410, 390), button="middle")),
    (Scroll(direction="down", point=Point(640, 360), amount=3), Scroll(direction="up", amount=2)),
    (Scroll(direction="left", point=Point(640, 300), amount=1), Scroll(direction="right", amount=4)),
    (LongPress(point=Point(222, 111), seconds=0.1),),
    (Hotkey(keys=("ctrl", "shift", "t")), Hotkey(keys=("alt", "f4")), Hotkey(keys=("meta", "menu"))),
    (KeyDown(key="shift"), Press(key="home"), KeyUp(key="shift"), Press(key="x")),
)
SHIFTED = "A~!@#$%^&*()_+{}|:\"<>?'\\/-=`,.;[]1 z"


class Machine:
    """A display with two input devices: ours, and pyautogui's that runs strings."""

    def __init__(self, display: PrivateDisplay) -> None:
        self.display = display
        self.device = X11Input(display.name, Control())
        self._heard: Iterator[Input] = iter(())
        self._runner = subprocess.Popen(
            [sys.executable, "-c", RUNNER],
            env=display.environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @contextmanager
    def used(self) -> Iterator[Machine]:
        try:
            with listening(self.display.name) as events:
                self._heard = (event for event, _ in events if not isinstance(event, TickInput))
                yield self
        finally:
            self.device.close()
            assert self._runner.stdin is not None
            self._runner.stdin.close()
            assert self._runner.wait(60) == 0
            assert self._runner.stdout is not None
            self._runner.stdout.close()

    def run(self, code: str) -> None:
        """Execute a string; whatever it raises ends the runner, and the test with it."""
        assert self._runner.stdin is not None
        assert self._runner.stdout is not None
        print(json.dumps(code), file=self._runner.stdin, flush=True)
        assert self._runner.stdout.readline() == "done\n", code

    def by_hand(self, action: Action) -> None:
        assert perform(self.device, permitted(action), lambda point: Point(min(point.x, 1279), min(point.y, 719)))

    def heard(self) -> list[Input]:
        """Everything since the last call: a key that is pressed now comes last."""
        self.device.keyboard.chord((MARK,))
        events: list[Input] = []
        while not events or not (isinstance(events[-1], KeyInput) and events[-1].key == MARK):
            events.append(next(self._heard))
        next(self._heard)  # the key goes up
        return events[:-1]


def way(events: Sequence[Input]) -> list[tuple[Any, ...]]:
    """What was done, without times, and without moves that lead nowhere."""
    done: list[tuple[Any, ...]] = []
    place = START
    for event in events:
        match event:
            case MoveInput(point=point):
                done += [("move", point)] if point != place else []
                place = point
            case ButtonInput(point=point, button=button, down=down):
                done.append(("button", point, button, down))
            case WheelInput(point=point, direction=direction):
                done.append(("wheel", point, direction))
            case KeyInput(key=key, down=down):
                done.append(("key", key, down))
    return done


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with PrivateDisplay(SIZE) as display, Machine(display).used() as machine:
        yield machine


def both_ways(machine: Machine, actions: Sequence[Action], codes: Sequence[str]) -> list[tuple[Any, ...]]:
    """Our input device, then the strings, from one place: both are heard to do the same."""
    seen = []
    for turn in range(2):
        machine.by_hand(Move(point=START))
        machine.heard()
        for action in actions if turn == 0 else ():
            machine.by_hand(action)
        for code in codes if turn == 1 else ():
            machine.run(code)
        seen.append(way(machine.heard()))
    assert seen[0], actions
    assert seen[1] == seen[0], actions
    return seen[0]


def kinds(actions: Sequence[Action]) -> str:
    return "-".join(action.kind for action in actions)


@pytest.mark.parametrize("actions", PLAIN, ids=kinds)
def test_code_does_what_our_device_does(machine: Machine, actions: Sequence[Action]) -> None:
    both_ways(machine, actions, [pyautogui_code(action, SIZE) for action in actions])


def test_every_named_key_is_pressed_or_refused(machine: Machine) -> None:
    refused = set()
    for key in sorted(NAMED_KEYS - {MARK, "capslock", "numlock", "scrolllock"}):
        try:
            code = pyautogui_code(Press(key=key), SIZE)
        except UsageError:
            refused.add(key)
            continue
        machine.heard()
        machine.run(code)
        assert way(machine.heard()) == [("key", key, True), ("key", key, False)]
    assert refused == {*(f"f{number}" for number in range(13, 25)), "volumeup", "volumedown", "volumemute"}


def test_keys_that_need_shift_are_pressed(machine: Machine) -> None:
    """The order in which shift and key go up differs, so that only what is pressed is compared."""
    for character in SHIFTED:
        machine.heard()
        for code in (pyautogui_code(Press(key=character), SIZE), pyautogui_code(Type(text=character), SIZE)):
            machine.run(code)
            pressed = [done[1] for done in way(machine.heard()) if done[0] == "key" and done[2]]
            assert [key for key in pressed if key != "shift"] == [character if character != " " else "space"]


def saved(machine: Machine, notepad: Notepad, text: str) -> bool:
    """Whether the file is this in the end; what is pasted arrives some time after the key."""
    return any(notepad.has(machine.device, text) for _ in range(6))


def test_texts_arrive_exactly(machine: Machine, tmp_path: Path) -> None:
    notepad = Notepad(machine.display, tmp_path / "note.txt")
    hard = [
        "if a << b <= c: print('<b>\"\\n\"</b>')  # {command} %s {0}\n\tand\n\n",
        "pyautogui.press('<'); pyautogui.typewrite('a<b')\nimport os; os.abort() # \"'",
        "Größe: 3 €\nplain\n\n日本語 <ok>",
        "pyautogui.typewrite('ß<\\'); os.abort() #')",
    ]
    for text in [*hard, *(text.rstrip("\n") for text in texts(8, seed=5))]:
        notepad.clear(machine.device)
        machine.run(pyautogui_code(Type(text=text), SIZE))
        assert saved(machine, notepad, text), text
    notepad.clear(machine.device)
    middle = Point(SIZE.width / 2, SIZE.height / 2)
    machine.run(pyautogui_code(Type(text="clicked first", point=middle), SIZE))
    assert saved(machine, notepad, "clicked first")
    machine.display.end_programs()


def test_a_wait_takes_its_time_and_presses_nothing(machine: Machine) -> None:
    machine.heard()
    machine.run(pyautogui_code(Wait(seconds=0.01), SIZE))
    assert way(machine.heard()) == []


# What OSWorld's own executor makes of each kind of ``computer_13``; its drag takes a second there.
MEANINGS = {
    "MOVE_TO": "pyautogui.moveTo({x}, {y})",
    "CLICK": "pyautogui.click(button='{button}', x={x}, y={y})",
    "MOUSE_DOWN": "pyautogui.mouseDown(button='{button}')",
    "MOUSE_UP": "pyautogui.mouseUp(button='{button}')",
    "RIGHT_CLICK": "pyautogui.rightClick(x={x}, y={y})",
    "DOUBLE_CLICK": "pyautogui.doubleClick(x={x}, y={y})",
    "DRAG_TO": "pyautogui.dragTo({x}, {y}, duration=0.2, button='left', mouseDownUp=True)",
    "SCROLL": "pyautogui.hscroll({dx}); pyautogui.vscroll({dy})",
    "TYPING": "pyautogui.typewrite({text!r})",
    "PRESS": "pyautogui.press('{key}')",
    "KEY_DOWN": "pyautogui.keyDown('{key}')",
    "KEY_UP": "pyautogui.keyUp('{key}')",
}


def meaning(call: dict[str, Any]) -> str:
    if call["action_type"] == "HOTKEY":
        return "pyautogui.hotkey('{}')".format("', '".join(call["parameters"]["keys"]))
    return MEANINGS[call["action_type"]].format(**call["parameters"])


@pytest.mark.parametrize("actions", [case for case in PLAIN if not isinstance(case[0], Drag)], ids=kinds)
def test_dictionaries_do_what_our_device_does(machine: Machine, actions: Sequence[Action]) -> None:
    calls = [call for action in actions for call in computer_13(action, SIZE)]
    both_ways(machine, actions, [meaning(call) for call in calls])


def test_dictionaries_drag(machine: Machine) -> None:
    """OSWorld's way between the ends is its own."""
    machine.heard()
    for call in computer_13(Drag(start=Point(100, 100), end=Point(300, 161)), SIZE):
        machine.run(meaning(call))
    held = [done for done in way(machine.heard()) if done[0] == "button"]
    assert held == [("button", (100, 100), "left", True), ("button", (300, 161), "left", False)]


def test_dictionaries_type_exactly(machine: Machine, tmp_path: Path) -> None:
    notepad = Notepad(machine.display, tmp_path / "note.txt")
    text = texts(1)[0] + "\nif a << b:\n"
    for call in computer_13(Type(text=text), SIZE):
        machine.run(meaning(call))
    for key in SHIFTED:
        for call in computer_13(Press(key=key), SIZE):
            machine.run(meaning(call))
    assert saved(machine, notepad, text + SHIFTED)
    machine.display.end_programs()
