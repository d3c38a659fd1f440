"""Actions as BrowserGym's ``coord`` calls: strings such as ``mouse_click(12, 30.5, 'left')``.

Spec: ``browsergym.core.action`` 0.14 (arXiv 2412.05467), the subsets ``coord`` and ``nav``. Points are in
pixels of the screenshot, which BrowserGym itself converts to those of the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...actions import schema
from ...actions.dialects.strings import format_number
from ...actions.errors import UsageError
from ...actions.geometry import Point, Size, clamp
from ...actions.schema import Action
from ...env.browser.addresses import complete_address, refused_address
from ...env.browser.keyboard import playwright_key
from .guest import refuse_outside, refused

_WHEEL_CLICK = 100
"""Pixels of the screenshot for one click of the wheel."""
_BUTTONS = {"click": "left", "right_click": "right", "middle_click": "middle"}
_SIGNS: Mapping[str, tuple[int, int]] = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}


class CoordWriter:
    """Writes one episode's actions; remembers where the pointer is, because BrowserGym's calls name it."""

    def __init__(self) -> None:
        self._pointer: Point | None = None

    def write(self, action: Action, size: Size) -> Sequence[str]:
        """The calls that execute an action, in order (``guest.Write``); ``farewell`` writes the last one."""
        refuse_outside(action, size)
        calls = self._mouse(action, size) or _keyboard(action) or _page(action)
        if not calls:
            raise refused(action)
        end = action.end if isinstance(action, schema.Drag) else getattr(action, "point", None)
        self._pointer = end or self._pointer
        return calls

    def _mouse(self, action: Action, size: Size) -> list[str]:
        """Calls for an action of the mouse, or one that begins with a click; none for any other."""
        match action:
            case schema.Click(point=point) | schema.RightClick(point=point) | schema.MiddleClick(point=point):
                return [_at("mouse_click", size, point, button=_BUTTONS[action.kind])]
            case schema.DoubleClick(point=point):
                return [_at("mouse_dblclick", size, point, button="left")]
            case schema.Move(point=point):
                return [_at("mouse_move", size, point)]
            case schema.Drag(start=start, end=end):
                return [_at("mouse_drag_and_drop", size, start, end)]
            case schema.MouseDown(point=point, button=button) | schema.MouseUp(point=point, button=button):
                return [_at(action.kind, size, self._where(point, size), button=button)]
            case schema.LongPress(point=point, seconds=seconds):
                held = [_at("mouse_down", size, point, button="left"), _rest(seconds)]
                return [*held, _at("mouse_up", size, point, button="left")]
            case schema.Scroll(direction=direction, point=point, amount=amount):
                x, y = clamp(self._where(point, size), size)
                across, down = (sign * amount * _WHEEL_CLICK for sign in _SIGNS[direction])
                return [f"scroll_at({int(x)}, {int(y)}, {across}, {down})"]
            case schema.Type(point=Point() as point, text=text):
                return [_at("mouse_click", size, point, button="left"), *_typed(text)]
        return []

    def _where(self, point: Point | None, size: Size) -> Point:
        return point or self._pointer or Point(size.width / 2, size.height / 2)


def farewell(action: schema.Finished | schema.CallUser) -> str:
    """The call that ends an episode: an answer to the user, or why the task cannot be done."""
    if isinstance(action, schema.Finished):
        return f"send_msg_to_user({action.answer or 'Done.'!a})"
    return f"report_infeasible({action.message or 'This needs a person.'!a})"


def _keyboard(action: Action) -> list[str]:
    match action:
        case schema.Type(text=text):
            return _typed(text)
        case schema.Hotkey(keys=keys):
            return [f"keyboard_press({'+'.join(map(_key, keys))!a})"]
        case schema.Press(key=key):
            return [f"keyboard_press({_key(key)!a})"]
        case schema.KeyDown(key=key):
            return [f"keyboard_down({_key(key)!a})"]
        case schema.KeyUp(key=key):
            return [f"keyboard_up({_key(key)!a})"]
        case schema.Wait(seconds=seconds):
            return [_rest(seconds)]
    return []


def _page(action: Action) -> list[str]:
    match action:
        case schema.Navigate(url=address):
            url = complete_address(address)
            if problem := refused_address(url, allow_file=False):
                raise UsageError(problem)
            return [f"goto({url!a})"]
        case schema.NavigateBack() | schema.PressBack():
            return ["go_back()"]
    return []


def _typed(text: str) -> list[str]:
    return [f"keyboard_type({text!a})"] if text else ["noop(0)"]


def _key(key: str) -> str:
    """Playwright's name of a key; raises ``UsageError`` where its keyboard has none."""
    name = playwright_key(key)
    if name is None:
        raise UsageError(f"the key {key!r} cannot be pressed here; type a character as text")
    return name


def _rest(seconds: float) -> str:
    return f"noop({format_number(seconds * 1000)})"


def _at(name: str, size: Size, *places: Point, button: str | None = None) -> str:
    numbers = [format_number(round(part, 3)) for place in places for part in clamp(place, size)]
    return f"{name}({', '.join([*numbers, *([repr(button)] if button else [])])})"
