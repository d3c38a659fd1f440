"""Key names: one canonical name per key, many spellings accepted, none ignored.

A canonical name is either one printable character (``"a"``, ``"%"``) or a lower-case word from
``NAMED_KEYS``. Environments translate canonical names to their own (Playwright's, X keysyms). The spellings are those
of X (``Control_L``, ``KP_0``), of pages (``ArrowDown``, ``KeyA``), of PyAutoGUI, of macOS and Windows.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from .errors import UnknownKeyError

MODIFIERS = ("ctrl", "shift", "alt", "meta")
MOST_KEYS: Final = 50
"""Keys of a chord, beyond which it is not read."""
_LONGEST = 500
_LONGEST_NAME = 30

NAMED_KEYS = frozenset(
    (
        *("enter", "tab", "space", "backspace", "delete", "escape", "insert", "home", "end", "pageup", "pagedown"),
        *("up", "down", "left", "right", "capslock", "numlock", "scrolllock", "printscreen", "pause", "menu"),
        *("volumeup", "volumedown", "volumemute", *MODIFIERS, *(f"f{number}" for number in range(1, 25))),
    )
)

_SPELLINGS = {
    "ctrl": "control ctl ctrll ctrlr controll controlr ⌃",
    "shift": "shiftl shiftr ⇧",
    "alt": "option opt optionleft optionright altl altr ⌥",
    "meta": "cmd command super win windows winkey windowskey os metal metar superl superr winl winr cmdl cmdr"
    " commandleft commandright cmdleft cmdright osleft osright ⌘ ⊞",
    "enter": "return ret newline linefeed cr ↵ ⏎ ↩ ⌤",
    "tab": "isolefttab ⇥",
    "space": "spacebar spc blank ␣",
    "backspace": "bksp bs back rubout ⌫",
    "delete": "del forwarddelete deleteforward ⌦",
    "escape": "esc ⎋",
    "insert": "ins",
    "home": "⇱ ↖",
    "end": "⇲ ↘",
    "pageup": "pgup prior pgeup ⇞",
    "pagedown": "pgdn pgdown next pgedown pgedn ⇟",
    **{
        way: f"arrow{way} {way}arrow {arrow}"
        for way, arrow in zip(("up", "down", "left", "right"), "↑↓←→", strict=True)
    },
    "capslock": "caps capital shiftlock ⇪",
    "printscreen": "prtsc prtscr prntscrn print snapshot sysreq printscrn prtscn sysrq",
    "pause": "break pausebreak",
    "menu": "contextmenu apps app application",
    "volumeup": "audiovolumeup xf86audioraisevolume",
    "volumedown": "audiovolumedown xf86audiolowervolume",
    "volumemute": "audiovolumemute xf86audiomute mute",
    "+": "plus kpadd add numpadadd numadd",
    "-": "minus dash hyphen subtract kpsubtract numpadsubtract numsubtract",
    "*": "asterisk star multiply kpmultiply numpadmultiply nummultiply",
    "/": "slash forwardslash divide kpdivide numpaddivide numdivide",
    ".": "period dot fullstop decimal kpdecimal numpaddecimal numdecimal",
    ",": "comma separator kpseparator numpadcomma",
    "=": "equal equals equalsign kpequal numpadequal",
    "\\": "backslash intlbackslash",
    ";": "semicolon",
    ":": "colon",
    "'": "apostrophe quote singlequote quoteright",
    '"': "quotedbl doublequote",
    "`": "grave backquote backtick quoteleft",
    "~": "asciitilde tilde",
    "!": "exclam exclamation exclamationmark",
    "?": "question questionmark",
    "@": "at atsign",
    "#": "numbersign hash",
    "$": "dollar dollarsign",
    "%": "percent",
    "^": "asciicircum caret circumflex",
    "&": "ampersand",
    "(": "parenleft leftparen openparen",
    ")": "parenright rightparen closeparen",
    "[": "bracketleft leftbracket openbracket",
    "]": "bracketright rightbracket closebracket",
    "{": "braceleft leftbrace openbrace",
    "}": "braceright rightbrace closebrace",
    "|": "bar pipe verticalbar",
    "<": "less lessthan",
    ">": "greater greaterthan",
    "_": "underscore",
    **{digit: f"digit{digit} kp{digit} numpad{digit} num{digit}" for digit in "0123456789"},
    **{letter: f"key{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"},
}
_PADDED = (
    "enter",
    "tab",
    "space",
    "delete",
    "insert",
    "home",
    "end",
    "pageup",
    "pagedown",
    "up",
    "down",
    "left",
    "right",
)
_ALIASES = {spelling: key for key, spellings in _SPELLINGS.items() for spelling in spellings.split()}
_ALIASES |= {f"{pad}{key}": key for pad in ("kp", "numpad", "num") for key in _PADDED}
_ALIASES |= {f"kp{spelling}": key for spelling, key in (("prior", "pageup"), ("next", "pagedown"))}
_ALIASES |= {
    f"{key}{side}": key
    for key in ("ctrl", "control", "shift", "alt", "win", "meta", "super")
    for side in ("left", "right")
}
_ALIASES = {spelling: _ALIASES.get(key, key) for spelling, key in _ALIASES.items()}
_ALIASES |= {"\n": "enter", "\r": "enter", "\t": "tab", " ": "space"}

_SIDED = ("ctrl", "control", "shift", "alt", "option", "opt", "cmd", "command", "win", "windows", "meta", "super")
_TWO_WORDS = {
    **{
        pair: pair.replace(" ", "")
        for pair in (
            *("page up", "page down", "caps lock", "num lock", "scroll lock", "print screen", "back space"),
            *("space bar", "context menu", "volume up", "volume down", "volume mute"),
            *(pair for way in ("up", "down", "left", "right") for pair in (f"arrow {way}", f"{way} arrow")),
            *(f"{pad} {digit}" for pad in ("numpad", "num", "kp") for digit in "0123456789"),
        )
    },
    **{f"{side} {key}": key for side in ("left", "right") for key in _SIDED},
    **{f"{key} key": key for key in ("enter", "return", "tab", "escape", "esc", "space", "delete", "backspace")},
    **{f"{key} key": key for key in ("windows", "win", "command", "cmd", "control", "ctrl", "shift", "alt", "option")},
}


def canonical_key(name: str) -> str:
    """The canonical name of a key; raises ``UnknownKeyError`` where no key has this name."""
    if name in _ALIASES:
        return _ALIASES[name]
    if len(name) == 1 and name.isprintable():
        return name
    if len(name) > _LONGEST:
        raise UnknownKeyError(f"no key is called {name[:_LONGEST_NAME] + '…'!r}")
    word = re.sub(r"[\s_-]+", "", unicodedata.normalize("NFKC", name)).lower()
    word = _ALIASES.get(word, word)
    if word in NAMED_KEYS or (len(word) == 1 and word.isprintable()):
        return word
    near = difflib.get_close_matches(word, [*NAMED_KEYS, *_ALIASES], n=3) if len(word) <= _LONGEST_NAME else []
    hint = f"; nearest: {', '.join(near)}" if near else ""
    raise UnknownKeyError(f"no key is called {name if len(name) <= 60 else name[:60] + '…'!r}{hint}")


def parse_chord(text: str) -> tuple[str, ...]:
    """Keys of a chord written as models write it: ``"ctrl c"``, ``"ctrl+c"``, ``"Page Down"``.

    A letter in a chord with modifiers is lower-cased: ``Ctrl+A`` means ctrl and a, without shift. A key that is
    named several times is pressed as often (``strokes``).

    Raises:
        UnknownKeyError: a part is no key, or there is none, or there are too many.
    """
    if text in _ALIASES:
        return (_ALIASES[text],)
    if len(text) > _LONGEST:
        raise UnknownKeyError(f"a hotkey of {len(text)} characters is none; name at most {MOST_KEYS} keys")
    if len(text) > 1:
        text = unicodedata.normalize("NFKC", text)
    parts = text.split()
    names = _join_words([name for index, part in enumerate(parts) for name in _names_in(part, index, len(parts))])
    keys = tuple(key for name in names for key in _keys_of(name, names))
    if not keys:
        raise UnknownKeyError("a hotkey needs at least one key")
    if len(keys) > MOST_KEYS:
        raise UnknownKeyError(f"a hotkey of {len(keys)} keys is too long; at most {MOST_KEYS} are pressed")
    if len(keys) > 1:
        keys = tuple(key.lower() if len(key) == 1 and key.isascii() else key for key in keys)
    return keys


def strokes(keys: Sequence[str]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """What is held during a chord in which keys are repeated, and what is pressed meanwhile, one after another.

    ``alt tab tab`` holds alt and presses tab twice; a chord without repetition is pressed at once.
    """
    if len(set(keys)) == len(keys):
        return (), [tuple(keys)]
    single = [key for key in keys if keys.count(key) == 1]
    held: list[str] = []
    for key in keys:
        if key not in MODIFIERS or key not in single:
            break
        held.append(key)
    pressed: list[list[str]] = [[]]
    for key in keys[len(held) :]:
        if key in pressed[-1]:
            pressed.append([])
        pressed[-1].append(key)
    return tuple(held), [tuple(each) for each in pressed]


def _is_key(name: str) -> bool:
    word = re.sub(r"[\s_-]+", "", name).lower() if name[-1:] != "-" else ""
    return len(name) == 1 or name in _ALIASES or word in _ALIASES or word in NAMED_KEYS


def _names_in(part: str, index: int, count: int) -> list[str]:
    """Names in a part without spaces; a ``+`` or a comma between two parts joins them and is no key."""
    if part in ("+", ",") and 0 < index < count - 1:
        return []
    if part == "++":
        return ["+"]
    if index < count - 1 and len(part) > 1:
        part = part.rstrip("+,") or part
    if index > 0 and len(part) > 1 and part[0] == "+":
        part = part[1:]
    if _is_key(part):
        return [part]
    joint = next((joint for joint in "+-," if joint in part[:-1]), None)
    return [part] if joint is None else _split(part, joint)


def _split(part: str, joint: str) -> list[str]:
    """Names between joints; a doubled joint at the end is the key itself: ``ctrl++``."""
    names = part.split(joint)
    if names[-2:] == ["", ""]:
        names[-2:] = [joint]
    elif names[-1] == "" or names[0] == "":
        names = [name for name in names if name]
    return names


def _join_words(names: list[str]) -> list[str]:
    """``["ctrl", "page", "down"]`` names two keys, not three."""
    joined: list[str] = []
    for name in names:
        pair = f"{joined[-1]} {name}".lower() if joined else ""
        if pair in _TWO_WORDS:
            joined[-1] = _TWO_WORDS[pair]
        else:
            joined.append(name)
    return joined


def _keys_of(name: str, names: Sequence[str]) -> tuple[str, ...]:
    """The key of a name; of the one for tab with shift, which X has, both."""
    if re.sub(r"[\s_-]+", "", name).lower() in ("isolefttab", "backtab"):
        return (
            ("tab",) if any(_ALIASES.get(each.lower(), each.lower()) == "shift" for each in names) else ("shift", "tab")
        )
    return (canonical_key(name),)
