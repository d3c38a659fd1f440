"""Waiting until a browser page is stable, by asking the page.

A script in the page waits for the next frame and reports whether the document changed, scrolls, animates or
still loads. The owner of the page adds what the page cannot know: a navigation that has begun, requests in
flight, a window that is about to open. While it still waits for those, a stable page can be used early.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from .settle import Clock

Busy = Literal["navigation", "network"]
PageState = Literal["changing", "stable", "suggesting"]
"""State of a document; "suggesting" is stable, with a focused field that may show suggestions."""

# After a change the quiet time is doubled: timers of 13-16 ms (jQuery) may just miss one window.
WATCH_SCRIPT = """
([quietMs, budgetMs]) => new Promise(done => {
  const begun = performance.now();
  let changed = false, quietSince = begun, over = false;
  const observer = new MutationObserver(() => { changed = true; });
  const scrolled = () => { changed = true; };
  observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
  document.addEventListener('scroll', scrolled, {capture: true, passive: true});
  const finish = quiet => {
    if (over) return;
    over = true;
    observer.disconnect();
    document.removeEventListener('scroll', scrolled, {capture: true});
    done(!quiet ? 'changing' : suggests() ? 'suggesting' : 'stable');
  };
  const suggests = () => {
    const field = document.activeElement;
    return field && field.matches && field.matches(
      '[role=combobox],[aria-autocomplete],[aria-haspopup=listbox],[autocomplete=off],[type=search]');
  };
  const animates = () => document.getAnimations().some(animation => {
    if (animation.playState !== 'running' || !animation.effect) return false;
    return Number.isFinite(animation.effect.getComputedTiming().endTime);
  });
  let wanted = quietMs;
  const frame = () => {
    const now = performance.now();
    if (changed || document.readyState !== 'complete' || window.closed || animates()) {
      wanted = Math.max(wanted, 2 * quietMs);
      quietSince = now;
    }
    changed = false;
    if (now - quietSince >= wanted) finish(true);
    else if (now - begun >= budgetMs) finish(false);
    else nextFrame();
  };
  // Timers that are due run before the check, however busy the machine is. A page behind another gets no
  // frames, so a timer checks it.
  const nextFrame = () => {
    let called = false;
    const once = () => { if (!called) { called = true; frame(); } };
    setTimeout(() => requestAnimationFrame(once), 0);
    setTimeout(once, 100);
  };
  nextFrame();
  setTimeout(() => finish(false), budgetMs + 100);
})
"""


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
    """Waits until a page is stable.

    Args:
        limits: how long to wait for what.
        clock: monotonic seconds.
    """

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
