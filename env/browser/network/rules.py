"""Which hosts a browser may reach: by name, and by every address that a name leads to."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from ....actions.errors import UsageError
from ...guard.sites import is_local, site_of
from ...notes import excerpt
from ..addresses import complete_address

Resolver = Callable[[str], Sequence[str]]
"""Gives the addresses of a host's name."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_PATTERN: Final = re.compile(
    r"(?P<any>\*)|(?P<below>\*\.)?(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[^\s*/:@\[\]]+))(?::(?P<port>\d{1,5}))?"
)
_METADATA: Final = frozenset(
    map(ipaddress.ip_address, ("168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"))
)
"""Where clouds tell programs their keys, besides link-local addresses."""
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LONGEST: Final = 253


def resolve_host(host: str) -> tuple[str, ...]:
    """The addresses of a host's name, asked of the system; raises ``OSError`` where there are none."""
    if host == "localhost" or host.endswith(".localhost"):
        return ("127.0.0.1", "::1")
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


class HostPattern(NamedTuple):
    """Hosts that are allowed: one with all below it, only those below it (``*.``), or any (an empty name)."""

    name: str
    below: bool = False
    port: int | None = None

    def covers(self, host: str, port: int) -> bool:
        """Whether a host at a port is one of them."""
        if self.port not in (None, port):
            return False
        return not self.name or host.endswith(f".{self.name}") or self.names(host, port)

    def names(self, host: str, port: int) -> bool:
        """Whether it names this very host."""
        return not self.below and self.port in (None, port) and host == self.name


@dataclass(frozen=True)
class NetworkRules:
    """Which hosts a browser may reach; all others get nothing, not even a question for their name.

    Attributes:
        allowed: hosts, such as ``example.org`` (with all below it), ``*.example.org`` (only those), ``localhost:8000``,
            or ``*`` for every host of the internet.
        allow_private: whether names may lead to this computer and private networks. A local host that is named itself
            needs no leave. Link-local addresses, and where clouds give keys away, must always be named.
        resolve: gives the addresses of a name.

    Raises:
        UsageError: a pattern is none.
    """

    allowed: tuple[str, ...] = ()
    allow_private: bool = False
    resolve: Resolver = field(default=resolve_host, compare=False)

    def __post_init__(self) -> None:
        _ = self._patterns

    @classmethod
    def beginning(cls, address: str, allowed: Sequence[str] = (), allow_private: bool = False) -> NetworkRules:
        """The site of a first page, and further hosts."""
        return cls((*_site_pattern(complete_address(address)), *allowed), allow_private)

    @cached_property
    def _patterns(self) -> tuple[HostPattern, ...]:
        return tuple(map(_parse_pattern, self.allowed))

    def refuses_host(self, host: str, port: int) -> str | None:
        """Why a host is not even looked up, in words; None where it may be."""
        if any(each.covers(host, port) for each in self._patterns):
            return None
        return "it is outside the allowed domains"

    def refuses_address(self, host: str, port: int, address: str) -> str | None:
        """Why an address of an allowed host is not connected to, in words; None where it may be."""
        found = _embedded(ipaddress.ip_address(address.partition("%")[0]))
        named = is_local(host) and any(each.names(host, port) for each in self._patterns)
        if found in _METADATA or found.is_link_local:
            kind, leave = "link-local or a cloud's", named and _is_address(host)
        elif found.is_multicast or found.is_unspecified or (found.is_reserved and not found.is_loopback):
            kind, leave = "no host's", False
        elif found.is_loopback or not found.is_global or (found.version == 6 and found.is_site_local):
            kind, leave = "private", named or self.allow_private
        else:
            return None
        return None if leave else f"its address {address} is {kind}"

    def refuses_url(self, url: str) -> str | None:
        """Why an address is not opened, in words for the policy; None where it may be, or needs no network."""
        place = place_of_url(url)
        if place is None or self.refuses_host(*place) is None:
            return None
        inside = excerpt(", ".join(self.allowed) or "none")
        return f"{excerpt(place[0], 100)} is outside the allowed domains ({inside}); only the user can allow it"


def place_of_url(url: str) -> tuple[str, int] | None:
    """Host and port of an address; None where it has none."""
    try:
        parts = urlsplit(url.removeprefix("view-source:"))
        port = parts.port or DEFAULT_PORTS.get(parts.scheme.lower())
        return None if port is None or not parts.hostname else (plain_host(parts.hostname), port)
    except ValueError:
        return None


def plain_host(host: str) -> str:
    """A host as it is compared; raises ``ValueError`` for what is none."""
    bare = host.strip("[]").rstrip(".").lower()
    if _is_address(bare):
        return str(ipaddress.ip_address(bare))
    name = bare.encode("idna").decode() if not bare.isascii() else bare
    if not name or len(name) > _LONGEST:
        raise ValueError("it names no host")
    return name


def _parse_pattern(text: str) -> HostPattern:
    found = _PATTERN.fullmatch(text.strip().lower())
    try:
        if found is None:
            raise ValueError(text)
        if found["any"]:
            return HostPattern("")
        port = int(found["port"]) if found["port"] else None
        return HostPattern(plain_host(found["six"] or found["name"]), bool(found["below"]), port)
    except ValueError as error:
        raise UsageError(
            f"{excerpt(text)!r} is no domain; write example.org, *.example.org, localhost:8000 or * (--allow-domain)"
        ) from error


def _site_pattern(address: str) -> tuple[str, ...]:
    place = place_of_url(address)
    if place is None:
        return ()
    host, port = place
    return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}",) if is_local(host) else (site_of(address),)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, if it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    teredo = address.teredo
    inner = address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
    compatible = int(address) >> 32 == 0 and int(address) > 1
    if inner is None and (address in _NAT64 or compatible):
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address
