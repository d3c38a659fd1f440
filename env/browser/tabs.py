"""The tabs of one browser profile; the newest is the one in front, as it is for a person."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from playwright.sync_api import BrowserContext, Error, Frame, Page

from ...actions.geometry import Point
from ...perception.capture import PageCamera
from ...perception.page_settle import Busy
from ...perception.settle import Sleep
from ..notes import excerpt
from .events.deadline import OverdueError, deadline
from .events.page_events import ADDRESS
from .input import PageInput
from .native_popups import PopupFinder
from .options import BrowserOptions

_SHOWN = frozenset(
    {"http", "https", "about", "data", "blob", "javascript", "file", "view-source", "chrome", "ws", "wss"}
)
"""What Chromium shows itself; other addresses are for programs."""
_CLOSE_TIMEOUT = 1000.0
"""Milliseconds until a page that closed is reported as closed."""
_PROBE = 0.5
"""Seconds in which a page that is not stuck answers the shortest question."""
_END = 1.0
"""Seconds for each part of ending a tab that is stuck."""
_MOST_TABS = 12
"""So many tabs may be open; a page that opens more is hostile or mistaken."""
_MANY_WINDOWS = 10
"""Windows opened in one step after which a page may open no more."""
_RELOADS = 4
"""Loads of a page in one step after which it counts as one that reloads itself."""
_FRAMES = 10
"""Frames of other processes that are looked at when a page is stuck."""

# What Chromium's "prevent this page from creating additional dialogs" does, for windows too.
_QUIET_SCRIPT = """() => { for (const [name, answer] of Object.entries(
  {alert: undefined, confirm: false, prompt: null, print: undefined, open: null})) window[name] = () => answer; }"""


_READS_PDF = """() => {
  const viewer = document.querySelector('pdf-viewer');
  return !viewer || !viewer.shadowRoot || viewer.loadState_ === 'loading';
}"""


class Tab:
    """One page with its camera and input; ``sleep`` lets time pass for an action.

    Attributes:
        patient: whether its document is waited for while it loads; not when that took too long once.
        blind: what its document cannot tell of what is drawn: a "picture", a "pdf", or nothing.
        crashed: whether its process is gone.
        opening: windows that are about to open from it.
        loads: how often it was loaded in this step.
        windows: how many windows it opened in this step.
        commits: how many documents it has shown.
        suspended: whether another page was asked for and has not come yet. Until then Chromium answers no question
            about the page, but takes input and screenshots.
    """

    def __init__(self, page: Page, options: BrowserOptions, sleep: Sleep, note: Callable[[str], None]) -> None:
        self.page = page
        self._note = note
        self.crashed = False
        self.opening = 0
        self.blind = ""
        self.patient = True
        self._there = False
        self.loads = self.windows = self.commits = 0
        self.suspended = False
        self._quiet = False
        self._asked_for = ""
        self._loading: set[str] = set()
        self.devtools = page.context.new_cdp_session(page)
        self.camera = PageCamera(self.devtools, options.device_scale, options.clip)
        self.popups = PopupFinder(page, self.devtools)
        width, height = options.clip or options.viewport
        self.input = PageInput(
            page, self.devtools, Point(width / 2, height / 2), sleep, options.control, wheel_click=options.wheel_click
        )
        self._main: str = self.devtools.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
        page.on("crash", self._crash)
        self.devtools.on("Page.frameStartedLoading", self._start)
        self.devtools.on("Page.frameStoppedLoading", self._stop)
        self.devtools.on("Page.frameDetached", self._stop)
        self.devtools.on("Page.frameNavigated", self._committed)
        self.devtools.on("Page.frameRequestedNavigation", self._ask_for)
        self.devtools.on("Page.windowOpen", self._open)
        self.devtools.on("Page.domContentEventFired", self._arrive)
        self.devtools.send("Page.enable")

    @property
    def loading(self) -> Busy | None:
        """What it loads: a page, or a window that is about to open; or what a page that is there still waits for."""
        if self.opening or (self._main in self._loading and not self._there and not self.reloading):
            return "navigation"
        return "network" if self._loading and not self.reloading else None

    def reads_pdf(self) -> bool:
        """Whether Chromium's viewer is still reading a PDF document, on the page itself or in a frame of it."""
        if self.suspended:
            return False
        viewers = [frame for frame in self.page.frames if frame.url.startswith("chrome-extension://")]
        try:
            return any(frame.evaluate(_READS_PDF) for frame in viewers) or (self.blind == "pdf" and not viewers)
        except Error:  # it is being replaced
            return bool(viewers)

    @property
    def reloading(self) -> bool:
        """Whether it is loaded again and again."""
        return self.loads > _RELOADS

    def begin_step(self) -> None:
        """Count anew what is counted for each step."""
        self.loads = self.windows = 0
        self._quiet = False
        self._asked_for = ""

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

    def answers(self) -> bool:
        """Whether its scripts can run: that of a page which is stuck cannot."""
        return _answers(self.devtools)

    def end_script(self) -> bool:
        """End the script that runs; whether the page answers then. Code of the browser itself cannot be ended."""
        return _end_script(self.devtools)

    def frames_answer(self) -> bool:
        """Whether scripts can run in all frames with a process of their own; one that is stuck cannot be freed."""
        try:
            with deadline(_END):
                return all(map(self._frame_answers, self.page.frames[1 : _FRAMES + 1]))
        except OverdueError:
            return False

    def _frame_answers(self, frame: Frame) -> bool:
        try:
            with deadline(_PROBE):
                apart = self.page.context.new_cdp_session(frame)
        except (Error, OverdueError):  # most frames have no process of their own
            return True
        return _answers(apart)

    def stop_loading(self) -> None:
        """Give up the page that was asked for and has not come yet."""
        with suppress(Error, OverdueError), deadline(_PROBE):
            self.devtools.send("Page.stopLoading")
            self.suspended = False

    def quieten(self) -> None:
        """Let the page open no more dialogs and windows; it has opened too many."""
        if self._quiet:
            return
        self._quiet = True
        self.end_script()
        with suppress(Error):
            for frame in self.page.frames:
                frame.evaluate(_QUIET_SCRIPT)

    def end(self) -> None:
        """End the page with its process, however stuck it is."""
        if not self.crashed:
            with suppress(Error, OverdueError), deadline(_END / 4):  # never answered, but done
                self.devtools.send("Page.crash")
        with suppress(Error, OverdueError), deadline(_END):
            self.page.close()

    def _crash(self, _page: Page) -> None:
        self.crashed = True

    def _start(self, event: dict[str, Any]) -> None:
        self._loading.add(event["frameId"])
        if event["frameId"] == self._main:
            self._there, self.patient = False, True
            self.loads += 1
            self.suspended = True

    def _arrive(self, _event: dict[str, Any]) -> None:
        self._there = True

    def _ask_for(self, event: dict[str, Any]) -> None:
        scheme = event["url"].partition(":")[0].lower()
        if scheme not in _SHOWN and event["url"] != self._asked_for:
            self._asked_for = event["url"]  # Chromium says it twice
            self._note(f"no program here opens {excerpt(event['url'], ADDRESS)}")

    def _committed(self, event: dict[str, Any]) -> None:
        if event["frame"]["id"] == self._main:
            self.suspended = False
            self.commits += 1

    def _stop(self, event: dict[str, Any]) -> None:
        self._loading.discard(event["frameId"])
        if event["frameId"] == self._main:
            self.suspended = False

    def _open(self, _event: dict[str, Any]) -> None:
        self.opening += 1
        self.windows += 1
        if self.windows > _MANY_WINDOWS:
            self.quieten()


