r"""Actions as ``pyautogui`` code and back; code is read as data and never run.

Each action stands on its own lines, and where it takes several calls these are told from those of its
neighbours, so that reading gives back the same actions. What pyautogui has no call for is spelled out by what
it has, with a note, or refused.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from ...actions.dialects.faults import Fault
from ...actions.dialects.pycalls import PyCall
from ...actions.dialects.pywords import build
from ...actions.dialects.spaces import Space
from ...actions.dialects.spelling import number
from ...actions.dialects.words import join_drags
from ...actions.errors import UsageError
from ...actions.geometry import Frame, Point, Size, inside
from ...actions.schema import (
    Action,
    CallUser,
    Click,
    DoubleClick,
    Drag,
    Finished,
    Hotkey,
    KeyDown,
    KeyUp,
    LongPress,
    MouseDown,
    MouseUp,
    Navigate,
    NavigateBack,
    OpenApp,
    Press,
    PressBack,
    PressHome,
    Scroll,
    Type,
    Wait,
)
from .base import Note

_POINTED = {
    "click": "click",
    "double_click": "doubleClick",
    "right_click": "rightClick",
    "middle_click": "middleClick",
    "move": "moveTo",
}
_KEYS = {"meta": "win", "menu": "apps"}
_TRIPLE = {"computer.triple_click", "computer.tripleClick", "pyautogui.tripleClick"}
_LESS_THAN = "pyautogui.hotkey('shift', ',')"
_READ_ONLY = (ast.Import, ast.ImportFrom)


@dataclass(frozen=True)
class PyCode:
    """A way of writing code.

    Attributes:
        relative: points are fractions of the screenshot's sides rather than its pixels.
        avoid_less_than: type ``<`` as the chord that makes it, because pyautogui types ``>`` instead.
    """

    relative: bool
    avoid_less_than: bool

    def write(self, actions: Sequence[Action], size: Size, note: Note) -> str:
        """Code that stands for the actions.

        Raises:
            UsageError: no code stands for one of them, or a point is off the screenshot.
        """
        return "\n".join(self._line(action, size, note) for action in actions)

    def read(self, code: str, size: Size, note: Note) -> tuple[Action, ...]:
        """The actions that a piece of code stands for.

        Raises:
            Fault: something in it is no call of pyautogui with plain values.
            ValidationError: a number is out of range.
            UnknownKeyError: a key has a name that no keyboard has.
        """
        scale = Frame.relative(size, 1.0) if self.relative else Frame.pixels()
        space = Space(scale, Size(1, 1) if self.relative else size, 0.0 if self.relative else 1.0)
        groups: list[tuple[Action, ...]] = []
        for _, line in groupby(_calls(code), key=lambda found: found[0]):
            calls = [call for _, call in line]
            groups += _one_text([_actions(call, space, note) for call in calls])
        return join_drags(groups)

    def _line(self, action: Action, size: Size, note: Note) -> str:
        def at(point: Point) -> str:
            return self._at(point, size)

        match action:
            case Type():
                return self._typed(action, at, note)
            case Drag(start=start, end=end):
                joint = "\n" if self.relative else "; "  # as either's published data have it
                return f"pyautogui.moveTo({at(start)}){joint}pyautogui.dragTo({at(end)}, button='left')"
            case MouseDown() | MouseUp():
                name = "mouseDown" if isinstance(action, MouseDown) else "mouseUp"
                place = "" if action.point is None else f"{at(action.point)}, "
                return f"pyautogui.{name}({place}button='{action.button}')"
            case Scroll(direction=direction, point=point, amount=amount):
                name = "scroll" if direction in ("up", "down") else "hscroll"
                sign = "" if direction in ("up", "right") else "-"
                return f"pyautogui.{name}({sign}{amount}{'' if point is None else f', {at(point)}'})"
            case LongPress(point=point, seconds=seconds):
                note("long_press is written as mouseDown, sleep and mouseUp")
                held = f"time.sleep({number(seconds)})"
                return f"pyautogui.mouseDown({at(point)}, button='left'); {held}; pyautogui.mouseUp()"
        if action.kind in _POINTED and isinstance(point := getattr(action, "point", None), Point):
            return f"pyautogui.{_POINTED[action.kind]}({at(point)})"
        return _keyed(action, note)

    def _at(self, point: Point, size: Size) -> str:
        if not inside(point, size):
            raise UsageError(f"({point.x:g}, {point.y:g}) is not on its screenshot of {size[0]} x {size[1]}")
        if not self.relative:
            return f"x={number(point.x)}, y={number(point.y)}"
        x, y = Frame.relative(size, 1.0).to_frame(point)
        return f"x={number(round(x, 6))}, y={number(round(y, 6))}"

    def _typed(self, action: Type, at: Callable[[Point], str], note: Note) -> str:
        if not action.text.isascii():
            note("pyautogui types only what a US keyboard has; it would leave out the other characters")
        parts = action.text.split("<") if self.avoid_less_than else [action.text]
        typed = f"; {_LESS_THAN}; ".join(f"pyautogui.write({part!r})" for part in parts)
        if action.point is None:
            return typed
        note("type with a point is written as a click and a text")
        return f"pyautogui.click({at(action.point)})\n{typed}"


def _keyed(action: Action, note: Note) -> str:
    """The line for an action that has no point."""
    match action:
        case Hotkey(keys=keys):
            return f"pyautogui.hotkey({', '.join(_key(key) for key in keys)})"
        case Press(key=key):
            return f"pyautogui.press({_key(key)})"
        case KeyDown(key=key):
            return f"pyautogui.keyDown({_key(key)})"
        case KeyUp(key=key):
            return f"pyautogui.keyUp({_key(key)})"
        case Wait(seconds=seconds):
            return f"time.sleep({number(seconds)})"
        case Finished(answer=answer):
            return f"computer.terminate(status='success'{f', answer={answer!r}' if answer else ''})"
        case CallUser(message=message):
            return f"computer.terminate(status='failure'{f', answer={message!r}' if message else ''})"
        case NavigateBack() | PressBack():
            note(f"{action.kind} is written as the hotkey alt+left")
            return "pyautogui.hotkey('alt', 'left')"
        case Navigate(url=url):
            note("navigate is written as ctrl+l, the address and enter")
            return f"pyautogui.hotkey('ctrl', 'l')\npyautogui.write({url!r})\npyautogui.press('enter')"
        case OpenApp() | PressHome():
            raise UsageError(f"pyautogui has no call for {action.kind}; export to parquet keeps everything")
    raise UsageError(f"no code stands for {action.kind}")  # pragma: no cover


def _key(name: str) -> str:
    return repr(_KEYS.get(name, name))


def _calls(code: str) -> list[tuple[int, PyCall]]:
    """Every call with its line; imports are skipped, anything else is a fault."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as for a backslash that escapes nothing
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Fault(f"the code cannot be read: {error}") from None
    return [(node.lineno, _call(node, code)) for node in tree.body if not isinstance(node, _READ_ONLY)]


