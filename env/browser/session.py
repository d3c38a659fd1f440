"""One browser profile in use, from opening a page to closing it. Environments are built on it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from typing import Any

from playwright.sync_api import Error, Page, Route

from ...actions import schema
from ...actions.errors import EnvironmentFailure, Stopped
from ...actions.geometry import Point, clamp, inside
from ...actions.schema import Action, ends_episode, points
from ...perception.observation import Observation, Screenshot
from ...perception.page_settle import WATCH_SCRIPT, Busy, PageSettler, PageState
from ...perception.picture_settle import PictureSettler
from ...perception.redact import redacted
from ...perception.settle import pause, sleep_in
from ..base import Preview, StepResult
from ..input import perform
from ..notes import NoteLog, visible
from .addresses import FILE_ADDRESS, complete_address, net_error, refused_address
from .chromium import Chromium, first_line
from .determinism import HarRecording
from .options import BrowserOptions
from .page_events import Dialogs, Downloads, Traffic
from .popups import Popups
from .secret_marks import SecretMarks
from .tabs import Tab, Tabs
from .watchdog import Watchdog, kill

_POLLING = 5.0
"""Milliseconds between two checks of a condition; Playwright checks once a frame, which may take 17."""


class BrowserSession:
    """A fresh profile of a running browser."""

    def __init__(self, chromium: Chromium, options: BrowserOptions) -> None:
        self._options = options
        self._notes = NoteLog()
        self.preview: Preview | None = None
        self._watchdog = Watchdog(lambda: kill(process_id))
        self._settler = PageSettler(options.limits, options.clock)
        self._traffic = Traffic()
        self._downloads = Downloads(options.downloads, self._notes.add, options.secrets.conceal)
        self._dialogs = Dialogs(options.dialogs, self._notes.add)
        self._screenshot: Screenshot | None = None
        self._marks = SecretMarks(options.secrets)
        self._har = HarRecording(options.determinism) if options.determinism else None
        process_id = chromium.process_id()
        self._context = chromium.new_context(
            viewport={"width": options.viewport.width, "height": options.viewport.height},
            device_scale_factor=options.device_scale,
            accept_downloads=options.downloads is not None,
            **(self._har.context_options() if self._har else {}),
        )
        if options.determinism is not None:
            options.determinism.prepare(self._context, options.secrets)
        self._sleep = options.sleep or sleep_in(lambda: self.page, options.control.check)
        self._tabs = Tabs(self._context, options, self._sleep)
        self._popups = Popups(chromium, options, self._sleep)
        self._pictures = PictureSettler(options.clock, self._sleep)
        self._context.on("dialog", self._dialogs.handle)
        self._context.on("page", lambda page: page.on("download", self._downloads.handle))
        self._traffic.watch(self._context)
        if not options.allow_file:
            self._context.route(FILE_ADDRESS, self._refuse_file)

    @property
    def usable(self) -> bool:
        """Whether it has exactly one page, which has not crashed: then a new episode may start in it."""
        return self._alive() and len(self._tabs) == 1 and not self._tabs.front.crashed

    @property
    def page(self) -> Page:
        """The page in front."""
        return self._tabs.front.page

    def open(self, address: str) -> None:
        """Open the first page; raises ``EnvironmentFailure`` if it cannot be opened."""
        with self.answering(self._options.patience):
            problem = self._goto(address)
        if problem:
            raise EnvironmentFailure(problem)

    def evaluate(self, script: str, argument: Any = None) -> Any:
        """Run a script in the page in front: for an environment's own use, never for a policy."""
        with self.answering(self._options.patience):
            return self.page.evaluate(script, argument)

    def wait_for(self, condition: str) -> None:
        """Wait until a script's result is true; ``EnvironmentFailure`` if it takes longer than a navigation may."""
        with self.answering(self._options.patience):
            longest = self._options.limits.navigation * 1000
            self.page.wait_for_function(condition, timeout=longest, polling=_POLLING)

    def observe(self, *, typed: bool = False) -> Observation:
        """Wait until the page is stable and take a screenshot.

        Raises:
            EnvironmentFailure: the page crashed or does not answer.
        """
        clock = self._options.clock
        with self.answering(self._options.limits.navigation + self._options.patience):
            begun = clock()
            stable = self._settler.wait(self, typed=typed, on_stable=self._show_preview)
            if not stable:
                self._tabs.front.forget_loading()
                self._traffic.mark()
            self._screenshot, capture = self._picture(stable)
            timings = {"settle": clock() - begun - capture, "capture": capture}
            return Observation(self._screenshot, time.time(), self.page.url, timings)

    def look(self) -> Observation:
        """Observe the first screen of an episode; it comes with the notes of how it was reached."""
        return replace(self.observe(), notes=self._notes.take())

    def step(self, action: Action) -> StepResult:
        """Execute an action, wait until the page is stable, and take a screenshot.

        Raises:
            EnvironmentFailure: the browser broke.
            Stopped: a person stopped the run; all keys and buttons are released.
        """
        self._traffic.mark()
        begun = self._options.clock()
        try:
            with self.answering(self._options.patience + _own_time(action)):
                error = self._refusal(action) or self._act(action)
            acted = self._options.clock()
            with self._options.control.interrupting():
                observation = self.observe(typed=isinstance(action, schema.Type | schema.Press))
        except Stopped:
            with suppress(EnvironmentFailure):
                self.release()
            raise
        timings = {"act": acted - begun, **observation.timings}
        return StepResult(observation, error=error, notes=self._notes.take(), timings=timings)

    def close(self) -> None:
        """Release held input and close the profile; the browser may be gone already."""
        with suppress(Error, EnvironmentFailure), self._watchdog.guard(self._options.patience):
            if len(self._tabs):
                self._tabs.front.input.release_all()
        self._popups.close()
        with suppress(Error):
            self._context.close()
        if self._har is not None:
            self._har.keep(self._options.secrets)

    def release(self) -> None:
        """Release all held buttons and keys."""
        with self.answering(self._options.patience):
            self._tabs.front.input.release_all()

    def retire(self) -> None:
        """Prepare for a new episode in the same profile: release input and move the pointer away."""
        corner = self._options.viewport
        with self.answering(self._options.patience):
            self._popups.forget()
            self._tabs.front.input.retire(Point(corner.width - 1, corner.height - 1))
        self._notes.take()
        self._screenshot = None

    def busy(self) -> Busy | None:
        """See ``WatchedPage``."""
        tab = self._tabs.front
        if tab.loading == "navigation":
            return "navigation"
        pending = tab.loading or self._traffic.pending or self._downloads.pending or tab.reads_pdf()
        return "network" if pending else None

    def watch(self, quiet: float, budget: float) -> PageState:
        """Wait until the document in front is stable; see ``WatchedPage``."""
        tab = self._tabs.front
        try:
            state: PageState
            state, tab.blind = tab.page.evaluate(WATCH_SCRIPT, [quiet * 1000, budget * 1000, tab.patient])
        except Error:
            if tab.crashed or self._watchdog.fired or not self._alive():
                raise
            return "changing"  # the document was replaced, or the tab closed, under the script
        return state if tab is self._tabs.front else "changing"

    @contextmanager
    def answering(self, seconds: float) -> Iterator[None]:
        """Turn a browser that breaks, or does not answer in time, into an ``EnvironmentFailure``."""
        try:
            with self._watchdog.guard(seconds):
                yield
        except Error as error:
            if self._watchdog.fired:
                message = f"the page did not answer for {seconds:g} s, so its browser was killed"
            elif any(tab.crashed for tab in self._tabs):
                message = "the page crashed"
            else:
                message = f"the browser broke: {first_line(error)}"
            raise EnvironmentFailure(f"{message}; reset the environment to go on") from error

    def _picture(self, stable: bool) -> tuple[Screenshot, float]:
        """A screenshot, and how long it took; of a page that draws without its document, the finished picture."""
        tab, begun = self._tabs.front, self._options.clock()
        shot = self._grab()
        took = self._options.clock() - begun
        if stable and tab.blind:
            place, longest = (tab, tab.page.url), self._options.limits.motion
            shot = self._pictures.wait(shot, self._grab, longest, place)
        return shot, took

    def _show_preview(self) -> None:
        if self.preview is not None:
            self.preview(self._grab())

    def _grab(self) -> Screenshot:
        """A screenshot of the page in front, with secrets black: those from just before it, and from just after."""
        tab = self._tabs.front
        boxes = self._marks.boxes(tab.page, tab.devtools)
        screenshot = self._popups.picture(tab)
        return redacted(screenshot, [*boxes, *self._marks.boxes(tab.page, tab.devtools)])

    def _refuse_file(self, route: Route) -> None:
        self._notes.add(f"address refused: {visible(route.request.url)}")
        route.abort("accessdenied")

    def _alive(self) -> bool:
        browser = self._context.browser
        return browser is not None and browser.is_connected()

    def _refusal(self, action: Action) -> str | None:
        if isinstance(action, self._options.refused):
            return f"this environment cannot execute {action.kind}"
        if self._screenshot is None:
            raise EnvironmentFailure("there is no screenshot yet; observe before acting")
        for point in points(action):
            if not inside(point, self._screenshot.size):
                width, height = self._screenshot.size
                return f"({point.x:g}, {point.y:g}) is outside the screenshot of {width} x {height} pixels"
        return None

    def _act(self, action: Action) -> str | None:
        tab = self._tabs.front
        try:
            if ends_episode(action):
                return None
            with self._secretly(tab, action):
                used, problem = self._use(tab, action)
            if used:
                return problem
        except Error:
            if self._watchdog.fired or not self._alive() or not tab.closed():
                raise
            return None  # the action closed its own tab, before it was over
        match action:
            case schema.Wait():
                pause(action.seconds, self._sleep)
            case schema.Navigate():
                return self._goto(action.url)
            case schema.NavigateBack() | schema.PressBack():
                return self._back(tab)
            case _:
                return f"this environment cannot execute {action.kind}"
        return None

    def _use(self, tab: Tab, action: Action) -> tuple[bool, str | None]:
        """Whether it was an action of mouse or keyboard, and why it had no effect."""
        parts = [action]
        if isinstance(action, schema.Type) and action.point is not None:
            parts = [schema.Click(point=action.point), schema.Type(text=action.text)]
        for part in parts:
            if problem := self._popups.refusal(tab, part):
                return True, problem
            device = self._popups.device(tab, part, tuple(self._at(point) for point in points(part)))
            if not perform(device, part, self._at):
                return False, None
            if problem := self._popups.follow():
                return True, problem
        return True, None

    def _secretly(self, tab: Tab, action: Action) -> AbstractContextManager[None]:
        """Marks the fields that get a secret, while an action types one."""
        typed = action.text if isinstance(action, schema.Type) else ""
        return self._marks.typing(typed, tab.page, tab.devtools)

    def _at(self, point: Point) -> Point:
        assert self._screenshot is not None
        return self._screenshot.screen_frame.to_frame(clamp(point, self._screenshot.size))

    def _goto(self, address: str) -> str | None:
        url = complete_address(address)
        if problem := refused_address(url, self._options.allow_file):
            return problem
        known = self._downloads.seen
        try:
            with self._options.control.interrupting():
                self.page.goto(url, wait_until="commit", timeout=self._options.limits.navigation * 1000)
        except Error as error:
            reason = first_line(error)
            if "Download is starting" in reason or self._downloads.seen > known:
                return None
            if self._watchdog.fired or not self._alive():
                raise
            return f"cannot open {url}: {net_error(reason)}; check the address and that its server runs"
        return None

    def _back(self, tab: Tab) -> str | None:
        if not tab.can_go_back():
            return "there is no earlier page to go back to"
        with suppress(Error), self._options.control.interrupting():  # the settler waits for a slow page
            tab.page.go_back(wait_until="commit", timeout=self._options.limits.navigation * 1000)
        return None


def _own_time(action: Action) -> float:
    return action.seconds if isinstance(action, schema.Wait | schema.LongPress) else 0.0
