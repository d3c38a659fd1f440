"""The tool-call dialects of Seed 1.6 to 1.8 and UI-TARS-2.

Three names, one reader: ``seed-xml`` writes plain tags, ``seed-sp`` the same tags with the suffix that makes
them special tokens, ``seed-toolcall`` JSON function calls. Typed text stands in the tags as it is, without
escapes; only a literal backslash-n at its very end means Enter, because that is what the models' tool
description teaches.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import UsageError
from ..geometry import Point, Size
from ..schema import Action, Wait
from .base import Reply
from .faults import Fault, blame, clip
from .spaces import Space, relative
from .spelling import Spelling, spell
from .strings import TEXT_ARGUMENTS
from .thoughts import harmless, join_thoughts, split_thought
from .toolcalls import FIRST_CALL, ToolCall, ToolCalls, read_tool_calls
from .words import build

SUFFIX = "_never_used_51bce0c785ca2f68081bfa7d91973934"

_MARK = r"(?:_never_used_\w+)?"
_NAME = r"(?:\s*=\s*|\s+name\s*=\s*)['\"]?([\w.]+)['\"]?\s*>"
_FUNCTION = re.compile(rf"<function{_MARK}{_NAME}")
_PARAMETER = re.compile(rf"\s*<parameter{_MARK}{_NAME}")
_PARAMETER_END = re.compile(rf"</parameter{_MARK}>")
_FUNCTION_END = re.compile(rf"\s*(?:</function{_MARK}>|(?=</seed:tool_call{_MARK}>|<function{_MARK}[\s=])|$)")
_BLOCK = re.compile(rf"</?seed:tool_call{_MARK}>")
_FIRST = re.compile(rf"<seed:tool_call{_MARK}>|<function{_MARK}[\s=]|<answer>")
_BEGINNING = re.compile(rf"{_FIRST.pattern}|{FIRST_CALL.pattern}", re.IGNORECASE | re.MULTILINE)
_TAG = re.compile(r"</?(?:function|parameter|seed:)")


def read_xml_calls(text: str) -> ToolCalls:
    """Every ``<function=…>`` of a reply, in order.

    Raises:
        Fault: there is none, or a part of the reply cannot be read.
    """
    first = _FIRST.search(text)
    if first is None:
        raise Fault("no tool call is found")
    prose, position = [text[: first.start()]], first.start()
    calls: list[ToolCall] = []
    while position < len(text):
        if (function := _FUNCTION.match(text, position)) is not None:
            call, position = _function(text, function)
            calls.append(call)
        elif text.startswith("<answer>", position):
            call, position = _answer(text, position + len("<answer>"))
            calls.append(call)
        elif (block := _BLOCK.match(text, position)) is not None:
            position = block.end()
        else:
            following = _FIRST.search(text, position + 1)
            stop = following.start() if following else len(text)
            prose.append(_plain(_BLOCK.sub("", text[position:stop])))
            position = stop
    if not calls:
        raise Fault("the tool call is empty")
    return ToolCalls(tuple(calls), "\n".join(part.strip() for part in prose if part.strip()))


def _answer(text: str, start: int) -> tuple[ToolCall, int]:
    end = text.find("</answer>", start)
    if end < 0:
        raise Fault("<answer> is never closed")
    return ToolCall("finished", {"content": text[start:end].strip()}), end + len("</answer>")


def _function(text: str, opening: re.Match[str]) -> tuple[ToolCall, int]:
    values: dict[str, object] = {}
    position = opening.end()
    while (parameter := _PARAMETER.match(text, position)) is not None:
        closing = _PARAMETER_END.search(text, parameter.end())
        if closing is None:
            raise Fault(f"parameter {parameter[1]} is never closed")
        key, value = (
            parameter[1].lower(),
            _value(parameter[1].lower(), text[parameter.end() : closing.start()]),
        )
        if values.setdefault(key, value) != value:
            raise Fault(f"{opening[1]} is given two different values for {key}")
        position = closing.end()
    end = _FUNCTION_END.match(text, position)
    if end is None or (end.end() == len(text) and not end[0].strip() and not values):
        raise Fault(f"function {opening[1]} cannot be read at {clip(text[position:].strip())}")
    return ToolCall(opening[1], values), end.end()


def _value(key: str, raw: str) -> str:
    """A parameter's value: exact for text, without the line breaks that some models put around it."""
    if len(raw) > 1 and raw[0] == raw[-1] == "\n":
        raw = raw[1:-1]
    if key in TEXT_ARGUMENTS and raw.endswith("\\n") and not raw.endswith("\\\\n"):
        raw = raw[:-2] + "\n"
    return raw


def _plain(prose: str) -> str:
    if _TAG.search(prose):
        raise Fault(f"{clip(prose.strip())} cannot be read as a tool call")
    return prose


