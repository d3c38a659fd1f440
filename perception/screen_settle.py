"""Knowing when a screen has come to rest: told by the X server (XDamage), or seen by comparing pictures.

With XDamage the server names every rectangle that a program draws, so nothing is polled and a screen at rest
costs nothing. A text cursor that blinks is looked past: what changes within the size of one is no change.
"""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Callable
from typing import Any, Protocol

from ..actions.errors import EnvironmentFailure
from .observation import Screenshot
from .screen import Region, ScreenCamera
from .settle import CARET, Clock, SettleLimits, Settler, Sleep, pause, same_but_caret

EARLY = 3
"""A first look is given after this part of the quiet time."""


class ScreenSettler(Protocol):
    """Waits until one screen is at rest."""

    def wait(self, resting: Callable[[], None] = lambda: None) -> bool:
        """Wait; whether it came to rest within the limits.

        Args:
            resting: called once if the screen is at rest but not yet for long: it may well stay as it is.
        """

    def close(self) -> None:
        """Let the screen go; may be called more than once."""


class Damage(Protocol):
    """Tells what was drawn."""

    def wait(self, seconds: float) -> list[Region]:
        """The rectangles drawn since the last call; returns at the first one, or when time is over."""

    def close(self) -> None:
        """Stop telling."""


class XDamage:
    """What the X server says is drawn on a display.

    Args:
        display: the display's name, such as ``:7``; None is ``$DISPLAY``.

    Raises:
        EnvironmentFailure: there is no such display, or its server cannot tell.
    """

    def __init__(self, display: str | None) -> None:
        from Xlib import error
        from Xlib.display import Display
        from Xlib.ext import damage

        self._name = display
        self._lost = (error.ConnectionClosedError, OSError)
        try:
            self._display: Any = Display(display)
        except (error.DisplayError, *self._lost) as problem:
            raise EnvironmentFailure(f"cannot open the display {display}: {problem}") from problem
        if not self._display.has_extension("DAMAGE"):
            self._display.close()
            raise EnvironmentFailure(
                f"the display {display} does not tell what is drawn (no DAMAGE extension)"
            )
        self._display.damage_query_version()
        self._display.screen().root.damage_create(damage.DamageReportRawRectangles)
        self._display.sync()

    def wait(self, seconds: float) -> list[Region]:
        """See ``Damage``.

        Raises:
            EnvironmentFailure: the display is gone.
        """
        try:
            if not self._display.pending_events():
                select.select([self._display.fileno()], [], [], max(0.0, seconds))
            events = [self._display.next_event() for _ in range(self._display.pending_events())]
        except self._lost as problem:
            raise EnvironmentFailure(f"the display {self._name} is gone; reset to go on") from problem
        areas = [event.area for event in events if hasattr(event, "area")]
        return [Region(area.x, area.y, area.width, area.height) for area in areas]

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(*self._lost):
            self._display.close()


class DamageSettler:
    """Waits until nothing has been drawn for a while.

    Args:
        damage: tells what is drawn.
        region: what is drawn elsewhere is of no interest.
        limits: how long; nothing is looked at in intervals.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        damage: Damage,
        region: Region,
        limits: SettleLimits = SettleLimits(),
        clock: Clock = time.monotonic,
    ) -> None:
        self._damage = damage
        self._region = region
        self._limits = limits
        self._clock = clock
        self._small: Region | None = None

    def wait(self, resting: Callable[[], None] = lambda: None) -> bool:
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
                resting()
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
            if not _meet(area, self._region):
                continue
            self._small = area if self._small is None else _around(self._small, area)
            if self._small.width > CARET.width or self._small.height > CARET.height:
                self._small, counts = None, True
        return counts


class FrameSettler:
    """Waits until pictures stop changing, for screens that do not tell.

    Args:
        camera: takes the pictures.
        limits: how long.
        clock: monotonic seconds.
        sleep: pauses between two pictures.
    """

    def __init__(
        self,
        camera: ScreenCamera,
        limits: SettleLimits = SettleLimits(),
        clock: Clock = time.monotonic,
        sleep: Sleep = pause,
    ) -> None:
        self._camera = camera
        self._settler = Settler(limits, clock, sleep)

    def wait(self, resting: Callable[[], None] = lambda: None) -> bool:
        """See ``ScreenSettler``; it gives no first look."""
        return self._settler.wait(self._camera.grab, _same).quiet

    def close(self) -> None:
        """See ``ScreenSettler``; the camera is its owner's."""


def screen_settler(
    display: str | None, camera: ScreenCamera, limits: SettleLimits = SettleLimits()
) -> ScreenSettler:
    """The best way to wait for a screen: told by its X server where that can tell, else by looking.

    Args:
        display: the X display; None where the screen is not X11's, or ``$DISPLAY``.
        camera: what is looked at.
        limits: how long.
    """
    try:
        return DamageSettler(XDamage(display), camera.region, limits)
    except (EnvironmentFailure, ImportError):
        return FrameSettler(camera, limits)


def _same(before: Screenshot, after: Screenshot) -> bool:
    return same_but_caret(before.pixels, after.pixels)


def _meet(one: Region, other: Region) -> bool:
    return (
        one.left < other.left + other.width
        and other.left < one.left + one.width
        and one.top < other.top + other.height
        and other.top < one.top + one.height
    )


def _around(one: Region, other: Region) -> Region:
    left, top = min(one.left, other.left), min(one.top, other.top)
    right = max(one.left + one.width, other.left + other.width)
    bottom = max(one.top + one.height, other.top + other.height)
    return Region(left, top, right - left, bottom - top)
