r"""Parses quoted text in calls: escapes, inner quotes, missing quotes.

Typed text must be exact, so a string is read only where one reading is possible:

* ``\'``, ``\"``, ``\\``, ``\n`` and ``\t`` are escapes, any other backslash is itself;
* an inner quote that is not escaped stays text where it cannot be the end (``It's``);
* a quote before something that looks like another argument is the end, whether or not the argument is known;
* everything else is an ``InvalidReply`` that asks for escapes, never a guess.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from .coordinates import skip_spaces
from .punctuation import CLOSERS, QUOTES, TYPOGRAPHIC_CLOSERS, plain_punctuation
from .reply_errors import InvalidReply, excerpt

COORDINATE_ARGUMENTS = frozenset(
    (
        *("start_box", "end_box", "point", "start_point", "end_point", "box", "bbox", "position"),
        *("coordinate", "start_coordinate", "end_coordinate", "coordinate2", "start", "end"),
    )
)
TEXT_ARGUMENTS = frozenset(("content", "text", "answer", "message", "url", "app_name", "name"))
WORD_ARGUMENTS = frozenset(
    (
        *("key", "keys", "direction", "button", "time", "seconds", "duration", "x", "y"),
        *("amount", "clicks", "num_clicks", "pixels", "scroll_amount", "presses", "modifier", "modifiers"),
    )
)
ARGUMENTS = COORDINATE_ARGUMENTS | TEXT_ARGUMENTS | WORD_ARGUMENTS
MOST_QUOTES = 1000
"""Quotes in texts of a reply that are not escaped, beyond which it is not read."""

_ESCAPES = {"\\'": "'", '\\"': '"', "\\\\": "\\", "\\n": "\n", "\\t": "\t"}
_ESCAPE = re.compile(r"\\['\"\\nt]")
_TO_QUOTE = {
    opening: re.compile(rf"[^\\{closers}]*+(?:\\.[^\\{closers}]*+)*+[{closers}]", re.DOTALL)
    for opening, closers in CLOSERS.items()
}
_NAMES = "|".join(sorted(ARGUMENTS))
_NEXT_ARGUMENT = re.compile(rf"\s*+[,;]\s*+(?:[A-Za-z_]\w*+\s*+=(?!=)|(?:{_NAMES})\s*+:)")
_NO_COMMA = re.compile(r"\s++[A-Za-z_]\w*+\s*+[=:]\s*+['\"]")
_NEXT_VALUE = re.compile(r"\s*+,\s*+(?:['\"]|(?:true|false|none|null|-?\d++(?:\.\d++)?+)\s*+[,)])", re.IGNORECASE)
_ASSIGNED = re.compile(rf"\b(?:{_NAMES})\s{{0,9}}=\s{{0,9}}$")
_CLOSING = re.compile(r"\s*+\)")
_CLOSES_LATER = {mark: re.compile(rf"{mark}[ \t]*+\)") for mark in QUOTES}
_BARE = re.compile(r"[^'\"(),=\n]*+")
_WORD = re.compile(r"[\w +.\-]*+")


_UNCERTAIN = "a quote inside the text is not escaped and its end is not certain; write \\' for it"


class String(NamedTuple):
    """A string's value and the first position behind it."""

    value: str
    end: int


def unescape(body: str) -> str:
    """The text of a quoted string's body."""
    return _ESCAPE.sub(lambda escape: _ESCAPES[escape[0]], body)


