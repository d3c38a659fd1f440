"""The head of a request to a proxy: whom it is for, and how it is passed on."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from .rules import plain_host

LONGEST: Final = 1 << 18
_CONNECT: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+):(\d{1,5})")
_OWN: Final = frozenset(("host", "proxy-connection", "proxy-authorization", "connection", "keep-alive"))
"""Headers between the browser and its proxy."""


@dataclass(frozen=True)
class RequestHead:
    """One request's head.

    Attributes:
        connects: whether it asks for a tunnel.
        host, port: whom it is for.
        forwarded: what that host is sent of it.
        length: bytes of its body.
    """

    connects: bool
    host: str
    port: int
    forwarded: bytes = b""
    length: int = 0


async def read_head(reader: asyncio.StreamReader) -> RequestHead | None:
    """The next request's head; None at the end of the connection.

    Raises:
        ValueError: it is no request to a proxy, or one whose end cannot be told.
    """
    try:
        data = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError as error:
        raise ValueError("its head is too long") from error
    first, *lines = data[:-4].decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    if method == "CONNECT":
        return _connects(target)
    parts = urlsplit(target)
    if parts.scheme != "http" or not parts.hostname or not version.startswith("HTTP/1.") or "@" in parts.netloc:
        raise ValueError("it is no request to a proxy")
    kept, length = _headers(lines)
    path = target[target.index(parts.netloc) + len(parts.netloc) :]
    path = path if path.startswith("/") else f"/{path}"
    head = "\r\n".join((f"{method} {path} HTTP/1.1", f"Host: {parts.netloc}", *kept, "", ""))
    return RequestHead(False, plain_host(parts.hostname), parts.port or 80, head.encode("latin-1"), length)


def _connects(target: str) -> RequestHead:
    found = _CONNECT.fullmatch(target)
    if found is None:
        raise ValueError("it names no host")
    return RequestHead(True, plain_host(found[1]), int(found[2]))


def _headers(lines: list[str]) -> tuple[list[str], int]:
    """The headers that are passed on, and the length of the body."""
    kept, lengths = [], {"0"}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not name or name != name.strip() or "\n" in line or "\r" in line or "\0" in line:
            raise ValueError("it has a header that is none")
        if name in ("transfer-encoding", "upgrade"):
            raise ValueError("its end cannot be told")
        if name == "content-length":
            lengths = lengths - {"0"} | {value.strip()}
        if name not in _OWN:
            kept.append(line)
    (length,) = lengths  # two that differ are a ValueError, too
    if not (length.isascii() and length.isdigit()):
        raise ValueError("its length is no number")
    return kept, int(length)
