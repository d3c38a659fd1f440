"""Parses tool calls written as JSON, in the shapes that servers and checkpoints use."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from .base import Call, ParsedCalls
from .reply_errors import InvalidReply, excerpt

_OPENING = re.compile(r"<tool_call>", re.IGNORECASE)
_BETWEEN = re.compile(r"(?:[\s,;]+|</?tool_call>|```\w*)+", re.IGNORECASE)
_LINE = re.compile(r"^[ \t]*(?=[{\[])", re.MULTILINE)
FIRST_CALL = re.compile(rf"{_OPENING.pattern}|{_LINE.pattern}", re.IGNORECASE | re.MULTILINE)
"""Where JSON tool calls may begin."""
_HIDDEN = re.compile(r"<tool_call|[{\[]\s*\"")
_ARGUMENTS = ("arguments", "parameters", "args", "input")
_LABELS = frozenset(("id", "type", "index"))


def read_tool_calls(text: str) -> ParsedCalls:
    """Every JSON tool call of a reply, in ``<tool_call>`` tags or on a line of its own.

    Raises:
        InvalidReply: the reply holds no call, or a part of it cannot be read.
    """
    first = _OPENING.search(text) or _LINE.search(text)
    if first is None:
        raise InvalidReply("no tool call is found")
    prose, position = [text[: first.start()]], first.start()
    calls: list[Call] = []
    while (position := _behind(text, position)) < len(text):
        if text[position] in "{[":
            value, position = _decode(text, position)
            calls.extend(_calls_of(value))
            continue
        again = _OPENING.search(text, position)
        stop = again.start() if again else len(text)
        if not calls or _HIDDEN.search(text, position, stop):
            raise InvalidReply(f"{excerpt(text[position:stop])} is not a tool call")
        prose.append(text[position:stop])
        position = stop
    if not calls:
        raise InvalidReply("the tool call is empty")
    return ParsedCalls.of(calls, prose)


def decoded(call: Call) -> Call:
    """A call that a server took out of a reply, with its arguments read; raises ``InvalidReply`` if they cannot be."""
    arguments = dict(arguments_of(call.values[0] if call.values else call.arguments))
    return Call(call.name, arguments)


def _behind(text: str, position: int) -> int:
    match = _BETWEEN.match(text, position)
    return match.end() if match else position


def _decode(text: str, position: int = 0) -> tuple[object, int]:
    decoder = json.JSONDecoder(object_pairs_hook=_unique, strict=False)
    try:
        return decoder.raw_decode(text, position)
    except (ValueError, RecursionError) as error:
        raise InvalidReply(f"the JSON of a tool call cannot be read: {str(error)[:80]}") from None


def _decode_all(text: str) -> object:
    value, end = _decode(text)
    if end < len(text):
        raise InvalidReply(f"{excerpt(text[end:])} follows the arguments of a tool call")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result: dict[str, object] = {}
    for key, value in pairs:
        if result.setdefault(key, value) != value:
            raise InvalidReply(f"a tool call gives two different values for {excerpt(key)}")
    return result


def _calls_of(value: object) -> list[Call]:
    """The calls in one JSON value: a call, a list of calls, or a message that holds some."""
    values = value if isinstance(value, list) else [value]
    calls: list[Call] = []
    for item in values:
        if isinstance(item, dict) and isinstance(item.get("tool_calls"), list):
            calls.extend(_call_of(call) for call in item["tool_calls"])
        else:
            calls.append(_call_of(item))
    return calls


def _call_of(value: object) -> Call:
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    if not isinstance(value, dict):
        raise InvalidReply(f"{excerpt(str(value)[:80])} is not a tool call")
    fields = {key: item for key, item in value.items() if key not in _LABELS}
    name = fields.pop("name", None)
    given = [fields.pop(key) for key in _ARGUMENTS if key in fields]
    if name is None and not given and isinstance(fields.get("action"), str):
        return Call(str(fields.pop("action")), fields)
    if not isinstance(name, str) or len(given) > 1 or fields:
        raise InvalidReply("a tool call needs a name and arguments, and nothing else")
    return Call(name, arguments_of(given[0] if given else None))


def arguments_of(value: object) -> Mapping[str, object]:
    """Arguments out of an object or of JSON; raises ``InvalidReply`` for anything else."""
    if isinstance(value, str) and value.strip():
        value = _decode_all(value.strip())
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        raise InvalidReply(f"arguments are {excerpt(str(value)[:80])}, not an object")
    return value
