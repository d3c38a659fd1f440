"""The API key of a server: read from the environment, cleaned where that is certain, and never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ...actions.errors import UsageError

KEYS: Final = ("SACCADE_API_KEY", "OPENAI_API_KEY")
_HEADERS: Final = ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID")
"""What the client package sends, too, if it is set."""
_AROUND: Final = " \t\r\n\v\f\u00a0\u200b\u200c\u200d\u2060\ufeff\u3000"
_QUOTES: Final = "\"'`\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\uff02\uff07"
_SCHEME: Final = re.compile(r"(?:authorization\s*:\s*)?bearer\s+", re.IGNORECASE)


def read_key(environ: Mapping[str, str]) -> str | None:
    """The first key that is set, without spaces, quotes or ``Bearer`` around it; None if there is none.

    Raises:
        UsageError: it, or another text that is sent with it, contains what HTTP does not allow. The message
            says where, and not what.
    """
    for name in _HEADERS:
        _check(name, environ.get(name, ""))
    for name in KEYS:
        if key := _bare(environ.get(name, "")):
            _check(name, environ[name], key)
            return key
    return None


def _bare(text: str) -> str:
    """A key without what is around it by mistake, if that is certain."""
    while True:
        bare = text.strip(_AROUND)
        if len(bare) > 1 and bare[0] in _QUOTES and bare[-1] in _QUOTES:
            bare = bare[1:-1]
        bare = _SCHEME.sub("", bare, count=1) if _SCHEME.match(bare) else bare
        if bare == text:
            return "" if bare.lower() == "bearer" or not bare.strip(_QUOTES) else bare
        text = bare


def _check(name: str, text: str, key: str | None = None) -> None:
    for position, character in enumerate(text if key is None else key, start=1 if key is None else text.index(key) + 1):
        if not "!" <= character <= "~":
            raise UsageError(f"{name} contains a character that HTTP does not allow at position {position}")
