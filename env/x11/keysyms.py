"""What an X keysym means: a canonical key, a character, or an accent for the next character."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

_NAMED = {
    **dict.fromkeys((0xFFE1, 0xFFE2), "shift"),
    **dict.fromkeys((0xFFE3, 0xFFE4), "ctrl"),
    **dict.fromkeys((0xFFE9, 0xFFEA), "alt"),
    **dict.fromkeys((0xFFE7, 0xFFE8, 0xFFEB, 0xFFEC), "meta"),
    **dict.fromkeys((0xFF0D, 0xFF8D), "enter"),
    **dict.fromkeys((0xFF09, 0xFF89, 0xFE20), "tab"),
    **dict.fromkeys((0x20, 0xFF80), "space"),
    0xFF08: "backspace",
    **dict.fromkeys((0xFFFF, 0xFF9F), "delete"),
    0xFF1B: "escape",
    **dict.fromkeys((0xFF63, 0xFF9E), "insert"),
    **dict.fromkeys((0xFF50, 0xFF95), "home"),
    **dict.fromkeys((0xFF51, 0xFF96), "left"),
    **dict.fromkeys((0xFF52, 0xFF97), "up"),
    **dict.fromkeys((0xFF53, 0xFF98), "right"),
    **dict.fromkeys((0xFF54, 0xFF99), "down"),
    **dict.fromkeys((0xFF55, 0xFF9A), "pageup"),
    **dict.fromkeys((0xFF56, 0xFF9B), "pagedown"),
    **dict.fromkeys((0xFF57, 0xFF9C), "end"),
    0xFFE5: "capslock",
    0xFF7F: "numlock",
    0xFF14: "scrolllock",
    0xFF61: "printscreen",
    0xFF13: "pause",
    0xFF67: "menu",
    0x1008FF11: "volumedown",
    0x1008FF12: "volumemute",
    0x1008FF13: "volumeup",
    **{0xFFBE + number: f"f{number + 1}" for number in range(24)},
}
"""Modifiers on both sides are one key, and so are the keypad's."""

_DEAD = dict(
    zip(
        range(0xFE50, 0xFE63),
        "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327\u0328\u0345\u3099\u309a"
        "\u0323\u0309\u031b",
        strict=True,
    )
)
"""The combining character of each dead key (keysymdef.h)."""

# Before Unicode each script had a page of its own, laid out as a standard of the time.
_KANA = "shift_jis"
_PAGES = {
    0x01: "iso8859_2",
    0x02: "iso8859_3",
    0x03: "iso8859_4",
    0x04: _KANA,
    0x05: "iso8859_6",
    0x06: "koi8_r",
    0x07: "iso8859_7",
    0x0C: "iso8859_8",
    0x0D: "tis_620",
    0x13: "iso8859_15",
}
_SCRIPTS = {
    **dict(zip(range(0x6A1, 0x6C0), "ђѓёєѕіїјљњћќґўџ№ЂЃЁЄЅІЇЈЉЊЋЌҐЎЏ", strict=True)),
    **dict(zip(range(0x7A1, 0x7A6), "ΆΈΉΊΪ", strict=True)),
    **dict(zip((0x7A7, 0x7A8, 0x7A9, 0x7AB, 0x7AE), "ΌΎΫΏ΅", strict=True)),
    **dict(zip(range(0x7B1, 0x7BC), "άέήίϊΐόύϋΰώ", strict=True)),
    **dict(zip((0x7D2, 0x7F2, 0x7F3), "Σσς", strict=True)),
}
"""Where keysyms differ from the standard of their page."""
_PUNCTUATION = {
    0xAA9: "—",
    0xAAA: "–",
    0xAAE: "…",
    0xAC9: "™",
    0xAD0: "‘",
    0xAD1: "’",
    0xAD2: "“",
    0xAD3: "”",
    0xAF1: "†",
    0xAF2: "‡",
    0xAFD: "‚",
    0xAFE: "„",
    0xAE6: "•",
}
_SINGLE = {**_SCRIPTS, **_PUNCTUATION}
_KEYPAD = range(0xFFAA, 0xFFBE)
NOTHING = ""
LEVEL_SHIFTS = frozenset((0xFE03, 0xFF7E, 0xFE11))
"""AltGr and its kin: they choose a character and are no key of their own."""


class KeysymMeaning(NamedTuple):
    """What a keysym stands for.

    Attributes:
        key: a canonical name, a character, or nothing.
        dead: whether it is an accent for the next character.
    """

    key: str
    dead: bool = False


def meaning(keysym: int) -> KeysymMeaning:
    """What a keysym stands for; nothing for those that no action can name."""
    if name := _NAMED.get(keysym):
        return KeysymMeaning(name)
    if accent := _DEAD.get(keysym):
        return KeysymMeaning(accent, dead=True)
    return KeysymMeaning(_character(keysym))


def _character(keysym: int) -> str:
    if keysym in _SINGLE:
        return _SINGLE[keysym]
    if keysym in _KEYPAD:
        return chr(keysym - 0xFF80)
    if keysym == 0xFFBD:
        return "="
    if keysym >> 24 == 1:
        code = keysym & 0xFFFFFF
    elif 0x20 <= keysym <= 0xFF or 0x20A0 <= keysym <= 0x20AC:
        code = keysym
    elif (page := _PAGES.get(keysym >> 8)) is not None:
        return _old_character(keysym & 0xFF, page)
    else:
        return NOTHING
    return chr(code) if 0x20 <= code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else NOTHING


def _old_character(byte: int, page: str) -> str:
    try:
        character = bytes((byte,)).decode(page) if byte > 0xA0 else NOTHING
    except UnicodeDecodeError:
        return NOTHING
    return unicodedata.normalize("NFKC", character) if page == _KANA else character
