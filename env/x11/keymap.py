"""Keys and characters as an X server knows them: keysyms, and the keycodes that give them.

A symbol that the map lacks gets a spare keycode for a while. The map must be restored afterwards, since
other programs look for spare keycodes, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from .connection import Connection
from .keysyms import SYMBOLS

_VENDOR = range(0x1008FE00, 0x10090000)  # keys such as "launch calculator"
_KEYPAD = range(0xFF80, 0xFFBE)
_SHIFT_ROW = 0
_LEVELS = 2  # without and with shift; further levels are reached by symbols that differ between layouts


def keysym(key: str) -> int:
    """The symbol of a canonical key name or of a character (X11 protocol, appendix A)."""
    if key in SYMBOLS:
        return SYMBOLS[key][0]
    code = ord(key)
    return code if 0x20 <= code <= 0x7E or 0xA0 <= code <= 0xFF else 0x01000000 | code


def typable(character: str) -> bool:
    """Whether a symbol can stand for a character; control characters and noncharacters have none."""
    code = ord(character)
    return code >= 0x20 and not 0x7F <= code <= 0x9F and code & 0xFFFE != 0xFFFE and code not in range(0xFDD0, 0xFDF0)


class KeyStroke(NamedTuple):
    """What to press for a symbol: a key, and whether with shift."""

    keycode: int
    shift: bool


def keyboard_rows(display: Any) -> dict[int, list[int]]:
    """The symbols of each keycode, as the server has them now."""
    info = display.display.info
    rows = display.get_keyboard_mapping(info.min_keycode, info.max_keycode - info.min_keycode + 1)
    return {code: list(row) for code, row in enumerate(rows, info.min_keycode)}


class KeyMap:
    """The keyboard map of one server.

    Attributes:
        modifiers: keycodes of all modifiers.
        shift: keycode of the shift key; 0 without one.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._former_rows: dict[int, list[int]] = {}
        self._rows: dict[int, list[int]] = {}
        self._strokes: dict[int, KeyStroke] = {}
        self._code_of: dict[int, int] = {}
        self.modifiers: frozenset[int] = frozenset()
        self.shift = 0
        self.refresh()

    def refresh(self) -> None:
        """Read the map again; another program may have changed it."""
        display = self._connection.display
        self._rows = keyboard_rows(display)
        table = [list(row) for row in display.get_modifier_mapping()]
        self.modifiers = frozenset(code for row in table for code in row if code)
        self.shift = next((code for code in table[_SHIFT_ROW] if code), 0)
        self._strokes = {}
        for level in range(_LEVELS if self.shift else 1):
            for code, row in self._rows.items():
                if len(row) > level and row[level] and not any(symbol in _KEYPAD for symbol in row):
                    self._strokes.setdefault(row[level], KeyStroke(code, shift=level == 1))

    def find(self, symbol: int) -> KeyStroke | None:
        """What to press for a symbol; None where the map lacks it."""
        if symbol in self._code_of:
            return KeyStroke(self._code_of[symbol], shift=False)
        return self.own(symbol)

    def stroke(self, symbol: int) -> KeyStroke:
        """What to press for a symbol that the map has."""
        stroke = self.find(symbol)
        assert stroke is not None
        return stroke

    def own(self, symbol: int) -> KeyStroke | None:
        """What to press for a symbol of the map itself, without assigned keycodes; None where it lacks it."""
        stroke = self._strokes.get(symbol)
        return None if stroke is None or stroke.keycode in self._former_rows else stroke

    @property
    def assigned(self) -> set[int]:
        """Keycodes that have other symbols for now."""
        return set(self._former_rows)

    def spares(self) -> list[int]:
        """Keycodes without a meaning; where there are none, those of vendors' special keys."""
        rows = {code: row for code, row in self._rows.items() if code not in self.modifiers}
        free = [code for code, row in rows.items() if not any(row)]
        return free or [code for code, row in rows.items() if all(each in _VENDOR for each in row if each)]

    def assign(self, symbols: dict[int, int]) -> None:
        """Give keycodes other symbols, on every level; ``symbols`` holds the keycode for each."""
        for symbol, code in symbols.items():
            self._former_rows.setdefault(code, self._rows[code])
            self._change(code, [symbol] * len(self._rows[code]))
        assigned = set(symbols.values())
        self._code_of = {old: code for old, code in self._code_of.items() if code not in assigned} | symbols

    def restore(self, codes: Iterable[int]) -> None:
        """Restore the map of some keycodes."""
        for code in set(codes) & self._former_rows.keys():
            self._change(code, self._former_rows.pop(code))
        self._code_of = {symbol: code for symbol, code in self._code_of.items() if code in self._former_rows}

    def _change(self, code: int, row: list[int]) -> None:
        self._connection.display.change_keyboard_mapping(code, [row])
        self._connection.display.flush()
