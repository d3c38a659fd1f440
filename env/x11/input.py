"""Mouse and keyboard of one X screen, injected by XTEST."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager

from ...actions.geometry import Point, clamp
from ...actions.keys import canonical_key
from ...actions.schema import Button, Direction
from ..control import Control
from ..screen_input import ScreenInput
from .connection import BUTTON_DOWN, BUTTON_UP, KEY_DOWN, KEY_UP, MOTION, InjectedEvent
from .keymap import keysym
from .keys import keycodes, press_chord
from .session import BUTTONS, X11Session
from .text import type_text

_WHEEL: dict[Direction, int] = {"up": 4, "down": 5, "left": 6, "right": 7}


class X11Keyboard:
    """``KeyboardDevice`` on an X server."""

    def __init__(self, session: X11Session) -> None:
        self._session = session

    @property
    def held(self) -> tuple[str, ...]:
        """Keys that are down, oldest first."""
        return tuple(self._session.held_keys)

    def down(self, name: str) -> None:
        """Press a key and hold it."""
        key, session = canonical_key(name), self._session
        with session.using():
            codes = keycodes(session, (key,))[key]
            session.control.check()
            session.held_keys[key] = codes
            session.inject(InjectedEvent(KEY_DOWN, code) for code in codes)

    def up(self, name: str) -> None:
        """Release a key, also one that is not held."""
        key, session = canonical_key(name), self._session
        with session.using():
            session.control.check()
            if key in session.held_keys:
                session.release_keys(key)
            elif stroke := session.keymap.find(keysym(key)):
                session.inject([InjectedEvent(KEY_UP, stroke.keycode)])

    def chord(self, names: tuple[str, ...]) -> None:
        """Press all in order, release in reverse order."""
        keys = tuple(canonical_key(name) for name in names)
        with self._session.using():
            press_chord(self._session, keys)
            for key in keys:
                self._session.held_keys.pop(key, None)

    def type(self, text: str) -> None:
        """Type text exactly; a line break (of any convention) is one Enter."""
        with self._session.using():
            type_text(self._session, text)

    def release_all(self) -> None:
        """Release every key that is held; works after a stop, too."""
        self._session.release_keys(*reversed(self.held))
        self._session.restore_keycodes(self._session.keymap.assigned)


class X11Input(ScreenInput):
    """``InputDevice`` on one X screen; points are its pixels. A stop never leaves a key or a button down.

    Used by one thread at a time; several may exist in one process, for one display or for many.

    Raises:
        MissingPartError: there is no such display.
    """

    def __init__(self, display: str, control: Control) -> None:
        self.session = X11Session(display, control)
        super().__init__(control, X11Keyboard(self.session))

    def release_all(self) -> None:
        """Release every button and key that is held; works after a stop, too."""
        with self.session.alive():
            self.session.release_all()

    def close(self) -> None:
        """Release everything and disconnect; the display may be gone already."""
        self.session.close()

    def _using(self) -> AbstractContextManager[None]:
        return self.session.using()

    def _keep_up(self) -> None:
        self.session.focus.keep_up()

    def _move_to(self, point: Point) -> None:
        x, y = (math.floor(part) for part in clamp(point, self.session.size))
        self._control.announce_move(x, y)
        self.session.send(InjectedEvent(MOTION, 0, x, y))

    def _press(self, button: Button) -> None:
        self.session.press_button(button)

    def _release(self, button: Button) -> None:
        self.session.release_button(button)

    def _click(self, button: Button) -> None:
        self._tap(BUTTONS[button])
        self.session.sync()

    def _turn_wheel(self, direction: Direction) -> None:
        self._tap(_WHEEL[direction])

    def _tap(self, number: int) -> None:
        self.session.send(InjectedEvent(BUTTON_DOWN, number), InjectedEvent(BUTTON_UP, number))