@dataclass(frozen=True)
class SeedDialect:
    """Tool calls in tags, or in JSON.

    Attributes:
        name: the name it is registered under.
        suffix: what every written tag ends with.
        as_json: whether calls are written as JSON instead.
    """

    name: str
    suffix: str = ""
    as_json: bool = False

    def prompt(self, instruction: str) -> str:
        """The text of the first user message."""
        functions = "\n".join(json.dumps(definition) for definition in _definitions())
        example = self._written(Spelling("click", {"point": "<point>x y</point>"}))
        return (
            "You are a GUI agent. You are given a task and your action history, with screenshots. Call "
            "functions to perform the next action; several calls run in order.\n\n"
            f"## Functions\n{functions}\n\n"
            f"## Output Format\n<think{self.suffix}>...</think{self.suffix}>\n{self._block([example])}\n\n"
            "## Note\n- Coordinates are 0 to 1000 over the width and the height of the screenshot.\n"
            "- To submit typed text, end content with \\n.\n\n"
            f"## User Instruction\n{instruction}"
        )

    def render(self, reply: Reply, screenshot: Size, resized: Size | None = None) -> str:
        """Write a reply the way the model would.

        Raises:
            UsageError: the dialect has no words for an action, or a point is off the screenshot.
        """
        if not reply.actions:
            raise UsageError("a reply needs at least one action")
        space = relative(screenshot)
        calls = [self._written(self._spelled(action, space)) for action in reply.actions]
        thought = f"<think{self.suffix}>{harmless(reply.thought)}</think{self.suffix}>\n"
        return f"{thought if reply.thought else ''}{self._block(calls)}"

    def parse(self, raw: str, screenshot: Size, resized: Size | None = None) -> Reply:
        """Read a model's reply into actions in screenshot pixels.

        Raises:
            ParseError: nothing in it can be read as an action, or a part of it is wrong.
        """
        space = relative(screenshot)
        with blame(raw):
            split = split_thought(raw, _BEGINNING)
            body = raw[split.start : split.end]
            first = _BEGINNING.search(body)
            xml = first is None or _FIRST.match(body, first.start())
            read = read_xml_calls(body) if xml else read_tool_calls(body)
            actions = tuple(
                action for call in read.calls for action in build(call.name, call.arguments, space)
            )
            if not actions:
                raise Fault("no action is found")
            return Reply(join_thoughts(split.thought, read.prose), actions)

    def _spelled(self, action: Action, space: Space) -> Spelling:
        if action == Wait(seconds=0):
            return Spelling("take_screenshot", {})
        name, arguments = spell(action, KINDS, self.name)
        return Spelling(name, {key: self._text(value, space) for key, value in arguments.items()})

    def _text(self, value: str | Point, space: Space) -> str:
        if isinstance(value, Point):
            x, y = space.write(value)
            return f"<point>{x} {y}</point>"
        return value

    def _written(self, spelling: Spelling) -> str:
        if self.as_json:
            return json.dumps({"name": spelling.name, "arguments": spelling.arguments}, ensure_ascii=False)
        end = self.suffix
        lines = [f"<function{end}={spelling.name}>"]
        for key, value in spelling.arguments.items():
            lines.append(f"<parameter{end}={key}>{_writable(key, str(value))}</parameter{end}>")
        return "\n".join((*lines, f"</function{end}>"))

    def _block(self, calls: list[str]) -> str:
        body = "\n".join(calls)
        return (
            body if self.as_json else f"<seed:tool_call{self.suffix}>\n{body}\n</seed:tool_call{self.suffix}>"
        )


def _writable(key: str, value: str) -> str:
    """A value as it stands between its tags.

    Raises:
        UsageError: reading it would give another value.
    """
    written = f"\n{value}\n" if len(value) > 1 and value[0] == value[-1] == "\n" else value
    if _PARAMETER_END.search(value) or _value(key, written) != value:
        raise UsageError(f"{clip(value)} cannot be written between tags")
    return written


KINDS = frozenset(
    (
        *("click", "double_click", "right_click", "move", "drag", "scroll", "mouse_down", "mouse_up"),
        *("type", "hotkey", "key_down", "key_up", "wait", "call_user", "finished"),
    )
)

_POINT_DOC, _WAYS = "<point>x y</point>", ["up", "down", "left", "right"]


def _definitions() -> list[dict[str, object]]:
    """The functions as JSON schemas: names and parameters are the models' published interface."""
    point = {"point": _POINT_DOC}
    ends = {"start_point": _POINT_DOC, "end_point": _POINT_DOC}
    button = {"button": "left or right"}
    return [
        _definition("click", "Click the left button.", point),
        _definition("left_double", "Double-click.", point),
        _definition("right_single", "Click the right button.", point),
        _definition("move_to", "Move the pointer.", point),
        _definition("drag", "Drag from one point to another.", ends),
        _definition("scroll", "Show more on one side.", {"direction": ", ".join(_WAYS)}, point),
        _definition("mouse_down", "Hold a mouse button.", {}, {**point, **button}),
        _definition("mouse_up", "Release a mouse button.", {}, {**point, **button}),
        _definition("type", "Type text.", {"content": "the text"}),
        _definition("hotkey", "Press keys together.", {"key": "keys, split with spaces"}),
        _definition("press", "Hold a key.", {"key": "the key"}),
        _definition("release", "Release a held key.", {"key": "the key"}),
        _definition("wait", "Wait for a change.", {}, {"time": "seconds, a whole number"}),
        _definition("call_user", "Ask the user for help.", {}, {"content": "what is needed"}),
        _definition("finished", "The task is done.", {}, {"content": "the answer, if one was asked for"}),
        _definition("infeasible", "The task cannot be done.", {"content": "why"}),
    ]


def _definition(
    name: str, does: str, required: Mapping[str, str], optional: Mapping[str, str] | None = None
) -> dict[str, object]:
    properties = {
        key: {"type": "string", "description": doc} for key, doc in {**required, **(optional or {})}.items()
    }
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "function", "function": {"name": name, "description": does, "parameters": parameters}}


DIALECTS = (
    SeedDialect("seed-xml"),
    SeedDialect("seed-sp", suffix=SUFFIX),
    SeedDialect("seed-toolcall", as_json=True),
)
