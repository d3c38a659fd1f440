"""Canonical key names (``actions.keys``) as browser input.

Playwright's layout is a US keyboard with F1 to F12; keys beyond it are sent as DevTools events, so that no
key is dropped silently.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...actions.keys import canonical_key
from .date_fields import fill_date_field, iso_values

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession
    from playwright.sync_api import Keyboard as PlaywrightKeyboard

PLAYWRIGHT_KEYS = {
    **{key: key.capitalize() for key in ("shift", "alt", "meta", "enter", "tab", "space", "backspace", "delete")},
    **{key: key.capitalize() for key in ("escape", "insert", "home", "end", "pause")},
    **{key: f"Arrow{key.capitalize()}" for key in ("up", "down", "left", "right")},
    **{f"page{way}": f"Page{way.capitalize()}" for way in ("up", "down")},
    **{f"{name}lock": f"{name.capitalize()}Lock" for name in ("caps", "num", "scroll")},
    **{f"volume{change}": f"AudioVolume{change.capitalize()}" for change in ("up", "down", "mute")},
    **{f"f{number}": f"F{number}" for number in range(1, 13)},
    "ctrl": "Control",
    "printscreen": "PrintScreen",
    "menu": "ContextMenu",
}
_MODIFIER_BITS = {"alt": 1, "ctrl": 2, "meta": 4, "shift": 8}
_F13_VIRTUAL_CODE = 124
_BURST = 20
"""Characters that are typed in one call, which nothing can interrupt."""


def playwright_key(name: str) -> str | None:
    """Playwright's name of a key; None where its layout has no such key.

    Raises:
        UnknownKeyError: no keyboard has this key.
    """
    key = canonical_key(name)
    if len(key) == 1:
        return key if key.isascii() else None
    return PLAYWRIGHT_KEYS.get(key)


def key_event(name: str, held: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The DevTools event for a key that Playwright's layout lacks.

    Raises:
        UnknownKeyError: no keyboard has this key.
    """
    key = canonical_key(name)
    event: dict[str, Any] = {"modifiers": sum(_MODIFIER_BITS.get(each, 0) for each in held), "key": key}
    if len(key) == 1:
        return event | {"text": key, "unmodifiedText": key}
    number = int(key.removeprefix("f"))
    code = _F13_VIRTUAL_CODE + number - 13
    return event | {"key": f"F{number}", "code": f"F{number}", "windowsVirtualKeyCode": code}


class Keyboard:
    """Presses canonical keys on one page and remembers which are held.

    ``check`` is called before keys are pressed; what it raises ends the typing.
    """

    def __init__(
        self, sink: PlaywrightKeyboard, devtools: CDPSession, check: Callable[[], None] = lambda: None
    ) -> None:
        self._check = check
        self._sink = sink
        self._devtools = devtools
        self._held: list[str] = []

    @property
    def held(self) -> tuple[str, ...]:
        """Keys that are down, oldest first."""
        return tuple(self._held)

    def down(self, name: str) -> None:
        """Press a key and hold it."""
        key = canonical_key(name)
        known = playwright_key(key)
        self._check()
        if known is None:
            self._send("keyDown", key)
        else:
            self._sink.down(known)
        if key not in self._held:
            self._held.append(key)

    def up(self, name: str) -> None:
        """Release a key; also one that is not held."""
        key = canonical_key(name)
        known = playwright_key(key)
        if known is None:
            self._send("keyUp", key)
        else:
            self._sink.up(known)
        if key in self._held:
            self._held.remove(key)

    def chord(self, names: tuple[str, ...]) -> None:
        """Press all in order, release in reverse order."""
        pressed: list[str] = []
        try:
            for name in names:
                self.down(name)
                pressed.append(name)
        finally:
            for name in reversed(pressed):
                self.up(name)

    def type(self, text: str) -> None:
        """Type text exactly; a line break (of any convention) is one Enter.

        A date or time in ISO form becomes the value of a date or time field, whatever the language of the browser.
        """
        text = text.replace("\r\n", "\n")
        date = text.rstrip("\n\t")
        if iso_values(date):
            self._check()
            if fill_date_field(self._devtools, date):
                text = text[len(date) :]
        for start in range(0, len(text), _BURST):
            self._check()
            self._sink.type(text[start : start + _BURST])

    def release_all(self) -> None:
        """Release all held keys."""
        for key in reversed(self.held):
            self.up(key)

    def _send(self, kind: str, key: str) -> None:
        event = key_event(key, frozenset(self._held))
        if kind == "keyUp":
            event = {name: value for name, value in event.items() if name not in ("text", "unmodifiedText")}
        self._devtools.send("Input.dispatchKeyEvent", {"type": kind, **event})