class Tabs:
    """All tabs of a profile, in the order they were opened; ``note`` is told when one opens or closes.

    Attributes:
        wanted: the address that the step in progress opens, if it does.
    """

    def __init__(
        self, context: BrowserContext, options: BrowserOptions, sleep: Sleep, note: Callable[[str], None]
    ) -> None:
        self._context = context
        self._options = options
        self._sleep = sleep
        self._note = note
        self._tabs: list[Tab] = []
        self._opened_again = False
        self.wanted: str | None = None
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

    def begin_step(self) -> None:
        """Count anew what is counted for each step."""
        self.wanted, self._opened_again = None, False
        for tab in self._tabs:
            tab.begin_step()

    def of(self, page: Page | None) -> Tab | None:
        """The tab with a page; None if it has none (yet)."""
        return next((tab for tab in self._tabs if tab.page == page), None)

    def lose(self, tab: Tab) -> str:
        """End a tab that crashed or is stuck, and say what is in front now, in words.

        The tab before it comes to the front. If there is none, its address, or the one that is wanted, is opened
        again in a new tab, but only once in a step.
        """
        address = self.wanted or tab.page.url
        self._tabs = [other for other in self._tabs if other is not tab]
        tab.end()
        if self._tabs:
            return "its tab was closed"
        page = self.front.page
        if self._opened_again or address == "about:blank":
            return "an empty page was opened instead"
        self._opened_again = True
        with suppress(Error, OverdueError), deadline(_END):
            page.goto(address, wait_until="commit")
        return "it was loaded again"

    def _add(self, page: Page) -> None:
        if page.is_closed() or self.of(page) is not None:
            return
        if (self._options.single_page and self._tabs) or len(self._tabs) >= _MOST_TABS:
            self._opened()
            page.close()
            self._note("a new tab was closed at once" + ("" if self._options.single_page else ": too many are open"))
            return
        try:
            tab = Tab(page, self._options, self._sleep, self._note)
        except Error:  # it closed while it was opening
            return
        finally:
            self._opened()
        if self.of(page) is not None:  # it was added meanwhile: one of the two is enough
            with suppress(Error):
                tab.devtools.detach()
            return
        if self._tabs:
            self._note("a new tab opened and is in front")
        self._tabs.append(tab)
        page.on("close", self._remove)

    def _opened(self) -> None:
        for tab in self._tabs:
            tab.opening = max(0, tab.opening - 1)

    def _remove(self, page: Page) -> None:
        closed = self.of(page)
        if closed is None:
            return
        self._tabs.remove(closed)
        left = "the one before it is in front" if self._tabs else "an empty one was opened"
        self._note(f"the tab of {excerpt(page.url, 100)} closed; {left}")
        if not self._tabs or self._tabs[-1].crashed:
            return
        with suppress(Error):  # the whole profile may be closing
            self._tabs[-1].page.bring_to_front()


def _answers(devtools: Any) -> bool:
    try:
        with deadline(_PROBE):
            devtools.send("Runtime.evaluate", {"expression": "0"})
    except (Error, OverdueError):
        return False
    return True


def _end_script(devtools: Any) -> bool:
    """End the script that runs; whether the page answers afterwards. Code that is no script goes on."""
    with suppress(Error, OverdueError), deadline(_PROBE):
        devtools.send("Runtime.terminateExecution")
    return _answers(devtools)
