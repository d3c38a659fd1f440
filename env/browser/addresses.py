"""Which addresses a browser environment opens, and how they may be written."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

FILE_ADDRESS = re.compile(r"^(view-source:)?file:", re.IGNORECASE)
_OPEN_SCHEMES = ("http", "https", "about", "data", "blob")


def complete_address(address: str) -> str:
    """An address as a person types it to a full one: ``example.org`` is ``https://example.org``."""
    text = address.strip()
    if re.match(r"^(about|data|blob|file|view-source|chrome|javascript|https?):", text, re.IGNORECASE):
        return text
    local = re.match(r"^(localhost|127\.|\[::1\])", text, re.IGNORECASE)
    return f"{'http' if local else 'https'}://{text}"


def refused_address(url: str, allow_file: bool) -> str | None:
    """Why an address is not opened, in words for the policy; None when it may be."""
    scheme = urlsplit(url).scheme.lower()
    if scheme in _OPEN_SCHEMES or (scheme == "file" and allow_file):
        return None
    hint = "; allow it with allow_file" if scheme == "file" else ""
    return f"addresses of kind {scheme}: are not opened here{hint}: {url}"


def net_error(reason: str) -> str:
    """The browser's own name for what went wrong, out of Playwright's message."""
    found = re.search(r"net::\w+", reason)
    return found.group() if found else "it took too long" if "Timeout" in reason else reason
