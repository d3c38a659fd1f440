from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from made_desktops import Notepad, eventually
from saccade.actions.errors import Stopped
from saccade.env.control import Control
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.x11.connection import Connection
from saccade.env.x11.input import X11Input
from saccade.env.x11.selection import SelectionReader
from saccade.env.x11.text import type_by_paste

MANY = "".join(f"{number} größer 你好\n" for number in range(60_000))
LINES = "".join(f"line {number}: ñ\n" for number in range(8_000))


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
    notepad.clear(device)
    yield device
    device.close()


def xclip(display: PrivateDisplay, *words: str, put: bytes | None = None) -> bytes:
    """What another program reads from the clipboard, or puts there."""
    call = ["xclip", "-display", display.name, "-selection", "clipboard", *words]
    if put is None:
        return subprocess.run([*call, "-out"], capture_output=True, check=True, timeout=60).stdout
    subprocess.run([*call, "-in"], input=put, stdout=subprocess.DEVNULL, check=True, timeout=60)
    return b""


def keepers(display: PrivateDisplay) -> list[str]:
    """Processes that keep a clipboard of this display."""
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has just ended
            continue
        if display.name in words and any("selection_owner" in word for word in words):
            lines.append(file.parent.name)
    return lines


def test_text_is_put_back(display: PrivateDisplay, device: X11Input, notepad: Notepad) -> None:
    xclip(display, put="former ☃".encode())
    type_by_paste(device.session, "one, 你好\n")
    type_by_paste(device.session, "two")
    assert xclip(display).decode() == "former ☃"
    assert notepad.has(device, "one, 你好\ntwo")


def test_a_picture_is_put_back(display: PrivateDisplay, device: X11Input, notepad: Notepad) -> None:
    picture = bytes(range(256)) * 16
    xclip(display, "-target", "image/png", put=picture)
    type_by_paste(device.session, "words")
    assert xclip(display, "-target", "image/png") == picture
    assert b"UTF8_STRING" not in xclip(display, "-target", "TARGETS").split()
    assert notepad.has(device, "words")


def test_much_is_fetched_kept_and_handed_over_in_pieces(
    display: PrivateDisplay, device: X11Input, notepad: Notepad
) -> None:
    assert len(MANY.encode()) > 1 << 20
    xclip(display, put=MANY.encode())
    type_by_paste(device.session, LINES)
    assert xclip(display).decode() == MANY
    assert notepad.has(device, LINES)


def test_an_empty_clipboard_is_empty_again(display: PrivateDisplay, device: X11Input) -> None:
    connection = Connection(display.name)
    reader = SelectionReader(connection)
    xclip(display, put=b"")
    type_by_paste(device.session, "words")
    assert not reader.read("CLIPBOARD", 5.0).get("UTF8_STRING", (None, b""))[1]
    reader.close()
    connection.close()


def test_a_process_keeps_the_clipboard_until_somebody_copies(display: PrivateDisplay, device: X11Input) -> None:
    xclip(display, put=b"former")
    other = X11Input(display.name, Control())
    type_by_paste(other.session, "words")
    assert keepers(display) == []
    other.close()
    assert len(keepers(display)) == 1
    assert [xclip(display), xclip(display)] == [b"former", b"former"]
    type_by_paste(device.session, "more words")  # takes it from the process, and gives it back itself
    assert xclip(display) == b"former"
    assert eventually(lambda: keepers(display) == [])


@pytest.fixture
def deaf(display: PrivateDisplay) -> Iterator[Connection]:
    """A window that gets the keys and pastes nothing."""
    connection = Connection(display.name)
    former = connection.display.get_input_focus().focus
    depth = connection.display.screen().root_depth
    window = connection.root.create_window(0, 0, 9, 9, 0, depth, event_mask=3, override_redirect=True)
    window.map()
    window.set_input_focus(1, 0)
    connection.display.sync()
    yield connection
    connection.display.set_input_focus(former, 1, 0)
    window.destroy()
    connection.close()


def test_a_stop_before_it_is_fetched_puts_it_back(display: PrivateDisplay, deaf: Connection) -> None:
    xclip(display, put=b"former")
    control = Control()
    device = X11Input(display.name, control)

    def stop_at_the_key() -> None:
        assert eventually(lambda: any(event.type == 2 for event in deaf.events(0.1)))
        control.stop("enough")

    watch = threading.Thread(target=stop_at_the_key)
    watch.start()
    with pytest.raises(Stopped):
        type_by_paste(device.session, "never fetched")
    watch.join()
    assert xclip(display) == b"former"
    assert deaf.display.query_keymap() == [0] * 32
    device.close()


def test_what_is_not_fetched_is_typed(display: PrivateDisplay, deaf: Connection) -> None:
    device = X11Input(display.name, Control())
    type_by_paste(device.session, "xy")
    presses = [event.detail for event in deaf.events(1.0) if event.type == 2]
    symbols = [deaf.display.keycode_to_keysym(code, 0) for code in presses]
    assert symbols[-2:] == [ord("x"), ord("y")]
    device.close()
