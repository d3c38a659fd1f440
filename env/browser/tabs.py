"""The tabs of one browser profile; the newest is the one in front, as it is for a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from playwright.sync_api import BrowserContext, Error, Page

from ...actions.geometry import Point
from ...perception.capture import PageCamera
from ...perception.page_settle import Busy
from ...perception.settle import Sleep
from .input import PageInput
from .native_popups import PopupFinder
from .options import BrowserOptions

_CLOSE_TIMEOUT = 1000.0
"""Milliseconds until a page that closed is reported as closed."""


_READS_PDF = """() => {
  const viewer = document.querySelector('pdf-viewer');
  return !viewer || !viewer.shadowRoot || viewer.loadState_ === 'loading';
}"""


class Tab:
    """One page with its camera and input; ``sleep`` lets time pass for an action.

    Attributes:
        patient: whether its document is waited for while it loads; not when that took too long once.
        blind: what its document cannot tell of what is drawn: a "picture", a "pdf", or nothing.
    """

    def __init__(self, page: Page, options: BrowserOptions, sleep: Sleep) -> None:
        self.page = page
        self.crashed = False
        self.opening = 0
        self.blind = ""
        self.patient = True
        self._there = False
        self._loading: set[str] = set()
        self.devtools = page.context.new_cdp_session(page)
        self.camera = PageCamera(self.devtools, options.device_scale, options.clip)
        self.popups = PopupFinder(page, self.devtools)
        width, height = options.clip or options.viewport
        self.input = PageInput(page, self.devtools, Point(width / 2, height / 2), sleep, options.control)
        page.on("crash", self._crash)
        self.devtools.on("Page.frameStartedLoading", self._start)
        self.devtools.on("Page.frameStoppedLoading", self._stop)
        self.devtools.on("Page.frameDetached", self._stop)
        self.devtools.on("Page.windowOpen", self._open)
        self.devtools.on("Page.domContentEventFired", self._arrive)
        self.devtools.send("Page.enable")
        self._main = self.devtools.send("Page.getFrameTree")["frameTree"]["frame"]["id"]

    @property
    def loading(self) -> Busy | None:
        """What it loads: a page, or a window that is about to open; or what a page that is there still waits for."""
        if self.opening or (self._main in self._loading and not self._there):
            return "navigation"
        return "network" if self._loading else None

    def reads_pdf(self) -> bool:
        """Whether Chromium's viewer is still reading a PDF document, on the page itself or in a frame of it."""
        viewers = [frame for frame in self.page.frames if frame.url.startswith("chrome-extension://")]
        try:
            return any(frame.evaluate(_READS_PDF) for frame in viewers) or (self.blind == "pdf" and not viewers)
        except Error:  # it is being replaced
            return bool(viewers)

    def closed(self) -> bool:
        """Whether the page is closed; waits a moment, as a page stops answering before that is reported."""
        if not self.page.is_closed():
            with suppress(Error):
                self.page.wait_for_event("close", timeout=_CLOSE_TIMEOUT)
        return self.page.is_closed()

    def forget_loading(self) -> None:
        """Stop waiting for what is loading: it took too long."""
        self._loading.clear()
        self.opening = 0
        self.patient = False

    def can_go_back(self) -> bool:
        """Whether there is an earlier page than the first; the empty page every tab starts with is none."""
        history = self.devtools.send("Page.getNavigationHistory")
        earlier = history["entries"][: history["currentIndex"]]
        return any(entry["url"] != "about:blank" for entry in earlier)

    def _crash(self, _page: Page) -> None:
        self.crashed = True

    def _start(self, event: dict[str, Any]) -> None:
        self._loading.add(event["frameId"])
        if event["frameId"] == self._main:
            self._there, self.patient = False, True

    def _arrive(self, _event: dict[str, Any]) -> None:
        self._there = True

    def _stop(self, event: dict[str, Any]) -> None:
        self._loading.discard(event["frameId"])

    def _open(self, _event: dict[str, Any]) -> None:
        self.opening += 1


class Tabs:
    """All tabs of a profile, in the order they were opened."""

    def __init__(self, context: BrowserContext, options: BrowserOptions, sleep: Sleep) -> None:
        self._context = context
        self._options = options
        self._sleep = sleep
        self._tabs: list[Tab] = []
        context.on("page", self._add)

    @property
    def front(self) -> Tab:
        """The newest open tab; a blank one is opened when none is left."""
        while not self._tabs:
            self._add(self._context.new_page())
        return self._tabs[-1]

    def __len__(self) -> int:
        return len(self._tabs)

    def __iter__(self) -> Iterator[Tab]:
        return iter(self._tabs)

    def _add(self, page: Page) -> None:
        if page.is_closed() or any(tab.page == page for tab in self._tabs):
            return
        if self._options.single_page and self._tabs:
            self._opened()
            page.close()
            return
        try:
            tab = Tab(page, self._options, self._sleep)
        except Error:  # it closed while it was opening
            return
        finally:
            self._opened()
        if any(known.page == page for known in self._tabs):
            return
        self._tabs.append(tab)
        page.on("close", self._remove)

    def _opened(self) -> None:
        for tab in self._tabs:
            tab.opening = max(0, tab.opening - 1)

    def _remove(self, page: Page) -> None:
        self._tabs = [tab for tab in self._tabs if tab.page != page]
        if not self._tabs or self._tabs[-1].crashed:
            return
        with suppress(Error):  # the whole profile may be closing
            self._tabs[-1].page.bring_to_front()
