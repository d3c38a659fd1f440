from __future__ import annotations

from typing import Any

import pytest

from saccade.actions.errors import UnknownKeyError
from saccade.actions.keys import NAMED_KEYS
from saccade.env.browser.chromium import Chromium
from saccade.env.browser.keyboard import PLAYWRIGHT_KEYS, Keyboard, key_event, playwright_key


class Sink:
    """Both of a keyboard's sinks; writes down what arrives."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def down(self, key: str) -> None:
        self.log.append(f"+{key}")

    def up(self, key: str) -> None:
        self.log.append(f"-{key}")

    def type(self, text: str) -> None:
        self.log.append(text)

    def send(self, method: str, params: dict[str, Any] | None = None) -> None:
        assert params is not None
        self.log.append(f"{params['type']} {params['key']} {params['modifiers']} {params.get('text')}")


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def keyboard(sink: Sink) -> Keyboard:
    return Keyboard(sink, sink)


def test_every_named_key_can_be_pressed() -> None:
    beyond = {key for key in NAMED_KEYS if playwright_key(key) is None}
    assert beyond == {f"f{number}" for number in range(13, 25)}
    assert set(PLAYWRIGHT_KEYS) == NAMED_KEYS - beyond
    codes = [key_event(f"f{number}")["windowsVirtualKeyCode"] for number in range(13, 25)]
    assert codes == list(range(124, 136))


def test_playwright_knows_every_name_and_the_page_gets_it(chromium: Chromium) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.set_content("<script>var log = []; onkeydown = e => { log.push(e.key); e.preventDefault(); }</script>")
    board = Keyboard(page.keyboard, context.new_cdp_session(page))
    wanted = sorted(NAMED_KEYS)
    for key in [*wanted, "é", "%", "你"]:
        board.chord((key,))
    names = [PLAYWRIGHT_KEYS.get(key, key.upper()) for key in wanted]
    assert page.evaluate("log") == [" " if name == "Space" else name for name in names] + ["é", "%", "你"]
    context.close()


def test_a_chord_is_released_in_reverse(keyboard: Keyboard, sink: Sink) -> None:
    keyboard.chord(("ctrl", "shift", "a"))
    assert sink.log == ["+Control", "+Shift", "+a", "-a", "-Shift", "-Control"]
    assert keyboard.held == ()


def test_an_unknown_key_in_a_chord_leaves_nothing_held(keyboard: Keyboard, sink: Sink) -> None:
    with pytest.raises(UnknownKeyError, match="nosuch"):
        keyboard.chord(("ctrl", "nosuch"))
    assert sink.log == ["+Control", "-Control"]
    assert keyboard.held == ()


def test_keys_beyond_the_layout_carry_the_held_modifiers(keyboard: Keyboard, sink: Sink) -> None:
    keyboard.down("ctrl")
    keyboard.down("f13")
    keyboard.chord(("ñ",))
    assert keyboard.held == ("ctrl", "f13")
    keyboard.release_all()
    assert sink.log[1:] == ["keyDown F13 2 None", "keyDown ñ 2 ñ", "keyUp ñ 2 None", "keyUp F13 2 None", "-Control"]
    assert keyboard.held == ()


def test_windows_line_breaks_are_one_enter(keyboard: Keyboard, sink: Sink) -> None:
    keyboard.type("a\r\nb")
    assert sink.log == ["a\nb"]
