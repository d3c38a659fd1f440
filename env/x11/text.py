"""Text into whatever has the focus of an X screen, character for character.

Most is typed by keys. What no key can type, and what would take long, is pasted. Characters that the keyboard
map lacks get spare keycodes while they are typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise

from ...actions.errors import EnvironmentFailure, UsageError
from .connection import KEY_DOWN, KEY_UP, InjectedEvent
from .keymap import KeyMap, keysym, typable
from .locks import NO_LOCKS
from .paste import is_browser, is_terminal, paste
from .session import X11Session

Piece = tuple[str, bool]
"""Part of a text, and whether it is pasted."""

_KEYS = {"\n": keysym("enter"), "\t": keysym("tab")}
_BURST = 64  # keys a program may be behind: after a stop it does not go on for long
_FEW = 2
"""This many missing characters get spare keycodes: openbox handles each change of the map for up to 0.4 s."""
_FIRST_FOCUS = 2.0
_AGAIN = 0.15
"""Seconds until a digit may come again: a calculator presses its button for that long, and a pressed one takes none."""


def type_text(session: X11Session, text: str) -> None:
    """Type text into the window with the focus, each part in the way that brings it there exactly.

    Raises:
        UsageError: the text holds half a surrogate pair, which is no character.
        EnvironmentFailure: the program does not take it.
    """
    text = _with_line_feeds(text)
    session.focus.wait_for_window(_FIRST_FOCUS)
    session.keymap.refresh()
    program = session.focus.program()
    foreign = {character for character in text if not _has_key(session.keymap, character)}
    leaves_field = "\t" in text and is_browser(program)
    if not leaves_field and len(foreign) <= _FEW and all(map(typable, foreign)):
        type_by_keys(session, text)
    else:
        _write(session, _lines(text) if is_terminal(program) else _body(text))


def type_by_keys(session: X11Session, text: str) -> None:
    """Type text with keys alone; every character must be ``typable``."""
    _write(session, [(text, False)])


def type_by_paste(session: X11Session, text: str) -> None:
    """Paste text as it is, line breaks included."""
    _write(session, [(text, True)])


def _write(session: X11Session, pieces: Iterable[Piece]) -> None:
    with _neutral_keyboard(session), session.clipboard.restored():
        for text, pasted in pieces:
            if not pasted:
                _press_keys(session, text)
            elif not paste(session, text):
                _press_keys(session, _require_typable(text))


def _press_keys(session: X11Session, text: str) -> None:
    keymap = session.keymap
    keymap.refresh()
    spares = keymap.spares()
    for part, assigned in _parts(keymap, text, spares):
        if assigned:
            keymap.assign(assigned)
            session.focus.settle()
        for before, character in pairwise(("", *part)):
            if before == character and character.isdigit():
                session.control.wait(_AGAIN)
            session.send(*_taps(keymap, _symbol(character)))
        session.focus.settle()
    keymap.restore(spares)


def _parts(keymap: KeyMap, text: str, spares: list[int]) -> Iterator[tuple[str, dict[int, int]]]:
    """Stretches of text, each with the keycodes to assign before it."""
    part, fresh, assigned = "", dict[int, int](), set[int]()
    for character in text:
        symbol = _symbol(character)
        missing = symbol not in assigned and not _has_key(keymap, character)
        if part and (len(part) == _BURST or (missing and len(assigned) == len(spares))):
            yield part, fresh
            part, fresh = "", {}
        if missing:
            if len(assigned) == len(spares):
                assigned.clear()
            fresh[symbol] = spares[len(assigned)]
            assigned.add(symbol)
        part += character
    if part:
        yield part, fresh


def _has_key(keymap: KeyMap, character: str) -> bool:
    return keymap.own(_symbol(character)) is not None


def _taps(keymap: KeyMap, symbol: int) -> list[InjectedEvent]:
    """Press and release at once, so that no stall between the two makes the key repeat."""
    stroke = keymap.stroke(symbol)
    codes = [keymap.shift, stroke.keycode] if stroke.shift else [stroke.keycode]
    downs = [InjectedEvent(KEY_DOWN, code) for code in codes]
    return [*downs, *(InjectedEvent(KEY_UP, code) for code in reversed(codes))]


@contextmanager
def _neutral_keyboard(session: X11Session) -> Iterator[None]:
    """Release modifiers and locks meanwhile, then restore them; after a stop modifiers stay released."""
    locks = session.locks.get()
    bits = session.display.query_keymap()
    held = [code for code in session.keymap.modifiers if bits[code // 8] >> code % 8 & 1]
    session.send(*(InjectedEvent(KEY_UP, code) for code in held))
    if locks != NO_LOCKS:
        session.locks.set(NO_LOCKS)
    try:
        yield
    finally:
        if locks != NO_LOCKS:
            session.locks.set(locks)
        if not session.control.stopped:
            session.inject(InjectedEvent(KEY_DOWN, code) for code in held)


def _symbol(character: str) -> int:
    return _KEYS.get(character) or keysym(character)


def _lines(text: str) -> list[Piece]:
    """Lines to paste, with the Enter key between them."""
    return [(piece, piece[0] != "\n") for piece in re.split(r"(\n+)", text) if piece]


def _body(text: str) -> list[Piece]:
    """Everything to paste, but for the Enter keys at its end."""
    body = text.rstrip("\n")
    return [piece for piece in ((body, True), (text[len(body) :], False)) if piece[0]]


def _require_typable(text: str) -> str:
    if all(character in _KEYS or typable(character) for character in text):
        return text
    raise EnvironmentFailure("the program with the keyboard focus pastes nothing, and no key types this text")


def _with_line_feeds(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"half a surrogate pair at position {error.start} is no character to type") from error
    return re.sub(r"\r\n?", "\n", text)
