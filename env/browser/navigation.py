"""Opening addresses and going back in the tab in front."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from playwright.sync_api import Error

from ...actions.schema import Navigate
from ..guard.guard import Permit
from ..notes import excerpt
from .addresses import complete_address, net_error, refused_address
from .chromium import first_line
from .events.downloads import Downloads
from .events.page_events import ADDRESS, Traffic
from .options import BrowserOptions
from .tabs import Tab, Tabs

_LEAST = 0.5
"""Seconds that an address gets at least."""


class Navigation:
    """Opens addresses; ``broken`` says whether an error is the browser's own."""

    def __init__(
        self, tabs: Tabs, traffic: Traffic, downloads: Downloads, options: BrowserOptions, broken: Callable[[], bool]
    ) -> None:
        self._tabs = tabs
        self._traffic = traffic
        self._downloads = downloads
        self._options = options
        self._broken = broken

    def goto(self, permit: Permit, *, first: bool = False) -> str | None:
        """Open an address; returns why that failed, if so. What only takes long is waited for later, but the first."""
        opens = permit.action
        assert isinstance(opens, Navigate)
        url = complete_address(opens.url)
        if problem := refused_address(url, self._options.allow_file):
            return problem
        if self._options.network is not None and (problem := self._options.network.refuses_url(url)):
            return problem
        known, self._tabs.wanted = self._downloads.seen, url
        try:
            with self._options.control.interrupting(), self._traffic.opening_here():
                self._open_address(permit, url)
        except Error as error:
            reason = first_line(error)
            if "Download is starting" in reason or self._downloads.seen > known or self._traffic.no_page:
                return None
            if self._broken() or self._tabs.front.crashed:
                raise
            if "Timeout" in reason and not first:
                return None
            return (
                f"cannot open {excerpt(url, ADDRESS)}: {net_error(reason)}; check the address and that its server runs"
            )
        return None

    def _open_address(self, permit: Permit, url: str) -> None:
        """Open an address, again if the page in front opens another one meanwhile."""
        permit.spend()
        end = self._options.clock() + self._options.limits.navigation - _LEAST
        while True:
            left, tab = max(end - self._options.clock(), _LEAST), self._tabs.front
            try:
                tab.page.goto(url, wait_until="commit", timeout=left * 1000)
            except Error as error:
                if len(self._tabs) and self._tabs.front is not tab:  # it was replaced, and this is loaded there
                    return
                if "interrupted by another navigation" in error.message and self._options.clock() < end:
                    continue
                raise
            return

    def back(self, tab: Tab, permit: Permit) -> str | None:
        """Go back to the page before; returns why there is none, if so."""
        permit.spend()
        if not tab.can_go_back():
            return "there is no earlier page to go back to"
        with suppress(Error), self._options.control.interrupting():  # the settler waits for a slow page
            tab.page.go_back(wait_until="commit", timeout=self._options.limits.navigation * 1000)
        return None
