"""The dialect of OpenCUA: thought, action and a piece of ``pyautogui`` code, which is parsed and never run.

Points are pixels of the image resized as for Qwen2.5-VL. A ``moveTo`` and a ``dragTo`` after it are one drag.
``computer.triple_click`` is refused: there is no such action.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..geometry import Point, ResizeLimits
from ..schema import Action, Type
from .base import MOST_ACTIONS, Built, Call, Dialect
from .json_calls import decoded
from .pyautogui_code import actions_of, code_of, read_code
from .reply_errors import InvalidReply, excerpt
from .spaces import Space
from .thoughts import join_thoughts, split_thought

OPENCUA_LIMITS = ResizeLimits(factor=28, min_pixels=4 * 28 * 28, max_pixels=16384 * 28 * 28)

_FENCE = re.compile(r"```(?:python|code)?[ \t]*+\n")
_FENCE_END = re.compile(r"^[ \t]*+```", re.MULTILINE)
_LONGEST_CODE = 20_000
"""Characters of code that are read; Python takes longer for code than for text."""
_HEADER = re.compile(r"^#{1,3} *+(?:Step \d++|Thought|Action|Code|Observation) *+:? *+$", re.MULTILINE | re.IGNORECASE)
_THOUGHT = re.compile(r"^#{1,3} *+Thought *+:?[ \t]*+\n", re.MULTILINE | re.IGNORECASE)
_LINE = re.compile(r"^(?=(?:pyautogui|computer)\.\w++\()", re.MULTILINE)
_LONE_RETURN = re.compile(r"\r(?!\n)")  # in a text; Python would end the line there
_BEGINNING = re.compile(rf"```|{_LINE.pattern}", re.MULTILINE)


@dataclass(frozen=True)
class OpenCuaDialect(Dialect):
    """Thought, action and code."""

    def prompt(self, instruction: str) -> str:
        """The text of the first user message."""
        return _PROMPT.replace("{instruction}", instruction)

    def _read(self, raw: str) -> tuple[str, Sequence[Call]]:
        split = split_thought(raw, _BEGINNING)
        prose, code = _split_code(raw[split.start :] if split.thought else raw)
        return join_thoughts(split.thought, _thought_of(prose)), [call for _, call in read_code(code, 2 * MOST_ACTIONS)]

    def _build(self, call: Call, space: Space) -> Built:
        return actions_of(call, space)

    def _write(self, action: Action, space: Space) -> Sequence[str]:
        def at(point: Point) -> str:
            x, y = space.write(point)
            return f"x={x}, y={y}"

        if isinstance(action, Type) and action.point is None:
            return [f"pyautogui.write(message={action.text!r})"]
        if (code := code_of(action, at)) is None:
            raise self._cannot_write(action)
        return [code]

    def write_calls(self, calls: Iterable[Call]) -> str:
        """Calls that a server took out of a reply, as code."""
        calls = list(calls)
        try:
            lines = [_code_line(decoded(call)) for call in calls]
        except InvalidReply:
            return super().write_calls(calls)
        return "\n".join(("```python", *lines, "```"))

    def _join(self, thought: str, calls: Sequence[str]) -> str:
        thought = _LINE.sub("> ", _HEADER.sub("", thought).replace("```", "'''"))
        code = "\n".join(calls)
        return f"# Step 1:\n## Thought:\n{thought}\n## Action:\nRun the code.\n## Code:\n```python\n{code}\n```"


def _code_line(call: Call) -> str:
    name = call.name if "." in call.name else f"pyautogui.{call.name}"
    if not all(key.isidentifier() for key in (*name.split("."), *call.arguments)):
        raise InvalidReply(f"{excerpt(name)} cannot be written as code")
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in call.arguments.items())})"


def _split_code(text: str) -> tuple[str, str]:
    """The prose before the code, and the code: fenced, or bare lines at the end."""
    opening = _FENCE.search(text)
    if opening is not None:
        closing = _FENCE_END.search(text, opening.end())
        end, after = (closing.start(), closing.end()) if closing else (len(text), len(text))
        if _FENCE.search(text, after):
            raise InvalidReply("the reply holds more than one piece of code")
        if _LINE.search(text[after:]):
            raise InvalidReply("a call is outside of the code")
        code = textwrap.dedent(_bounded(text[opening.end() : end].rstrip().removesuffix("```")))
        return text[: opening.start()], _LONE_RETURN.sub(r"\\r", code)
    line = _LINE.search(text)
    if line is None:
        raise InvalidReply("no code is found")
    return text[: line.start()], _bounded(text[line.start() :].removesuffix("<|im_end|>"))


def _bounded(code: str) -> str:
    if len(code) > _LONGEST_CODE:
        raise InvalidReply(f"the code has {len(code):,} characters; at most {_LONGEST_CODE:,} are read")
    return code


def _thought_of(prose: str) -> str:
    """The thought section; all prose if there is none."""
    header = _THOUGHT.search(prose)
    if header is None:
        return _HEADER.sub("", prose).strip()
    following = _HEADER.search(prose, header.end())
    return prose[header.end() : following.start() if following else len(prose)].strip()


_PROMPT = """You are a GUI agent. You are given a task, a screenshot of the screen and your previous steps. \
You need to perform the next action to complete the task.

For each step, write:

## Thought:
What you see, how far the task is, and what to do next.

## Action:
The next action in one sentence, naming its target without coordinates.

## Code:
```python
The action as PyAutoGUI code, for example pyautogui.click(x=100, y=200).
```

When the task is done or cannot be done, write computer.terminate(status='success') or \
computer.terminate(status='failure').

# Task

{instruction}"""

DIALECTS = (OpenCuaDialect("opencua", OPENCUA_LIMITS),)
