"""Settings of the network that come from the environment: proxies and certificates, checked before they are used."""

from __future__ import annotations

import importlib.util
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ...actions.errors import MissingPartError, UsageError

_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")
_FORM: Final = "http://proxy:8080"


def check_network(environ: Mapping[str, str] = os.environ) -> None:
    """Check the variables that a client of a server obeys.

    Raises:
        UsageError: one cannot be used; the message names it, and not its value, which may hold a password.
    """
    for name in filter(None, (_variable(each, environ) for each in _PROXIES)):
        _check_proxy(name, environ[name])
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        if environ.get(name):
            _check_certificates(name, environ[name])


def proxy_for(url: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """The variable whose proxy is used for an address; None if there is none."""
    parts = urlsplit(url)
    host, excepted = f".{parts.hostname or ''}", environ.get(_variable("no_proxy", environ) or "", "")
    if any(each == "*" or (each and host.endswith(f".{each.lstrip('.')}")) for each in excepted.lower().split(",")):
        return None
    return _variable(f"{parts.scheme}_proxy", environ) or _variable("all_proxy", environ)


def _variable(name: str, environ: Mapping[str, str]) -> str | None:
    """The spelling of a variable that is set; the lower-case one counts first, as it does elsewhere."""
    return next((each for each in (name, name.upper()) if environ.get(each, "").strip()), None)


def _check_proxy(name: str, text: str) -> None:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        usable = bool(parts.hostname) and not set(parts.hostname or "") & set(" \t\"'<>[]") and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not text.isprintable():
        raise UsageError(f"{name} does not name a proxy; write it as {_FORM}, or unset it")
    if parts.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise MissingPartError(f"{name} names a SOCKS proxy, which needs a package: pip install socksio; or unset it")
    if parts.scheme not in ("http", "https", "socks5", "socks5h"):
        raise UsageError(f"{name} names a proxy of a kind that is not known; write it as {_FORM}, or unset it")


def _check_certificates(name: str, place: str) -> None:
    try:
        if name == "SSL_CERT_FILE":
            ssl.create_default_context(cafile=place)
        else:
            next(Path(place).iterdir(), None)
    except OSError as error:  # ssl.SSLError, too
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else error.strerror
        raise UsageError(f"{name} names certificates that cannot be read: {reason}; correct it or unset it") from None
