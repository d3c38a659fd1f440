"""The dialect of OpenCUA: thought, action and a piece of ``pyautogui`` code, which is read and never run.

Points are pixels of the image resized as Qwen2.5-VL does it. A ``moveTo`` with a ``dragTo`` behind it is one
drag. ``computer.triple_click`` is refused: no action stands for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from ..errors import UsageError
from ..geometry import Point, ResizeLimits, Size
from ..schema import (
    Action,
    CallUser,
    Click,
    DoubleClick,
    Drag,
    Finished,
    Hotkey,
    KeyDown,
    KeyUp,
    MiddleClick,
    MouseDown,
    MouseUp,
    Move,
    Press,
    RightClick,
    Scroll,
    Type,
    Wait,
)
from .base import Reply
from .faults import Fault, UnknownName, blame
from .pycalls import PyCall, read_py_calls
from .spaces import Space, absolute
from .spelling import number
from .strings import quote
from .thoughts import harmless, join_thoughts, split_thought
from .words import Arguments, number_of

OPENCUA_LIMITS = ResizeLimits(factor=28, min_pixels=4 * 28 * 28, max_pixels=16384 * 28 * 28)

_FENCE = re.compile(r"```(?:python|code)?[ \t]*\n(.*?)(?:```|\Z)", re.DOTALL)
_HEADER = re.compile(
    r"^#{1,3} *(?:Step \d+|Thought|Action|Code|Observation) *:? *$", re.MULTILINE | re.IGNORECASE
)
_THOUGHT = re.compile(r"^#{1,3} *Thought *:?[ \t]*\n", re.MULTILINE | re.IGNORECASE)
_LINE = re.compile(r"^(?=(?:pyautogui|computer)\.\w+\()", re.MULTILINE)
_TIMING = ("duration", "interval", "pause", "tween", "logScreenshot", "_pause")
_CLICKS: Mapping[tuple[str, int], type[Click | DoubleClick | RightClick | MiddleClick]] = {
    ("left", 1): Click,
    ("left", 2): DoubleClick,
    ("right", 1): RightClick,
    ("middle", 1): MiddleClick,
}


def _click(given: Arguments) -> Action:
    clicks, button = given.take(("clicks",)), given.button()
    count = 1 if clicks is None else number_of(clicks)
    kind = _CLICKS.get((button, int(count)))
    if kind is None or count != int(count):
        raise Fault(f"{count:g} clicks of the {button} button cannot be executed")
    return kind(point=given.point())


def _drag_to(given: Arguments) -> tuple[Action, ...]:
    if given.button() != "left":
        raise Fault("only the left button can drag")
    return (MouseDown(), Move(point=given.point()), MouseUp())


def _scroll(given: Arguments) -> Action:
    clicks = number_of(given.take(("clicks",)))
    if clicks == 0 or clicks != int(clicks):
        raise Fault("scroll needs a whole number of clicks other than 0")
    return Scroll(
        direction="up" if clicks > 0 else "down", point=given.optional_point(), amount=abs(int(clicks))
    )


def _hscroll(given: Arguments) -> Action:
    scroll = cast(Scroll, _scroll(given))
    return Scroll(
        direction="right" if scroll.direction == "up" else "left", point=scroll.point, amount=scroll.amount
    )


def _press(given: Arguments) -> tuple[Action, ...]:
    presses = given.take(("presses",))
    count = 1.0 if presses is None else number_of(presses)
    if count not in range(1, 101):
        raise Fault("presses is a whole number from 1 to 100")
    return tuple(Press(key=key) for key in given.keys()) * int(count)


def _terminate(given: Arguments) -> Action:
    status = given.choice("status", ("success", "failure"))
    if status == "failure":
        return CallUser(message=given.optional_text() or "")
    return Finished(answer=given.optional_text() or "")


def _wait(given: Arguments) -> Action:
    seconds = given.seconds()
    return Wait() if seconds is None else Wait(seconds=seconds)


class _Word:
    """How a function's unnamed arguments are called, and what it builds."""

    def __init__(self, names: str, build: Callable[[Arguments], Action | tuple[Action, ...]]) -> None:
        self.names = tuple(names.split())
        self.build = build


