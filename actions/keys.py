"""Key names: one canonical name per key, many spellings accepted, none ignored.

A canonical name is either one printable character (``"a"``, ``"%"``) or a lower-case word from
``NAMED_KEYS``. Environments translate canonical names to their own (Playwright's, X keysyms).
"""

from __future__ import annotations

import difflib
import re

from .errors import UnknownKeyError

MODIFIERS = ("ctrl", "shift", "alt", "meta")

NAMED_KEYS = frozenset(
    (
        *("enter", "tab", "space", "backspace", "delete", "escape", "insert", "home", "end", "pageup", "pagedown"),
        *("up", "down", "left", "right", "capslock", "numlock", "scrolllock", "printscreen", "pause", "menu"),
        *("volumeup", "volumedown", "volumemute", *MODIFIERS, *(f"f{number}" for number in range(1, 25))),
    )
)

_SPELLINGS = {
    "ctrl": "control ctl ctrlleft ctrlright controlleft controlright",
    "shift": "shiftleft shiftright",
    "alt": "option opt altleft altright alt_l",
    "meta": "cmd command super win windows winleft winright metaleft metaright superl",
    "enter": "return kpenter newline",
    "space": "spacebar",
    "backspace": "bksp back",
    "delete": "del",
    "escape": "esc",
    "insert": "ins",
    "pageup": "pgup prior",
    "pagedown": "pgdn pgdown next",
    **{way: f"arrow{way} {way}arrow" for way in ("up", "down", "left", "right")},
    "printscreen": "prtsc prtscr prntscrn print",
    "menu": "contextmenu apps",
    "+": "plus",
    "-": "minus",
    ",": "comma",
    ".": "period dot",
    "/": "slash",
    "\\": "backslash",
}
_ALIASES = {spelling: key for key, spellings in _SPELLINGS.items() for spelling in spellings.split()}
_ALIASES |= {"\n": "enter", "\r": "enter", "\t": "tab", " ": "space"}

_TWO_WORDS = frozenset(
    (
        *("page up", "page down", "caps lock", "num lock", "scroll lock", "print screen", "back space"),
        *("space bar", "context menu", "volume up", "volume down", "volume mute"),
        *(pair for way in ("up", "down", "left", "right") for pair in (f"arrow {way}", f"{way} arrow")),
    )
)


def canonical_key(name: str) -> str:
    """The canonical name of a key; raises ``UnknownKeyError`` where no key has this name."""
    if name in _ALIASES:
        return _ALIASES[name]
    if len(name) == 1 and name.isprintable():
        return name
    word = re.sub(r"[\s_-]+", "", name).lower()
    word = _ALIASES.get(word, word)
    if word in NAMED_KEYS or (len(word) == 1 and word.isprintable()):
        return word
    near = difflib.get_close_matches(word, [*NAMED_KEYS, *_ALIASES], n=3)
    hint = f"; nearest: {', '.join(near)}" if near else ""
    raise UnknownKeyError(f"no key is called {name!r}{hint}")


def parse_chord(text: str) -> tuple[str, ...]:
    """Keys of a chord written as models write it: ``"ctrl c"``, ``"ctrl+c"``, ``"Page Down"``.

    A letter in a chord with modifiers is lower-cased: ``Ctrl+A`` means ctrl and a, without shift.

    Raises:
        UnknownKeyError: a part is no key, or there is none.
    """
    if text in _ALIASES:
        return (_ALIASES[text],)
    parts = _join_words(text.split())
    keys = tuple(key for index, part in enumerate(parts) for key in _keys_of(part, index, len(parts)))
    if not keys:
        raise UnknownKeyError("a hotkey needs at least one key")
    if len(keys) > 1:
        keys = tuple(key.lower() if len(key) == 1 and key.isascii() else key for key in keys)
    return keys


def _keys_of(part: str, index: int, count: int) -> tuple[str, ...]:
    """Keys of a part without spaces; a ``+`` between two parts joins them and is no key."""
    if part == "+" and 0 < index < count - 1:
        return ()
    if part == "++":
        return ("+",)
    if index < count - 1 and len(part) > 1:
        part = part.removesuffix(",")
    try:
        return (canonical_key(part),)
    except UnknownKeyError:
        for joint in "+-,":
            if joint in part[:-1]:
                return _split(part, joint)
        raise


def _split(part: str, joint: str) -> tuple[str, ...]:
    """Keys between joints; a doubled joint at the end is the key itself: ``ctrl++``."""
    names = part.split(joint)
    if names[-2:] == ["", ""]:
        names[-2:] = [joint]
    elif names[-1] == "" or names[0] == "":
        names = [name for name in names if name]
    return tuple(canonical_key(name) for name in names)


def _join_words(parts: list[str]) -> list[str]:
    """``["ctrl", "page", "down"]`` names two keys, not three."""
    joined: list[str] = []
    for part in parts:
        pair = f"{joined[-1]} {part}".lower() if joined else ""
        if pair in _TWO_WORDS:
            joined[-1] = pair
        else:
            joined.append(part)
    return joined
