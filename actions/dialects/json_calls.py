"""Parses tool calls written as JSON, in the shapes that servers and checkpoints use."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .base import Call, CallList, ParsedCalls
from .json_values import read_json, read_members
from .reply_errors import InvalidReply, excerpt

_OPENING = re.compile(r"<tool_call>", re.IGNORECASE)
_BETWEEN = re.compile(r"(?:[\s,;]|</?tool_call>|```\w*+)*+", re.IGNORECASE)
_BEHIND = re.compile(r"[\s,;}\])]*+")
_LINE = re.compile(r"^[ \t]*+(?=[{\[])", re.MULTILINE)
FIRST_CALL = re.compile(rf"{_OPENING.pattern}|{_LINE.pattern}", re.IGNORECASE | re.MULTILINE)
"""Where JSON tool calls may begin."""
_MEMBERS = re.compile(r"\"(?:name|action)\"\s*+:")
_HIDDEN = re.compile(r"<tool_call|[{\[]\s*+\"")
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
    calls = CallList()
    while (position := _behind(_BETWEEN, text, position)) < len(text):
        bare = _MEMBERS.match(text, position)
        if bare or text[position] in "{[":
            value, position = read_members(text, position) if bare else read_json(text, position)
            calls.extend(_calls_of(value))
            position = _behind(_BEHIND, text, position)  # brackets that nothing opened
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
    return Call(call.name, dict(_arguments(call.values[0] if call.values else call.arguments)))


def _behind(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _calls_of(value: object) -> CallList:
    """The calls in one JSON value: a call, a list of calls, or a message that holds some."""
    values = value if isinstance(value, list) else [value]
    calls = CallList()
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
    if not isinstance(name, str) or len(given) > 1:
        raise InvalidReply("a tool call needs a name and arguments, and nothing else")
    arguments = dict(_arguments(given[0] if given else None))
    for key, item in fields.items():  # beside the arguments instead of among them
        if arguments.setdefault(key, item) != item:
            raise InvalidReply(f"a tool call gives two different values for {excerpt(key)}")
    return Call(name, arguments)


def _arguments(value: object) -> Mapping[str, object]:
    if isinstance(value, str) and value.strip():
        text = value.strip()
        value, end = read_json(text)
        if text[end:].strip(" \n}"):
            raise InvalidReply(f"{excerpt(text[end:])} follows the arguments of a tool call")
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        raise InvalidReply(f"arguments are {excerpt(str(value)[:80])}, not an object")
    return value
