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
        *MODIFIERS,
        *("enter", "tab", "space", "backspace", "delete", "escape", "insert", "home", "end"),
        *("pageup", "pagedown", "up", "down", "left", "right", "capslock", "numlock", "scrolllock"),
        *("printscreen", "pause", "menu", "volumeup", "volumedown", "volumemute"),
        *(f"f{number}" for number in range(1, 25)),
    )
)

_ALIASES = {
    **dict.fromkeys(("control", "ctl", "ctrlleft", "ctrlright", "controlleft", "controlright"), "ctrl"),
    **dict.fromkeys(("shiftleft", "shiftright"), "shift"),
    **dict.fromkeys(("option", "opt", "altleft", "altright", "alt_l"), "alt"),
    **dict.fromkeys(("cmd", "command", "super", "win", "windows", "winleft", "winright"), "meta"),
    **dict.fromkeys(("metaleft", "metaright", "superl"), "meta"),
    **dict.fromkeys(("return", "kpenter", "newline", "\n", "\r"), "enter"),
    "\t": "tab",
    **dict.fromkeys(("spacebar", " "), "space"),
    **dict.fromkeys(("bksp", "back"), "backspace"),
    **dict.fromkeys(("del",), "delete"),
    **dict.fromkeys(("esc",), "escape"),
    **dict.fromkeys(("ins",), "insert"),
    **dict.fromkeys(("pgup", "prior"), "pageup"),
    **dict.fromkeys(("pgdn", "pgdown", "next"), "pagedown"),
    **{f"arrow{way}": way for way in ("up", "down", "left", "right")},
    **{f"{way}arrow": way for way in ("up", "down", "left", "right")},
    **dict.fromkeys(("prtsc", "prtscr", "prntscrn", "print"), "printscreen"),
    **dict.fromkeys(("contextmenu", "apps"), "menu"),
    "plus": "+",
    "minus": "-",
    "comma": ",",
    "period": ".",
    "dot": ".",
    "slash": "/",
    "backslash": "\\",
}


def canonical_key(name: str) -> str:
    """The canonical name of a key.

    Raises:
        UnknownKeyError: no key has this name.
    """
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
    keys = _whole(text) or tuple(canonical_key(part) for part in _split(text))
    if not keys:
        raise UnknownKeyError("a hotkey needs at least one key")
    if len(keys) > 1:
        keys = tuple(key.lower() if len(key) == 1 else key for key in keys)
    return keys


def _whole(text: str) -> tuple[str, ...] | None:
    """The text as one single key, such as ``page down`` or ``+``; None when it is a chord."""
    try:
        return (canonical_key(text),)
    except UnknownKeyError:
        return None


def _split(text: str) -> list[str]:
    """Parts between spaces, commas of lists, or plus signs; a trailing plus is the key itself."""
    stripped = text.strip()
    if stripped.endswith("+") and len(stripped) > 1:
        return [*_split(stripped[:-1].rstrip("+ ")), "+"]
    parts = [part for part in re.split(r"[\s+]+", stripped) if part]
    return _join_words(parts)


def _join_words(parts: list[str]) -> list[str]:
    """``["ctrl", "page", "down"]`` names two keys, not three."""
    joined: list[str] = []
    for part in parts:
        pair = f"{joined[-1]}{part}".lower() if joined else ""
        if pair in {"pageup", "pagedown", "capslock", "numlock", "printscreen", "scrolllock"} or (
            joined and joined[-1].lower() == "arrow"
        ):
            joined[-1] = pair
        else:
            joined.append(part)
    return joined
