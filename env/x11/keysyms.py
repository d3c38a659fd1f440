"""What an X keysym means: a canonical key, a character, or an accent for the next character."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

SYMBOLS: dict[str, tuple[int, ...]] = {
    "shift": (0xFFE1, 0xFFE2),
    "ctrl": (0xFFE3, 0xFFE4),
    "alt": (0xFFE9, 0xFFEA),
    "meta": (0xFFEB, 0xFFEC, 0xFFE7, 0xFFE8),
    "enter": (0xFF0D, 0xFF8D),
    "tab": (0xFF09, 0xFF89, 0xFE20),
    "space": (0x20, 0xFF80),
    "backspace": (0xFF08,),
    "delete": (0xFFFF, 0xFF9F),
    "escape": (0xFF1B,),
    "insert": (0xFF63, 0xFF9E),
    "home": (0xFF50, 0xFF95),
    "left": (0xFF51, 0xFF96),
    "up": (0xFF52, 0xFF97),
    "right": (0xFF53, 0xFF98),
    "down": (0xFF54, 0xFF99),
    "pageup": (0xFF55, 0xFF9A),
    "pagedown": (0xFF56, 0xFF9B),
    "end": (0xFF57, 0xFF9C),
    "capslock": (0xFFE5,),
    "numlock": (0xFF7F,),
    "scrolllock": (0xFF14,),
    "printscreen": (0xFF61,),
    "pause": (0xFF13,),
    "menu": (0xFF67,),
    "volumedown": (0x1008FF11,),
    "volumemute": (0x1008FF12,),
    "volumeup": (0x1008FF13,),
    **{f"f{number + 1}": (0xFFBE + number,) for number in range(24)},
}
"""The keysyms of each canonical key, first the one to press; then the other side's, or the keypad's."""
_NAMED = {symbol: name for name, symbols in SYMBOLS.items() for symbol in symbols}

_DEAD = dict(
    zip(
        range(0xFE50, 0xFE63),
        "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327\u0328\u0345\u3099\u309a"
        "\u0323\u0309\u031b",
        strict=True,
    )
)
"""The combining character of each dead key (keysymdef.h)."""

# Before Unicode, keysyms of each script had a page, laid out like a standard of the time.
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
_PUNCTUATION = dict(
    zip(
        (0xAA9, 0xAAA, 0xAAE, 0xAC9, 0xAD0, 0xAD1, 0xAD2, 0xAD3, 0xAF1, 0xAF2, 0xAFD, 0xAFE, 0xAE6),
        "—–…™‘’“”†‡‚„•",
        strict=True,
    )
)
_SINGLE = {**_SCRIPTS, **_PUNCTUATION}
_KEYPAD = range(0xFFAA, 0xFFBE)
NOTHING = ""
LEVEL_SHIFTS = frozenset((0xFE03, 0xFF7E, 0xFE11))
"""AltGr and similar keys: they choose a character and are no key of their own."""


class KeysymMeaning(NamedTuple):
    """What a keysym stands for: a key's name or a character; if ``dead``, an accent for the next."""

    key: str
    dead: bool = False


def meaning(keysym: int) -> KeysymMeaning:
    """What a keysym stands for; an empty key where no action can name it."""
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