def quote(text: str) -> str:
    """A text as a quoted string, which ``read_text`` reads back exactly."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")
    return f"'{escaped}'"


def format_number(value: float) -> str:
    """A number without an exponent and without a needless fraction."""
    return f"{Decimal(repr(float(value))):f}".removesuffix(".0")


class Lookahead:
    """Looks at what follows a position, to tell a closing quote from one inside a text.

    Args:
        text: the reply, ending where its last action may end.
        anchor: matches at the start of a line that begins another action.
        call: matches the name and parenthesis of a known action.

    Attributes:
        text: the reply.
        plain: the reply with plain punctuation.
    """

    _TOKEN = re.compile(r"[ \t]*+(?:<\|\w++\|>|```|</(?:computer_env|action|output|answer)>)", re.IGNORECASE)

    def __init__(self, text: str, anchor: re.Pattern[str], call: re.Pattern[str]) -> None:
        self.text = text
        self.plain = plain_punctuation(text)
        self._anchor = anchor
        self._call = call
        self._quotes = 0

    @cached_property
    def _anchors(self) -> list[int]:
        """Where lines that begin an action begin."""
        return [anchor.start() for anchor in self._anchor.finditer(self.plain)]

    def next_anchor(self, position: int) -> int | None:
        """Where the next line that begins an action begins, from a position on."""
        index = bisect_left(self._anchors, position)
        return self._anchors[index] if index < len(self._anchors) else None

    def resumes(self, position: int) -> bool:
        """Whether nothing but another action, a mark or the end follows."""
        stop = skip_spaces(self.plain, position)
        if stop == len(self.plain) or self._TOKEN.match(self.plain, stop):
            return True
        line = self.plain.rfind("\n", position, stop) + 1
        return line > 0 and self.next_anchor(line) == line

    def call_follows(self, position: int) -> bool:
        """Whether another call follows in the same line."""
        while position < len(self.plain) and self.plain[position] in " \t,;":
            position += 1
        return bool(self._call.match(self.plain, position))

    def quote_closes_later(self, position: int, quote: str) -> bool:
        """Whether a quote and a parenthesis come before the next line that begins an action."""
        stop = self.next_anchor(position)
        return bool(_CLOSES_LATER[quote].search(self.plain, position, len(self.plain) if stop is None else stop))

    def count_quote(self) -> None:
        """Count a quote that is not escaped; raises ``InvalidReply`` when there are too many."""
        self._quotes += 1
        if self._quotes > MOST_QUOTES:
            raise InvalidReply(f"more than {MOST_QUOTES} quotes inside texts are not escaped; write \\' for them")


def read_text(ahead: Lookahead, start: int) -> String:
    """A quoted or bare string at ``start``.

    Raises:
        InvalidReply: it does not end, or where it ends is not certain.
    """
    text = ahead.text
    if start == len(text) or text[start] not in CLOSERS:
        return _bare(ahead, start, _BARE)
    to_quote, position = _TO_QUOTE[text[start]], start + 1
    inner = _InnerQuotes(ahead, start)
    while (stop := to_quote.match(text, position)) is not None:
        position = stop.end()
        if _ends(ahead, position, inner):
            inner.check(position - 1)
            return String(unescape(text[start + 1 : position - 1]), position)
        inner.add(position - 1)
    return _unclosed(text, start, inner)


def read_word(ahead: Lookahead, start: int) -> String:
    """A short string such as a key, whose own quotes cannot confuse; raises ``InvalidReply`` if it does not end."""
    text = ahead.text
    if start == len(text) or text[start] not in CLOSERS:
        return _bare(ahead, start, _WORD)
    line_end = text.find("\n", start)
    line_end = len(text) if line_end < 0 else line_end
    stop = _TO_QUOTE[text[start]].match(text, start + 1, line_end)
    if stop is not None:
        end = stop.end()
        while end < line_end and text[end] == text[stop.end() - 1]:
            end += 1
        return String(unescape(text[start + 1 : stop.end() - 1]), end)
    body = _WORD.match(ahead.plain, start + 1)
    end = body.end() if body else start + 1
    if ahead.plain[end : end + 1] in ("'", '"') and ahead.plain[end] == ahead.plain[start]:
        return String(ahead.plain[start + 1 : end], end + 1)
    if not _CLOSING.match(ahead.plain, end):
        raise InvalidReply(f"the string {excerpt(text[start:line_end])} is never closed")
    return String(ahead.plain[start + 1 : end], end)


class _InnerQuotes:
    """Quotes inside a string, which begins at ``start``, that were not escaped."""

    def __init__(self, ahead: Lookahead, start: int) -> None:
        self._ahead = ahead
        self._text, self._start = ahead.text, start + 1
        self.closers = CLOSERS[ahead.text[start]]
        self.count = 0
        self.odd = False

    def add(self, position: int) -> None:
        """Count a quote as text; an apostrophe between letters cannot open or close a quotation."""
        text = self._text
        self._ahead.count_quote()
        if text[position - 1] in "= \t" and _ASSIGNED.search(text, max(self._start, position - 40), position):
            raise InvalidReply("a quote inside the text looks like the start of another argument; escape it as \\'")
        self.count += 1
        before, after = text[position - 1], text[position + 1 : position + 2]
        if not (position > self._start and before.isalnum() and after.isalnum()):
            self.odd = not self.odd

    def check(self, end: int) -> None:
        """Refuse a text with an unclosed inner quotation: its end is not certain."""
        text = self._text
        doubled = text[self._start] in (text[self._start - 1], *self.closers) and text[end - 1] in self.closers
        if self.odd or (self.count > 1 and doubled):
            raise InvalidReply(_UNCERTAIN)


def _ends(ahead: Lookahead, after: int, inner: _InnerQuotes) -> bool:
    """Whether the quote just before ``after`` ends its string."""
    plain = ahead.plain
    if _NEXT_ARGUMENT.match(plain, after):
        return True
    if _NO_COMMA.match(plain, after) or (not inner.odd and _NEXT_VALUE.match(plain, after)):
        raise InvalidReply(_UNCERTAIN)
    closing = _CLOSING.match(plain, after)
    if closing is None:
        return ahead.resumes(after)
    behind = closing.end()
    if plain[behind : behind + 1] == ")" and inner.count:
        raise InvalidReply(_UNCERTAIN)
    while plain[behind : behind + 1] == ")":
        behind += 1
    if ahead.resumes(behind) or ahead.call_follows(behind):
        return True
    if ahead.text[behind : behind + 1] in QUOTES:
        return False
    if ahead.quote_closes_later(behind, plain[after - 1]):
        raise InvalidReply(_UNCERTAIN)
    return True


def _bare(ahead: Lookahead, start: int, allowed: re.Pattern[str]) -> String:
    """An unquoted value, where it holds nothing that could end it."""
    match = allowed.match(ahead.plain, start)
    body = ahead.text[start : match.end()] if match else ""
    if not body.strip():
        raise InvalidReply(f"a value is expected at {excerpt(ahead.text[start:])}")
    return String(body.strip(), start + len(body))


def _unclosed(text: str, start: int, inner: _InnerQuotes) -> String:
    """A last string whose closing quote is missing, or is another than the opening one: ``type(content='hello”)``."""
    body = text[start + 1 :]
    if inner.count or "\n" in body or not body.endswith((")", "）")) or body.endswith(("\\')", '\\")')):
        raise InvalidReply(f"the string {excerpt(text[start:])} is never closed")
    value = body[:-1]
    if (opening := TYPOGRAPHIC_CLOSERS.get(value[-1:])) is not None and opening not in value[:-1]:
        value = value[:-1]
    return String(unescape(value), len(text) - 1)
