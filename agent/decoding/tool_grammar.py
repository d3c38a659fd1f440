"""Grammars of replies that are JSON tool calls, as Qwen-VL models write them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from ...actions.dialects.qwen_tools import QwenDialect
from ...actions.geometry import Size
from .lark import any_case, key_names, up_to

TAGS: Final = ("<tool_call>", "</tool_call>")

_AT: Final = '", \\"coordinate\\": [" X ", " Y "]"'
_POINTED: Final = (
    *("left_click", "double_click", "triple_click", "right_click", "middle_click", "mouse_move"),
    "left_click_drag",
)
_ACTIONS: Final = (
    *(f'"{name}\\"" {_AT}' for name in _POINTED),
    f'("scroll" | "hscroll") "\\", \\"pixels\\": " PIXELS ({_AT})?',
    *(f'"{name}\\", \\"text\\": " STRING' for name in ("type", "answer")),
    '"key\\", \\"keys\\": [" KEY (", " KEY)* "]"',
    '"wait\\", \\"time\\": " SECONDS',
    '"terminate\\", \\"status\\": \\"" ("success" | "failure") "\\""',
)
_CALL: Final = '"{\\"name\\": \\"computer_use\\", \\"arguments\\": {\\"action\\": \\"" action "}}"'

_MARKS: Final = "|".join(any_case(word) for word in ("think", "thought", "tool_call"))
_TERMINALS: Final = rf"""
STRING: /"([^"\\\x00-\x1f]|\\["\\\/bfnrt]|\\u00[01][0-9a-f])*"/
PIXELS: /-?([1-9][0-9]{{0,3}}|10000)/
SECONDS: /(0|[1-9][0-9]?|[1-5][0-9][0-9])(\.[0-9]{{1,20}})?|600(\.0)?|[1-9](\.[0-9]{{1,20}})?e-[0-9]{{2,3}}/
MARK: /[^\p{{C}}\p{{Z}}"\\+]/ | "\\\"" | "\\\\"
LINE: /[^\n]*/ & ~/[^\n]*<\/?({_MARKS})[^\n]*/
"""


def tool_grammar(
    dialect: QwenDialect, screenshot: Size, resized: Size | None = None, special: Collection[str] = ()
) -> str:
    """The grammar of a dialect's replies to a screenshot: a thought, or none, and calls in tags.

    A thought is any text without tags that could be taken for those of a thought or a call.

    Args:
        dialect: one of Qwen's.
        screenshot: size of the screenshot.
        resized: size after the model's own resizing, for dialects that answer in its pixels.
        special: the tokenizer's special tokens; tags that are among them are written as such.
    """
    opening, closing = (tag if tag in special else f'"{tag}"' for tag in TAGS)
    width, height = dialect.space(screenshot, resized).extent
    rules = [
        *_frame(opening),
        f'calls: call "\\n" {closing} ("\\n" {opening} "\\n" call "\\n" {closing})*',
        f"call: {_CALL}",
        f"action: {' | '.join(_ACTIONS)}",
        f"X: /{up_to(width)}/",
        f"Y: /{up_to(height)}/",
        f'KEY: "\\"" (MARK | "+" | {key_names()}) "\\""',
    ]
    return "\n".join(rules) + _TERMINALS


def _frame(opening: str) -> list[str]:
    """What stands before the first call."""
    if opening == TAGS[0]:
        # A special token ends the text before it by itself.
        return [f'start: THOUGHT? {opening} "\\n" calls', 'THOUGHT: (LINE "\\n")+']
    return [
        f'start: ({opening} "\\n" | thought) calls',
        f'thought[suffix="\\n{TAGS[0]}\\n"]: THOUGHT',
        'THOUGHT: LINE ("\\n" LINE)*',
    ]
