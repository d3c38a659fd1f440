"""Deterministic web pages: network from a file, fixed clock, seeded ``Math.random``.

The network is recorded as HAR 1.2 with all bodies. A replay needs no server: a request that was not recorded
fails. WebSockets are not part of HAR, so a page that depends on them cannot be replayed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

HAR_NAME = "network.har"

OFFLINE: Final = (
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy",
)
"""Flags of a browser that answers from a file: nothing gets out, WebSockets and WebRTC included."""


@dataclass(frozen=True)
class DeterminismSettings:
    """How a page is made to behave the same every time.

    Attributes:
        har: the HAR file of the network.
        recorded: whether the network is replayed from the file; otherwise it is recorded to it.
        now: the fixed time of its clock, in seconds since the epoch; timers run on.
        seed: of ``Math.random``.
    """

    har: Path
    recorded: bool
    now: float
    seed: int = 0

    def context_options(self) -> dict[str, Any]:
        """Options for Playwright's ``new_context``."""
        options: dict[str, Any] = {"service_workers": "block"}
        if not self.recorded:
            options |= {"record_har_path": self.har, "record_har_content": "embed"}
        return options

    def prepare(self, context: BrowserContext) -> None:
        """Set up a context before its first page is opened."""
        if self.recorded:
            context.route_from_har(self.har, not_found="abort")
            context.route_web_socket(lambda address: True, lambda socket: socket.close())
        context.clock.set_fixed_time(datetime.fromtimestamp(self.now, UTC))
        script = resources.files(__package__).joinpath("seeded_random.js").read_text(encoding="utf-8")
        context.add_init_script(script.replace("SEED", str(self.seed)))
