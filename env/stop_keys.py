"""The person's chords and the corners of the screen, listened for on one X display (the RECORD extension).

RECORD tells of every key and move on a display, whoever makes it and whoever has grabbed the keyboard: an
open menu does not hide the stop. What the agent injects is told of too. Its keys cannot be a chord
(``chords.ChordGuard``), and its moves are known, because the hands announce them (``Control.moving``).
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..actions.errors import MissingPartError
from .chords import Chord, Chords
from .control import Control

_KEY_PRESS, _KEY_RELEASE, _MOTION = 2, 3, 6
_ALL_CLIENTS, _FROM_SERVER, _START_OF_DATA = 3, 0, 4
_EVENT = struct.Struct("=BB18xhh4xHxx")
"""A core input event: kind, detail, place on the screen, modifiers (X protocol, appendix B)."""
_PATIENCE = 5.0
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
        watcher.start()
        control.reserved = chords.all
        yield
    finally:
        watcher.close()


class _Watcher:
    """Two connections to a display, as RECORD asks for: one that gives orders, one that hears the events."""

    def __init__(self, control: Control, display: str, chords: Chords, corners: bool) -> None:
        from Xlib import error
        from Xlib.display import Display

        self._gone = (error.ConnectionClosedError, OSError)
        self._control = control
        self._name = display
        try:
            self._orders: Any = Display(display)
            self._events: Any = Display(display)
        except (error.DisplayError, error.XError, *self._gone) as problem:
            raise MissingPartError(f"cannot listen for {chords.stop} on the display {display!r}") from problem
        if not self._orders.has_extension("RECORD"):
            raise MissingPartError(
                f"the display {display} has no RECORD extension to listen for {chords.stop}"
            )
        self._chords = [
            (_keycodes(self._orders, chord), _masks(self._orders, chord), call)
            for chord, call in self._calls(chords)
        ]
        self._down: set[int] = set()
        self._corners = _corners(self._orders) if corners else frozenset()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=self._listen, name=f"stop keys on {display}", daemon=True)
        kinds = (_KEY_PRESS, _MOTION if corners else _KEY_RELEASE)
        self._context = self._orders.record_create_context(0, [_ALL_CLIENTS], [_interest(kinds)])
        self._orders.sync()

    def start(self) -> None:
        """Begin to listen; returns when nothing is missed any more."""
        self._thread.start()
        if not self._listening.wait(_PATIENCE):
            raise MissingPartError(f"the display {self._name} does not tell of its keys")

    def close(self) -> None:
        """Stop listening; the display may be gone already."""
        with suppress(*self._gone):
            self._orders.record_disable_context(self._context)
            self._orders.sync()
        self._thread.join(_PATIENCE)
        for connection in (self._orders, self._events):
            with suppress(*self._gone):
                connection.close()

    def _calls(self, chords: Chords) -> list[tuple[Chord, Callable[[], None]]]:
        control = self._control
        return [
            (chords.stop, lambda: control.stop(f"stopped by {chords.stop}")),
            (chords.pause, control.toggle),
            (chords.step, control.step),
        ]

    def _listen(self) -> None:
        with suppress(*self._gone):
            self._events.record_enable_context(self._context, self._heard)
            self._events.record_free_context(self._context)

    def _heard(self, reply: Any) -> None:
        if reply.category == _START_OF_DATA:
            self._listening.set()
        elif reply.category == _FROM_SERVER and not reply.client_swapped:
            for offset in range(0, len(reply.data), 32):
                kind, detail, x, y, state = _EVENT.unpack_from(reply.data, offset)
                if kind == _KEY_PRESS:
                    self._press(detail, state)
                elif kind == _KEY_RELEASE:
                    self._down.discard(detail)
                elif kind == _MOTION and (x, y) in self._corners and not self._control.moved(x, y):
                    self._control.stop("stopped by the pointer in a corner of the screen")

    def _press(self, keycode: int, state: int) -> None:
        """A key went down; one that is held does so again and again, and counts once."""
        fresh = keycode not in self._down
        self._down.add(keycode)
        for keycodes, masks, call in self._chords:
            if fresh and keycode in keycodes and all(state & mask for mask in masks):
                call()


def _interest(kinds: tuple[int, int]) -> dict[str, Any]:
    nothing, no_extension = (0, 0), (0, 0, 0, 0)
    return {
        "core_requests": nothing,
        "core_replies": nothing,
        "ext_requests": no_extension,
        "ext_replies": no_extension,
        "delivered_events": nothing,
        "device_events": kinds,
        "errors": nothing,
        "client_started": False,
        "client_died": False,
    }


def _keycodes(display: Any, chord: Chord) -> frozenset[int]:
    from .x11_keymap import keysym

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
