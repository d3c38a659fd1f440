"""Splits a reply into thought and actions, without special tokens and other marks."""

from __future__ import annotations

import re
from typing import NamedTuple

from .reply_errors import InvalidReply

_OPENING = re.compile(r"<(?:think\w*+|thought)>", re.IGNORECASE)
_CLOSING = re.compile(r"</(?:think\w*+|thought)>", re.IGNORECASE)
_LEADING = re.compile(r"(?:\s++|<\|im_start\|>(?:assistant)?|<s>|```\w*+\n)")
_HEADER = re.compile(r"[ \t*#]*+thought[ \t*]*+[:：][ \t*]*+", re.IGNORECASE)
LABEL = r"[ \t*#]*+(?:next )?actions?[ \t]*+(?:\*\*[ \t]*+)?[:：](?:\*\*)?"
"""``Action:`` as models write it, to be anchored at the start of a line."""
_LABEL_LINE = re.compile(rf"^{LABEL}", re.IGNORECASE | re.MULTILINE)
_MARKUP = re.compile(
    r"<(?=/?(?:think|thought|tool_call|seed:|function|parameter|answer|computer_env|action|output))", re.IGNORECASE
)
TRAILERS = (
    *("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end|>", "</s>", "<eos>", "```", "</output>"),
    *("</computer_env>", "</action>", "</seed:tool_call>", "</tool_call>"),
)
"""Marks that may end a reply without being a part of an action."""
_MOST_TRAILERS = 32


class Split(NamedTuple):
    """A reply's thought, and where the rest of it begins and ends."""

    thought: str
    start: int
    end: int


def split_thought(raw: str, beginning: re.Pattern[str]) -> Split:
    """Take ``<think>`` blocks off the front and end-of-reply marks off the back.

    An action may begin where ``beginning`` matches; a thought that only ends must end before that.

    Raises:
        InvalidReply: a thought is never closed.
    """
    thoughts: list[str] = []
    position = _skip_leading(raw, 0)
    while (opening := _OPENING.match(raw, position)) is not None:
        closing = _CLOSING.search(raw, opening.end())
        if closing is None:
            raise InvalidReply("the thought is never closed, so no action follows it")
        thoughts.append(raw[opening.end() : closing.start()].strip())
        position = _skip_leading(raw, closing.end())
    if not thoughts and (tail := _CLOSING.search(raw, position)) is not None:
        action = beginning.search(raw, position)
        if action is None or action.start() > tail.start():
            thoughts.append(raw[position : tail.start()].strip())
            position = _skip_leading(raw, tail.end())
    return Split("\n".join(filter(None, thoughts)), position, trimmed_end(raw, position))


def join_thoughts(*parts: str) -> str:
    """One thought out of parts, without their ``Thought:`` headers."""
    return "\n".join(filter(None, map(_without_header, parts)))


def _without_header(part: str) -> str:
    text = part.strip()
    header = _HEADER.match(text)
    return text[header.end() :].strip() if header else text


def escape_markup(thought: str) -> str:
    """A thought, changed so that no part of it can be parsed as an action."""
    return _LABEL_LINE.sub(lambda label: f"> {label[0]}", _MARKUP.sub("< ", thought))


def trimmed_end(raw: str, start: int = 0) -> int:
    """Where a reply ends once trailing marks and spaces are taken off."""
    end = len(raw)
    for _ in range(_MOST_TRAILERS):
        end = start + len(raw[start:end].rstrip())
        tail = raw[max(start, end - 20) : end].lower()
        mark = next((mark for mark in TRAILERS if tail.endswith(mark)), None)
        if mark is None:
            break
        end -= len(mark)
    return end


def _skip_leading(raw: str, position: int) -> int:
    while (mark := _LEADING.match(raw, position)) is not None:
        position = mark.end()
    return position
