"""Knowing when a browser page has come to rest, by asking the page.

One round trip per look: a script in the page waits for the next frame and reports whether the document
changed, scrolled, animates or still loads. What the page cannot know (a navigation that has begun, requests
in flight, a window about to open) is told by whoever owns the page.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal, Protocol

from .settle import Clock

Busy = Literal["navigation", "network"]

# Rest is asked for twice as long after a change: timers of 13-16 ms (jQuery) may just miss one window.
WATCH_SCRIPT = """
([quietMs, patientMs, budgetMs]) => new Promise(done => {
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
    done(quiet);
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
  let wanted = patientMs > 0 && suggests() ? patientMs : quietMs;
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
  // Timers that are due run before the look, however busy the machine is. A page that has gone behind
  // another gets no frames: a timer looks after it.
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
        quiet: rest asked for, by default one frame at 60 Hz; twice that after a change.
        suggestions: rest asked for after typing into a field that announces suggestions (a combobox, a
            search field): such lists appear a moment after the last key.
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
        """What is under way outside the document."""

    def watch(self, quiet: float, suggestions: float, budget: float) -> bool:
        """Wait until the document is at rest; False when it still moves after ``budget`` seconds.

        Returns after at least one frame, or at once when the document went away meanwhile.
        """


class PageSettler:
    """Waits until a page is at rest.

    Args:
        limits: how long for what.
        clock: monotonic seconds.
    """

    def __init__(self, limits: PageLimits = PageLimits(), clock: Clock = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock

    def wait(self, page: WatchedPage, *, typed: bool = False) -> bool:
        """Wait; whether the page came to rest within the limits.

        Args:
            page: the page to watch.
            typed: the action before was typing, so suggestions may still come.
        """
        limits, start = self._limits, self._clock()
        while True:
            suggestions = limits.suggestions if typed else 0.0
            at_rest = page.watch(limits.quiet, suggestions, limits.motion)
            busy = page.busy()
            if at_rest and busy is None:
                return True
            allowed = {"navigation": limits.navigation, "network": limits.network, None: limits.motion}[busy]
            if self._clock() - start >= allowed:
                return False
