"""``pyautogui`` code to actions and back; code is parsed as data and never run."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping
from typing import cast

from .. import schema
from ..geometry import Point
from ..schema import Action
from .arguments import BY_KIND, Arguments, Builder, drag_from_pointer, number_of, scroll
from .base import Built, Call, too_many_actions
from .reply_errors import InvalidReply, UnknownActionName, excerpt
from .spaces import Space
from .strings import format_number

_TIMING = ("duration", "interval", "pause", "tween", "logScreenshot", "_pause")


def read_code(code: str, most: int | None = None) -> list[tuple[int, Call]]:
    """Every call of a piece of code, in order, with its line; imports are skipped.

    Raises:
        InvalidReply: it holds anything else than calls of functions with plain values, or more than ``most`` lines.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as for a backslash that escapes nothing
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InvalidReply(f"the code cannot be read: {error}") from None
    imports = (ast.Import, ast.ImportFrom)
    if most is not None and len(tree.body) > most:
        raise too_many_actions()
    return [(node.lineno, _call(node, code)) for node in tree.body if not isinstance(node, imports)]


def _call(node: ast.stmt, code: str) -> Call:
    call = node.value if isinstance(node, ast.Expr) else None
    function = call.func if isinstance(call, ast.Call) else None
    if not isinstance(call, ast.Call) or not isinstance(function, ast.Attribute):
        raise InvalidReply(f"{excerpt(ast.get_source_segment(code, node) or '')} is not a call of pyautogui")
    name = _dotted(function)
    try:
        values = tuple(ast.literal_eval(value) for value in call.args)
        named = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg is not None}
    except (ValueError, TypeError, RecursionError, MemoryError):
        raise InvalidReply(f"{name} is given something other than plain values") from None
    if len(named) != len(call.keywords):
        raise InvalidReply(f"{name} is given an argument twice, or something other than plain values")
    return Call(name, named, values)


def _drag_to(given: Arguments) -> tuple[Action, ...]:
    if given.button() != "left":
        raise InvalidReply("only the left button can drag")
    return drag_from_pointer(given.point())


def _scroll(forward: schema.Direction, backward: schema.Direction) -> Builder:
    return lambda given: scroll(given, forward, backward)


def _press(given: Arguments) -> tuple[Action, ...]:
    presses = given.take("presses")
    count = 1.0 if presses is None else number_of(presses)
    if count not in range(1, 101):
        raise InvalidReply("presses is a whole number from 1 to 100")
    return tuple(schema.Press(key=key) for key in given.chord()) * int(count)


def _terminate(given: Arguments) -> Action:
    status = given.choice("status", ("success", "failure"))
    text = given.optional_text() or ""
    return schema.CallUser(message=text) if status == "failure" else schema.Finished(answer=text)


def _write(given: Arguments) -> Action:
    return schema.Type(text=given.text("message", "text"))


def _dotted(function: ast.Attribute) -> str:
    """A function's name such as ``pyautogui.click``; of one that is too long the end."""
    if isinstance(function.value, ast.Name):
        return f"{function.value.id}.{function.attr}"
    try:
        return ast.unparse(function)
    except RecursionError:
        return f"….{function.attr}"