def _call(node: ast.stmt, code: str) -> PyCall:
    call = node.value if isinstance(node, ast.Expr) else None
    function = call.func if isinstance(call, ast.Call) else None
    if not isinstance(call, ast.Call) or not isinstance(function, ast.Attribute):
        raise Fault(f"{(ast.get_source_segment(code, node) or '')[:60]!r} is not a call of pyautogui")
    module = function.value.id if isinstance(function.value, ast.Name) else "?"
    name = f"{module}.{function.attr}"
    try:
        values = tuple(ast.literal_eval(value) for value in call.args)
        named = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg is not None}
    except (ValueError, TypeError, RecursionError, MemoryError):
        raise Fault(f"{name} is given something other than plain values") from None
    if len(named) != len(call.keywords):
        raise Fault(f"{name} is given something other than plain values")
    return PyCall(name, values, named)


def _actions(call: PyCall, space: Space, note: Note) -> tuple[Action, ...]:
    clicks = call.named.get("clicks", call.values[2] if len(call.values) > 2 else 1)
    if call.name in _TRIPLE or (call.name in ("pyautogui.click", "pyautogui.leftClick") and clicks == 3):
        note("three clicks are read as a double click and a click at the same point")
        named = {name: value for name, value in call.named.items() if name != "clicks"}
        (single,) = build(PyCall("pyautogui.click", call.values[:2], named), space)
        return (DoubleClick(point=single.point), single) if isinstance(single, Click) else (single,)
    return build(call, space)


def _one_text(groups: list[tuple[Action, ...]]) -> list[tuple[Action, ...]]:
    """The calls of one line: texts with the chord for ``<`` between them are one text."""
    flat = [action for group in groups for action in group]
    texts = [action.text for action in flat[0::2] if isinstance(action, Type)]
    chords = [action for action in flat[1::2] if action == Hotkey(keys=("shift", ","))]
    if len(flat) > 1 and len(texts) == len(chords) + 1 and len(texts) + len(chords) == len(flat):
        return [(Type(text="<".join(texts)),)]
    return groups
