r"""Parses quoted text in calls: escapes, inner quotes, missing quotes.

Typed text must be exact, so a string is read only where one reading is possible:

* ``\'``, ``\"``, ``\\``, ``\n`` and ``\t`` are escapes, any other backslash is itself;
* an inner quote that is not escaped stays text where it cannot be the end (``It's``);
* everything else is an ``InvalidReply`` that asks for escapes, never a guess.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from .coordinates import QUOTES, skip_spaces
from .reply_errors import InvalidReply, excerpt

COORDINATE_ARGUMENTS = frozenset(
    (
        *("start_box", "end_box", "point", "start_point", "end_point", "box", "bbox", "position"),
        *("coordinate", "start_coordinate", "end_coordinate", "start", "end"),
    )
)
TEXT_ARGUMENTS = frozenset(("content", "text", "answer", "message", "url", "app_name", "name"))
WORD_ARGUMENTS = frozenset(("key", "keys", "direction", "button", "time", "seconds", "duration", "x", "y"))
ARGUMENTS = COORDINATE_ARGUMENTS | TEXT_ARGUMENTS | WORD_ARGUMENTS

_ESCAPES = {"\\'": "'", '\\"': '"', "\\\\": "\\", "\\n": "\n", "\\t": "\t"}
_ESCAPE = re.compile(r"\\['\"\\nt]")
_STOPS = {quote: re.compile(rf"\\.|{quote}", re.DOTALL) for quote in QUOTES}
_NAMES = "|".join(sorted(ARGUMENTS))
_NEXT_ARGUMENT = re.compile(rf"\s*,\s*(?:{_NAMES})\s*=")
_ASSIGNED = re.compile(rf"\b(?:{_NAMES})\s*=\s*$")
_CLOSING = re.compile(r"\s*\)")
_BARE = re.compile(r"[^'\"(),=\n]*")
_WORD = re.compile(r"[\w +.\-]*")


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
    """

    _TOKEN = re.compile(r"[ \t]*(?:<\|\w+\|>|```|</(?:computer_env|action|output|answer)>)", re.IGNORECASE)

    def __init__(self, text: str, anchor: re.Pattern[str], call: re.Pattern[str]) -> None:
        self.text = text
        self._anchor = anchor
        self._call = call

    def resumes(self, position: int) -> bool:
        """Whether nothing but another action, a mark or the end follows."""
        stop = skip_spaces(self.text, position)
        if stop == len(self.text) or self._TOKEN.match(self.text, stop):
            return True
        return "\n" in self.text[position:stop] and bool(
            self._anchor.match(self.text, self.text.rfind("\n", position, stop) + 1)
        )

    def call_follows(self, position: int) -> bool:
        """Whether another call follows in the same line."""
        while position < len(self.text) and self.text[position] in " \t,;":
            position += 1
        return bool(self._call.match(self.text, position))

    def quote_closes_later(self, position: int, quote: str) -> bool:
        """Whether a quote and a parenthesis come before the next line that begins an action."""
        later = re.compile(rf"{quote}[ \t]*\)").search(self.text, position)
        if later is None:
            return False
        anchor = self._anchor.search(self.text, position)
        return anchor is None or later.start() < anchor.start()


def read_text(ahead: Lookahead, start: int) -> String:
    """A quoted or bare string at ``start``.

    Raises:
        InvalidReply: it does not end, or where it ends is not certain.
    """
    text = ahead.text
    if start == len(text) or text[start] not in QUOTES:
        return _bare(text, start, _BARE)
    mark, inner = text[start], _InnerQuotes(text, start + 1)
    for stop in _STOPS[text[start]].finditer(text, start + 1):
        if stop[0] != mark:
            continue
        if _ends(ahead, stop.end(), mark, inner):
            inner.check(stop.start())
            return String(unescape(text[start + 1 : stop.start()]), stop.end())
        inner.add(stop.start())
    return _unclosed(text, start, inner)


def read_word(ahead: Lookahead, start: int) -> String:
    """A short string such as a key, whose own quotes cannot confuse; raises ``InvalidReply`` if it does not end."""
    text = ahead.text
    if start == len(text) or text[start] not in QUOTES:
        return _bare(text, start, _WORD)
    mark = text[start]
    line_end = text.find("\n", start)
    line_end = len(text) if line_end < 0 else line_end
    for stop in _STOPS[mark].finditer(text, start + 1, line_end):
        if stop[0] == mark:
            end = stop.end()
            while end < line_end and text[end] == mark:
                end += 1
            return String(unescape(text[start + 1 : stop.start()]), end)
    body = _WORD.match(text, start + 1)
    if body is None or not _CLOSING.match(text, body.end()):
        raise InvalidReply(f"the string {excerpt(text[start:line_end])} is never closed")
    return String(body[0], body.end())


class _InnerQuotes:
    """Quotes inside a string that were not escaped."""

    def __init__(self, text: str, start: int) -> None:
        self._text, self._start = text, start
        self.count = 0
        self._odd = False

    def add(self, position: int) -> None:
        """Count a quote as text; an apostrophe between letters cannot open or close a quotation."""
        text = self._text
        if _ASSIGNED.search(text, max(self._start, position - 40), position):
            raise InvalidReply("a quote inside the text looks like the start of another argument; escape it as \\'")
        self.count += 1
        before, after = text[position - 1], text[position + 1 : position + 2]
        if not (position > self._start and before.isalnum() and after.isalnum()):
            self._odd = not self._odd

    def check(self, end: int) -> None:
        """Refuse a text with an unclosed inner quotation: its end is not certain."""
        text = self._text
        wrapped = self.count > 1 and text[self._start] == text[end - 1] == text[end]
        if self._odd or wrapped:
            raise InvalidReply(_UNCERTAIN)


def _ends(ahead: Lookahead, after: int, mark: str, inner: _InnerQuotes) -> bool:
    """Whether the quote just before ``after`` ends its string."""
    text = ahead.text
    if _NEXT_ARGUMENT.match(text, after):
        return True
    closing = _CLOSING.match(text, after)
    if closing is None:
        return ahead.resumes(after)
    behind = closing.end()
    if text[behind : behind + 1] == ")" and inner.count:
        raise InvalidReply(_UNCERTAIN)
    while text[behind : behind + 1] == ")":
        behind += 1
    if ahead.resumes(behind) or ahead.call_follows(behind):
        return True
    if text[behind : behind + 1] in QUOTES:
        return False
    if ahead.quote_closes_later(behind, mark):
        raise InvalidReply(_UNCERTAIN)
    return True


def _bare(text: str, start: int, allowed: re.Pattern[str]) -> String:
    """An unquoted value, where it holds nothing that could end it."""
    match = allowed.match(text, start)
    body = match[0] if match else ""
    if not body.strip():
        raise InvalidReply(f"a value is expected at {excerpt(text[start:])}")
    return String(body.strip(), start + len(body))


def _unclosed(text: str, start: int, inner: _InnerQuotes) -> String:
    """A last string whose closing quote alone is missing: ``type(content='hello)``."""
    body = text[start + 1 :]
    if inner.count or "\n" in body or not body.endswith(")") or body.endswith(("\\')", '\\")')):
        raise InvalidReply(f"the string {excerpt(text[start:])} is never closed")
    return String(unescape(body[:-1]), len(text) - 1)
