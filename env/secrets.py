"""Secrets: texts that are typed and never stored. A marker such as ``{{password}}`` stands for each of them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from html.entities import codepoint2name
from typing import Final

_SHORT: Final = 4
"""Shorter texts are found only as whole words: they are part of too many others."""
_LEAST_BASE64: Final = 6
"""Characters of base64 that are no coincidence."""
_ESCAPES: Final = {"\n": "n", "\r": "r", "\t": "t", "\f": "f", "\b": "b"}
_PAIR: Final = re.compile(r"(\d{1,5}(?:\.\d{1,9})?\s{0,2}[,\s]\s{0,2}\d{1,5}(?:\.\d{1,9})?)")
"""Coordinates in a reply; a PIN that happens to be one is no secret there."""


def marker(name: str) -> str:
    """What stands for a secret or a variable in recorded text."""
    return "{{" + name + "}}"


class Secrets:
    """Texts by name, kept in memory only."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values: dict[str, str] = {}
        self._hiders: list[TextHider] = []
        for name, text in (values or {}).items():
            self.add(name, text)

    def __bool__(self) -> bool:
        return bool(self._values)

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order in which they were added."""
        return tuple(self._values)

    @property
    def texts(self) -> tuple[str, ...]:
        """The secret texts themselves."""
        return tuple(self._values.values())

    def add(self, name: str, text: str) -> None:
        """Keep one more; an empty text hides nothing."""
        self._values[name] = text
        if text:
            self._hiders.append(TextHider(text, marker(name)))
            self._hiders.sort(key=lambda each: -len(each.text))
        known = "|".join(map(re.escape, map(marker, self._values)))
        self._markers = re.compile(f"({known})")

    def named_in(self, text: str) -> tuple[str, ...]:
        """The names of those whose markers are in a text."""
        return tuple(name for name in self._values if marker(name) in text)

    def fill(self, text: str) -> str:
        """The text with the secrets in place of their markers: for the keyboard, and nothing else."""
        if not self._values:
            return text
        return self._markers.sub(lambda match: self._values[match.group()[2:-2]], text)

    def conceal(self, text: str) -> str:
        """The text with markers in place of the secrets, however they are encoded there; for all that is written."""
        if not self._values:
            return text
        pieces = self._markers.split(text)
        for hider in self._hiders:
            pieces = [piece for each in pieces for piece in (self._split(hider, each))]
        return "".join(pieces)

    def _split(self, hider: TextHider, piece: str) -> list[str]:
        """A piece without markers, split at those that stand for one secret; a marker is left alone."""
        return [piece] if self._markers.fullmatch(piece) else self._markers.split(hider.hide(piece))


class TextHider:
    """Puts something in place of a text wherever it occurs, also percent-encoded, in JSON, HTML or base64.

    Args:
        text: what to look for; not empty.
        instead: what is written instead.
    """

    def __init__(self, text: str, instead: str) -> None:
        self.text = text
        self._instead = instead
        written = "".join(map(_spellings, text))
        if len(text) < _SHORT:
            written = rf"(?<![^\W_]){written}(?![^\W_])"
        self._written = re.compile(written)
        cores = sorted(set(_base64_cores(text)), key=len, reverse=True)
        self._base64 = re.compile("|".join(cores)) if cores else None
        self._may_be_a_point = text.isascii() and text.isdigit() and len(text) <= _SHORT

    def hide(self, text: str) -> str:
        """The text without it."""
        if self._may_be_a_point:
            pieces = _PAIR.split(text)
            pieces[::2] = [self._written.sub(self._put, piece) for piece in pieces[::2]]
            return "".join(pieces)
        text = self._written.sub(self._put, text)
        return text if self._base64 is None else self._base64.sub(self._put, text)

    def _put(self, _: re.Match[str]) -> str:
        return self._instead


def _spellings(character: str) -> str:
    """A pattern of a character as URLs, forms, JSON, scripts and HTML write it.

    Each way begins with a literal character, so that the search skips what cannot be a beginning.
    """
    code = ord(character)
    ways = [re.escape(character), *_percent(character.encode("utf-8", "surrogatepass"))]
    if 0x80 <= code <= 0xFF:
        ways += _percent(bytes([code]))
    units = character.encode("utf-16-be", "surrogatepass").hex()
    ways.append("".join(rf"\\\\?(?i:u{units[start : start + 4]})" for start in range(0, len(units), 4)))
    if code <= 0xFF:
        ways.append(rf"\\\\?(?i:x{code:02x})")
    if character in "\"'\\/":
        ways.append(r"\\" + r"\\?" * 2 + re.escape(character))
    if character in _ESCAPES:
        ways.append(rf"\\\\?{_ESCAPES[character]}")
    if character == " ":
        ways += [r"\+", *_percent(b"+"), "\u00a0"]
    name = codepoint2name.get(code) or ("apos" if character == "'" else None)
    ways.append(rf"&(?:amp;)?(?:#0{{0,4}}{code}|#[xX]0{{0,4}}(?i:{code:x}){f'|{name}' if name else ''});")
    return f"(?:{'|'.join(ways)})"


def _percent(data: bytes) -> list[str]:
    return ["".join(f"%(?:25){{0,3}}(?i:{byte:02x})" for byte in data)]


def _base64_cores(text: str) -> Iterator[str]:
    """What every base64 of something that contains the text contains, for the three ways in which it may lie."""
    data = text.encode("utf-8", "surrogatepass")
    for before in range(3):
        written = base64.b64encode(b"\0" * before + data).decode()
        core = written[-(-8 * before // 6) : (before + len(data)) * 8 // 6]
        if len(core) >= _LEAST_BASE64:
            yield "".join({"+": "[+-]", "/": "[/_]"}.get(each, each) for each in core)
