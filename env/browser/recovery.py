"""Keeps a profile usable when a page is stuck, crashes, closes or is being replaced by another."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from playwright.sync_api import Error

from ...perception.observation import Screenshot
from ...perception.settle import Clock, Sleep, pause
from .events.deadline import OverdueError, deadline
from .tabs import Tab, Tabs

T = TypeVar("T")
_PICTURE = 2.0
"""Seconds that a screenshot may take when the time of a step is over."""
_LEAST = 0.5
"""Seconds that a screenshot may take however late it is."""
_LOSSES = 3
"""Pages that cannot be shown, one after another, until the browser counts as broken."""
_RELEASE = 0.5
"""Seconds to release keys and buttons of an action that was given up."""
_SWAP = 0.05
"""Seconds between two tries to take a screenshot of a page that is being replaced."""


class Recovery:
    """Does things with the page in front within a time, after which the page in front answers again.

    A script that does not end is ended; a page that still does not answer, or crashed, is closed. ``note`` is told.

    Args:
        tabs: of the profile.
        note: is told what happened, in words.
        alive: whether the browser runs; without it every error is passed on.
        clock: monotonic seconds.
        sleep: lets the browser go on meanwhile.
    """

    def __init__(
        self, tabs: Tabs, note: Callable[[str], None], alive: Callable[[], bool], clock: Clock, sleep: Sleep
    ) -> None:
        self._tabs = tabs
        self._note = note
        self._alive = alive
        self._clock = clock
        self._sleep = sleep

    def attempt(self, work: Callable[[], T], seconds: float, *, waits: bool = False) -> T | None:
        """Do something; None where it took longer, or the page got stuck, crashed or closed over it.

        Args:
            work: what to do.
            seconds: how long it may take.
            waits: it only waits for the page: one that waits for another page is not stuck.

        Raises:
            Error: the browser broke.
        """
        begun = self._clock()
        try:
            with deadline(seconds):
                return work()
        except OverdueError:
            if not (waits and self._tabs.front.suspended):
                self.free(self._clock() - begun)
        except Error as error:
            self._pass_over(error)
        return None

    def picture(self, grab: Callable[[], Screenshot], end: float) -> Screenshot:
        """Take a screenshot of the page in front, again and again while it is being replaced.

        Args:
            grab: takes it.
            end: when the time for it is over, by the clock; then it may take a few seconds more.

        Raises:
            Error: the browser broke, or no page can be shown.
        """
        patience, lost, late = _PICTURE / 2, 0, end + _PICTURE
        while True:
            try:
                with deadline(patience):
                    return grab()
            except OverdueError:  # the page that was asked may have been replaced
                patience = min(2 * patience, max(late - self._clock(), _LEAST))
                if self._clock() >= end:
                    self.free(patience)
            except (Error, OSError) as error:
                self._pass_over(error if isinstance(error, Error) else None)
                self._rest()
                if lost == _LOSSES:
                    raise
            if self._clock() > late:
                lost += 1
                self.lose(self._tabs.front, "the page could not be shown")
                patience, late = _PICTURE / 2, self._clock() + _PICTURE / 2

    def lose_crashed(self) -> bool:
        """Close the pages that crashed; whether there were any."""
        crashed = [tab for tab in self._tabs if tab.crashed]
        for tab in crashed:
            self.lose(tab, "the page crashed")
        return bool(crashed)

    def lose(self, tab: Tab, why: str) -> None:
        """Close a tab that cannot be used, and say so."""
        self._note(f"{why}; {self._tabs.lose(tab)}")

    def free(self, seconds: float) -> None:
        """Let the page in front answer again, which did not for so many ``seconds``."""
        tab = self._tabs.front
        if self.lose_crashed() or tab.page.is_closed():
            return
        if tab.suspended:
            tab.stop_loading()
        if tab.answers():
            if not tab.frames_answer():
                self.lose(tab, f"a frame of the page did not answer for {seconds:.0f} s")
        elif tab.end_script():
            with suppress(Error, OverdueError), deadline(_RELEASE):
                tab.input.release_all()  # what the action that was given up still held
            self._note(f"a script of the page ran for {seconds:.0f} s without an end and was stopped")
        else:
            self.lose(tab, f"the page did not answer for {seconds:.0f} s")

    def _pass_over(self, error: Error | None) -> None:
        """Go on after an error of a page that crashed, closed or is being replaced."""
        if not self._alive() and error is not None:
            raise error
        if not self.lose_crashed() and len(self._tabs):
            self._tabs.front.closed()

    def _rest(self) -> None:
        try:
            with deadline(1.0):
                pause(_SWAP, self._sleep)
        except (Error, OverdueError):  # the page that slept is gone or stuck
            pass
