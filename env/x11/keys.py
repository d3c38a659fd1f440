"""Keys of an X display: canonical key names become keycodes, whatever its layout."""

from __future__ import annotations

from ...actions.errors import EnvironmentFailure
from .connection import KEY_DOWN, KEY_UP, InjectedEvent
from .keymap import keysym
from .session import X11Session


def press_key(session: X11Session, key: str) -> None:
    """Press a key and hold it.

    Raises:
        EnvironmentFailure: the map lacks the key and has no keycode to lend it.
    """
    codes = _keycodes(session, (key,))[key]
    session.control.check()
    session.held_keys[key] = codes
    session.inject(InjectedEvent(KEY_DOWN, code) for code in codes)


def release_key(session: X11Session, key: str) -> None:
    """Release a key, also one that is not held."""
    session.control.check()
    if key in session.held_keys:
        session.release_keys(key)
    elif stroke := session.keymap.find(keysym(key)):
        session.inject([InjectedEvent(KEY_UP, stroke.keycode)])


def press_chord(session: X11Session, keys: tuple[str, ...]) -> None:
    """Press keys in order and release them in reverse order, without a pause that would make one repeat.

    Raises:
        EnvironmentFailure: the map lacks a key and has no keycode to lend it.
    """
    codes = _keycodes(session, keys)
    pressed = list(dict.fromkeys(code for key in keys for code in codes[key]))
    downs = [InjectedEvent(KEY_DOWN, code) for code in pressed]
    session.send(*downs, *(InjectedEvent(KEY_UP, code) for code in reversed(pressed)))
    session.restore_keycodes(pressed)


def _keycodes(session: X11Session, keys: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """What to press for each key, in order; keys that the map lacks get a spare keycode."""
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
