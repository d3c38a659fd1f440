from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from made_desktops import BrowserWindow, Notepad, apart, browser_window, eventually, texts
from made_people import wait
from saccade.actions.errors import Stopped, UsageError
from saccade.actions.geometry import Point, Size
from saccade.env.control import Control
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.x11.connection import Connection
from saccade.env.x11.focus import Focus
from saccade.env.x11.input import X11Input
from saccade.env.x11.locks import LockKeys
from saccade.env.x11.session import X11Session
from saccade.env.x11.text import type_by_keys, type_by_paste, type_text
from saccade.perception.screen import ScreenCamera

AREA = "<textarea id=area spellcheck=false style='width:900px;height:400px'></textarea>"
TABS = """<script>area.onkeydown = e => { if (e.key == 'Tab') { e.preventDefault();
    area.setRangeText('\\t', area.selectionStart, area.selectionEnd, 'end') } }</script>"""


@pytest.fixture(scope="module")
def display() -> Iterator[PrivateDisplay]:
    with PrivateDisplay() as display:
        yield display


@pytest.fixture(scope="module")
def notepad(display: PrivateDisplay, tmp_path_factory: pytest.TempPathFactory) -> Notepad:
    return Notepad(display, tmp_path_factory.mktemp("notes") / "note.txt")


@pytest.fixture
def device(display: PrivateDisplay, notepad: Notepad) -> Iterator[X11Input]:
    device = X11Input(display.name, Control())
    device.keyboard.chord(("ctrl", "a"))
    device.keyboard.chord(("delete",))
    yield device
    device.close()


