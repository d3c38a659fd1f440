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
from ...actions.keys import NAMED_KEYS

ALIASES: Final = (
    *("return", "esc", "del", "pgup", "pgdn", "arrowup", "arrowdown", "arrowleft", "arrowright"),
    *("control", "cmd", "command", "win", "option", "plus"),
)
"""Names of keys that are read beside those in ``NAMED_KEYS``."""

# What Python's re takes for the same letter when it ignores case.
_SAME_LETTERS: Final = {"i": "iIıİ", "s": "sSſ", "k": "kKK"}


def any_case(word: str) -> str:
    """A regular expression for an ASCII word in any case; other characters stay as they are."""
    return "".join(f"[{_SAME_LETTERS.get(c, c + c.upper())}]" if c.isalpha() else c for c in word)


def key_names() -> str:
    """Every name of a key, as alternatives."""
    return " | ".join(f'"{name}"' for name in sorted({*NAMED_KEYS, *ALIASES}))


def up_to(limit: int) -> str:
    """A regular expression for the whole numbers from 0 to ``limit``, without leading zeros."""
    digits = str(limit)
    shorter = [f"[1-9][0-9]{{{count}}}" for count in range(1, len(digits) - 1)]
    parts = ["[0-9]", *shorter] if len(digits) > 1 else []
    for index, digit in enumerate(digits):
        low, high = (1 if index == 0 and len(digits) > 1 else 0), int(digit) - 1
        if high >= low:
            rest = len(digits) - index - 1
            parts.append(f"{digits[:index]}[{low}-{high}]" + (f"[0-9]{{{rest}}}" if rest else ""))
    return "|".join([*parts, digits])


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

TAGS: Final = ("<tool_call>", "</tool_call>")

_AT: Final = '", \\"coordinate\\": [" X ", " Y "]"'
_CLICKS: Final = ("left_click", "double_click", "triple_click", "right_click", "middle_click")
_ACTIONS: Final = (
    *(f'"{name}\\"" {_AT}' for name in (*_CLICKS, "mouse_move", "left_click_drag")),
    f'("scroll" | "hscroll") "\\", \\"pixels\\": " PIXELS ({_AT})?',
    *(f'"{name}\\", \\"text\\": " STRING' for name in ("type", "answer")),
    '"key\\", \\"keys\\": [" KEY (", " KEY)* "]"',
    '"wait\\", \\"time\\": " SECONDS',
    '"terminate\\", \\"status\\": \\"" ("success" | "failure") "\\""',
)
_TOOL_CALL: Final = '"{\\"name\\": \\"computer_use\\", \\"arguments\\": {\\"action\\": \\"" action "}}"'

_MARKS: Final = "|".join(any_case(word) for word in ("think", "thought", "tool_call"))
_TOOL_TERMINALS: Final = rf"""
STRING: /"([^"\\\x00-\x1f]|\\["\\\/bfnrt]|\\u00[01][0-9a-f])*"/
PIXELS: /-?([1-9][0-9]{{0,3}}|10000)/
SECONDS: /(0|[1-9][0-9]?|[1-5][0-9][0-9])(\.[0-9]{{1,20}})?|600(\.0)?|[1-9](\.[0-9]{{1,20}})?e-[0-9]{{2,3}}/
MARK: /[^\p{{C}}\p{{Z}}"\\+]/ | "\\\"" | "\\\\"
LINE: /[^\n]*/ & ~/[^\n]*<\/?({_MARKS})[^\n]*/
"""


def reply_grammar(
    dialect: Dialect, screenshot: Size, resized: Size | None = None, special: Collection[str] = ()
) -> str:
    """The grammar of a dialect's replies to a screenshot.

    A thought is any text in which no line could be taken for an action and no tag for its end.

    Args:
        dialect: a text dialect of the UI-TARS family, or one of Qwen's tool calls.
        screenshot: its size.
        resized: size after the model's own resizing, for dialects that answer in its pixels.
        special: the tokenizer's special tokens; around points those in ``BOX_TOKENS`` are allowed, and tags of tool
            calls that are among them are written as such.

    Raises:
        UsageError: there is no grammar for this dialect.
    """
    if isinstance(dialect, QwenDialect):
        return _tool_grammar(dialect, screenshot, resized, special)
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
        _SWIPE if dialect.swipes and kind == "drag" else _CALLS[kind] for kind in sorted(dialect.kinds & _CALLS.keys())
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


def _tool_grammar(dialect: QwenDialect, screenshot: Size, resized: Size | None, special: Collection[str]) -> str:
    """The grammar of a dialect of tool calls: a thought, or none, and calls in tags.

    A thought is any text without tags that could be taken for those of a thought or a call.
    """
    opening, closing = (tag if tag in special else f'"{tag}"' for tag in TAGS)
    width, height = dialect.space(screenshot, resized).extent
    rules = [
        *_tool_frame(opening),
        f'calls: call "\\n" {closing} ("\\n" {opening} "\\n" call "\\n" {closing})*',
        f"call: {_TOOL_CALL}",
        f"action: {' | '.join(_ACTIONS)}",
        f"X: /{up_to(width)}/",
        f"Y: /{up_to(height)}/",
        f'KEY: "\\"" (MARK | "+" | {key_names()}) "\\""',
    ]
    return "\n".join(rules) + _TOOL_TERMINALS


def _tool_frame(opening: str) -> list[str]:
    """What stands before the first call."""
    if opening == TAGS[0]:
        # A special token ends the text before it by itself.
        return [f'start: THOUGHT? {opening} "\\n" calls', 'THOUGHT: (LINE "\\n")+']
    return [
        f'start: ({opening} "\\n" | thought) calls',
        f'thought[suffix="\\n{TAGS[0]}\\n"]: THOUGHT',
        'THOUGHT: LINE ("\\n" LINE)*',
    ]
