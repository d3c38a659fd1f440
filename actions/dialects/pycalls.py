"""Reads lines of ``module.function(…)`` calls with plain values; it never runs or evaluates them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from .faults import Fault, clip
from .strings import unescape

_CALL = re.compile(r"((?:pyautogui|computer|time)\.\w+)[ \t]*\(")
_SKIP = re.compile(r"(?:[\s;]+|#[^\n]*|import [\w., ]+(?=\n|;|$)|from \w+ import [\w*, ]+(?=\n|;|$))")
_SPACE = re.compile(r"\s*")
_KEYWORD = re.compile(r"([A-Za-z_]\w*)\s*=\s*(?!=)")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?![\w.])")
_NAME = re.compile(r"(?:True|False|None)\b")
_STRING = re.compile(
    r"'''((?:[^'\\]|\\.|'(?!''))*)'''|\"\"\"((?:[^\"\\]|\\.|\"(?!\"\"))*)\"\"\""
    r"|'((?:[^'\\\n]|\\.)*)'|\"((?:[^\"\\\n]|\\.)*)\"",
    re.DOTALL,
)
_NAMES: Mapping[str, object] = {"True": True, "False": False, "None": None}


class PyCall(NamedTuple):
    """A function's dotted name, its unnamed and its named arguments."""

    name: str
    values: tuple[object, ...]
    named: Mapping[str, object]


def read_py_calls(code: str) -> list[PyCall]:
    """Every call of a piece of code, in order; imports and comments are skipped.

    Raises:
        Fault: something else is in it.
    """
    calls: list[PyCall] = []
    position = _skip(code, 0)
    while position < len(code):
        match = _CALL.match(code, position)
        if match is None:
            raise Fault(f"{clip(code[position:])} is not a call of pyautogui or computer")
        call, position = _call(code, match)
        calls.append(call)
        following = _skip(code, position)
        if following < len(code) and not set("\n;#") & set(code[position:following]):
            raise Fault(f"{clip(code[position:])} cannot be read behind {call.name}(…)")
        position = following
    return calls


def _skip(code: str, position: int) -> int:
    while (match := _SKIP.match(code, position)) is not None:
        position = match.end()
    return position


def _call(code: str, opening: re.Match[str]) -> tuple[PyCall, int]:
    values: list[object] = []
    named: dict[str, object] = {}
    position = _behind_space(code, opening.end())
    while code[position : position + 1] != ")":
        keyword = _KEYWORD.match(code, position)
        value, position = _value(code, keyword.end() if keyword else position)
        if keyword is None and named:
            raise Fault(f"{opening[1]}: an unnamed argument stands behind a named one")
        if keyword is None:
            values.append(value)
        elif named.setdefault(keyword[1], value) is not value:
            raise Fault(f"{opening[1]} is given {keyword[1]} twice")
        position = _separator(code, position, ")")
    return PyCall(opening[1], tuple(values), named), position + 1


def _separator(code: str, position: int, closing: str) -> int:
    """Behind a comma, or at the closing mark."""
    position = _behind_space(code, position)
    mark = code[position : position + 1]
    if mark == ",":
        return _behind_space(code, position + 1)
    if mark != closing:
        raise Fault(f"{clip(code[position:])} cannot be read as an argument")
    return position


def _value(code: str, position: int) -> tuple[object, int]:
    if code[position : position + 1] == "[":
        return _list(code, _behind_space(code, position + 1))
    if (number := _NUMBER.match(code, position)) is not None:
        return float(number[0]), number.end()
    if (name := _NAME.match(code, position)) is not None:
        return _NAMES[name[0]], name.end()
    if (string := _STRING.match(code, position)) is not None:
        body = next(group for group in string.groups() if group is not None)
        return unescape(body), string.end()
    raise Fault(f"{clip(code[position:])} is not a plain value")


def _list(code: str, position: int) -> tuple[object, int]:
    items: list[object] = []
    while code[position : position + 1] != "]":
        if code[position : position + 1] == "[":
            raise Fault("lists inside lists cannot be read")
        item, position = _value(code, position)
        items.append(item)
        position = _separator(code, position, "]")
    return items, position + 1


def _behind_space(code: str, position: int) -> int:
    match = _SPACE.match(code, position)
    return match.end() if match else position
