"""What others made: names of files, JSON, and texts that are shown.

A folder that came from elsewhere may name files outside itself, or hold JSON that is endlessly nested. What is
refused here is an ``OSError`` or a ``ValueError`` with a reason in words; each reader turns it into its own error,
with the place. ``files`` reads the files themselves.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any, Final

from .files import UnusableFileError

DEEPEST: Final = 100
"""Objects and lists inside one another, in JSON."""
LONGEST_NUMBER: Final = 400
"""Digits of a whole number; a float has fewer than 310."""


def contained(folder: Path, name: str) -> Path:
    """The path of a name inside a folder; the name, and links on the way, may not lead out of it.

    Raises:
        UnusableFileError: it leads out, or is no name that a file can have.
    """
    pure = PurePath(name)
    try:
        if not name or "\0" in name or pure.is_absolute() or ".." in pure.parts:
            raise UnusableFileError(name, f"{name!r} leads out of its folder")
        if not (folder / pure).resolve().is_relative_to(folder.resolve()):
            raise UnusableFileError(name, f"{name!r} leads out of its folder by a link")
    except (ValueError, RuntimeError) as error:  # half a surrogate pair; links in a circle
        raise UnusableFileError(name, f"{name!r} is no name of a file") from error
    return folder / pure


def parse_json(text: bytes | str) -> Any:
    """JSON, refused where two readers could read it differently, or where it is too deep to go on with.

    Raises:
        ValueError: it is no JSON, not UTF-8, names a key twice, or holds a number or a depth beyond all use.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig")
    try:
        found = DECODER.decode(text)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    if text.count("[") + text.count("{") > DEEPEST:
        check_depth(found)
    return found


def check_depth(value: object) -> None:
    """Raise ``ValueError`` for JSON that is nested too deep."""
    level: list[object] = [value]
    for _ in range(DEEPEST):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return
    raise ValueError(_TOO_DEEP)


def visible(text: str) -> str:
    r"""A text for a terminal or a page: what would steer it, or reorder what is read, is written as ``\x1b``."""
    return _STEERING.sub(lambda found: found.group().encode("unicode_escape", "surrogatepass").decode(), text)


def unturned(text: str) -> str:
    """A text for a page, where control characters do nothing; what would reorder it is made visible."""
    return _TURNING.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def one_line(text: str) -> str:
    """A text in one line of a terminal, with nothing hidden in it."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


_STEERING: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
"""Control characters but tab and line break, those that change the direction of writing, and halves of pairs."""
_TURNING: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
_TOO_DEEP: Final = f"it is nested more than {DEEPEST} deep"


def _inside(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value


def _whole_number(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a number has {len(digits)} digits")
    return int(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:60]!r} comes twice in one object")
    return found


DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole_number)
"""Reads a value as ``parse_json`` does, without a look at its depth."""
