"""Full-width and typographic punctuation, which some models write for that of a call.

Only what stands around values is read so. Every mark is mapped to one character, so positions stay the same; typed
text is taken from the reply itself.
"""

from __future__ import annotations

from typing import Final

_PLAIN: Final[dict[int, str | int]] = {
    **{code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys(map(ord, "‘’‚‛"), "'"),
    **dict.fromkeys(map(ord, "“”„‟「」『』"), '"'),
    **dict.fromkeys(map(ord, "【〔"), "["),
    **dict.fromkeys(map(ord, "】〕"), "]"),
    **dict.fromkeys(map(ord, "、﹐"), ","),
    **dict.fromkeys(map(ord, "−﹣"), "-"),
    0x3000: " ",
}
QUOTES: Final = "'\""
CLOSERS: Final = {
    "'": "'",
    '"': '"',
    **dict.fromkeys("‘’‚‛＇", "’‘＇'"),
    **dict.fromkeys("“”„‟＂", '”“＂"'),
    "「": "」",
    "『": "』",
}
"""By the quote that opens a text, those that may close it."""
TYPOGRAPHIC_CLOSERS: Final = {"’": "‘", "”": "“", "＇": "＇", "＂": "＂", "」": "「", "』": "『"}
"""Quotes that close, each with the one that opens."""


def plain_punctuation(text: str) -> str:
    """The text with ASCII punctuation, digits and letters for full-width and typographic ones; as long as before."""
    return text if text.isascii() else text.translate(_PLAIN)
