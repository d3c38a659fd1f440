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
from .base import Built, Call, Dialect
from .json_calls import FIRST_CALL, read_tool_calls
from .reply_errors import excerpt
from .spaces import Space
from .thoughts import join_thoughts, split_thought
from .uitars_actions import BUILDERS, call_of
from .xml_calls import FIRST_XML_CALL, PARAMETER_END, parameter_value, read_xml_calls

SUFFIX = "_never_used_51bce0c785ca2f68081bfa7d91973934"

_BEGINNING = re.compile(rf"{FIRST_XML_CALL.pattern}|{FIRST_CALL.pattern}", re.IGNORECASE | re.MULTILINE)


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
        xml = first is None or FIRST_XML_CALL.match(body, first.start())
        read = read_xml_calls(body) if xml else read_tool_calls(body)
        return join_thoughts(split.thought, read.prose), read.calls

    def _build(self, call: Call, space: Space) -> Built:
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
    if PARAMETER_END.search(value) or parameter_value(key, written) != value:
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
