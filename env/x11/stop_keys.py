"""The person's chords and the corners of the screen, listened for on one X display (the RECORD extension).

RECORD tells of every key and move on a display, whoever makes it and whoever has grabbed the keyboard: an
open menu does not hide the stop. What the agent injects is told of too. Its keys cannot be a chord
(``chords.ChordGuard``), and its moves are known, because the hands announce them (``Control.announce_move``).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ...actions.errors import MissingPartError
from ..chords import Chord, Chords
from ..control import Control
from .event_stream import FROM_SERVER, EventStream

_KEY_PRESS, _KEY_RELEASE, _MOTION = 2, 3, 6
_EVENT = struct.Struct("=BB18xhh4xHxx")
"""A core input event: kind, detail, place on the screen, modifiers (X protocol, appendix B)."""
_MODIFIER_KEYSYMS = {
    "shift": (0xFFE1, 0xFFE2),
    "ctrl": (0xFFE3, 0xFFE4),
    "alt": (0xFFE9, 0xFFEA),
    "meta": (0xFFEB, 0xFFEC, 0xFFE7, 0xFFE8),
}


@contextmanager
def stop_keys(
    control: Control, display: str, chords: Chords = Chords(), *, corners: bool = True
) -> Iterator[None]:
    """Let a person hold the run by the keyboard and the pointer of a display, while the block runs.

    Args:
        control: what they hold it by.
        display: such as ``:0``.
        chords: what they press for what.
        corners: whether the pointer in a corner stops the run, if it was not the agent that put it there.

    Raises:
        MissingPartError: the display cannot be listened to, or its keyboard lacks a chord's key.
    """
    watcher = _Watcher(control, display, chords, corners)
    try:
        control.reserved = chords.all
        yield
    finally:
        watcher.close()


class _Watcher:
    """Hears the chords and the corners."""

    def __init__(self, control: Control, display: str, chords: Chords, corners: bool) -> None:
        self._control = control
        self._down: set[int] = set()
        self._stream = EventStream(display, f"for {chords.stop}")
        try:
            orders = self._stream.orders
            self._chords = [
                (_keycodes(orders, chord), _masks(orders, chord), call) for chord, call in self._calls(chords)
            ]
            self._corners = _corners(orders) if corners else frozenset()
            self._stream.start(self._heard, (_KEY_PRESS, _MOTION if corners else _KEY_RELEASE))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop listening; the display may be gone already."""
        self._stream.close()

    def _calls(self, chords: Chords) -> list[tuple[Chord, Callable[[], None]]]:
        control = self._control
        return [
            (chords.stop, lambda: control.stop(f"stopped by {chords.stop}")),
            (chords.pause, control.toggle),
            (chords.step, control.step),
        ]

    def _heard(self, reply: Any) -> None:
        if reply.category != FROM_SERVER or reply.client_swapped:
            return
        for offset in range(0, len(reply.data), 32):
            kind, detail, x, y, state = _EVENT.unpack_from(reply.data, offset)
            if kind == _KEY_PRESS:
                self._press(detail, state)
            elif kind == _KEY_RELEASE:
                self._down.discard(detail)
            elif kind == _MOTION and (x, y) in self._corners and not self._control.is_own_move(x, y):
                self._control.stop("stopped by the pointer in a corner of the screen")

    def _press(self, keycode: int, state: int) -> None:
        """A key went down; one that is held does so again and again, and counts once."""
        fresh = keycode not in self._down
        self._down.add(keycode)
        for keycodes, masks, call in self._chords:
            if fresh and keycode in keycodes and all(state & mask for mask in masks):
                call()


def _keycodes(display: Any, chord: Chord) -> frozenset[int]:
    from .keymap import keysym

    found = frozenset(code for code, _ in display.keysym_to_keycodes(keysym(chord.key)))
    if not found:
        raise MissingPartError(
            f"the keyboard of the display has no key for {chord}; choose another --stop-chord"
        )
    return found


def _masks(display: Any, chord: Chord) -> list[int]:
    """For each modifier the bits that say it is held."""
    table = display.get_modifier_mapping()
    masks = []
    for name in chord.modifiers:
        codes = {code for symbol in _MODIFIER_KEYSYMS[name] for code, _ in display.keysym_to_keycodes(symbol)}
        mask = sum(1 << bit for bit, row in enumerate(table) if codes.intersection(row))
        if not mask:
            raise MissingPartError(
                f"the keyboard of the display has no {name} for {chord}; choose another --stop-chord"
            )
        masks.append(mask)
    return masks


def _corners(display: Any) -> frozenset[tuple[int, int]]:
    size = display.screen().root.get_geometry()
    right, bottom = size.width - 1, size.height - 1
    return frozenset(((0, 0), (right, 0), (0, bottom), (right, bottom)))
