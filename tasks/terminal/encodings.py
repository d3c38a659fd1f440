"""Terminals and command lines of any encoding: nothing is lost, and nothing fails."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ...actions.characters import has_half_character

_ESCAPES = "escapes"


def escape_unprintable() -> None:
    r"""From now on, what the encoding of the standard streams lacks is written as ``\uXXXX``, in JSON as well."""
    codecs.register_error(_ESCAPES, _escape)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPES)


def readable_words(words: Sequence[str]) -> list[str]:
    """The words of a command line; bytes that are no UTF-8 and name no file are read as Windows' Western letters."""
    return [_readable(word) if has_half_character(word) else word for word in words]


def _readable(word: str) -> str:
    return word if Path(word).exists() else os.fsencode(word).decode("cp1252", "replace")


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lost = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{lost[at]:02x}{lost[at + 1]:02x}" for at in range(0, len(lost), 2)), error.end
