"""Keys and secrets in environment variables: no program that is started gets them, and no message shows them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

from .secrets import TextHider

SECRET_PREFIX: Final = "SACCADE_SECRET_"
_NAMES: Final = re.compile(
    r"SACCADE_SECRET_\w*|(\w*_)?"
    r"(API_?KEYS?|ACCESS_KEYS?|ACCESS_KEY_ID|SECRET_KEYS?|TOKENS?|SECRETS?|PASSWORDS?|PASSWD|PASSPHRASE|CREDENTIALS)",
    re.IGNORECASE,
)
_ADDRESS: Final = re.compile(r"://(?P<user>[^/?#\s@]*@)?(?P<place>[^?#\s]*)(?P<query>\?[^#\s]+)?")
_SHOWN_NEVER: Final = re.compile(r"SACCADE_SECRET_\w+|\w*API_?KEY", re.IGNORECASE)
_LEAST: Final = 4
"""Characters of a variable's value that are no coincidence in a message."""


def without_secrets(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for a program that is started: without keys, tokens and passwords, by their names."""
    return {name: value for name, value in environ.items() if not _NAMES.fullmatch(name)}


def hide_secrets(message: str, environ: Mapping[str, str] = os.environ) -> str:
    """A message for people without the keys and secrets in the environment, or parts of malformed ones."""
    held: dict[str, str] = {}
    for name in filter(_SHOWN_NEVER.fullmatch, environ):
        held |= dict.fromkeys([environ[name], *re.findall(r"[!#-&(-~]+", environ[name])], name)
    for value in sorted(held, key=len, reverse=True):
        if len(value) >= _LEAST:
            message = TextHider(value, f"(the value of {held[value]})").hide(message)
    return message


def shown(text: str) -> str:
    """A text for people without keys and secrets, and without the user, password and query of addresses."""

    def put(match: re.Match[str]) -> str:
        return f"://{'***@' * bool(match['user'])}{match['place']}{'?***' * bool(match['query'])}"

    return hide_secrets(_ADDRESS.sub(put, text))