class Server:
    """The keyboard as the X server sees it."""

    def __init__(self, name: str) -> None:
        self.connection = Connection(name)
        self.locks = LockKeys(self.connection)

    def map(self) -> list[list[int]]:
        return [list(row) for row in self.connection.display.get_keyboard_mapping(8, 248)]

    def down(self) -> list[int]:
        bits = self.connection.display.query_keymap()
        return [code for code in range(256) if bits[code // 8] >> code % 8 & 1]


@pytest.fixture
def server(display: PrivateDisplay) -> Iterator[Server]:
    server = Server(display.name)
    before = server.map()
    yield server
    assert server.map() == before
    assert server.down() == []
    server.connection.close()


WAYS = [type_text, type_by_keys, type_by_paste]


@pytest.mark.parametrize("way", WAYS)
def test_texts_arrive_in_an_editor_exactly(tmp_path: Path, way: Callable[[X11Session, str], None], scale: int) -> None:
    wrong = []
    with PrivateDisplay() as display:
        notepad = Notepad(display, tmp_path / "note.txt")
        device = X11Input(display.name, Control())
        for text in [*texts(6 * scale), texts(2, longest=400)[1]]:
            notepad.clear(device)
            way(device.session, text)
            if not notepad.has(device, text):
                wrong.append(text)
        device.close()
    assert wrong == []


def test_texts_arrive_in_a_browser_exactly(scale: int) -> None:
    wrong = []

    def write(window: BrowserWindow, device: X11Input, way: Callable[[X11Session, str], None]) -> None:
        device.click(window.at(200, 200))
        for text in texts(4 * scale):
            device.keyboard.chord(("ctrl", "a"))
            device.keyboard.chord(("delete",))
            way(device.session, text)
            if not eventually(lambda: window.page.evaluate("area.value") == text):  # noqa: B023
                wrong.append((way.__name__, text))

    def body() -> None:
        with browser_window() as (window, device):
            window.show(AREA + TABS)
            write(window, device, type_by_keys)
            write(window, device, type_by_paste)
            window.show(AREA)  # the tab key would leave it
            write(window, device, type_text)

    apart(body)
    assert wrong == []


@pytest.mark.parametrize("layout", [["de"], ["us,ru", "-option", "grp:caps_toggle"]], ids=["de", "ru"])
def test_layouts_and_locks_do_not_matter(
    display: PrivateDisplay, device: X11Input, notepad: Notepad, layout: list[str]
) -> None:
    server = Server(display.name)
    subprocess.run(["setxkbmap", "-display", display.name, *layout], check=True)
    try:
        device.keyboard.chord(("capslock",))  # switches to the second layout where there is one
        device.keyboard.chord(("numlock",))
        locks, before = server.locks.get(), server.map()
        assert any(locks)
        text = "Hello, Wörld! <y> [z] @ 'quoted' ^ ~ \\ ẞ Привет 你好\n"
        device.keyboard.type(text)
        assert (server.locks.get(), server.map()) == (locks, before)
        device.keyboard.chord(("capslock",))
        device.keyboard.chord(("numlock",))
        assert notepad.has(device, text)
    finally:
        subprocess.run(["setxkbmap", "-display", display.name, "us", "-option", ""], check=True)
        server.connection.close()


def test_held_modifiers_do_not_spoil_text_and_stay_held(device: X11Input, notepad: Notepad, server: Server) -> None:
    device.keyboard.down("shift")
    device.keyboard.down("ctrl")
    held = server.down()
    assert len(held) == 2
    device.keyboard.type("as it is, ñ")
    assert server.down() == held
    device.keyboard.release_all()
    assert notepad.has(device, "as it is, ñ")


def test_every_convention_of_line_breaks_is_one_enter(device: X11Input, notepad: Notepad) -> None:
    device.keyboard.type("one\r\ntwo\rthree\nfour")
    assert notepad.has(device, "one\ntwo\nthree\nfour")


def test_what_no_key_says_is_pasted(device: X11Input, notepad: Notepad, server: Server) -> None:
    device.keyboard.type("a\x01b\x7f\x85c\ufdd0é")
    assert notepad.has(device, "a\x01b\x7f\x85c\ufdd0é")


def test_a_digit_that_comes_again_reaches_a_calculator() -> None:
    def shown(*texts: str) -> bytes:
        with PrivateDisplay(Size(500, 500)) as display, closing(X11Input(display.name, Control())) as device:
            display.wait_for_window(display.start(["galculator"]))
            wait(0.5)
            for text in texts:
                device.keyboard.type(text)
                wait(0.3)
            with closing(ScreenCamera(display.name)) as camera:
                pixels = camera.grab().pixels
                return pixels[: len(pixels) // 2].tobytes()

    assert shown("5533") == shown("5", "5", "3", "3") != shown("53")


def test_half_a_character_is_refused(device: X11Input, notepad: Notepad) -> None:
    with pytest.raises(UsageError, match="position 1"):
        device.keyboard.type("a\ud800")
    assert notepad.has(device, "")


def test_a_map_without_spare_keycodes_is_enough(device: X11Input, notepad: Notepad, server: Server) -> None:
    change = server.connection.display.change_keyboard_mapping
    before = server.map()
    spare = [code for code, row in enumerate(before, 8) if not any(row)]
    for code in spare:
        change(code, [[0x1002603] * len(before[0])])
    server.connection.display.sync()
    full = server.map()
    try:
        device.keyboard.type("snow ☃, 你好, ñ, volume")
        assert notepad.has(device, "snow ☃, 你好, ñ, volume")
        assert server.map() == full
    finally:
        for code in spare:
            change(code, [before[code - 8]])
        server.connection.display.sync()


@pytest.mark.parametrize("character", ["x", "ж"])
def test_a_stop_ends_typing_at_once_and_leaves_nothing_behind(
    display: PrivateDisplay, notepad: Notepad, device: X11Input, server: Server, character: str
) -> None:
    control = Control()
    stopped = X11Input(display.name, control)
    stopped.down(Point(3, 3), "left")  # on the bare screen, where no window manager has a say
    stopped.keyboard.down("shift")
    threading.Timer(0.1, control.stop, ("enough",)).start()
    with pytest.raises(Stopped, match="enough"):
        stopped.keyboard.type(character * 5000)
    assert server.down() == []
    assert server.connection.root.query_pointer().mask & 0x1F00 == 0
    assert stopped.keyboard.held == ()
    device.keyboard.chord(("ctrl", "s"))
    assert eventually(lambda: 0 < len(notepad.file.read_text("utf-8")) < 5000)
    stopped.close()


@pytest.mark.parametrize("mask", [1 << 20 | 1 << 19, 1 << 20 | 1 << 17], ids=["as GTK", "as Qt"])
def test_a_program_is_waited_for_whoever_it_answers(display: PrivateDisplay, notepad: Notepad, mask: int) -> None:
    """GTK and Qt send the answer to a ping to listeners of different kinds."""
    program, control = Connection(display.name), Control()
    assert eventually(lambda: not isinstance(program.display.get_input_focus().focus, int))
    former = program.display.get_input_focus().focus
    depth = program.display.screen().root_depth
    window = program.root.create_window(0, 0, 9, 9, 0, depth, event_mask=3, override_redirect=True)
    window.change_property(program.atom("WM_PROTOCOLS"), 4, 32, [program.atom("_NET_WM_PING")])
    window.map()
    window.set_input_focus(1, 0)
    program.display.sync()
    answered = threading.Event()

    def answer() -> None:
        for event in program.events(20.0):
            if event.type & 0x7F == 33:
                event.window = program.root
                program.root.send_event(event, event_mask=mask)
                program.display.flush()
                answered.set()
                return

    other = threading.Thread(target=answer)
    other.start()
    connection = Connection(display.name)
    Focus(connection, control).settle()
    other.join()
    assert answered.is_set()
    former.set_input_focus(1, 0)
    window.destroy()
    program.close()
    connection.close()


def test_four_desktops_in_one_process_do_not_mix(tmp_path: Path) -> None:
    wanted = [f"{name} {text}" for name, text in zip("ABCD", texts(5, longest=60)[1:], strict=True)]
    found: dict[int, bool] = {}

    def work(number: int) -> None:
        with PrivateDisplay() as display:
            notepad = Notepad(display, tmp_path / f"{number}.txt")
            device = X11Input(display.name, Control())
            together.wait()
            device.keyboard.type(wanted[number])
            found[number] = notepad.has(device, wanted[number])
            device.close()

    together = threading.Barrier(4, timeout=60)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(4), True)
