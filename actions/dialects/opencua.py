"""The dialect of OpenCUA: thought, action and a piece of ``pyautogui`` code, which is read and never run.

Points are pixels of the image resized as Qwen2.5-VL does it. A ``moveTo`` with a ``dragTo`` behind it is one
drag. ``computer.triple_click`` is refused: no action stands for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast

from ..errors import UsageError
from ..geometry import Point, ResizeLimits, Size
from ..schema import (
    Action,
    CallUser,
    Click,
    Drag,
    Finished,
    Hotkey,
    KeyDown,
    KeyUp,
    MouseDown,
    MouseUp,
    Press,
    Scroll,
    Type,
    Wait,
)
from .base import Reply
from .faults import Fault, blame
from .pycalls import read_py_calls
from .pywords import build
from .spaces import Space, absolute
from .spelling import number
from .strings import quote
from .thoughts import harmless, join_thoughts, split_thought
from .words import join_drags

OPENCUA_LIMITS = ResizeLimits(factor=28, min_pixels=4 * 28 * 28, max_pixels=16384 * 28 * 28)

_FENCE = re.compile(r"```(?:python|code)?[ \t]*\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE)
_HEADER = re.compile(
    r"^#{1,3} *(?:Step \d+|Thought|Action|Code|Observation) *:? *$", re.MULTILINE | re.IGNORECASE
)
_THOUGHT = re.compile(r"^#{1,3} *Thought *:?[ \t]*\n", re.MULTILINE | re.IGNORECASE)
_LINE = re.compile(r"^(?=(?:pyautogui|computer)\.\w+\()", re.MULTILINE)
_BEGINNING = re.compile(rf"```|{_LINE.pattern}", re.MULTILINE)


@dataclass(frozen=True)
class OpenCuaDialect:
    """Thought, action and code."""

    name: str = "opencua"

    def prompt(self, instruction: str) -> str:
        """The text of the first user message."""
        return _PROMPT.replace("{instruction}", instruction)

    def render(self, reply: Reply, screenshot: Size, resized: Size | None = None) -> str:
        """Write a reply the way the model would.

        Raises:
            UsageError: the dialect has no words for an action, or a point is off the screenshot.
        """
        if not reply.actions:
            raise UsageError("a reply needs at least one action")
        space = _SPACE(screenshot, resized)
        code = "\n".join(_written(action, space) for action in reply.actions)
        thought = _HEADER.sub("", harmless(reply.thought)).replace("```", "'''")
        thought = _LINE.sub("> ", thought)
        return (
            f"# Step 1:\n## Thought:\n{thought}\n## Action:\nRun the code.\n## Code:\n```python\n{code}\n```"
        )

    def parse(self, raw: str, screenshot: Size, resized: Size | None = None) -> Reply:
        """Read a model's reply into actions in screenshot pixels.

        Raises:
            ParseError: nothing in it can be read as an action, or a part of it is wrong.
        """
        space = _SPACE(screenshot, resized)
        with blame(raw):
            split = split_thought(raw, _BEGINNING)
            prose, code = _split_code(raw[split.start :] if split.thought else raw)
            actions = join_drags([build(call, space) for call in read_py_calls(code)])
            if not actions:
                raise Fault("the code holds no action")
            return Reply(join_thoughts(split.thought, _thought_of(prose)), actions)


_SPACE = absolute(OPENCUA_LIMITS)


def _split_code(text: str) -> tuple[str, str]:
    """The prose before the code, and the code: fenced, or bare lines at the end."""
    fences = list(_FENCE.finditer(text))
    if len(fences) > 1:
        raise Fault("the reply holds more than one piece of code")
    if fences:
        behind = text[fences[0].end() :]
        if _LINE.search(behind):
            raise Fault("a call stands outside of the code")
        return text[: fences[0].start()], fences[0][1].rstrip().removesuffix("```")
    line = _LINE.search(text)
    if line is None:
        raise Fault("no code is found")
    return text[: line.start()], text[line.start() :].removesuffix("<|im_end|>")


def _thought_of(prose: str) -> str:
    """The thought section where there is one, all prose otherwise."""
    header = _THOUGHT.search(prose)
    if header is None:
        return _HEADER.sub("", prose).strip()
    following = _HEADER.search(prose, header.end())
    return prose[header.end() : following.start() if following else len(prose)].strip()


_NAMED = {
    "click": "click",
    "double_click": "doubleClick",
    "right_click": "rightClick",
    "middle_click": "middleClick",
    "move": "moveTo",
}


def _written(action: Action, space: Space) -> str:
    """The lines that stand for an action."""
    if action.kind in _NAMED:
        return f"pyautogui.{_NAMED[action.kind]}({_at(cast(Click, action).point, space)})"
    match action:
        case Drag():
            end = _at(action.end, space)
            return f"pyautogui.moveTo({_at(action.start, space)})\npyautogui.dragTo({end}, button='left')"
        case MouseDown() | MouseUp():
            name = "mouseDown" if isinstance(action, MouseDown) else "mouseUp"
            point = "" if action.point is None else f"{_at(action.point, space)}, "
            return f"pyautogui.{name}({point}button='{action.button}')"
        case Scroll():
            return _scrolled(action, space)
        case Type(point=None):
            return f"pyautogui.write(message={quote(action.text)})"
        case _:
            return _typed(action)


def _typed(action: Action) -> str:
    match action:
        case Hotkey() if all(len(key) > 1 or key == key.lower() for key in action.keys):
            return f"pyautogui.hotkey({', '.join(map(quote, action.keys))})"
        case Press():
            return f"pyautogui.press({quote(action.key)})"
        case KeyDown():
            return f"pyautogui.keyDown({quote(action.key)})"
        case KeyUp():
            return f"pyautogui.keyUp({quote(action.key)})"
        case Wait():
            return f"time.sleep({number(action.seconds)})"
        case Finished():
            answer = f", answer={quote(action.answer)}" if action.answer else ""
            return f"computer.terminate(status='success'{answer})"
        case CallUser():
            message = f", answer={quote(action.message)}" if action.message else ""
            return f"computer.terminate(status='failure'{message})"
    raise UsageError(f"opencua has no words for {action.model_dump_json()}")


def _at(point: Point, space: Space) -> str:
    x, y = space.write(point)
    return f"x={x}, y={y}"


def _scrolled(action: Scroll, space: Space) -> str:
    name = "scroll" if action.direction in ("up", "down") else "hscroll"
    sign = "" if action.direction in ("up", "right") else "-"
    point = "" if action.point is None else f", {_at(action.point, space)}"
    return f"pyautogui.{name}({sign}{action.amount}{point})"


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

DIALECTS = (OpenCuaDialect(),)