_AT = "x y"
WORDS: Mapping[str, _Word] = {
    "pyautogui.click": _Word("x y clicks interval button", _click),
    "pyautogui.leftClick": _Word(_AT, lambda given: Click(point=given.point())),
    "pyautogui.doubleClick": _Word(_AT, lambda given: DoubleClick(point=given.point())),
    "pyautogui.rightClick": _Word(_AT, lambda given: RightClick(point=given.point())),
    "pyautogui.middleClick": _Word(_AT, lambda given: MiddleClick(point=given.point())),
    "pyautogui.moveTo": _Word("x y duration", lambda given: Move(point=given.point())),
    "pyautogui.dragTo": _Word("x y duration", _drag_to),
    "pyautogui.mouseDown": _Word(
        _AT, lambda given: MouseDown(point=given.optional_point(), button=given.button())
    ),
    "pyautogui.mouseUp": _Word(
        _AT, lambda given: MouseUp(point=given.optional_point(), button=given.button())
    ),
    "pyautogui.scroll": _Word("clicks x y", _scroll),
    "pyautogui.vscroll": _Word("clicks x y", _scroll),
    "pyautogui.hscroll": _Word("clicks x y", _hscroll),
    "pyautogui.write": _Word("message interval", lambda given: Type(text=given.text(("message", "text")))),
    "pyautogui.typewrite": _Word(
        "message interval", lambda given: Type(text=given.text(("message", "text")))
    ),
    "pyautogui.press": _Word("keys presses interval", _press),
    "pyautogui.keyDown": _Word("key", lambda given: tuple(KeyDown(key=key) for key in given.keys())),
    "pyautogui.keyUp": _Word("key", lambda given: tuple(KeyUp(key=key) for key in given.keys())),
    "pyautogui.sleep": _Word("seconds", _wait),
    "time.sleep": _Word("seconds", _wait),
    "computer.wait": _Word("seconds", _wait),
    "computer.terminate": _Word("status answer", _terminate),
}


def _build(call: PyCall, space: Space) -> tuple[Action, ...]:
    if call.name == "pyautogui.hotkey":
        return (_hotkey(call, space),)
    word = WORDS.get(call.name)
    if word is None:
        raise UnknownName(f"no action is called {call.name}; known are {', '.join(sorted(WORDS))}")
    if len(call.values) > len(word.names):
        raise Fault(f"{call.name} takes at most {len(word.names)} unnamed arguments")
    values = dict(zip(word.names, call.values, strict=False))
    if twice := values.keys() & call.named.keys():
        raise Fault(f"{call.name} is given {', '.join(sorted(twice))} twice")
    merged = {key: value for key, value in {**values, **call.named}.items() if key not in _TIMING}
    given = Arguments(call.name, merged, space)
    built = word.build(given)
    given.finish()
    return built if isinstance(built, tuple) else (built,)


def _hotkey(call: PyCall, space: Space) -> Action:
    keys = [key for value in call.values for key in (value if isinstance(value, list) else [value])]
    if set(call.named) - set(_TIMING):
        raise Fault(f"{call.name} has no argument {', '.join(sorted(call.named))}")
    return Hotkey(keys=Arguments(call.name, {"keys": keys}, space).keys())


def _join_drags(groups: list[tuple[Action, ...]]) -> tuple[Action, ...]:
    """A move followed by a drag from the pointer is a drag from where the move ended."""
    actions: list[Action] = []
    for group in groups:
        last = actions[-1] if actions else None
        if isinstance(last, Move) and len(group) == 3 and isinstance(group[1], Move):
            actions[-1:] = [Drag(start=last.point, end=group[1].point)]
        else:
            actions.extend(group)
    return tuple(actions)


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
            split = split_thought(raw)
            prose, code = _split_code(raw[split.start :])
            actions = _join_drags([_build(call, space) for call in read_py_calls(code)])
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
        return text[: fences[0].start()], fences[0][1]
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
