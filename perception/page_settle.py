"""Waiting until a browser page is stable, by asking the page.

A script in the page waits for the next frame and reports whether the document changed, scrolls, animates or
still loads. The owner of the page adds what the page cannot know: a navigation that has begun, requests in
flight, a window that is about to open. While it still waits for those, a stable page can be used early.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Literal, Protocol

from .settle import Clock

Busy = Literal["navigation", "network"]
PageState = Literal["changing", "stable", "suggesting"]
"""State of a document; "suggesting" is stable, with a focused field that may show suggestions."""

WATCH_SCRIPT = resources.files(__package__).joinpath("page_settle.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class PageLimits:
    """How long to wait for what, in seconds from the end of the action.

    Attributes:
        quiet: time without a change, by default one frame at 60 Hz; twice that after a change.
        suggestions: time without a change after typing into a field with suggestions (a combobox, a search
            field): such lists appear a moment after the last key.
        motion: at most this long while the document changes or animates.
        network: at most this long while requests are in flight.
        navigation: at most this long while a page is being opened.
    """

    quiet: float = 0.016
    suggestions: float = 0.35
    motion: float = 2.0
    network: float = 5.0
    navigation: float = 15.0


class WatchedPage(Protocol):
    """What a ``PageSettler`` needs to know of a page."""

    def busy(self) -> Busy | None:
        """What the page is waiting for outside of the document."""

    def watch(self, quiet: float, budget: float) -> PageState:
        """Wait until the document was stable for ``quiet`` seconds, at most ``budget`` seconds.

        Returns after at least one frame, or at once when the document went away meanwhile.
        """


class PageSettler:
    """Waits until a page is stable."""

    def __init__(self, limits: PageLimits = PageLimits(), clock: Clock = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock

    def wait(self, page: WatchedPage, *, typed: bool = False, on_stable: Callable[[], None] = lambda: None) -> bool:
        """Wait; returns whether the page became stable within the limits.

        Args:
            page: the page to watch.
            typed: the action before was typing, so suggestions may still come.
            on_stable: called once when the document is stable while something else is waited for.
        """
        limits, start, quiet, shown = self._limits, self._clock(), self._limits.quiet, False
        while True:
            state = page.watch(quiet, limits.motion)
            busy = page.busy()
            suggested = not typed or state != "suggesting" or quiet >= limits.suggestions
            if state != "changing" and busy is None and suggested:
                return True
            if self._clock() - start >= self._allowed(busy):
                return False
            if state != "changing" and busy != "navigation" and not shown:
                shown = True
                on_stable()
            quiet = limits.quiet if suggested else limits.suggestions

    def _allowed(self, busy: Busy | None) -> float:
        by_kind = {"navigation": self._limits.navigation, "network": self._limits.network}
        return self._limits.motion if busy is None else by_kind[busy]
