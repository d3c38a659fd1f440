"""Input on one X display: one session owns the connection, what is held down, and the focus.

The functions of ``keys``, ``text`` and ``paste`` work on a session; ``input`` makes them an ``InputDevice``.
A stop ends each of them with ``Stopped``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from ...actions.errors import EnvironmentFailure
from ...actions.schema import Button
from ..control import Control
from .clipboard import Clipboard
from .connection import BUTTON_DOWN, BUTTON_UP, KEY_UP, Connection, InjectedEvent
from .focus import Focus
from .keymap import KeyMap
from .locks import LockKeys

BUTTONS: dict[Button, int] = {"left": 1, "middle": 2, "right": 3}


class X11Session(Connection):
    """A connection to an X display that injects input; used by one thread at a time.

    Attributes:
        control: asked before every event; a stop ends whatever is done, with everything released.
        held_keys: the keycodes of each key that is down, oldest first.
        held_buttons: mouse buttons that are down.

    Raises:
        MissingPartError: there is no such display.
    """

    def __init__(self, display: str, control: Control) -> None:
        self.control = control
        self.held_keys: dict[str, tuple[int, ...]] = {}
        self.held_buttons: set[Button] = set()
        super().__init__(display)
        with self.alive():
            self.focus = Focus(self, control)
            self.keymap = KeyMap(self)
            self.locks = LockKeys(self)
            self.clipboard = Clipboard(self)

    def last_words(self) -> bytes:
        """The release of all that is held, for a server that goes on after it was given up."""
        from Xlib.ext.xtest import FakeInput

        opcode = self.display.display.get_extension_major("XTEST")
        codes = [(KEY_UP, code) for codes in self.held_keys.values() for code in codes]
        codes += [(BUTTON_UP, BUTTONS[button]) for button in self.held_buttons]
        fields = {"opcode": opcode, "time": 0, "root": 0, "x": 0, "y": 0}
        return b"".join(FakeInput._request.to_binary(event_type=kind, detail=code, **fields) for kind, code in codes)

    @contextmanager
    def using(self) -> Iterator[None]:
        """Release everything if anything goes wrong meanwhile, else wait for the server."""
        with self.alive():
            try:
                yield
            except BaseException:
                self.release_all()
                raise
            self.sync()
            self.forget_events()

    def send(self, *events: InjectedEvent) -> None:
        """Inject events, unless a stop was requested."""
        self.control.check()
        self.inject(events)

    def press_button(self, button: Button) -> None:
        """Press a mouse button and hold it."""
        self.control.check()
        self.held_buttons.add(button)
        self.inject([InjectedEvent(BUTTON_DOWN, BUTTONS[button])])

    def release_button(self, button: Button) -> None:
        """Release a mouse button, also after a stop."""
        self.held_buttons.discard(button)
        self.inject([InjectedEvent(BUTTON_UP, BUTTONS[button])])

    def release_keys(self, *keys: str) -> None:
        """Release keys that are held, also after a stop."""
        codes = [code for key in keys for code in reversed(self.held_keys.pop(key))]
        self.inject(InjectedEvent(KEY_UP, code) for code in codes)
        self.restore_keycodes(codes)

    def restore_keycodes(self, codes: Iterable[int]) -> None:
        """Restore the map of assigned keycodes, after the program has seen their keys."""
        assigned = self.keymap.assigned & set(codes)
        if assigned:
            self.focus.linger()
            self.keymap.restore(assigned)

    def release_all(self) -> None:
        """Release every button and key that is held, then restore the map; works after a stop, too."""
        for button in tuple(self.held_buttons):
            self.release_button(button)
        self.release_keys(*reversed(self.held_keys))
        self.restore_keycodes(self.keymap.assigned)
        self.sync()  # from here on the server reports that all is released

    def close(self) -> None:
        """Release everything, restore map and clipboard, and disconnect; the display may be gone already."""
        try:
            with suppress(EnvironmentFailure), self.alive():
                self.release_all()
                self.clipboard.close()
        finally:
            super().close()
