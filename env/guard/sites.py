"""Which site an address belongs to: the part of a host's name that one owner has."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_LOCAL_PARTS = frozenset(("ac", "co", "com", "edu", "gob", "gouv", "gov", "ltd", "me", "mil", "ne", "net", "nom", "or"))
_LOCAL_PARTS |= {"org", "sch", "go", "in", "id", "web", "biz", "info", "nhs", "plc", "police"}
_OWNED_BY_USERS = re.compile(
    r"(github|gitlab|ngrok)\.(io|app)|(pages|workers|fly)\.dev|(vercel|netlify|web)\.app|(herokuapp|firebaseapp|blogspot|"
    r"appspot|onrender|wordpress|tumblr|myshopify|trycloudflare)\.com|(azurewebsites|cloudfront)\.net|glitch\.me|surge\.sh"
)
"""Names below which everybody can have a site."""


def host_of(address: str) -> str:
    """The host of an address, with its port where it is no name of the internet; empty where it has none."""
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").rstrip(".")
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme.lower() == "file":
        return "file:"
    if not host:
        return ""
    return f"{host}:{port}" if port and is_local(host) else host


def site_of(address: str) -> str:
    """The site of an address: ``news.example.co.uk`` is of ``example.co.uk``; empty where it has none.

    An address that nobody serves, such as ``about:blank`` or ``data:``, has none. Machines without a name of the
    internet are sites of their own, port by port.
    """
    host = host_of(address)
    if not host or is_local(host.rpartition(":")[0] or host):
        return host
    labels = host.split(".")
    if _OWNED_BY_USERS.fullmatch(".".join(labels[-2:])):
        return host
    below = 3 if len(labels[-1]) == 2 and labels[-2] in _LOCAL_PARTS else 2
    return ".".join(labels[-below:])


def is_local(host: str) -> bool:
    """Whether a host is an address, or has no name of the internet."""
    if "." not in host or host.endswith((".localhost", ".local")):
        return True
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
