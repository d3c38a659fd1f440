"""Reads JSON as models write it: with slips that leave only one meaning.

Accepted besides JSON: single and typographic quotes, ``True`` and ``None``, names without quotes, commas before a
bracket or missing brackets at the end of a call. A text that is not closed, a quote inside a text, and a number at
the very end, of which digits may be missing, are errors.
"""

from __future__ import annotations

import json
import re
from typing import Final

from .punctuation import CLOSERS, plain_punctuation
from .reply_errors import InvalidReply, excerpt

_SPACES = re.compile(r"\s*+")
_NAME = re.compile(r"[A-Za-z_]\w*+")
_NUMBER = re.compile(r"-?\d++(?:\.\d++)?(?:[eE][+-]?\d++)?(?![\w.%])")
_WORDS: Final = {"true": True, "false": False, "null": None, "none": None}
_STRINGS = {
    opening: re.compile(rf"[^\\{closers}]*+(?:\\.[^\\{closers}]*+)*+[{closers}]", re.DOTALL)
    for opening, closers in CLOSERS.items()
}
_END = re.compile(r"\s*+(?:</|```|<tool_call|$)")
_AFTER = re.compile(r"\s*+(?:[,:}\]]|\)|</|```|<tool_call|$)")
_DEEPEST: Final = 24
_MOST: Final = 2000
"""Values that are read at most; a call has about ten."""


def read_json(text: str, position: int = 0) -> tuple[object, int]:
    """The value at a position, and where it ends; raises ``InvalidReply`` if it has no certain meaning."""
    decoder = json.JSONDecoder(object_pairs_hook=_unique, strict=False)
    try:
        return decoder.raw_decode(text, position)
    except (ValueError, RecursionError) as error:
        problem = f"the JSON of a tool call cannot be read: {str(error)[:80]}"
    return _Reader(text, problem).read(position)


def read_members(text: str, position: int) -> tuple[object, int]:
    """The members of an object whose first bracket is missing, as ``read_json``."""
    return _Reader(text, "the JSON of a tool call has no brackets").members(position, 1)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result: dict[str, object] = {}
    for key, value in pairs:
        if result.setdefault(key, value) != value:
            raise InvalidReply(f"a tool call gives two different values for {excerpt(key)}")
    return result


class _Reader:
    """Reads values by recursive descent; every character once.

    Args:
        text: what to read.
        problem: what is wrong with it, unless something more precise is found.
    """

    def __init__(self, text: str, problem: str) -> None:
        self._text = text
        self._plain = plain_punctuation(text)
        self._problem = problem
        self._count = 0

    def read(self, position: int, depth: int = 0) -> tuple[object, int]:
        """The value at a position, and where it ends."""
        position = self._skip(position)
        self._count += 1
        if depth > _DEEPEST or self._count > _MOST:
            raise InvalidReply("the JSON of a tool call has too many values")
        match self._plain[position : position + 1]:
            case "{":
                return self.members(position + 1, depth + 1)
            case "[" | "(":
                return self._items(position + 1, depth + 1)
        if self._text[position : position + 1] in CLOSERS:
            return self._string(position)
        return self._word(position)

    def members(self, position: int, depth: int) -> tuple[dict[str, object], int]:
        """The members of an object up to its end."""
        pairs: list[tuple[str, object]] = []
        while True:
            position = self._skip(position)
            if (end := self._end(position, "}")) is not None:
                return _unique(pairs), end
            key, position = self._key(position)
            position = self._skip(position)
            if self._plain[position : position + 1] not in (":", "="):
                raise InvalidReply(self._problem)
            value, position = self.read(position + 1, depth)
            pairs.append((key, value))
            position = self._comma(position, "}")

    def _items(self, position: int, depth: int) -> tuple[list[object], int]:
        items: list[object] = []
        while True:
            position = self._skip(position)
            if position == len(self._plain):
                raise InvalidReply(self._problem)
            if self._plain[position] in "])}":
                return items, position + (self._plain[position] != "}")
            item, position = self.read(position, depth)
            items.append(item)
            position = self._comma(position, "]")

    def _key(self, position: int) -> tuple[str, int]:
        if self._text[position : position + 1] in CLOSERS:
            return self._string(position)
        name = _NAME.match(self._plain, position)
        if name is None:
            raise InvalidReply(self._problem)
        return name[0], name.end()

    def _string(self, position: int) -> tuple[str, int]:
        match = _STRINGS[self._text[position]].match(self._text, position + 1)
        if match is None or not _AFTER.match(self._plain, match.end()):
            raise InvalidReply(f"{self._problem}; a text is not closed, or a quote inside it is not escaped")
        body = self._text[position + 1 : match.end() - 1]
        try:
            value = json.loads(f'"{_escaped(body)}"', strict=False)
        except ValueError:
            raise InvalidReply(f"{self._problem}; a backslash in a text escapes nothing") from None
        return str(value), match.end()

    def _word(self, position: int) -> tuple[object, int]:
        number = _NUMBER.match(self._plain, position)
        if number is not None and number.end() < len(self._plain):
            return (float(number[0]) if re.search("[.eE]", number[0]) else _whole(number[0])), number.end()
        name = _NAME.match(self._plain, position)
        if name is None or name[0].lower() not in _WORDS:
            raise InvalidReply(self._problem)
        return _WORDS[name[0].lower()], name.end()

    def _comma(self, position: int, bracket: str) -> int:
        """The position behind a comma; one may be missing only at the end."""
        position = self._skip(position)
        if self._plain[position : position + 1] == ",":
            return position + 1
        if self._plain[position : position + 1] in ("}", "]", ")") or (
            bracket == "}" and _END.match(self._plain, position)
        ):
            return position
        raise InvalidReply(self._problem)

    def _end(self, position: int, bracket: str) -> int | None:
        """The position behind a bracket, or where it is missing; None where more follows."""
        if self._plain[position : position + 1] == bracket:
            return position + 1
        return position if _END.match(self._plain, position) else None

    def _skip(self, position: int) -> int:
        match = _SPACES.match(self._plain, position)
        return match.end() if match else position


def _escaped(body: str) -> str:
    """The body of a text in any quotes as that of a JSON text."""
    return re.sub(r"\\.|\"", lambda found: {"\\'": "'", '"': '\\"'}.get(found[0], found[0]), body, flags=re.DOTALL)


def _whole(digits: str) -> int:
    if len(digits) > 15:
        raise InvalidReply(f"{excerpt(digits)} is too large a number")
    return int(digits)