_FUNCTIONS: Mapping[str, tuple[str, Builder]] = {
    "pyautogui.click": ("x y clicks interval button", BY_KIND["click"]),
    "pyautogui.leftClick": ("x y", BY_KIND["click"]),
    "pyautogui.doubleClick": ("x y", BY_KIND["double_click"]),
    "pyautogui.rightClick": ("x y", BY_KIND["right_click"]),
    "pyautogui.middleClick": ("x y", BY_KIND["middle_click"]),
    "pyautogui.moveTo": ("x y duration", BY_KIND["move"]),
    "pyautogui.dragTo": ("x y duration", _drag_to),
    "pyautogui.mouseDown": ("x y", BY_KIND["mouse_down"]),
    "pyautogui.mouseUp": ("x y", BY_KIND["mouse_up"]),
    "pyautogui.scroll": ("clicks x y", _scroll("up", "down")),
    "pyautogui.vscroll": ("clicks x y", _scroll("up", "down")),
    "pyautogui.hscroll": ("clicks x y", _scroll("right", "left")),
    "pyautogui.write": ("message interval", _write),
    "pyautogui.typewrite": ("message interval", _write),
    "pyautogui.press": ("keys presses interval", _press),
    "pyautogui.keyDown": ("key", BY_KIND["key_down"]),
    "pyautogui.keyUp": ("key", BY_KIND["key_up"]),
    "pyautogui.sleep": ("seconds", BY_KIND["wait"]),
    "time.sleep": ("seconds", BY_KIND["wait"]),
    "computer.wait": ("seconds", BY_KIND["wait"]),
    "computer.terminate": ("status answer", _terminate),
}
"""The names of each function's unnamed arguments, and what builds its actions."""


def actions_of(call: Call, space: Space) -> Built:
    """What a call means; raises what ``arguments.build`` raises."""
    name, values = call.name, call.values
    if name == "pyautogui.hotkey":
        keys = [key for value in values for key in (value if isinstance(value, list) else [value])]
        names, builder = "keys", cast(Builder, lambda given: schema.Hotkey(keys=given.chord()))
        values = (keys,)
    elif name in _FUNCTIONS:
        names, builder = _FUNCTIONS[name]
    else:
        raise UnknownActionName(name, _FUNCTIONS)
    positional = dict(zip(names.split(), values, strict=False))
    if len(values) > len(names.split()):
        raise InvalidReply(f"{name} takes at most {len(names.split())} unnamed arguments")
    if twice := positional.keys() & call.arguments.keys():
        raise InvalidReply(f"{name} is given {', '.join(sorted(twice))} twice")
    merged = {key: value for key, value in {**positional, **call.arguments}.items() if key not in _TIMING}
    return Arguments(name, merged, space).build(builder)


KEY_NAMES = {"meta": "win", "menu": "apps"}
"""What pyautogui calls keys that have another name there."""


def code_of(action: Action, at: Callable[[Point], str]) -> str | None:
    """The code of an action, its points written by ``at``; None for ``type`` and for what pyautogui cannot do."""
    first, *others = action.kind.split("_")
    call = "".join((f"pyautogui.{first}", *map(str.capitalize, others)))  # such as doubleClick
    match action:
        case schema.Click() | schema.DoubleClick() | schema.RightClick() | schema.MiddleClick():
            return f"{call}({at(action.point)})"
        case schema.Move():
            return f"pyautogui.moveTo({at(action.point)})"
        case schema.Drag():
            return f"pyautogui.moveTo({at(action.start)})\npyautogui.dragTo({at(action.end)}, button='left')"
        case schema.MouseDown() | schema.MouseUp():
            point = "" if action.point is None else f"{at(action.point)}, "
            return f"{call}({point}button='{action.button}')"
        case schema.Scroll():
            name = "scroll" if action.direction in ("up", "down") else "hscroll"
            sign = "" if action.direction in ("up", "right") else "-"
            point = "" if action.point is None else f", {at(action.point)}"
            return f"pyautogui.{name}({sign}{action.amount}{point})"
        case schema.Hotkey():
            return f"{call}({', '.join(map(_key, action.keys))})"
        case schema.Press() | schema.KeyDown() | schema.KeyUp():
            return f"{call}({_key(action.key)})"
        case schema.Wait():
            return f"time.sleep({format_number(action.seconds)})"
        case schema.Finished(answer=text) | schema.CallUser(message=text):
            status = "success" if action.kind == "finished" else "failure"
            return f"computer.terminate(status='{status}'{f', answer={text!r}' if text else ''})"
    return None


def _key(name: str) -> str:
    return repr(KEY_NAMES.get(name, name))
