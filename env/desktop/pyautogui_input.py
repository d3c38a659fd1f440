"""Mouse and keyboard by PyAutoGUI, where there is no X server (macOS, Windows).

PyAutoGUI silently drops characters and key names that it does not know; here such text is pasted and such
keys are refused. It acts on one screen per process, the user's own.
"""

from __future__ import annotations

import math
import sys
from typing import Any

from ...actions.errors import MissingPartError, UnknownKeyError
from ...actions.geometry import Point
from ...actions.keys import canonical_key
from ...actions.schema import Button, Direction
from ..control import Control
from ..screen_input import ScreenInput

_NAMES = {"meta": "win", "menu": "apps"}
_MAC_NAMES = {"meta": "command", "alt": "option"}
_WHEEL: dict[Direction, tuple[str, int]] = {
    "up": ("vscroll", 1),
    "down": ("vscroll", -1),
    "left": ("hscroll", -1),
    "right": ("hscroll", 1),
}
_WINDOWS_WHEEL_CLICK = 120
# Typed by keys: what every layout has in one place; the rest is pasted.
_TYPED = frozenset("abcdefghijklmnopqrstuvwxyz0123456789 \n\t")
_PASTE_TIME = 0.3


def load_pyautogui() -> Any:
    """PyAutoGUI without its own pauses and without its own guard (``Control`` is ours).

    Raises:
        MissingPartError: it cannot be used here; the message says what it needs.
    """
    try:
        import pyautogui
    except (Exception, SystemExit) as problem:  # without tkinter it would end the program
        lines = str(problem).strip().splitlines()
        raise MissingPartError(
            f"PyAutoGUI cannot be used here ({lines[0] if lines else type(problem).__name__}); "
            "on Linux it needs DISPLAY and tkinter (`apt install python3-tk`)"
        ) from problem
    pyautogui.PAUSE = 0
    pyautogui.FAILSAFE = False
    return pyautogui


class PyAutoGuiKeyboard:
    """``KeyboardDevice`` by PyAutoGUI."""

    def __init__(self, gui: Any, control: Control) -> None:
        self._gui = gui
        self._control = control
        self._held: list[str] = []

    @property
    def held(self) -> tuple[str, ...]:
        """Keys that are down, oldest first."""
        return tuple(self._held)

    def down(self, name: str) -> None:
        """Press a key and hold it."""
        key = canonical_key(name)
        known = self._name(key)
        self._control.check()
        if key not in self._held:
            self._held.append(key)
        self._gui.keyDown(known)

    def up(self, name: str) -> None:
        """Release a key; also one that is not held."""
        self._control.check()
        self._release(canonical_key(name))

    def chord(self, names: tuple[str, ...]) -> None:
        """Press all in order, release in reverse order."""
        keys = [canonical_key(name) for name in names]
        for key in keys:
            self._name(key)
        try:
            for key in keys:
                self.down(key)
        finally:
            for key in reversed(keys):
                self._release(key)

    def type(self, text: str) -> None:
        """Type text exactly; a line break (of any convention) is one Enter."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        body = text.rstrip("\n")
        if not _TYPED.issuperset(body):
            self._paste(body)
            text = text[len(body) :]
        for character in text:
            self._control.check()
            self._gui.press(self._name(canonical_key(character)))

    def release_all(self) -> None:
        """Release every key that is held."""
        for key in reversed(self.held):
            self._release(key)

    def _release(self, key: str) -> None:
        if key in self._held:
            self._held.remove(key)
        self._gui.keyUp(self._name(key))

    def _paste(self, text: str) -> None:
        """Paste by the clipboard, whose text is restored."""
        import pyperclip

        former = pyperclip.paste()
        pyperclip.copy(text)
        try:
            self.chord(("meta" if sys.platform == "darwin" else "ctrl", "v"))
            self._control.wait(_PASTE_TIME)
        finally:
            pyperclip.copy(former)

    def _name(self, key: str) -> str:
        names = _NAMES | (_MAC_NAMES if sys.platform == "darwin" else {})
        name = names.get(key, key)
        if not self._gui.isValidKey(name):
            raise UnknownKeyError(f"PyAutoGUI cannot press {key!r} here; type it as text")
        return name


class PyAutoGuiInput(ScreenInput):
    """``InputDevice`` on the user's own screen; points are those of its input.

    Raises:
        MissingPartError: PyAutoGUI cannot be used here.
    """

    def __init__(self, control: Control) -> None:
        self._gui = load_pyautogui()
        self._held: set[Button] = set()
        super().__init__(control, PyAutoGuiKeyboard(self._gui, control))

    def release_all(self) -> None:
        """Release every button and key that is held."""
        for button in tuple(self._held):
            self._release(button)
        self.keyboard.release_all()

    def close(self) -> None:
        """Release everything."""
        self.release_all()

    def _move_to(self, point: Point) -> None:
        x, y = math.floor(point.x), math.floor(point.y)
        self._control.announce_move(x, y)
        self._gui.moveTo(x, y)

    def _keep_up(self) -> None:
        """Do nothing: it is not known whether programs keep up."""

    def _press(self, button: Button) -> None:
        self._control.check()
        self._held.add(button)
        self._gui.mouseDown(button=button)

    def _release(self, button: Button) -> None:
        self._held.discard(button)
        self._gui.mouseUp(button=button)

    def _click(self, button: Button) -> None:
        self._control.check()
        self._gui.click(button=button)

    def _turn_wheel(self, direction: Direction) -> None:
        self._control.check()
        method, sign = _WHEEL[direction]
        getattr(self._gui, method)(sign * (_WINDOWS_WHEEL_CLICK if sys.platform == "win32" else 1))
