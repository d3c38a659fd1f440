"""What ``pyautogui`` and ``computer`` functions mean as actions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from ..schema import (
    Action,
    CallUser,
    Click,
    DoubleClick,
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
from .faults import Fault, UnknownName
from .pycalls import PyCall
from .spaces import Space
from .words import Arguments, number_of

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
    return tuple(Press(key=key) for key in given.chord()) * int(count)


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
    "pyautogui.keyDown": _Word("key", lambda given: tuple(KeyDown(key=key) for key in given.chord())),
    "pyautogui.keyUp": _Word("key", lambda given: tuple(KeyUp(key=key) for key in given.chord())),
    "pyautogui.sleep": _Word("seconds", _wait),
    "time.sleep": _Word("seconds", _wait),
    "computer.wait": _Word("seconds", _wait),
    "computer.terminate": _Word("status answer", _terminate),
}


def build(call: PyCall, space: Space) -> tuple[Action, ...]:
    """The actions that a call stands for.

    Raises:
        Fault: the function is unknown, or an argument is missing, unreadable or superfluous.
    """
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
    return Hotkey(keys=Arguments(call.name, {"keys": keys}, space).chord())
