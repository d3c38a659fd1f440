from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from made_desktops import BrowserWindow, Notepad, apart, browser_window, eventually
from made_guard import permitted
from places import SOURCE
from saccade.actions.errors import EnvironmentFailure, MissingPartError, Stopped
from saccade.actions.geometry import Point
from saccade.actions.keys import NAMED_KEYS
from saccade.actions.schema import Hotkey
from saccade.env.control import Control
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.input import perform
from saccade.env.x11.connection import Connection
from saccade.env.x11.input import X11Input
from saccade.env.x11.keymap import keysym

PAGE = """
<div id=piece draggable=true style='position:absolute;left:20px;top:20px;width:80px;height:40px'>piece</div>
<div id=goal style='position:absolute;left:300px;top:150px;width:200px;height:100px;background:#ddd'></div>
<input id=slider type=range value=0 style='position:absolute;left:20px;top:300px;width:400px;margin:0'>
<div id=words style='position:absolute;left:20px;top:340px;font:20px monospace'>some words to select</div>
<script>var drops = 0, ends = 0, clicks = [];
piece.ondragend = () => ends++;
piece.ondragstart = e => e.dataTransfer.setData('text/plain', 'piece');
goal.ondragover = e => e.preventDefault();
goal.ondrop = e => { e.preventDefault(); drops++ };
onclick = e => clicks.push(e.detail); oncontextmenu = e => { e.preventDefault(); clicks.push('menu') };
</script>"""


@pytest.fixture(scope="module")
def display() -> Iterator[PrivateDisplay]:
    with PrivateDisplay() as display:
        yield display


def test_drags_and_clicks_in_a_browser() -> None:
    def body() -> None:
        with browser_window() as (window, device):
            window.show(PAGE)
            for count, end in enumerate(((400, 200), (490, 160), (308, 240)), start=1):
                _drag_everything(window, device, count, Point(*end))
            window.page.evaluate("clicks.length = 0")
            device.click(window.at(600, 50))
            assert eventually(lambda: window.page.evaluate("clicks") == [1])
            device.click(window.at(700, 90), count=2)
            assert eventually(lambda: window.page.evaluate("clicks") == [1, 1, 2])
            device.click(window.at(600, 250), "right")
            assert eventually(lambda: window.page.evaluate("clicks") == [1, 1, 2, "menu"])

    apart(body)


def test_a_chord_presses_a_key_as_often_as_it_names_it(display: PrivateDisplay, tmp_path: Path) -> None:
    notepad = Notepad(display, tmp_path / "notes.txt")
    with closing(X11Input(display.name, Control())) as device:
        device.keyboard.type("abcdef")
        for keys in (("left", "left", "left"), ("shift", "left", "left"), ("x", "x")):
            assert perform(device, permitted(Hotkey(keys=keys)), lambda point: point)
        assert not device.keyboard.held
        perform(device, permitted(Hotkey(keys=("end", "y", "end", "y"))), lambda point: point)
        assert notepad.has(device, "axxdefyy"), notepad.file.read_text()


def _drag_everything(window: BrowserWindow, device: X11Input, count: int, end: Point) -> None:
    """The ends are in the middle of the goal, and where a pointer is only just inside."""
    page = window.page
    device.drag(window.at(60, 40), window.at(*end))
    assert eventually(lambda: page.evaluate("drops == ends && drops") == count)
    page.evaluate("slider.value = 0")
    device.drag(window.at(28, 308), window.at(28 + 384 * 0.6, 308))
    assert eventually(lambda: 59 <= int(page.evaluate("slider.value")) <= 61)
    device.drag(window.at(21, 352), window.at(258, 352))
    assert eventually(lambda: page.evaluate("getSelection().toString()") == "some words to select")
    page.evaluate("getSelection().removeAllRanges()")


def test_windows_are_dragged_by_their_titles(display: PrivateDisplay, tmp_path: Path) -> None:
    notepad = Notepad(display, tmp_path / "note.txt")
    device, server = X11Input(display.name, Control()), Connection(display.name)
    window = server.window(notepad.window)
    title = server.numbers(window, "_NET_FRAME_EXTENTS")[2]

    def place() -> Point:
        place = server.root.translate_coords(window, 0, 0)
        return Point(place.x, place.y)

    for x, y in ((40, 60), (300, 200), (310, 207), (90, 238)):  # the last one sticks out at the bottom
        handle = Point(place().x + 200, place().y - title / 2)
        device.drag(handle, Point(handle.x + x - place().x, handle.y + y - place().y))
        assert eventually(lambda: place() == (x, y)), (x, y, place())  # noqa: B023
    device.close()
    server.close()


