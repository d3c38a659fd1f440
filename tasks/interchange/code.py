r"""Actions as ``pyautogui`` code and back; code is read as data and never run.

Each action is written on lines of its own, so that reading gives back the same actions. An action that
pyautogui has no call for is written as several calls, with a note, or refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

from ...actions import schema
from ...actions.dialects.base import Call, join_drags
from ...actions.dialects.pyautogui_code import actions_of, code_of, read_code
from ...actions.dialects.spaces import Space
from ...actions.dialects.strings import format_number
from ...actions.errors import UsageError
from ...actions.geometry import Frame, Point, Size, inside
from ...actions.schema import Action, Click, DoubleClick, Hotkey, Type
from ...env.trajectory.events import ObservationEvent
from .base import Note

_TRIPLE = {"computer.triple_click", "computer.tripleClick", "pyautogui.tripleClick"}
_LESS_THAN = "pyautogui.hotkey('shift', ',')"


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
        """The code of actions.

        Raises:
            UsageError: one of them cannot be written, or a point is off the screenshot.
        """
        return "\n".join(self._line(action, size, note) for action in actions)

    def write_step(self, run: str, seen: ObservationEvent, actions: Sequence[Action], note: Note) -> str:
        """The code of a step's actions; notes and errors (``UsageError``) name the run and the step, counted from 1."""
        where = f"{run}: step {seen.step + 1}"
        try:
            return self.write(actions, seen.size, lambda text: note(f"{where}: {text}"))
        except UsageError as error:
            raise UsageError(f"{where}: {error}") from error

    def read(self, code: str, size: Size, note: Note) -> tuple[Action, ...]:
        """The actions of a piece of code.

        Raises:
            InvalidReply: something in it is no call of pyautogui with plain values.
            ValidationError: a number is out of range.
            UnknownKeyError: a key has a name that no keyboard has.
        """
        scale = Frame.relative(size, 1.0) if self.relative else Frame.pixels()
        space = Space(scale, Size(1, 1) if self.relative else size, 0.0 if self.relative else 1.0, fractions=True)
        groups: list[tuple[Action, ...]] = []
        for _, line in groupby(read_code(code), key=lambda found: found[0]):
            groups += _one_text([_actions(call, space, note) for _, call in line])
        return join_drags(groups)

    def _line(self, action: Action, size: Size, note: Note) -> str:
        def at(point: Point) -> str:
            return self._at(point, size)

        match action:
            case Type():
                return self._typed(action, at, note)
            case schema.LongPress(point=point, seconds=seconds):
                note("long_press is written as mouseDown, sleep and mouseUp")
                press, pause = f"pyautogui.mouseDown({at(point)}, button='left')", format_number(seconds)
                return f"{press}; time.sleep({pause}); pyautogui.mouseUp()"
            case schema.NavigateBack() | schema.PressBack():
                note(f"{action.kind} is written as the hotkey alt+left")
                return "pyautogui.hotkey('alt', 'left')"
            case schema.Navigate(url=url):
                note("navigate is written as ctrl+l, the address and enter")
                return f"pyautogui.hotkey('ctrl', 'l')\npyautogui.write({url!r})\npyautogui.press('enter')"
        if (code := code_of(action, at)) is None:
            raise UsageError(f"pyautogui has no call for {action.kind}; export to parquet keeps everything")
        if isinstance(action, schema.Drag) and not self.relative:
            return code.replace("\n", "; ")  # as in the published data
        return code

    def _at(self, point: Point, size: Size) -> str:
        if not inside(point, size):
            raise UsageError(f"({point.x:g}, {point.y:g}) is not on its screenshot of {size[0]} x {size[1]}")
        x, y = point
        if self.relative:
            x, y = (round(part, 6) for part in Frame.relative(size, 1.0).to_frame(point))
        return f"x={format_number(x)}, y={format_number(y)}"

    def _typed(self, action: Type, at: Callable[[Point], str], note: Note) -> str:
        if not action.text.isascii():
            note("pyautogui types only what a US keyboard has; it would leave out the other characters")
        parts = action.text.split("<") if self.avoid_less_than else [action.text]
        typed = f"; {_LESS_THAN}; ".join(f"pyautogui.write({part!r})" for part in parts)
        if action.point is None:
            return typed
        note("type with a point is written as a click and a text")
        return f"pyautogui.click({at(action.point)})\n{typed}"


def _actions(call: Call, space: Space, note: Note) -> tuple[Action, ...]:
    clicks = call.arguments.get("clicks", call.values[2] if len(call.values) > 2 else 1)
    if call.name in _TRIPLE or (call.name in ("pyautogui.click", "pyautogui.leftClick") and clicks == 3):
        note("three clicks are read as a double click and a click at the same point")
        named = {name: value for name, value in call.arguments.items() if name != "clicks"}
        (single,) = actions_of(Call("pyautogui.click", named, call.values[:2]), space).actions
        return (DoubleClick(point=single.point), single) if isinstance(single, Click) else (single,)
    return actions_of(call, space).actions


def _one_text(groups: list[tuple[Action, ...]]) -> list[tuple[Action, ...]]:
    """The calls of one line: texts with the chord for ``<`` between them are one text."""
    flat = [action for group in groups for action in group]
    texts = [action.text for action in flat[0::2] if isinstance(action, Type)]
    chords = [action for action in flat[1::2] if action == Hotkey(keys=("shift", ","))]
    if len(flat) > 1 and len(texts) == len(chords) + 1 and len(texts) + len(chords) == len(flat):
        return [(Type(text="<".join(texts)),)]
    return groups
