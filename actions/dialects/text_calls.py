"""Parses ``name(argument='value', ...)`` calls in a reply, tolerant of form and strict about meaning.

Accepted forms: one or more ``Action:`` labels, none, lower-case ones, full-width and typographic punctuation, code
fences, special tokens, wrapper tags, several calls, prose behind the last, a missing parenthesis or quote.
Anything that could be read in two ways, or not at all, is an ``InvalidReply``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from .base import MOST_ACTIONS, Call, CallList, ParsedCalls, read_answer
from .coordinates import before_spaces, scan, skip_spaces
from .json_values import read_json
from .punctuation import QUOTES
from .reply_errors import InvalidReply, UnknownActionName, excerpt
from .strings import ARGUMENTS, COORDINATE_ARGUMENTS, TEXT_ARGUMENTS, WORD_ARGUMENTS, Lookahead, read_text, read_word
from .thoughts import LABEL

MOST_NUMBERS = 8
MOST_ARGUMENTS = 20
"""Arguments of one call, beyond which it is not read."""


class CallParser:
    """Parses the calls of one vocabulary.

    Args:
        names: action names, in lower case.
        positional: the argument that a value without a name is, by action.
        bare: actions that need no parentheses.
    """

    _CALL = re.compile(r"([A-Za-z_][\w.]*+)([ \t]*+)\(")
    _WORD_CALL = re.compile(r"(?<![\w.])([A-Za-z_]\w*+)[ \t]*+\(")
    _LABEL = re.compile(LABEL, re.IGNORECASE)
    _JUNK = re.compile(
        r"[\s;,]++|```\w*+|<\|\w++\|>|</?(?:computer_env|action|output|answer)>|\d{1,2}\.[ \t]++|[-*`]++[ \t]*+",
        re.IGNORECASE,
    )
    _TAGS = re.compile(r"</?(?:computer_env|action|output|answer)>", re.IGNORECASE)
    _ARGUMENT = re.compile(r"([A-Za-z_]\w*+)\s*+([=:])\s*+")
    _WRAPPER = r"(?:<(?:computer_env|action|answer|output)>[ \t]*+)?"
    _QUOTED_END = re.compile(r"['\"][ \t]*+\)")

    def __init__(self, names: Collection[str], positional: Mapping[str, str], bare: Collection[str]) -> None:
        self._names = frozenset(names)
        self._positional = positional
        known = "|".join(sorted(names, key=len, reverse=True))
        self._known = re.compile(rf"(?<![\w.])(?:{known})[ \t]*+\(", re.IGNORECASE)
        self._bare = re.compile(rf"({'|'.join(sorted(bare))})[ \t.]*+(?=\n|$)", re.IGNORECASE)
        line = rf"[ \t]*+(?:(?:{known})[ \t]*+\(|{LABEL})"
        self.beginning = re.compile(rf"^{self._WRAPPER}{line}|^[ \t]*+<answer>", re.IGNORECASE | re.MULTILINE)
        self._label_line = re.compile(rf"^[ \t]*+{self._WRAPPER}{LABEL}", re.IGNORECASE | re.MULTILINE)
        self._inline = re.compile(rf"(?<=[\s.!?。)>])action[ \t]*+:[ \t]*+(?=(?:{known})\()", re.IGNORECASE)

    def read(self, text: str) -> ParsedCalls:
        """Every call of a reply, in order.

        Raises:
            InvalidReply: the reply holds no call, or a part of it cannot be read.
        """
        ahead = Lookahead(text, self.beginning, self._known)
        plain = ahead.plain
        start, inline = self._first_action(plain)
        calls = CallList()
        prose = [text[:start]]
        position, labelled = start, False
        while (position := self._skip_junk(plain, position)) < len(plain):
            if (label := self._LABEL.match(plain, position)) is not None:
                position, labelled = label.end(), True
                continue
            step = self._step(ahead, position, labelled or not calls)
            if step is not None:
                calls.append(step[0])
                position, labelled = step[1], False
                continue
            stop = self._end_of_prose(ahead, position)
            self._check_prose(plain[position:stop], labelled or inline or not calls)
            prose.append(text[position:stop])
            position = stop
        if not calls or labelled:
            raise InvalidReply("a label announces an action, but none follows")
        return ParsedCalls.of(calls, (self._TAGS.sub("", part) for part in prose))

    def _first_action(self, text: str) -> tuple[int, bool]:
        """Where the first action begins, and whether its label is inside a line."""
        last_label = 0
        for count, label in enumerate(self._label_line.finditer(text)):
            if self._is_action(text, label.end()):
                return label.start(), False
            if count == MOST_ACTIONS:
                raise InvalidReply(f"more than {MOST_ACTIONS} labels announce actions, but none follows")
            last_label = label.end()
        anchor = self.beginning.search(text, last_label)
        if anchor is not None:
            return anchor.start(), False
        inline = self._inline.search(text) if not last_label else None
        if inline is not None:
            return inline.start(), True
        start = self._skip_junk(text, 0)
        if self._bare.match(text, start) or self._CALL.match(text, start):
            return start, False
        raise InvalidReply("no action is found; end the reply with a line such as Action: wait()")

    def _is_action(self, text: str, position: int) -> bool:
        """Whether a label is followed by an action rather than by prose."""
        position = self._skip_junk(text, position)
        line_end = text.find("\n", position)
        line = text[position : line_end if line_end >= 0 else len(text)]
        return bool(set("(=<{[") & set(line)) or self._bare.match(text, position) is not None

    def _step(self, ahead: Lookahead, position: int, expected: bool) -> tuple[Call, int] | None:
        """The action at a position and where it ends; None for prose."""
        text, plain = ahead.text, ahead.plain
        if plain[max(0, position - 8) : position].lower() == "<answer>" and self._is_answer(plain, position):
            return read_answer(text, position)
        if (call := self._CALL.match(plain, position)) is not None:
            name = call[1].lower()
            if name in self._names:
                return self._arguments(ahead, name, call.end())
            if not call[2]:
                raise UnknownActionName(call[1], self._names)
        if expected and (bare := self._bare.match(plain, position)) is not None:
            return Call(bare[1].lower()), bare.end()
        return None

    def _arguments(self, ahead: Lookahead, name: str, position: int) -> tuple[Call, int]:
        plain = ahead.plain
        arguments: dict[str, object] = {}
        sure = False
        for _ in range(MOST_ARGUMENTS + 1):
            position = skip_spaces(plain, position)
            if plain[position : position + 1] == ")":
                return Call(name, arguments), _behind_parentheses(plain, position)
            if arguments and sure and ahead.resumes(before_spaces(plain, position)):
                return Call(name, arguments), position
            if arguments and plain[position : position + 1] in (",", ";"):
                position = skip_spaces(plain, position + 1)
                if plain[position : position + 1] == ")":
                    continue
            elif arguments or position == len(plain):
                raise InvalidReply(f"{name}(…) cannot be read at {excerpt(ahead.text[position:])}")
            key, position = self._key(ahead, name, position)
            value, position, sure = self._value(ahead, key, position)
            if arguments.setdefault(key, value) != value:
                raise InvalidReply(f"{name} is given two different values for {excerpt(key)}")
        raise InvalidReply(f"{name} is given more than {MOST_ARGUMENTS} arguments")

    def _key(self, ahead: Lookahead, name: str, position: int) -> tuple[str, int]:
        plain = ahead.plain
        named = self._ARGUMENT.match(plain, position)
        if named is not None:
            key = named[1].lower()
            if named[2] == "=" or key in ARGUMENTS or plain[named.end() : named.end() + 1] in QUOTES:
                return key, named.end()
        if name not in self._positional:
            raise InvalidReply(f"{name} needs named arguments, not {excerpt(ahead.text[position:])}")
        return self._positional[name], position

    @staticmethod
    def _value(ahead: Lookahead, key: str, position: int) -> tuple[object, int, bool]:
        """A value, where it ends, and whether it is complete."""
        if key in COORDINATE_ARGUMENTS:
            numbers = scan(ahead.plain, position)
            if not numbers.values:
                raise InvalidReply(f"{key} holds no coordinates at {excerpt(ahead.text[position:])}")
            if len(numbers.values) > MOST_NUMBERS:
                raise InvalidReply(f"{key} holds more than {MOST_NUMBERS} numbers; a point has 2 and a box 4")
            return numbers.values, numbers.end, numbers.closed
        if key not in TEXT_ARGUMENTS and ahead.plain[position : position + 1] in ("[", "{"):
            value, end = read_json(ahead.plain, position)
            return value, end, True
        read = read_word if key in WORD_ARGUMENTS else read_text
        string = read(ahead, position)
        return string.value, string.end, ahead.plain[string.end - 1] in QUOTES

    def _skip_junk(self, text: str, position: int) -> int:
        """The position behind separators, fences, special tokens and wrapper tags."""
        while (junk := self._JUNK.match(text, position)) is not None:
            position = junk.end()
            if junk[0].lower() == "<answer>" and self._is_answer(text, position):
                break
        return position

    def _is_answer(self, text: str, position: int) -> bool:
        """Whether ``<answer>`` wraps a final answer, not an action."""
        begin = skip_spaces(text, position)
        return not (self._LABEL.match(text, begin) or self._known.match(text, begin))

    def _end_of_prose(self, ahead: Lookahead, position: int) -> int:
        line_end = ahead.plain.find("\n", position)
        anchor = ahead.next_anchor(line_end + 1) if line_end >= 0 else None
        return len(ahead.plain) if anchor is None else anchor

    def _check_prose(self, prose: str, expected: bool) -> None:
        """Refuse prose where an action is expected, and prose that holds a call."""
        if expected:
            raise InvalidReply(f"{excerpt(prose)} is not an action")
        holds_call = any(call[1].lower() in self._names for call in self._WORD_CALL.finditer(prose))
        if holds_call or self._QUOTED_END.search(prose):
            raise InvalidReply(f"{excerpt(prose)} cannot be read as an action or as prose")


def _behind_parentheses(text: str, position: int) -> int:
    while text[position : position + 1] == ")":
        position += 1
    return position
