"""Recording through the pages of a browser: they know passwords, and pasted and composed text."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Error, Frame, Page

from ...actions.errors import EnvironmentFailure, UnknownKeyError
from ...actions.geometry import Point, Size
from ...actions.keys import canonical_key
from ...actions.schema import Button, Direction, Navigate, NavigateBack
from ...perception.capture import PageCamera
from ...perception.observation import Observation
from ...perception.redact import redacted
from ...perception.screen import Region
from ...perception.settle import pause, sleep_in
from ..browser.addresses import complete_address, net_error
from ..browser.chromium import Chromium, first_line
from ..browser.events.page_events import Dialogs
from ..browser.secret_marks import SecretMarks
from ..input_events import ActionInput, ButtonInput, Input, KeyInput, MoveInput, ReleaseAllInput, TextInput, WheelInput
from ..secrets import Secrets
from .frame_buffer import FrameBuffer
from .secrets import PASSWORD
from .source import RecordedEvent, tick, with_frame

_POLL_SECONDS = 0.03
_FRAME_INTERVAL = 0.1
_WHEEL_UNITS = (100.0, 3.0, 1.0)
"""One click of the wheel in pixels, lines and pages (``WheelEvent.deltaMode``)."""
_BUTTONS: dict[int, Button] = {0: "left", 1: "middle", 2: "right"}
_TYPED = ("typed", "address_bar", "auto_bookmark", "generated", "keyword")
_EFFECT_SECONDS = 2.0
"""Navigation within this time after an input counts as its effect."""


class BrowserListener:
    """A browser whose pages report what a person does on them. Everything happens in the caller's thread.

    Args:
        url: the page to begin on.
        headless: without a window, for scripts.
        viewport: size of the pages, in CSS pixels.
        chromium: a running browser to use; by default one is started, and closed with the recording.
        secrets: texts that are black in screenshots, wherever a page shows them.

    Attributes:
        page: the page in use.

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
        secrets: Secrets | None = None,
    ) -> None:
        self._marks = SecretMarks(secrets or Secrets())
        self._cameras: dict[Page, tuple[Any, PageCamera]] = {}
        self._offsets: dict[Frame, Point] = {}
        self._frames = FrameBuffer(8)
        self._histories: dict[Page, int] = {}
        self._navigated: list[Page] = []
        self._last_input = -_EFFECT_SECONDS
        self._reports: list[tuple[Frame, dict[str, Any]]] = []
        self._chromium = chromium or Chromium(headless=headless)
        self._shared = chromium is not None
        try:
            self._context = self._chromium.new_context(viewport=viewport._asdict())
            self._context.expose_binding("__saccadeReport", self._take)
            script = resources.files(__package__).joinpath("browser_listener.js").read_text(encoding="utf-8")
            self._context.add_init_script(script)
            self._context.on("page", self._add)
            self._context.on("dialog", Dialogs("accept", lambda message: None).handle)
            self.page = self._context.new_page()
            self._open(complete_address(url))
        except BaseException:
            self.close()
            raise

    def events(self, over: Callable[[], bool] = lambda: False) -> Iterator[RecordedEvent]:
        """What a person does on the pages, until it is ``over`` or the last page is closed."""
        while not over():
            with suppress(Error):  # the page closed meanwhile
                if self._cameras:
                    pause(_POLL_SECONDS, sleep_in(lambda: self.page))
            for event in (*self._inputs(), *self._navigations()):
                yield with_frame(event, self._frames)
            if not self._cameras or not self._chromium.running:
                return
            if time.monotonic() - self._frames.newest_time > _FRAME_INTERVAL:
                self.capture()
            yield tick()

    def capture(self) -> Observation:
        """Take a screenshot of the page in use, with secret fields blackened."""
        with suppress(Error, KeyError):  # the page is closing or closed: the last screenshot remains
            boxes = self._secret_boxes()
            screenshot = self._cameras[self.page][1].grab()
            boxes += self._secret_boxes()
            frame = Observation(redacted(screenshot, boxes), time.time(), _bare(self.page.url))
            self._frames.add(time.monotonic(), frame)
        return self._frames.newest

    def close(self) -> None:
        """Close what was opened; the browser may be closed already."""
        if not self._shared:
            self._chromium.close()
        elif hasattr(self, "_context"):
            with suppress(Error):
                self._context.close()

    def __enter__(self) -> BrowserListener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---------------------------------------------------------------- pages

    def _open(self, address: str) -> None:
        try:
            self.page.goto(address)
        except Error as error:
            reason = net_error(first_line(error))
            raise EnvironmentFailure(
                f"cannot open {address}: {reason}; check the address and that its server runs"
            ) from error
        try:
            self.capture()
        except IndexError as error:
            raise EnvironmentFailure(f"cannot take a screenshot of {address}") from error
        self._histories[self.page] = self._history(self.page)[0]
        self._navigated.clear()

    def _add(self, page: Page) -> None:
        with suppress(Error):  # it closed while it was opening
            devtools = page.context.new_cdp_session(page)
            self._cameras[page] = (devtools, PageCamera(devtools))
            self._histories[page] = 0
            self.page = page
            page.on("close", self._remove)
            page.on("framenavigated", self._note_navigation)

    def _remove(self, page: Page) -> None:
        self._cameras.pop(page, None)
        if page == self.page and self._cameras:
            self.page = list(self._cameras)[-1]

    def _note_navigation(self, frame: Frame) -> None:
        if frame.parent_frame is None:
            self._navigated.append(frame.page)

    def _navigations(self) -> Iterator[Input]:
        """Navigation by the browser's own controls: a typed address, or the back button."""
        pages, self._navigated = self._navigated, []
        for page in dict.fromkeys(pages):
            with suppress(Error, KeyError):
                before = self._histories[page]
                index, how, url = self._history(page)
                self._histories[page] = index
                now = time.monotonic()
                if now - self._last_input < _EFFECT_SECONDS:
                    continue
                if index < before:
                    yield ActionInput(now, NavigateBack())
                elif how in _TYPED:
                    yield ActionInput(now, Navigate(url=url))

    def _history(self, page: Page) -> tuple[int, str, str]:
        history = self._cameras[page][0].send("Page.getNavigationHistory")
        index = int(history["currentIndex"])
        entry = history["entries"][index]
        return index, str(entry["transitionType"]), str(entry["url"])

    def _secret_boxes(self) -> list[Region]:
        """Where secrets could be seen, in CSS pixels of the page."""
        boxes = self._marks.boxes(self.page, self._cameras[self.page][0])
        for frame in self.page.frames:
            with suppress(Error):
                found = frame.evaluate("() => window.__saccadeSecretBoxes?.() ?? []")
                for x, y, width, height in found:
                    left, top = self._offset(frame)
                    boxes.append(Region(round(left + x) - 1, round(top + y) - 1, round(width) + 2, round(height) + 2))
        return boxes

    def _offset(self, frame: Frame) -> Point:
        """Where a frame's content begins on its page; for a removed frame, where it was last."""
        if frame.parent_frame is None:
            return Point(0.0, 0.0)
        with suppress(Error):
            element = frame.frame_element()
            box = element.bounding_box()
            inset = element.evaluate(_INSET)
            if box is not None:
                self._offsets[frame] = Point(box["x"] + inset[0], box["y"] + inset[1])
        return self._offsets.get(frame, Point(0.0, 0.0))

    # ---------------------------------------------------------------- events

    def _take(self, source: Any, report: dict[str, Any]) -> None:
        if source["page"] in self._cameras:
            self.page = source["page"]
        self._reports.append((source["frame"], report))

    def _inputs(self) -> Iterator[Input]:
        reports, self._reports = self._reports, []
        for frame, report in reports:
            when = min(report["time"] / 1000 - time.time() + time.monotonic(), time.monotonic())
            if (event := self._read(report, when, frame)) is not None:
                if not isinstance(event, MoveInput | ReleaseAllInput):
                    self._last_input = when
                yield event

    def _read(self, event: dict[str, Any], when: float, frame: Frame) -> Input | None:
        secret = PASSWORD if event["secret"] else ""
        match event["kind"]:
            case "key":
                return _key(event, when, secret)
            case "text":
                return TextInput(when, event["text"], secret) if event["text"] else None
            case "blur":
                return ReleaseAllInput(when)
        left, top = self._offset(frame)
        point = Point(left + event["x"], top + event["y"])
        match event["kind"]:
            case "button" if event["button"] in _BUTTONS:
                return ButtonInput(when, point, _BUTTONS[event["button"]], event["down"])
            case "wheel":
                return _wheel(event, when, point)
            case "move":
                return MoveInput(when, point)
        return None


_INSET = """element => {
  const { paddingLeft, paddingTop } = getComputedStyle(element);
  return [element.clientLeft + parseFloat(paddingLeft), element.clientTop + parseFloat(paddingTop)];
}"""


def _key(event: dict[str, Any], when: float, secret: str) -> KeyInput:
    name: str = event["key"]
    if event["command"] and not name.isascii() and event["code"].startswith("Key"):
        name = event["code"][-1].lower()  # chords mean the same keys in every script
    try:
        key = canonical_key(name)
    except UnknownKeyError:
        key = ""
    return KeyInput(when, event["code"] or name, key, event["down"], secret=secret)


def _wheel(event: dict[str, Any], when: float, point: Point) -> WheelInput | None:
    amount = event["along"] or event["across"]
    ways: tuple[Direction, Direction] = ("up", "down") if event["along"] else ("left", "right")
    clicks = round(abs(amount) / _WHEEL_UNITS[event["unit"]])
    return WheelInput(when, point, ways[amount > 0], max(1, clicks)) if amount else None


def _bare(url: str) -> str:
    """An address without user, query and fragment: forms put typed text into the query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query="", fragment="").geturl()
