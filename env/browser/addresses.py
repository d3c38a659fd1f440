"""Which addresses a browser environment opens, and how they may be written."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ..notes import excerpt

FILE_ADDRESS = re.compile(r"^(view-source:)?file:", re.IGNORECASE)
_OPEN_SCHEMES = ("http", "https", "about", "data", "blob")
_LINK = re.compile(r"!?\[[^\]\n]*+\]\(\s*+(?P<address>[^\s()]++(?:\([^\s()]*+\)[^\s()]*+)*+)(?:\s++[^)\n]*+)?\)")
_AROUND = re.compile(
    r"(?:<(?P<a>[^<>\s]++)>|`+(?P<b>[^`\s]++)`+|\"(?P<c>[^\"\s]++)\"|'(?P<d>[^'\s]++)'|“(?P<e>[^“”\s]++)”)"
)
_NOT_IN_HOST = re.compile("[\ud800-\udfff]|" r"[\s<>\"'`{}|\\^]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST = 32_768
"""Characters of an address; longer ones are data."""
_SHOWN = 200


def complete_address(address: str) -> str:
    """An address as a person types it to a full one: ``example.org`` is ``https://example.org``.

    What models put around an address, as in ``[text](address)``, is left out.
    """
    text = _bare(address)
    if re.match(r"(about|data|blob|file|view-source|chrome|javascript|https?):|[a-z][\w+.-]*+://", text, re.IGNORECASE):
        return text
    local = re.match(r"(localhost|127\.|\[::1\])", text, re.IGNORECASE)
    return f"{'http' if local else 'https'}://{text}"


def refused_address(url: str, allow_file: bool) -> str | None:
    """Why an address is not opened, in words for the policy; None when it may be."""
    shown = excerpt(url, _SHOWN)
    try:
        parts = urlsplit(url)
        scheme, host = parts.scheme.lower(), parts.netloc
        _ = parts.port  # which must be a number
    except ValueError as error:
        return f"{shown} is no address: {excerpt(str(error), _SHOWN)}"
    if scheme not in _OPEN_SCHEMES and not (scheme == "file" and allow_file):
        hint = "; allow it with allow_file" if scheme == "file" else ""
        return f"addresses of kind {scheme}: are not opened here{hint}: {shown}"
    if scheme in ("http", "https") and (not host or len(url) > _LONGEST or _NOT_IN_HOST.search(host)):
        why = f"it has {len(url):,} characters" if len(url) > _LONGEST else "it names no host"
        return f"{shown} is no address: {why}"
    if scheme in ("http", "https") and _CONTROL.search(url):
        return f"{shown} is no address: it holds control characters"
    return None


def _bare(address: str) -> str:
    """An address without a Markdown link, brackets or quotes around it."""
    text = address.strip()
    if len(text) > _LONGEST:
        return text
    for _ in range(3):
        found = _LINK.fullmatch(text) or _AROUND.fullmatch(text)
        if found is None:
            break
        text = next(part for part in found.groups() if part).strip()
    return text


def net_error(reason: str) -> str:
    """The browser's own name for what went wrong, out of Playwright's message."""
    found = re.search(r"net::\w+", reason)
    return found.group() if found else "it took too long" if "Timeout" in reason else reason
