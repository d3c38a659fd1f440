"""A web page that behaves the same every time: its network from a file, its clock fixed, its dice seeded.

The network is recorded as HAR 1.2 with all bodies in it. Repeating it needs no server: a request that was not
recorded fails. WebSockets are not part of HAR; a page that lives by them cannot be rehearsed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

HAR_NAME = "network.har"

# Mulberry32: small, and its numbers are as good as a page's own.
_DICE = """
(() => {
  let state = SEED >>> 0;
  Math.random = () => {
    state = (state + 0x6D2B79F5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
})();
"""


class ScriptableContext(Protocol):
    """A Playwright browser context, as far as it is used here."""

    @property
    def clock(self) -> Any:
        """Its pages' clock."""

    def add_init_script(self, script: str) -> Any:
        """Run a script before those of each page."""

    def route_from_har(self, har: Path, *, not_found: Literal["abort"]) -> Any:
        """Answer requests from a HAR file."""


@dataclass(frozen=True)
class DeterminismSettings:
    """How a page is made to behave the same again.

    Attributes:
        har: the file of its network.
        recorded: whether the network comes from the file; otherwise it goes to the file.
        now: the time that its clock shows, in seconds since the epoch; timers run on.
        seed: of ``Math.random``.
    """

    har: Path
    recorded: bool
    now: float
    seed: int = 0

    def context_options(self) -> dict[str, Any]:
        """What Playwright's context is made with."""
        options: dict[str, Any] = {"service_workers": "block"}
        if not self.recorded:
            options |= {"record_har_path": self.har, "record_har_content": "embed"}
        return options

    def prepare(self, context: ScriptableContext) -> None:
        """Set up a context before its first page is opened."""
        if self.recorded:
            context.route_from_har(self.har, not_found="abort")
        context.clock.set_fixed_time(datetime.fromtimestamp(self.now, UTC))
        context.add_init_script(_DICE.replace("SEED", str(self.seed)))
