"""A proxy that is all the network a browser profile has, and what it kept back, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ...guard.guard import Log
from ...notes import excerpt
from .proxy import Blocked, FilteringProxy
from .rules import NetworkRules

WALLED: Final = (
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy",
    "--disable-quic",
)
"""Flags of a browser whose profiles have a wall: it looks no name up itself, and nothing passes the proxy by."""
_MOST_UNLOGGED: Final = 1000
_SHOWN: Final = 5
"""Hosts that a note names."""


class NetworkWall:
    """The wall of one profile.

    Args:
        rules: who may be reached.
        note: is told in words what was kept back.
        log: what keeps each host that was refused; None where there is no run yet, and then it is told later.
    """

    def __init__(self, rules: NetworkRules, note: Callable[[str], None], log: Callable[[], Log | None]) -> None:
        self._note = note
        self._log = log
        self._unlogged: list[dict[str, Any]] = []
        self._proxy = FilteringProxy(rules)

    @property
    def refused(self) -> int:
        """How many connections were refused so far."""
        return self._proxy.refused

    def context_options(self) -> dict[str, Any]:
        """Options for Playwright's ``new_context``; loopback goes through the proxy, too."""
        return {"proxy": {"server": f"http://127.0.0.1:{self._proxy.port}", "bypass": "<-loopback>"}}

    def report(self) -> None:
        """Note and log what was kept back since the last time."""
        blocked = self._proxy.take()
        unlogged = [*self._unlogged, *({**each._asdict(), "times": times} for each, times in blocked.items())]
        log = self._log()
        self._unlogged = unlogged[:_MOST_UNLOGGED] if log is None else []
        if log is not None:
            for known in unlogged:
                log("blocked", known)
        by_reason: dict[str, list[Blocked]] = {}
        for each in blocked:
            by_reason.setdefault(each.why, []).append(each)
        for why, refused in by_reason.items():
            hosts = list(dict.fromkeys(excerpt(each.host, 100) for each in refused))
            more = f" and {len(hosts) - _SHOWN} more" if len(hosts) > _SHOWN else ""
            times = sum(blocked[each] for each in refused)
            connections = "1 connection" if times == 1 else f"{times} connections"
            self._note(f"not reached, as {why}: {', '.join(hosts[:_SHOWN])}{more} ({connections})")

    def close(self) -> None:
        """End all connections; may be called again."""
        self._proxy.close()
