"""The tool-call dialects of Seed 1.6 to 1.8 and UI-TARS-2.

``seed-xml`` writes plain tags, ``seed-sp`` the same tags with the suffix that makes them special tokens, and
``seed-toolcall`` JSON function calls; each reads all three. Typed text is in the tags without escapes; only a
literal backslash-n at its end means Enter, as the models' tool description says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..geometry import Point
from ..schema import Action, Wait
from .arguments import build
from .base import Call, Dialect, ParsedCalls, read_answer
from .json_calls import FIRST_CALL, read_tool_calls
from .reply_errors import InvalidReply, excerpt
from .spaces import Space
from .strings import TEXT_ARGUMENTS
from .thoughts import join_thoughts, split_thought
from .uitars_actions import BUILDERS, call_of

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


def read_xml_calls(text: str) -> ParsedCalls:
    """Every ``<function=…>`` of a reply, in order.

    Raises:
        InvalidReply: the reply holds no call, or a part of it cannot be read.
    """
    first = _FIRST.search(text)
    if first is None:
        raise InvalidReply("no tool call is found")
    prose, position = [text[: first.start()]], first.start()
    calls: list[Call] = []
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
            following = _FIRST.search(text, position + 1)
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
        closing = _PARAMETER_END.search(text, parameter.end())
        if closing is None:
            raise InvalidReply(f"parameter {parameter[1]} is never closed")
        key = parameter[1].lower()
        value = _value(key, text[parameter.end() : closing.start()])
        if values.setdefault(key, value) != value:
            raise InvalidReply(f"{opening[1]} is given two different values for {key}")
        position = closing.end()
    end = _FUNCTION_END.match(text, position)
    if end is None or (end.end() == len(text) and not end[0].strip() and not values):
        raise InvalidReply(f"function {opening[1]} cannot be read at {excerpt(text[position:].strip())}")
    return Call(opening[1], values), end.end()


def _value(key: str, raw: str) -> str:
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


@dataclass(frozen=True)
class SeedDialect(Dialect):
    """Tool calls in tags, or in JSON.

    Attributes:
        suffix: what every written tag ends with.
        as_json: whether calls are written as JSON instead.
    """

    suffix: str = ""
    as_json: bool = False

    def prompt(self, instruction: str) -> str:
        """The text of the first user message."""
        functions = "\n".join(json.dumps(_definition(*function)) for function in _FUNCTIONS)
        example = self._text(Call("click", {"point": "<point>x y</point>"}))
        return (
            "You are a GUI agent. You are given a task and your action history, with screenshots. Call "
            "functions to perform the next action; several calls run in order.\n\n"
            f"## Functions\n{functions}\n\n"
            f"## Output Format\n{self._join('...', [example])}\n\n"
            "## Note\n- Coordinates are 0 to 1000 over the width and the height of the screenshot.\n"
            "- To submit typed text, end content with \\n.\n\n"
            f"## User Instruction\n{instruction}"
        )

    def _read(self, raw: str) -> tuple[str, Sequence[Call]]:
        split = split_thought(raw, _BEGINNING)
        body = raw[split.start : split.end]
        first = _BEGINNING.search(body)
        xml = first is None or _FIRST.match(body, first.start())
        read = read_xml_calls(body) if xml else read_tool_calls(body)
        return join_thoughts(split.thought, read.prose), read.calls

    def _build(self, call: Call, space: Space) -> tuple[Action, ...]:
        return build(call, BUILDERS, space)

    def _write(self, action: Action, space: Space) -> Sequence[str]:
        if action == Wait(seconds=0):
            return [self._text(Call("take_screenshot"))]
        call = call_of(action, KINDS, self.name)
        written = dict(call.arguments)
        for key, value in written.items():
            if isinstance(value, Point):
                written[key] = "<point>{} {}</point>".format(*space.write(value))
        return [self._text(Call(call.name, written))]

    def _text(self, call: Call) -> str:
        if self.as_json:
            return json.dumps({"name": call.name, "arguments": call.arguments}, ensure_ascii=False)
        end = self.suffix
        lines = [f"<function{end}={call.name}>"]
        for key, value in call.arguments.items():
            lines.append(f"<parameter{end}={key}>{_writable(key, str(value))}</parameter{end}>")
        return "\n".join((*lines, f"</function{end}>"))

    def _join(self, thought: str, calls: Sequence[str]) -> str:
        end, body = self.suffix, "\n".join(calls)
        if not self.as_json:
            body = f"<seed:tool_call{end}>\n{body}\n</seed:tool_call{end}>"
        return f"<think{end}>{thought}</think{end}>\n{body}" if thought else body


def _writable(key: str, value: str) -> str:
    """A value as it is written between its tags; raises ``UsageError`` where reading it would give another."""
    written = f"\n{value}\n" if len(value) > 1 and value[0] == value[-1] == "\n" else value
    if _PARAMETER_END.search(value) or _value(key, written) != value:
        raise UsageError(f"{excerpt(value)} cannot be written between tags")
    return written


KINDS = frozenset(
    (
        *("click", "double_click", "right_click", "move", "drag", "scroll", "mouse_down", "mouse_up"),
        *("type", "hotkey", "key_down", "key_up", "wait", "call_user", "finished"),
    )
)

_POINT, _BUTTON = {"point": "<point>x y</point>"}, {"button": "left or right"}
_FUNCTIONS: tuple[tuple[str, str, dict[str, str], dict[str, str]], ...] = (
    ("click", "Click the left button.", _POINT, {}),
    ("left_double", "Double-click.", _POINT, {}),
    ("right_single", "Click the right button.", _POINT, {}),
    ("move_to", "Move the pointer.", _POINT, {}),
    ("drag", "Drag from one point to another.", dict.fromkeys(("start_point", "end_point"), _POINT["point"]), {}),
    ("scroll", "Show more on one side.", {"direction": "up, down, left, right"}, _POINT),
    ("mouse_down", "Hold a mouse button.", {}, _POINT | _BUTTON),
    ("mouse_up", "Release a mouse button.", {}, _POINT | _BUTTON),
    ("type", "Type text.", {"content": "the text"}, {}),
    ("hotkey", "Press keys together.", {"key": "keys, split with spaces"}, {}),
    ("press", "Hold a key.", {"key": "the key"}, {}),
    ("release", "Release a held key.", {"key": "the key"}, {}),
    ("wait", "Wait for a change.", {}, {"time": "seconds, a whole number"}),
    ("call_user", "Ask the user for help.", {}, {"content": "what is needed"}),
    ("finished", "The task is done.", {}, {"content": "the answer, if one was asked for"}),
    ("infeasible", "The task cannot be done.", {"content": "why"}, {}),
)
"""Name, purpose, required and optional parameters of each function: the models' published interface."""


def _definition(name: str, does: str, required: Mapping[str, str], optional: Mapping[str, str]) -> dict[str, object]:
    """A function as a JSON schema."""
    properties = {key: {"type": "string", "description": doc} for key, doc in {**required, **optional}.items()}
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "function", "function": {"name": name, "description": does, "parameters": parameters}}


DIALECTS = (SeedDialect("seed-xml"), SeedDialect("seed-sp", suffix=SUFFIX), SeedDialect("seed-toolcall", as_json=True))
