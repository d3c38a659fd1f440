"""Waiting until a screen is stable: reported by the X server (XDamage), or seen by comparing screenshots.

With XDamage the server reports every rectangle that a program draws, so nothing is polled and a stable screen
costs nothing. A blinking text cursor is ignored: a change within the size of one does not count.
"""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Callable
from typing import Any, Protocol

from ..actions.errors import EnvironmentFailure
from .screen import Region, ScreenCamera
from .settle import CARET, Clock, FrameSettler, SettleLimits, same_but_caret
from .x_patience import XlibWatch, require_answer

EARLY = 3
"""``on_stable`` is called after this part of the quiet time."""


class ScreenSettler(Protocol):
    """Waits until one screen is stable."""

    def wait(self, on_stable: Callable[[], None] = lambda: None) -> bool:
        """Wait; returns whether the screen became stable within the limits.

        ``on_stable`` is called once when the screen is stable, but not yet for the whole quiet time.
        """

    def close(self) -> None:
        """Release the screen; may be called more than once."""


class Damage(Protocol):
    """Reports what was drawn."""

    def wait(self, seconds: float) -> list[Region]:
        """The rectangles drawn since the last call; returns at the first one, or when time is over."""

    def close(self) -> None:
        """Stop reporting."""


class XDamage:
    """Reports what the X server draws on a display; None is ``$DISPLAY``.

    Raises:
        EnvironmentFailure: there is no such display, or its server has no DAMAGE extension.
    """

    def __init__(self, display: str | None) -> None:
        from Xlib import error
        from Xlib.display import Display
        from Xlib.ext import damage

        self._name = display
        self._lost = (error.ConnectionClosedError, OSError)
        require_answer(display)
        try:
            self._display: Any = Display(display)
        except (error.DisplayError, *self._lost) as problem:
            raise EnvironmentFailure(f"cannot open the display {display}: {problem}") from problem
        if not self._display.has_extension("DAMAGE"):
            self._display.close()
            raise EnvironmentFailure(f"the X server of {display} has no DAMAGE extension")
        self._watch = XlibWatch(self._display)
        self._display.damage_query_version()
        self._display.screen().root.damage_create(damage.DamageReportRawRectangles)
        self._display.sync()

    def wait(self, seconds: float) -> list[Region]:
        """See ``Damage``."""
        try:
            if not self._display.pending_events():
                select.select([self._display.fileno()], [], [], max(0.0, seconds))
            events = [self._display.next_event() for _ in range(self._display.pending_events())]
        except self._lost as problem:
            raise EnvironmentFailure(f"the display {self._name} is gone; reset to go on") from problem
        areas = [event.area for event in events if hasattr(event, "area")]
        return [Region(area.x, area.y, area.width, area.height) for area in areas]

    def close(self) -> None:
        """Disconnect."""
        with contextlib.suppress(*self._lost):
            self._display.close()


class DamageSettler:
    """Waits until nothing has been drawn in a region for a while."""

    def __init__(
        self, damage: Damage, region: Region, limits: SettleLimits = SettleLimits(), clock: Clock = time.monotonic
    ) -> None:
        self._damage = damage
        self._region = region
        self._limits = limits
        self._clock = clock
        self._small: Region | None = None

    def wait(self, on_stable: Callable[[], None] = lambda: None) -> bool:
        """See ``ScreenSettler``."""
        limits, now = self._limits, self._clock()
        since, end, shown = now, now + limits.maximum, False
        self._small = None
        while True:
            if now >= since + limits.quiet:
                return True
            if now >= end:
                return False
            if not shown and now >= since + limits.quiet / EARLY:
                shown = True
                on_stable()
            goal = since + (limits.quiet if shown else limits.quiet / EARLY)
            drawn = self._damage.wait(min(goal, end) - now)
            now = self._clock()
            if self._counts(drawn):
                since = now

    def close(self) -> None:
        """See ``ScreenSettler``."""
        self._damage.close()

    def _counts(self, drawn: list[Region]) -> bool:
        """Whether more than a text cursor changed; small changes at different places add up."""
        counts = False
        for area in drawn:
            if not area.overlaps(self._region):
                continue
            self._small = area if self._small is None else self._small.union(area)
            if self._small.width > CARET.width or self._small.height > CARET.height:
                self._small, counts = None, True
        return counts


def screen_settler(display: str | None, camera: ScreenCamera, limits: SettleLimits = SettleLimits()) -> ScreenSettler:
    """The best settler for a screen: its X server's reports where it has them, else screenshots."""
    try:
        return DamageSettler(XDamage(display), camera.region, limits)
    except (EnvironmentFailure, ImportError):
        return FrameSettler(camera.grab, lambda one, other: same_but_caret(one.pixels, other.pixels), limits)
