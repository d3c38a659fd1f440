"""Grammars of replies: what a text dialect may write, in the Lark form that llguidance reads.

Built from the kinds of action that the dialect has words for and from its frame, so that every reply a
grammar accepts is one the dialect can parse, and every reply the dialect renders is accepted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from ...actions.dialects import Dialect
from ...actions.dialects.qwen_tools import QwenDialect
from ...actions.dialects.uitars import TextDialect
from ...actions.errors import UsageError
from ...actions.geometry import Size
from .lark import any_case, key_names, up_to
from .tool_grammar import tool_grammar

BOX_TOKENS: Final = ("<|box_start|>", "<|box_end|>")
"""Special tokens that some checkpoints put around coordinates."""

_CALLS: Final[Mapping[str, str]] = {
    "click": '"click(" point ")"',
    "double_click": '"left_double(" point ")"',
    "right_click": '"right_single(" point ")"',
    "middle_click": '"middle_click(" point ")"',
    "move": '"move_to(" point ")"',
    "drag": '"drag(" span ")"',
    "mouse_down": '"mouse_down(" point? ")"',
    "mouse_up": '"mouse_up(" point? ")"',
    "scroll": '"scroll(" (point ", ")? "direction=\'" WAY "\')"',
    "type": '"type(content=" TEXT (", " point)? ")"',
    "hotkey": '"hotkey(key=\'" chord "\')"',
    "key_down": '"press(key=\'" KEY "\')"',
    "key_up": '"release(key=\'" KEY "\')"',
    "wait": '"wait()"',
    "finished": '"finished(" ("content=" TEXT)? ")"',
    "call_user": '"call_user(" ("content=" TEXT)? ")"',
    "navigate": '"navigate(content=" TEXT ")"',
    "navigate_back": '"navigate_back()"',
    "long_press": '"long_press(" point (", time=\'" SECONDS "\'")? ")"',
    "open_app": '"open_app(app_name=" TEXT ")"',
    "press_home": '"press_home()"',
    "press_back": '"press_back()"',
}
_SWIPE: Final = '"scroll(" span ")"'

_TERMINALS: Final = r"""
TEXT: /'([^'\\\n]|\\['"\\nt])*'/
WAY: "up" | "down" | "left" | "right"
SECONDS: /0\.[0-9]{0,19}[1-9]|([1-9]|[1-5][0-9])(\.[0-9]{1,20})?|60/
MARK: /[^\p{C}\p{Z}'\\+]/ | "\\'" | "\\\\"
"""

_WRAPPER: Final = rf"(<({'|'.join(map(any_case, ('computer_env', 'action', 'answer', 'output')))})>[ \t]*)?"
_LABEL: Final = rf"[ \t]*{_WRAPPER}[ \t*#]*({any_case('next')} )?{any_case('actions?')}[ \t]*(\*\*)?[ \t]*[:：]"
_CLOSING: Final = rf"<\/({any_case('think')}|{any_case('thought')})"
# Line by line, as ruling out something anywhere in a text makes llguidance's lexer explode.
_LINES: Final = rf"""
FIRST: /[^\n]*/ & ~/[^\n]*{_CLOSING}[^\n]*/
OTHER: FIRST & ~/{_LABEL}[^\n]*/
"""


def reply_grammar(
    dialect: Dialect, screenshot: Size, resized: Size | None = None, special: Collection[str] = ()
) -> str:
    """The grammar of a dialect's replies to a screenshot.

    A thought is any text in which no line could be taken for an action and no tag for its end.

    Args:
        dialect: a text dialect of the UI-TARS family, or one of Qwen's tool calls.
        screenshot: size of the screenshot.
        resized: size after the model's own resizing, for dialects that answer in its pixels.
        special: the tokenizer's special tokens; around points those in ``BOX_TOKENS`` are allowed, and tags
            of tool calls that are among them are written as such.

    Raises:
        UsageError: there is no grammar for this dialect.
    """
    if isinstance(dialect, QwenDialect):
        return tool_grammar(dialect, screenshot, resized, special)
    if not isinstance(dialect, TextDialect):
        raise UsageError(f"replies of {dialect.name} cannot be constrained: there is no grammar for it")
    width, height = dialect.space(screenshot, resized).extent
    boxed = set(BOX_TOKENS) <= set(special)
    rules = [
        *_frame(dialect),
        f"call: {' | '.join(_calls(dialect))}",
        *_points(dialect, boxed),
        'chord: "+" | CHORD_KEY ((" " | "+") CHORD_KEY)*',
        f"X: /{up_to(width)}/",
        f"Y: /{up_to(height)}/",
        f"CHORD_KEY: MARK | {key_names()}",
        'KEY: CHORD_KEY | "+"',
    ]
    return "\n".join(rules) + _TERMINALS + _LINES


def _frame(dialect: TextDialect) -> list[str]:
    """What stands around calls."""
    calls = 'calls: call ("\\n\\n" call)*'
    if dialect.wrapped:
        tail = r"</think>\n<computer_env>\nAction: "
        body = r'THOUGHT: FIRST ("\n" FIRST)*'
        start = r'start: "<think>" thought calls "\n</computer_env>"'
    else:
        tail = r"\nAction: "
        body = r'THOUGHT: FIRST ("\n" OTHER)*'
        start = 'start: "Thought: " thought calls'
    return [start, f'thought[suffix="{tail}"]: THOUGHT', body, calls]


def _calls(dialect: TextDialect) -> list[str]:
    """Every call, as an alternative."""
    calls = [
        _SWIPE if dialect.swipes and kind == "drag" else _CALLS[kind]
        for kind in sorted(dialect.kinds)
        if kind in _CALLS
    ]
    return [*calls, '"open_computer()"'] if dialect.wrapped else calls


def _points(dialect: TextDialect, boxed: bool) -> list[str]:
    """One point, and the two of a drag."""
    if dialect.tagged:
        place, names = '"<point>" X " " Y "</point>"', ("point", "start_point", "end_point")
    else:
        place, names = '"(" X "," Y ")"', ("start_box", "start_box", "end_box")
        if boxed:
            place += f" | {BOX_TOKENS[0]} {place} {BOX_TOKENS[1]}"
    point, start, end = (f'"{name}=\'" place "\'"' for name in names)
    return [f"place: {place}", f"point: {point}", f'span: {start} ", " {end}']