class Listener:
    """A window that writes down the symbols of the keys it gets."""

    def __init__(self, name: str) -> None:
        self.connection = Connection(name)
        screen = self.connection.display.screen()
        self.window: Any = self.connection.root.create_window(
            0, 0, 300, 300, 0, screen.root_depth, event_mask=3, override_redirect=True
        )
        self.window.map()
        self.window.set_input_focus(1, 0)
        self.connection.display.sync()

    def symbols(self, count: int) -> list[tuple[int, int]]:
        """Kind of event (2 down, 3 up) and symbol, on the level without modifiers."""
        found: list[tuple[int, int]] = []

        def enough() -> bool:
            for event in self.connection.events(0.1):
                if event.type in (2, 3):
                    row = self.connection.display.get_keyboard_mapping(event.detail, 1)[0]
                    found.append((event.type, row[0]))
            return len(found) >= count

        assert eventually(enough)
        return found


def test_every_key_arrives_and_is_let_go(display: PrivateDisplay) -> None:
    listener = Listener(display.name)
    device = X11Input(display.name, Control())
    before = listener.connection.display.get_keyboard_mapping(8, 248)
    for key in sorted(NAMED_KEYS - {"capslock", "numlock", "scrolllock"}):
        device.keyboard.down(key)
        assert listener.symbols(1) == [(2, keysym(key))], key
        device.keyboard.up(key)
        listener.symbols(1)
    device.keyboard.chord(("ctrl", "shift", "a"))
    a, shift, ctrl = keysym("a"), keysym("shift"), keysym("ctrl")
    assert listener.symbols(6) == [(2, ctrl), (2, shift), (2, a), (3, a), (3, shift), (3, ctrl)]
    assert listener.connection.display.get_keyboard_mapping(8, 248) == before
    assert device.keyboard.held == ()
    device.close()
    listener.window.destroy()
    listener.connection.close()


@pytest.mark.parametrize("work", ["drag", "long press", "move"])
def test_a_stop_ends_the_pointers_work_and_lets_go(display: PrivateDisplay, work: str) -> None:
    """On the bare screen; over a window the server holds buttons back until the window manager agrees."""
    control = Control()
    device = X11Input(display.name, control)
    server = Connection(display.name)
    threading.Timer(0.05, control.stop, ("enough",)).start()
    works = {
        "drag": lambda: device.drag(Point(1000, 700), Point(1270, 20)),
        "long press": lambda: device.long_press(Point(1000, 700), 60),
        "move": lambda: [device.move(Point(1000, 700)) for _ in range(1_000_000)],
    }
    with pytest.raises(Stopped):
        works[work]()
    assert server.root.query_pointer().mask & 0x1F00 == 0
    server.close()
    device.close()


def test_no_display_is_said_so() -> None:
    with pytest.raises(MissingPartError, match=":999"):
        X11Input(":999", Control())


def test_a_lost_display_is_said_so() -> None:
    with PrivateDisplay() as display:
        device = X11Input(display.name, Control())
    with pytest.raises(EnvironmentFailure, match="is gone"):
        device.click(Point(1, 1))


PYAUTOGUI = """
from saccade.actions.geometry import Point
from saccade.env.control import Control
from saccade.env.desktop.pyautogui_input import PyAutoGuiInput
device = PyAutoGuiInput(Control())
device.move(Point(300, 200))
device.keyboard.chord(("ctrl", "a"))
device.keyboard.type("plain and <Ünïcode> 你好\\n")
print(device.keyboard.held)
"""


def test_pyautogui_where_it_is_asked_for(display: PrivateDisplay, tmp_path: Path) -> None:
    notepad = Notepad(display, tmp_path / "note.txt")
    environ = {**os.environ, **display.environ, "PYTHONPATH": str(SOURCE)}
    call = [sys.executable, "-c", PYAUTOGUI]
    out = tmp_path / "out.txt"
    with out.open("w") as file:  # no pipe: what keeps the clipboard would keep it open
        done = subprocess.run(call, env=environ, stdout=file, stderr=file, timeout=60)
    assert (done.returncode, out.read_text()) == (0, "()\n")
    device = X11Input(display.name, Control())
    assert notepad.has(device, "plain and <Ünïcode> 你好\n")
    device.close()
    del environ["DISPLAY"]
    lost = subprocess.run(call, env=environ, capture_output=True, text=True, timeout=60)
    assert "MissingPartError: PyAutoGUI cannot be used here" in lost.stderr
