"""Keys of an X display: canonical key names become keycodes, whatever its layout."""

from __future__ import annotations

from ...actions.errors import EnvironmentFailure
from .connection import KEY_DOWN, KEY_UP, InjectedEvent
from .keymap import keysym
from .session import X11Session


def press_chord(session: X11Session, keys: tuple[str, ...]) -> None:
    """Press keys in order and release them in reverse order, without a pause that would make one repeat."""
    codes = keycodes(session, keys)
    pressed = list(dict.fromkeys(code for key in keys for code in codes[key]))
    downs = [InjectedEvent(KEY_DOWN, code) for code in pressed]
    session.send(*downs, *(InjectedEvent(KEY_UP, code) for code in reversed(pressed)))
    session.restore_keycodes(pressed)


def keycodes(session: X11Session, keys: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """What to press for each key, in order; keys that the map lacks get a spare keycode.

    Raises:
        EnvironmentFailure: the map has no spare keycode for a key that it lacks.
    """
    keymap = session.keymap
    keymap.refresh()
    symbols = {key: keysym(key) for key in keys}
    missing = [symbol for symbol in symbols.values() if keymap.find(symbol) is None]
    spares = keymap.spares()
    if len(missing) > len(spares):
        raise EnvironmentFailure("the keyboard map of this display has no keycode to spare")
    if missing:
        keymap.assign(dict(zip(missing, spares, strict=False)))
        session.focus.settle()
    strokes = {key: keymap.stroke(symbol) for key, symbol in symbols.items()}
    return {key: (keymap.shift,) * stroke.shift + (stroke.keycode,) for key, stroke in strokes.items()}
