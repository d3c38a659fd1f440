"""Listens to everything typed and clicked on one X display, as the X server sees it (the RECORD extension).

pynput's listener reads the keyboard map once, so characters typed by a spare key (as xdotool does, and Saccade
itself) arrive as unknown keys. Here changes of the map are part of the stream of keys, so that each key has the
meaning of the moment when it was pressed.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

from ...actions.geometry import Point
from ...actions.schema import Button, Direction
from ..input_events import ButtonInput, Input, KeyInput, MarkInput, MoveInput, WheelInput
from .connection import BUTTON_DOWN, KEY_DOWN, KEY_UP, MOTION
from .event_stream import NO_REQUESTS, DeviceEvent, EventStream, Requests, client_requests, device_events
from .keymap import keyboard_rows
from .keysyms import LEVEL_SHIFTS, SYMBOLS, meaning

_CHANGE_KEYBOARD_MAPPING = 100
_NO_OPERATION = 127
_XKB_SET_MAP, _XKB_GET_KEYBOARD = 9, 23
_SHIFT, _LOCK, _GROUPS = 1, 2, 0x6000
_COMMANDS = frozenset((*SYMBOLS["ctrl"], *SYMBOLS["alt"], *SYMBOLS["meta"][:2]))
(_NUM_LOCK,) = SYMBOLS["numlock"]
_KEYPAD = range(0xFF80, 0xFFBE)
_BUTTONS: dict[int, Button] = {1: "left", 2: "middle", 3: "right"}
_WHEEL: dict[int, Direction] = {4: "up", 5: "down", 6: "left", 7: "right"}
_WRAP = 1e6
"""The server counts milliseconds in 32 bits: after 49 days it starts again."""
_CHANGE = struct.Struct("=BBHBBH")  # opcode, keys, length, first key, symbols per key


class X11Listener:
    """Listens to one display, in a thread of its own, until it is closed or the display ends.

    It calls ``on_event``, which has to return quickly, with each event in order, in that thread. A client that wants to
    know which events have come by a moment sends the request NoOperation, which is reported as a mark among them.

    Raises:
        MissingPartError: there is no such display, or it cannot be recorded.
    """

    def __init__(self, display: str | None, on_event: Callable[[Input], None]) -> None:
        self._on_event = on_event
        self._offset: float | None = None
        self._stream = EventStream(display, "to record")
        try:
            self._map = KeyMeanings(self._stream.display)
            marks = (_NO_OPERATION, _NO_OPERATION), NO_REQUESTS[1]
            self._stream.start(self._take, (KEY_DOWN, MOTION), self._map_changes(), marks)
        except BaseException:
            self._stream.close()
            raise

    def close(self) -> None:
        """Stop listening; there are no events once it returns. The display may be gone already."""
        self._stream.close()

    def _map_changes(self) -> Requests:
        """The requests that change what keys mean."""
        core = (_CHANGE_KEYBOARD_MAPPING, _CHANGE_KEYBOARD_MAPPING)
        keyboards = self._stream.display.query_extension("XKEYBOARD")
        if keyboards is None:
            return core, NO_REQUESTS[1]
        opcode = keyboards.major_opcode
        return core, (opcode, opcode, _XKB_SET_MAP, _XKB_GET_KEYBOARD)

    def _take(self, reply: Any) -> None:
        for request in client_requests(reply):
            if request[0] == _NO_OPERATION:
                self._on_event(MarkInput(time.monotonic(), reply.id_base))
            else:
                self._note_change(request, reply.client_swapped)
        for device_event in device_events(reply):
            for event in self._read(device_event):
                self._on_event(event)

    def _note_change(self, data: bytes, swapped: bool) -> None:
        if data[0] != _CHANGE_KEYBOARD_MAPPING or swapped:
            if data[1] in (_XKB_SET_MAP, _XKB_GET_KEYBOARD) or swapped:
                self._map.refresh()
            return
        _, count, _, first, width, _ = _CHANGE.unpack_from(data)
        symbols = struct.unpack_from(f"={count * width}I", data, _CHANGE.size)
        for index in range(count):
            self._map.change(first + index, symbols[index * width : (index + 1) * width])

    def _read(self, event: DeviceEvent) -> Iterator[Input]:
        when, point = self._steady(event.time / 1000), Point(float(event.x), float(event.y))
        if event.kind in (KEY_DOWN, KEY_UP):
            symbol = self._map.symbol(event.detail, event.state)
            if symbol not in LEVEL_SHIFTS:
                key = meaning(symbol)
                yield KeyInput(when, event.detail, key.key, event.kind == KEY_DOWN, dead=key.dead)
        elif event.kind == MOTION:
            yield MoveInput(when, point)
        elif event.detail in _BUTTONS:
            yield ButtonInput(when, point, _BUTTONS[event.detail], event.kind == BUTTON_DOWN)
        elif event.detail in _WHEEL and event.kind == BUTTON_DOWN:
            yield WheelInput(when, point, _WHEEL[event.detail])

    def _steady(self, server_time: float) -> float:
        """The server's time on this process's clock, by the event that arrived fastest."""
        lag = time.monotonic() - server_time
        self._offset = lag if self._offset is None or lag > self._offset + _WRAP else min(self._offset, lag)
        return server_time + self._offset


class KeyMeanings:
    """The symbols on each key of a display, by a connection that only this object uses.

    After a change of the map ``change`` or ``refresh`` has to be called.
    """

    def __init__(self, display: Any) -> None:
        self._display = display
        self._rows: dict[int, list[int]] = {}
        self._num_lock = self._third_level = self._commands = 0
        self.refresh()

    def refresh(self) -> None:
        """Read all of it from the server."""
        self._rows = keyboard_rows(self._display)
        self._num_lock = self._third_level = self._commands = 0
        for bit, codes in enumerate(self._display.get_modifier_mapping()):
            symbols = {symbol for code in codes for symbol in self._rows.get(code, ())}
            self._num_lock |= (_NUM_LOCK in symbols) << bit
            self._commands |= bool(_COMMANDS & symbols) << bit
            self._third_level |= bool(LEVEL_SHIFTS & symbols) << bit

    def change(self, code: int, symbols: tuple[int, ...]) -> None:
        """A key got other symbols."""
        self._rows[code] = list(symbols)

    def symbol(self, code: int, state: int) -> int:
        """What a key gives while modifiers and locks are as ``state`` says; 0 where it has no symbol."""
        row = self._rows.get(code, [])
        if state & self._commands and row and row[0] < 0x7F:
            state &= ~_GROUPS  # chords mean the same keys in every script
        shift = bool(state & _SHIFT)
        if len(row) > 1 and row[1] in _KEYPAD:
            shift ^= bool(state & self._num_lock)
        second_group = 2 if state & _GROUPS else 0
        third_level = 4 if state & self._third_level else 0
        for index in (second_group + third_level, second_group, third_level, 0):
            for level in (index + shift, index):
                if level < len(row) and row[level]:
                    return _capitalised(row[level], bool(state & _LOCK), shift)
        return 0


def _capitalised(symbol: int, locked: bool, shift: bool) -> int:
    """The symbol while capitals lock, which turns the case of letters only, may be on."""
    letter, dead = meaning(symbol)
    if not locked or dead or len(letter) != 1 or not letter.isalpha():
        return symbol
    turned = letter.lower() if shift else letter.upper()
    return symbol if len(turned) != 1 else ord(turned) if ord(turned) < 0x100 else 0x01000000 | ord(turned)
