"""Pieces of grammars in llguidance's form of Lark."""

from __future__ import annotations

from typing import Final

from ...actions.keys import NAMED_KEYS

ALIASES: Final = (
    *("return", "esc", "del", "pgup", "pgdn", "arrowup", "arrowdown", "arrowleft", "arrowright"),
    *("control", "cmd", "command", "win", "option", "plus"),
)
"""Names of keys that are read beside those in ``NAMED_KEYS``."""

# What Python's re takes for the same letter when it ignores case.
_SAME_LETTERS: Final = {"i": "iIıİ", "s": "sSſ", "k": "kKK"}


def any_case(word: str) -> str:
    """A regular expression for an ASCII word in any case; other characters stay as they are."""
    return "".join(f"[{_SAME_LETTERS.get(c, c + c.upper())}]" if c.isalpha() else c for c in word)


def key_names() -> str:
    """Every name of a key, as alternatives."""
    return " | ".join(f'"{name}"' for name in sorted({*NAMED_KEYS, *ALIASES}))


def up_to(limit: int) -> str:
    """A regular expression for the whole numbers from 0 to ``limit``, without leading zeros."""
    digits = str(limit)
    shorter = [f"[1-9][0-9]{{{count}}}" for count in range(1, len(digits) - 1)]
    parts = ["[0-9]", *shorter] if len(digits) > 1 else []
    for index, digit in enumerate(digits):
        low, high = (1 if index == 0 and len(digits) > 1 else 0), int(digit) - 1
        if high >= low:
            rest = len(digits) - index - 1
            parts.append(f"{digits[:index]}[{low}-{high}]" + (f"[0-9]{{{rest}}}" if rest else ""))
    return "|".join([*parts, digits])
