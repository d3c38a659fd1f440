"""The keyboard of one X screen: canonical key names become keycodes, whatever its layout."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from ...actions.errors import EnvironmentFailure
from ...actions.keys import canonical_key
from ..control import Control
from .connection import KEY_DOWN, KEY_UP, Connection, InjectedEvent
from .focus import Focus
from .keymap import KeyMap, keysym
from .text import X11Text

Using = AbstractContextManager[None]


class X11Keyboard:
    """``KeyboardDevice`` on an X server.

    Args:
        connection: to the server.
        control: asked before anything is injected.
        using: entered around everything; lets go of all that is held when something goes wrong.
    """

    def __init__(self, connection: Connection, control: Control, using: Callable[[], Using]) -> None:
        self._connection = connection
        self._control = control
        self._using = using
        self._map = KeyMap(connection)
        self._focus = Focus(connection, control)
        self._text = X11Text(connection, control, self._map, self._focus, self._chord)
        self._held: dict[str, tuple[int, ...]] = {}

    @property
    def held(self) -> tuple[str, ...]:
        """Keys that are down, oldest first."""
        return tuple(self._held)

    @property
    def focus(self) -> Focus:
        """The program that gets the keys."""
        return self._focus

    @property
    def text(self) -> X11Text:
        """The ways to type text, one by one."""
        return self._text

    def down(self, name: str) -> None:
        """Press a key and hold it."""
        key = canonical_key(name)
        with self._using():
            codes = self._codes((key,))[key]
            self._control.check()
            self._held[key] = codes
            self._connection.inject(InjectedEvent(KEY_DOWN, code) for code in codes)

    def up(self, name: str) -> None:
        """Release a key; one that is not held is let go all the same, as a keyboard would."""
        key = canonical_key(name)
        with self._using():
            self._control.check()
            if key in self._held:
                self._release((key,))
            elif stroke := self._map.find(keysym(key)):
                self._connection.inject([InjectedEvent(KEY_UP, stroke.keycode)])

    def chord(self, names: tuple[str, ...]) -> None:
        """Press all in order, release in reverse order, without a pause that would make a key repeat."""
        keys = tuple(canonical_key(name) for name in names)
        with self._using():
            self._chord(keys)
            for key in keys:
                self._held.pop(key, None)

    def type(self, text: str) -> None:
        """Type text exactly; a line break (of any convention) is one Enter."""
        with self._using():
            self._text.type(text)

    def release_all(self) -> None:
        """Let go of everything that is held, then put the map back; works after a stop, too."""
        self._release(tuple(reversed(self.held)))
        self._give_back(self._map.lent)

    def close(self) -> None:
        """Put the map back, and the clipboard."""
        self.release_all()
        self._text.close()

    def _chord(self, keys: tuple[str, ...]) -> None:
        codes = self._codes(keys)
        pressed = list(dict.fromkeys(code for key in keys for code in codes[key]))
        self._control.check()
        downs = [InjectedEvent(KEY_DOWN, code) for code in pressed]
        self._connection.inject([*downs, *(InjectedEvent(KEY_UP, code) for code in reversed(pressed))])
        self._give_back(pressed)

    def _release(self, keys: tuple[str, ...]) -> None:
        codes = [code for key in keys for code in reversed(self._held.pop(key))]
        self._connection.inject(InjectedEvent(KEY_UP, code) for code in codes)
        self._give_back(codes)

    def _give_back(self, codes: Iterable[int]) -> None:
        """Put the map of lent keycodes back once the program has seen their keys."""
        lent = self._map.lent & set(codes)
        if lent:
            self._focus.linger()
            self._map.take_back(lent)

    def _codes(self, keys: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
        """What to press for each key, in order; keys that the map lacks are lent a keycode."""
        self._map.refresh()
        symbols = {key: keysym(key) for key in keys}
        missing = [symbol for symbol in symbols.values() if self._map.find(symbol) is None]
        spares = self._map.spares()
        if len(missing) > len(spares):
            raise EnvironmentFailure("the keyboard map of this display has no keycode to spare")
        if missing:
            self._map.lend(dict(zip(missing, spares, strict=False)))
            self._focus.settle()
        return {key: self._strokes(symbol) for key, symbol in symbols.items()}

    def _strokes(self, symbol: int) -> tuple[int, ...]:
        stroke = self._map.find(symbol)
        assert stroke is not None
        return (self._map.shift, stroke.keycode) if stroke.shift else (stroke.keycode,)
