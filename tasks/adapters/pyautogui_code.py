r"""Actions as ``pyautogui`` code that does, when it is run, what ``env.x11.input`` does.

This is for harnesses that execute code on a Linux machine, as OSWorld does; ``tasks.interchange.code`` writes
code to be kept and read back. Each piece is one line of simple statements, because OSWorld puts statements of
its own in front. Text appears in it only as an ASCII literal, and never in a form that OSWorld, which
rewrites some calls by pattern before it runs them, could take for a call.

Known of pyautogui on X11, and avoided: it types ``>`` for ``<``, drops every character that a US keyboard
lacks and every key that X has no code for, and drags in one jump, which drops nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ...actions import schema
from ...actions.dialects.pyautogui_code import KEY_NAMES, code_of
from ...actions.errors import UsageError
from ...actions.geometry import Point, Size
from ...actions.keys import NAMED_KEYS
from ...actions.schema import Action
from ...env.screen_input import drag_path
from .guest import pixel, refuse_outside, refused

LONGEST = 60.0
"""Seconds after which a wait ends: OSWorld gives up on code that runs for 90 s."""
_NEXT_CLICK = 0.01
"""Seconds between two clicks; browsers take two of one millisecond for the same."""
_PASTE = 0.5
"""Seconds that a program gets to fetch what is pasted, before anything else comes."""
# pyperclip returns before its helper owns the clipboard: on a busy machine the text before would be pasted.
_COPIED = "next((0 for _ in range(100) if pyperclip.paste() == text or time.sleep(0.1)), 0)"
_RELEASE = "pyautogui.mouseUp(button='left')"
_LACKING = frozenset((*(f"f{n}" for n in range(13, 25)), "volumeup", "volumedown", "volumemute"))
_TYPED = frozenset(map(chr, range(0x20, 0x7F))) | {"\t", "\n"}


def literal(text: str) -> str:
    """A Python literal for a text: ASCII, on one line, with nothing in it that looks like a call."""
    return ascii(text).replace("pyautogui.", r"pyautogui\x2e")


def key_names(key: str) -> tuple[str, ...]:
    """What pyautogui calls a key, or the keys that make it; raises ``UsageError`` where it cannot press it."""
    if key == "<":
        return ("shift", ",")
    if key in _LACKING or (key not in NAMED_KEYS | _TYPED):
        raise UsageError(f"the key {key!r} cannot be pressed here; type a character as text")
    return (KEY_NAMES.get(key, key),)


def chord_names(keys: tuple[str, ...]) -> tuple[str, ...]:
    """What pyautogui calls the keys of a chord, each once; raises what ``key_names`` raises."""
    return tuple(dict.fromkeys(name for key in keys for name in key_names(key)))


def text_pieces(text: str) -> list[tuple[str, bool]]:
    r"""A text cut into what is typed and what is pasted (True), in order; ``<`` is a piece of its own.

    A text with a character that pyautogui cannot type is pasted whole, but for the line breaks at its end,
    which are the Enter key.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _TYPED.issuperset(text):
        return [(part, False) for part in re.split("(<)", text) if part]
    body = text.rstrip("\n")
    return [(body, True)] + ([(text[len(body) :], False)] if body != text else [])


def pyautogui_code(action: Action, size: Size) -> str:
    """One line of code that executes an action (``guest.Write``); the harness says ``Finished`` and ``CallUser``."""
    refuse_outside(action, size)

    def at(point: Point) -> str:
        x, y = pixel(point, size)
        return f"{x}, {y}"

    return "; ".join(_keyboard(action, at) or _mouse(action, at))


def _mouse(action: Action, at: Callable[[Point], str]) -> list[str]:
    match action:
        case schema.DoubleClick(point=point):
            return [f"pyautogui.doubleClick({at(point)}, interval={_NEXT_CLICK})"]
        case schema.Drag(start=start, end=end):
            way = [f"pyautogui.moveTo({at(point)})" for point in drag_path(start, end)]
            return [f"pyautogui.mouseDown({at(start)}, button='left')", *way, _RELEASE]
        case schema.LongPress(point=point, seconds=seconds):
            return [f"pyautogui.mouseDown({at(point)}, button='left')", _sleep(seconds), _RELEASE]
    code = code_of(action, at)
    if code is None:
        raise refused(action)
    return [code]


def _keyboard(action: Action, at: Callable[[Point], str]) -> list[str]:
    """Statements for an action of the keyboard or a wait; none for any other."""
    match action:
        case schema.Type(text=text, point=point):
            clicked = [] if point is None else [f"pyautogui.click({at(point)})"]
            return clicked + _typed(text)
        case schema.Hotkey(keys=keys):
            return [_chord(chord_names(keys))]
        case schema.Press(key=key):
            return [_chord(key_names(key))]
        case schema.KeyDown(key=key):
            return [f"pyautogui.keyDown({literal(name)})" for name in key_names(key)]
        case schema.KeyUp(key=key):
            return [f"pyautogui.keyUp({literal(name)})" for name in reversed(key_names(key))]
        case schema.Wait(seconds=seconds):
            return [_sleep(seconds)]
    return []


def _chord(names: tuple[str, ...]) -> str:
    call = "press" if len(names) == 1 else "hotkey"
    return f"pyautogui.{call}({', '.join(map(literal, names))})"


def _typed(text: str) -> list[str]:
    """Statements that type a text into whatever has the focus."""
    done: list[str] = []
    for piece, pasted in text_pieces(text):
        if pasted:
            done += ["import pyperclip", f"text = {literal(piece)}", "pyperclip.copy(text)", _COPIED]
            done += [_chord(("ctrl", "v")), _sleep(_PASTE)]
        else:
            done.append(_chord(key_names("<")) if piece == "<" else f"pyautogui.write({literal(piece)})")
    return done or ["pass"]


def _sleep(seconds: float) -> str:
    return f"time.sleep({min(seconds, LONGEST):g})"
