"""Text from models, files and terminals: whole characters, and bounds on its length."""

from __future__ import annotations

import re
from typing import Final

from pydantic_core import PydanticCustomError

LONGEST_REPLY: Final = 65_536
"""Characters of a reply, beyond which it is not read."""
LONGEST_TEXT: Final = 1_000_000
"""Characters of any string in a trajectory."""
_HALF = re.compile("[\ud800-\udfff]")


def has_half_character(text: str) -> bool:
    """Whether a text holds half a surrogate pair, such as half an emoji, which no file and no program takes."""
    return _HALF.search(text) is not None


def joined_halves(text: str) -> str:
    """The text with the halves of each surrogate pair joined to the character that they are."""
    if not has_half_character(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


def whole_text(text: str) -> str:
    """The text with halves joined, and U+FFFD in place of those without a partner: it has UTF-8."""
    return _HALF.sub("\ufffd", joined_halves(text))


def typable(text: str) -> str:
    """The text, if it has only whole characters and is not too long; raises ``PydanticCustomError`` otherwise."""
    text = joined_halves(text)
    if has_half_character(text):
        raise PydanticCustomError("half_character", "a text holds half of a character, such as half of an emoji")
    if len(text) > LONGEST_TEXT:
        raise PydanticCustomError("long_text", f"a text has more than {LONGEST_TEXT:,} characters")
    return text


def clipped(text: str, longest: int = LONGEST_TEXT) -> str:
    """The text, or its beginning and how much is missing."""
    if len(text) <= longest:
        return text
    end = f"… ({len(text):,} characters)"
    return text[: longest - len(end)] + end
