"""Actions as OSWorld's ``computer_13``: thirteen kinds of dictionaries, executed one per step.

Spec: ``desktop_env/actions.py`` of OSWorld (arXiv 2404.07972). Its executor puts keys into code between
single quotes, so a key that is a quote or a backslash goes as text; it types with pyautogui and pastes
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...actions import schema
from ...actions.errors import UsageError
from ...actions.geometry import Point, Size
from ...actions.schema import Action
from .guest import pixel, refuse_outside, refused
from .pyautogui_code import chord_names, key_names, text_pieces

Call = dict[str, Any]
_UNQUOTABLE = frozenset("'\\")
_LONG_PRESS = ("MOUSE_DOWN", "MOUSE_UP")
_SIGNS: Mapping[str, tuple[int, int]] = {"up": (0, 1), "down": (0, -1), "left": (-1, 0), "right": (1, 0)}


def computer_13(action: Action, size: Size) -> list[Call]:
    """The dictionaries that execute an action, in order; see ``guest.Write``.

    ``Finished``, ``CallUser`` and ``Wait`` are words of the harness.
    """
    refuse_outside(action, size)
    return _mouse(action, size) or _keyboard(action, size)


def _mouse(action: Action, size: Size) -> list[Call]:
    match action:
        case schema.Move(point=point):
            return [_at("MOVE_TO", point, size)]
        case schema.Click(point=point) | schema.MiddleClick(point=point):
            return [_at("CLICK", point, size, button="left" if action.kind == "click" else "middle")]
        case schema.RightClick(point=point) | schema.DoubleClick(point=point):
            return [_at(action.kind.upper(), point, size)]
        case schema.Drag(start=start, end=end):
            return [_at("MOVE_TO", start, size), _at("DRAG_TO", end, size)]
        case schema.LongPress(point=point):
            return [_at("MOVE_TO", point, size), *(_call(kind, button="left") for kind in _LONG_PRESS)]
        case schema.MouseDown(point=at, button=button) | schema.MouseUp(point=at, button=button):
            return [*_moved(at, size), _call(action.kind.upper(), button=button)]
        case schema.Scroll(direction=direction, point=at, amount=amount):
            across, up = _SIGNS[direction]
            return [*_moved(at, size), _call("SCROLL", dx=across * amount, dy=up * amount)]
    return []


def _keyboard(action: Action, size: Size) -> list[Call]:
    match action:
        case schema.Type(text=text, point=at):
            clicked = [] if at is None else [_at("CLICK", at, size, button="left")]
            return clicked + _typed(text)
        case schema.Press(key=key) if key in _UNQUOTABLE:
            return [_call("TYPING", text=key)]
        case schema.Press(key=key):
            names = key_names(key)
            return [_call("PRESS", key=names[0]) if len(names) == 1 else _call("HOTKEY", keys=list(names))]
        case schema.Hotkey(keys=keys):
            return [_call("HOTKEY", keys=[_quotable(name) for name in chord_names(keys)])]
        case schema.KeyDown(key=key):
            return [_call("KEY_DOWN", key=_quotable(name)) for name in key_names(key)]
        case schema.KeyUp(key=key):
            return [_call("KEY_UP", key=_quotable(name)) for name in reversed(key_names(key))]
    raise refused(action)


def _typed(text: str) -> list[Call]:
    calls: list[Call] = []
    for piece, pasted in text_pieces(text):
        if pasted:
            raise UsageError("only characters of a US keyboard can be typed here")
        less = piece == "<"
        calls.append(_call("HOTKEY", keys=list(key_names("<"))) if less else _call("TYPING", text=piece))
    return calls or [_call("TYPING", text="")]


def _quotable(name: str) -> str:
    if name in _UNQUOTABLE:
        raise UsageError(f"the key {name!r} cannot be held here; type it as text")
    return name


def _moved(point: Point | None, size: Size) -> list[Call]:
    return [] if point is None else [_at("MOVE_TO", point, size)]


def _at(kind: str, point: Point, size: Size, **parameters: object) -> Call:
    x, y = pixel(point, size)
    return _call(kind, x=x, y=y, **parameters)


def _call(kind: str, **parameters: object) -> Call:
    return {"action_type": kind, "parameters": parameters}
