"""Watches one X display for the person's chords and for the pointer in a corner (the RECORD extension).

RECORD reports every key and move on a display, whoever makes it and whoever has grabbed the keyboard: an open
menu does not hide the stop. It reports what the agent injects, too. The agent's keys cannot be a chord
(``chords.ChordGuard``), and its moves are known, because input devices announce them
(``Control.announce_move``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

from ...actions.errors import MissingPartError
from ..chords import Chord, Chords
from ..control import Control
from .connection import KEY_DOWN, KEY_UP, MOTION
from .event_stream import EventStream, device_events
from .keymap import keysym
from .keysyms import SYMBOLS


@contextmanager
def stop_keys(control: Control, display: str, chords: Chords = Chords(), *, corners: bool = True) -> Iterator[None]:
    """Let a person control the run by keyboard and pointer of a display, while the block runs.

    Args:
        control: is stopped, paused and stepped.
        display: such as ``:0``.
        chords: what the person presses for what.
        corners: whether the pointer in a corner stops the run, unless the agent put it there.

    Raises:
        MissingPartError: the display cannot be listened to, or its keyboard lacks a chord's key.
    """
    with closing(EventStream(display, f"for {chords.stop}")) as stream:
        watcher = _Watcher(control, stream.display, chords, corners)
        stream.start(watcher.receive, (KEY_DOWN, MOTION if corners else KEY_UP))
        control.reserved = chords.all
        yield


class _Watcher:
    """Recognises the chords and the corners."""

    def __init__(self, control: Control, display: Any, chords: Chords, corners: bool) -> None:
        self._control = control
        self._down: set[int] = set()
        stop = partial(control.stop, f"stopped by {chords.stop}")
        calls: tuple[Callable[[], None], ...] = (stop, control.toggle, control.step)
        self._chords = [
            (_keycodes(display, chord), _masks(display, chord), call)
            for chord, call in zip(chords.all, calls, strict=True)
        ]
        self._corners = _corners(display) if corners else frozenset()

    def receive(self, reply: Any) -> None:
        """Take one of Xlib's RECORD replies."""
        for event in device_events(reply):
            corner = (event.x, event.y) in self._corners
            if event.kind == KEY_DOWN:
                self._press(event.detail, event.state)
            elif event.kind == KEY_UP:
                self._down.discard(event.detail)
            elif event.kind == MOTION and corner and not self._control.is_own_move(event.x, event.y):
                self._control.stop("stopped by the pointer in a corner of the screen")

    def _press(self, keycode: int, state: int) -> None:
        """A key went down; one that is held repeats, and counts once."""
        fresh = keycode not in self._down
        self._down.add(keycode)
        for keycodes, masks, call in self._chords:
            if fresh and keycode in keycodes and all(state & mask for mask in masks):
                call()


def _keycodes(display: Any, chord: Chord) -> frozenset[int]:
    found = frozenset(code for code, _ in display.keysym_to_keycodes(keysym(chord.key)))
    if not found:
        raise MissingPartError(f"the keyboard of the display has no key for {chord}; choose another (--stop-chord)")
    return found


def _masks(display: Any, chord: Chord) -> list[int]:
    """For each modifier the bits that show it as held."""
    table = display.get_modifier_mapping()
    masks = []
    for name in chord.modifiers:
        codes = {code for symbol in SYMBOLS[name] for code, _ in display.keysym_to_keycodes(symbol)}
        mask = sum(1 << bit for bit, row in enumerate(table) if codes.intersection(row))
        if not mask:
            raise MissingPartError(
                f"the keyboard of the display has no {name} for {chord}; choose another (--stop-chord)"
            )
        masks.append(mask)
    return masks


def _corners(display: Any) -> frozenset[tuple[int, int]]:
    size = display.screen().root.get_geometry()
    right, bottom = size.width - 1, size.height - 1
    return frozenset(((0, 0), (right, 0), (0, bottom), (right, bottom)))
