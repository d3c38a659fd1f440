"""Knowing when a browser page has come to rest, by asking the page.

One round trip per look: a script in the page waits for the next frame and reports whether the document
changed, scrolled, animates or still loads. What the page cannot know (a navigation that has begun, requests
in flight, a window about to open) is told by whoever owns the page. A page that is at rest but has to be
waited for all the same may be shown to whoever can use a first look.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from .settle import Clock

Busy = Literal["navigation", "network"]
Look = Literal["moving", "at rest", "expecting"]
"""What a page is doing; "expecting" is at rest, with a field in focus that announces suggestions."""

# Rest is asked for twice as long after a change: timers of 13-16 ms (jQuery) may just miss one window.
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
    done(!quiet ? 'moving' : suggests() ? 'expecting' : 'at rest');
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

    def watch(self, quiet: float, budget: float) -> Look:
        """Wait until the document was at rest for ``quiet`` seconds, at most ``budget`` seconds.

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

    def wait(
        self, page: WatchedPage, *, typed: bool = False, resting: Callable[[], None] = lambda: None
    ) -> bool:
        """Wait; whether the page came to rest within the limits.

        Args:
            page: the page to watch.
            typed: the action before was typing, so suggestions may still come.
            resting: called once if the document is at rest and yet has to be waited for: it may well stay
                as it is.
        """
        limits, start, quiet, shown = self._limits, self._clock(), self._limits.quiet, False
        while True:
            look = page.watch(quiet, limits.motion)
            busy = page.busy()
            suggested = not typed or look != "expecting" or quiet >= limits.suggestions
            if look != "moving" and busy is None and suggested:
                return True
            if self._clock() - start >= self._allowed(busy):
                return False
            if look != "moving" and busy != "navigation" and not shown:
                shown = True
                resting()
            quiet = limits.quiet if suggested else limits.suggestions

    def _allowed(self, busy: Busy | None) -> float:
        by_kind = {"navigation": self._limits.navigation, "network": self._limits.network}
        return self._limits.motion if busy is None else by_kind[busy]
