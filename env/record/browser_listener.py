"""Recording through the pages of a browser: they know passwords, and pasted and composed text."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Error, Frame, Page

from ...actions.errors import EnvironmentFailure
from ...actions.geometry import Point, Size, inside
from ...actions.schema import Navigate, NavigateBack
from ...perception.capture import PageCamera
from ...perception.observation import Observation
from ...perception.redact import redacted
from ...perception.screen import Region
from ...perception.settle import pause, sleep_in
from ..browser.addresses import complete_address, net_error
from ..browser.chromium import Chromium, first_line
from ..browser.determinism import DeterminismSettings, HarRecording
from ..browser.events.page_events import Dialogs
from ..browser.secret_marks import SecretMarks
from ..input_events import ActionInput, ButtonInput, Input, MoveInput, ReleaseAllInput, WheelInput
from ..secrets import Secrets
from .frame_buffer import FrameBuffer
from .page_reports import Report, read_report
from .page_worlds import FrameWorld, PageReport, PageWorlds
from .source import RecordedEvent, tick, with_frame

_POLL_SECONDS = 0.03
_FRAME_INTERVAL = 0.1
_TYPED = ("typed", "address_bar", "auto_bookmark", "generated", "keyword")
_EFFECT_SECONDS = 2.0
"""Navigation within this time after an input counts as its effect."""
_MOST_PENDING = 20_000
"""Reports that wait to be read: more than any person makes."""
_MOST_LABELS = 50
_OPEN_SECONDS = 10.0


class BrowserListener:
    """A browser whose pages report what a person does on them. Everything happens in the caller's thread.

    Args:
        url: the page to begin on.
        headless: without a window, for scripts.
        viewport: size of the pages, in CSS pixels.
        chromium: a running browser to use; by default one is started, and closed with the recording.
        secrets: texts that are black in screenshots, wherever a page shows them.
        typed: texts that have markers in the recorded network, with those that are found to be secret meanwhile.
        determinism: records the network and fixes the pages' clock; None leaves them as they are.
        warn: called, once for each field, with the name of one whose value changed though no event showed it.

    Attributes:
        page: the page in use.
        forged: how many events the pages' own scripts made; they are left out.
        dropped: how many reports could not be read, or came faster than a person acts.

    Raises:
        MissingPartError: there is no browser, or no display for its window.
        EnvironmentFailure: it does not start, or the page cannot be opened.
    """

    def __init__(
        self,
        url: str,
        *,
        headless: bool = False,
        viewport: Size = Size(1280, 720),
        chromium: Chromium | None = None,
        determinism: DeterminismSettings | None = None,
        warn: Callable[[str], None] = lambda label: None,
        secrets: Secrets | None = None,
        typed: Secrets | None = None,
    ) -> None:
        self._secrets = typed or secrets or Secrets()
        self._marks = SecretMarks(secrets or Secrets())
        self._har = HarRecording(determinism) if determinism else None
        self._pages: dict[Page, _RecordedPage] = {}
        self._frames = FrameBuffer(8)
        self._navigated: list[Page] = []
        self._last_input = -_EFFECT_SECONDS
        self._reports: list[tuple[Page, PageReport]] = []
        self._pointer: Point | None = None
        self._list_open = False
        self._warn = warn
        self._warned: set[str] = set()
        self.forged = self.dropped = 0
        self._chromium = chromium or Chromium(headless=headless)
        self._shared = chromium is not None
        try:
            network = self._har.context_options() if self._har else {}
            self._context = self._chromium.new_context(viewport=viewport._asdict(), **network)
            if determinism is not None:
                determinism.prepare(self._context, self._secrets)
            self._context.on("page", self._add)
            self._context.on("dialog", Dialogs("accept", lambda message: None, lambda act, text: True).handle)
            self.page = self._context.new_page()
            self._open(complete_address(url))
        except BaseException:
            self.close()
            raise

    @property
    def wheel_click(self) -> float:
        """CSS pixels by which a click of the wheel scrolls in this browser."""
        return self._chromium.wheel_click

    def events(self, over: Callable[[], bool] = lambda: False) -> Iterator[RecordedEvent]:
        """What a person does on the pages, until it is ``over`` or the last page is closed."""
        while not over():
            with suppress(Error):  # the page closed meanwhile
                if self._pages:
                    pause(_POLL_SECONDS, sleep_in(lambda: self.page))
            for event in (*self._inputs(), *self._navigations()):
                yield with_frame(event, self._frames)
            if not self._pages or not self._chromium.running:
                return
            if time.monotonic() - self._frames.newest_time > _FRAME_INTERVAL:
                self.capture()
            if not self._list_open and not self._reports:  # else what began with the list may go on with a choice
                yield tick()

    def capture(self) -> Observation:
        """Take a screenshot of the page in use, with secret fields blackened."""
        self._capture()
        return self._frames.newest

    def _capture(self) -> None:
        with suppress(Error, KeyError):  # the page is closing or closed: the last screenshot remains
            page, begun = self._pages[self.page], time.time()
            boxes = self._look(page)
            screenshot = page.camera.grab()
            boxes = tuple(dict.fromkeys((*boxes, *self._look(page))))
            pointer = self._pointer if self._pointer and inside(self._pointer, screenshot.size) else None
            frame = Observation(redacted(screenshot, boxes), begun, _bare(self.page.url), pointer=pointer, masked=boxes)
            self._frames.add(time.monotonic(), frame)

    def close(self) -> None:
        """Close what was opened; the browser may be closed already."""
        if hasattr(self, "_context"):
            with suppress(Error):
                self._context.close()  # writes the network, where that is recorded
        if self._har is not None:
            self._har.keep(self._secrets)
        if not self._shared:
            self._chromium.close()

    def __enter__(self) -> BrowserListener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---------------------------------------------------------------- pages

    def _open(self, address: str) -> None:
        try:
            while self.page not in self._pages:  # the recorder's script has to be there before the page's
                self.page.wait_for_timeout(1)
            self.page.goto(address)
        except Error as error:
            reason = net_error(first_line(error))
            raise EnvironmentFailure(
                f"cannot open {address}: {reason}; check the address and that its server runs"
            ) from error
        deadline = time.monotonic() + _OPEN_SECONDS
        while not self._frames.newest_time > -math.inf:  # a window that is not drawn yet gives none
            if time.monotonic() > deadline:
                raise EnvironmentFailure(f"cannot take a screenshot of {address}; open it again")
            self.page.wait_for_timeout(50)
            self._capture()
        self._pages[self.page].place = self._pages[self.page].history()[0]
        self._navigated.clear()

    def _add(self, page: Page) -> None:
        with suppress(Error):  # it closed while it was opening
            self._pages[page] = _RecordedPage(page, lambda report: self._take(page, report))
            self.page = page
            page.on("close", self._remove)
            page.on("framenavigated", self._note_navigation)

    def _remove(self, page: Page) -> None:
        self._pages.pop(page, None)
        if page == self.page and self._pages:
            self.page = list(self._pages)[-1]

    def _note_navigation(self, frame: Frame) -> None:
        if frame.parent_frame is None:
            self._navigated.append(frame.page)

    def _navigations(self) -> Iterator[Input]:
        """Navigation by the browser's own controls: a typed address, or the back button."""
        pages, self._navigated = self._navigated, []
        for page in dict.fromkeys(pages):
            with suppress(Error, KeyError):
                recorded = self._pages[page]
                before = recorded.place
                recorded.place, how, url = recorded.history()
                now = time.monotonic()
                if now - self._last_input < _EFFECT_SECONDS:
                    continue
                if recorded.place < before:
                    yield ActionInput(now, NavigateBack())
                elif how in _TYPED:
                    yield ActionInput(now, Navigate(url=url))

    def _look(self, page: _RecordedPage) -> tuple[Region, ...]:
        """Where secrets could be seen, in CSS pixels of the page; notes what changed by itself meanwhile."""
        boxes, newest = self._marks.boxes(self.page, page.devtools), 0.0
        self._list_open = False
        for corner, seen in page.worlds.look():
            with suppress(KeyError, TypeError, ValueError):  # a renderer that a page has taken over
                if (at := seen["pointer"]) and float(at["time"]) > newest:
                    newest = float(at["time"])
                    self._pointer = Point(corner.x + float(at["x"]), corner.y + float(at["y"]))
                boxes += [_around(corner, *map(float, box)) for box in seen["boxes"]]
                self._list_open |= seen["open"] is True
                self.forged += min(max(0, int(seen["forged"])), 1_000_000_000)
                for label in map(str, seen["changed"]):
                    if label not in self._warned and len(self._warned) < _MOST_LABELS:
                        self._warned.add(label)
                        self._warn(label)
        return tuple(boxes)

    # ---------------------------------------------------------------- events

    def _take(self, page: Page, report: PageReport) -> None:
        if len(self._reports) >= _MOST_PENDING:
            self.dropped += 1
            return
        if page in self._pages:
            self.page = page
        self._reports.append((page, report))

    def _inputs(self) -> Iterator[Input]:
        pending, self._reports = self._reports, []
        corners: dict[tuple[FrameWorld, str], Point] = {}
        for _, (payload, world, frame) in pending:
            report = read_report(payload)
            if report is None:
                self.dropped += 1
                continue
            if (world, frame) not in corners:
                corners[world, frame] = world.corner(frame)
            if (event := self._read(report, corners[world, frame])) is not None:
                yield event

    def _read(self, report: Report, corner: Point) -> Input | None:
        now = time.monotonic()
        when = min(max(report.time / 1000 - time.time() + now, self._frames.newest_time - _EFFECT_SECONDS), now)
        event = report.read(when, corner, self.wheel_click)
        if report.kind == "leave":
            self._pointer = None
        elif isinstance(event, MoveInput | ButtonInput | WheelInput):
            self._pointer = event.point
        if event is not None and not isinstance(event, MoveInput | ReleaseAllInput):
            self._last_input = when
        return event


class _RecordedPage:
    """One page with its camera, the recorder's script in it, and its place in its history."""

    def __init__(self, page: Page, take: Callable[[PageReport], None]) -> None:
        self.devtools: Any = page.context.new_cdp_session(page)
        self.camera = PageCamera(self.devtools)
        self.worlds = PageWorlds(page, self.devtools, take)
        self.place = 0

    def history(self) -> tuple[int, str, str]:
        """The place, how the page was reached, and its address."""
        history = self.devtools.send("Page.getNavigationHistory")
        index = int(history["currentIndex"])
        entry = history["entries"][index]
        return index, str(entry["transitionType"]), str(entry["url"])


def _around(corner: Point, left: float, top: float, width: float, height: float) -> Region:
    """A box of a frame as a region of the page, at least as large."""
    x, y = math.floor(corner.x + left) - 1, math.floor(corner.y + top) - 1
    return Region(x, y, math.ceil(width) + 3, math.ceil(height) + 3)


def _bare(url: str) -> str:
    """An address without user, query and fragment: forms put typed text into the query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()
