"""Notes: what happened beside the screen during a step, in words for the model and for people.

Texts of a page or program are data: they are quoted, cut, and shown without control characters. Nothing in
them can be read as a special token of a prompt. There are never more than a few notes of one step, however often a
page does something.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 300
"""Most characters of a foreign text in a note."""
MOST = 8
"""Most different notes of one step."""

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that are not shown: controls, direction marks, halves of pairs, line separators."""


_TOKEN_BEGINS = re.compile(r"<(?=[|/!\w])")
"""What special tokens of chat templates begin with, such as ``<|im_end|>`` and ``</s>``."""


def excerpt(text: str, longest: int = LONGEST) -> str:
    """A foreign text on one line: cut in the middle if it is long, without characters that cannot be seen."""
    head = text[: 4 * longest] if len(text) <= 8 * longest else f"{text[: 4 * longest]} {text[-4 * longest :]}"
    shown = "".join(" " if unicodedata.category(character) in _UNSEEN else character for character in head)
    words = _TOKEN_BEGINS.sub("\u2039", " ".join(shown.split()))
    if len(words) <= longest:
        return words
    begin = longest * 2 // 3
    return f"{words[:begin].rstrip()} ... {words[begin - longest :].lstrip()}"


def quoted(text: str, longest: int = LONGEST) -> str:
    """A foreign text between quotation marks; its own become single ones."""
    return '"' + excerpt(text, longest).replace('"', "'") + '"'


class NoteLog:
    """Notes of the step in progress; the same note is counted, and what is too much is counted too."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._more = 0

    def add(self, note: str) -> None:
        """Add a note; foreign texts in it must be ``quoted`` or an ``excerpt``."""
        if note in self._counts or len(self._counts) < MOST:
            self._counts[note] = self._counts.get(note, 0) + 1
        else:
            self._more += 1

    def take(self) -> tuple[str, ...]:
        """All notes since the last time."""
        notes = [f"{note} ({count} times)" if count > 1 else note for note, count in self._counts.items()]
        notes += [f"and {self._more} more"] if self._more else []
        self._counts, self._more = {}, 0
        return tuple(notes)
