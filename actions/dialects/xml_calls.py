"""Parses tool calls in tags, ``<function=click><parameter=point>…``, as Seed and some Qwen models write them."""

from __future__ import annotations

import re

from .base import Call, CallList, ParsedCalls, read_answer
from .reply_errors import InvalidReply, excerpt
from .strings import TEXT_ARGUMENTS

_MARK = r"(?:_never_used_\w++)?+"
_NAME = r"\s*+(?:name\s*+)?+=\s*+['\"]?([\w.]++)['\"]?\s*+>"
_FUNCTION = re.compile(rf"<function{_MARK}{_NAME}")
_PARAMETER = re.compile(rf"\s*+<parameter{_MARK}{_NAME}")
PARAMETER_END = re.compile(rf"</parameter{_MARK}>")
_FUNCTION_END = re.compile(rf"\s*+(?:</function{_MARK}>|(?=</(?:seed:)?tool_call{_MARK}>|<function{_MARK}[\s=])|$)")
_BLOCK = re.compile(rf"</?(?:seed:)?tool_call{_MARK}>")
FIRST_XML_CALL = re.compile(rf"<seed:tool_call{_MARK}>|(?:<tool_call>\s*+)?<function{_MARK}[\s=]|<answer>")
_TAG = re.compile(r"</?(?:function|parameter|seed:)")


def read_xml_calls(text: str) -> ParsedCalls:
    """Every ``<function=…>`` of a reply, in order.

    Raises:
        InvalidReply: the reply holds no call, or a part of it cannot be read.
    """
    first = FIRST_XML_CALL.search(text)
    if first is None:
        raise InvalidReply("no tool call is found")
    prose, position = [text[: first.start()]], first.start()
    calls = CallList()
    while position < len(text):
        if (function := _FUNCTION.match(text, position)) is not None:
            call, position = _function(text, function)
            calls.append(call)
        elif text.startswith("<answer>", position):
            call, position = read_answer(text, position + len("<answer>"))
            calls.append(call)
        elif (block := _BLOCK.match(text, position)) is not None:
            position = block.end()
        else:
            following = FIRST_XML_CALL.search(text, position + 1)
            stop = following.start() if following else len(text)
            prose.append(_plain(_BLOCK.sub("", text[position:stop])))
            position = stop
    if not calls:
        raise InvalidReply("the tool call is empty")
    return ParsedCalls.of(calls, prose)


def _function(text: str, opening: re.Match[str]) -> tuple[Call, int]:
    values: dict[str, object] = {}
    position = opening.end()
    while (parameter := _PARAMETER.match(text, position)) is not None:
        closing = PARAMETER_END.search(text, parameter.end())
        if closing is None:
            raise InvalidReply(f"parameter {parameter[1]} is never closed")
        key = parameter[1].lower()
        value = parameter_value(key, text[parameter.end() : closing.start()])
        if values.setdefault(key, value) != value:
            raise InvalidReply(f"{opening[1]} is given two different values for {key}")
        position = closing.end()
    end = _FUNCTION_END.match(text, position)
    if end is None or (end.end() == len(text) and not end[0].strip() and not values):
        raise InvalidReply(f"function {opening[1]} cannot be read at {excerpt(text[position:].strip())}")
    return Call(opening[1], values), end.end()


def parameter_value(key: str, raw: str) -> str:
    """A parameter's value: exact for text, without the line breaks that some models put around it."""
    if len(raw) > 1 and raw[0] == raw[-1] == "\n":
        raw = raw[1:-1]
    if key in TEXT_ARGUMENTS and raw.endswith("\\n") and not raw.endswith("\\\\n"):
        raw = raw[:-2] + "\n"
    return raw


def _plain(prose: str) -> str:
    if _TAG.search(prose):
        raise InvalidReply(f"{excerpt(prose.strip())} cannot be read as a tool call")
    return prose
