"""One browser profile in use, from opening a page to closing it. Environments are built on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from playwright.sync_api import BrowserContext, Error, Page, Route

from ...actions import schema
from ...actions.errors import DeniedError, EnvironmentFailure, Stopped
from ...actions.geometry import Point
from ...actions.schema import Action, ends_episode
from ...perception.observation import Observation, Screenshot
from ...perception.page_settle import WATCH_SCRIPT, Busy, PageSettler, PageState
from ...perception.picture_settle import PictureSettler
from ...perception.redact import redacted
from ...perception.settle import pause, sleep_in
from ..base import Preview, StepResult
from ..guard.guard import Guard, Permit
from ..guard.intent import Act
from ..notes import NoteLog, excerpt
from .acting.page_acts import PageActs
from .acting.page_scene import PageScene
from .addresses import FILE_ADDRESS
from .chromium import Chromium, first_line
from .determinism import HarRecording
from .events.deadline import OverdueError, deadline, unless_overdue
from .events.downloads import Downloads
from .events.page_events import ADDRESS, Dialogs, FileChoosers, Questions, Traffic
from .navigation import Navigation
from .network.wall import NetworkWall
from .options import BrowserOptions
from .popups import Popups
from .recovery import Recovery
from .tabs import Tabs
from .watchdog import Watchdog, kill

_POLLING = 5.0
"""Milliseconds between two checks of a condition; Playwright checks once a frame, which may take 17."""


_LAST_LOOK = 0.5
"""Seconds that a page gets to settle when the time of its step is over."""
_REST = 0.05
"""Seconds between two looks at a page that another one will replace."""
_LEAVES = (schema.Navigate, schema.NavigateBack, schema.PressBack)
_LATE = 1.0
"""Seconds that a page's answer may be late."""
_LOSSES = 3
"""How often a step waits for a page to settle, where one after another is lost."""
_RELEASE = 2.0
"""Seconds to release what is held."""
_CLOSE = 15.0
"""Seconds to close a profile, after which its browser is killed."""
_SECONDS_PER_CHARACTER = 0.02
_ANSWER = 2.0
"""Seconds in which a page says what an action is about to hit."""
T = TypeVar("T")


class BrowserSession:
    """A fresh profile of a running browser.

    A step takes as long as a navigation may, and a few seconds more at most: then a script that still runs is
    stopped, and a page that answers nothing is closed. The browser lives on.
    """

    def __init__(self, chromium: Chromium, options: BrowserOptions, guard: Guard) -> None:
        self._options = options
        self._guard = guard
        self._notes = NoteLog()
        self.preview: Preview | None = None
        self._watchdog = Watchdog(lambda: kill(process_id))
        self._settler = PageSettler(options.limits, options.clock)
        self._traffic = Traffic(self._notes.add)
        self._downloads = Downloads(options, chromium.partial, self._notes.add, self._allows)
        self._dialogs = Dialogs(options.dialogs, self._notes.add, self._allows, self._quieten, self._replace)
        self._choosers = FileChoosers(options.files, self._notes.add, self._allows)
        self._har = HarRecording(options.determinism) if options.determinism else None
        process_id = chromium.process_id()
        self._wall = NetworkWall(options.network, self._notes.add, lambda: guard.log) if options.network else None
        self._context = self._new_context(chromium)
        if options.determinism is not None:
            options.determinism.prepare(self._context, options.secrets)
        self._rest = sleep_in(lambda: self.page, options.control.check)
        self._sleep = options.sleep or self._rest
        self._tabs = Tabs(self._context, options, self._sleep, self._notes.add)
        self._popups = Popups(chromium, options, self._sleep)
        self._pictures = PictureSettler(options.clock, self._sleep)
        self._navigation = Navigation(self._tabs, self._traffic, self._downloads, options, self._broken)
        self._recovery = Recovery(self._tabs, self._notes.add, self._alive, options.clock, self._rest)
        self._acts = PageActs(self._tabs, self._popups, self._navigation, options, self._sleep, self._broken)
        self._scene = PageScene(self._tabs, self._popups, self._acts, self._ask, self._grab_now)
        self._context.on("dialog", self._dialogs.handle)
        self._context.on("page", self._listen)
        self._traffic.watch(self._context)
        if not options.single_page:
            Questions(self._notes.add).watch(self._context)
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
        with self.answering(self._options.limits.navigation + self._options.patience):
            problem = self._navigation.goto(self._guard.begin(address), first=True)
        if problem:
            raise EnvironmentFailure(problem)
        self._guard.landed(self.page.url)

    def evaluate(self, script: str, argument: Any = None) -> Any:
        """Run a script in the page in front: for an environment's own use, never for a policy."""
        with self.answering(self._options.patience), deadline(self._options.patience):
            return self.page.evaluate(script, argument)

    def wait_for(self, condition: str) -> None:
        """Wait until a script's result is true; ``EnvironmentFailure`` if it takes longer than a navigation may."""
        with self.answering(self._options.patience):
            longest = self._options.limits.navigation * 1000
            self.page.wait_for_function(condition, timeout=longest, polling=_POLLING)

    def observe(self) -> Observation:
        """Wait until the page is stable and take a screenshot.

        Raises:
            EnvironmentFailure: the browser broke.
        """
        limit = self._options.limits.navigation
        with self.answering(limit + self._options.patience):
            return self._observe(self._options.clock() + limit, typed=False)

    def look(self) -> Observation:
        """Observe the first screen of an episode; it comes with the notes of how it was reached."""
        return replace(self.observe(), notes=self._told())

    def step(self, action: Action) -> StepResult:
        """Execute an action, wait until the page is stable, and take a screenshot.

        Raises:
            EnvironmentFailure: the browser broke.
            Stopped: a person stopped the run; all keys and buttons are released.
        """
        self._begin_step()
        begun = self._options.clock()
        try:
            permit, error = self._permitted(action)
            begun, limit = self._options.clock(), self._options.limits.navigation + _own_time(action)
            with self.answering(limit + self._options.patience):
                if permit is not None:
                    error = self._recovery.attempt(partial(self._perform, permit), limit)
                acted = self._options.clock()
                with self._options.control.interrupting():
                    observation = self._observe(begun + limit, typed=isinstance(action, schema.Type | schema.Press))
        except Stopped:
            with suppress(EnvironmentFailure):
                self.release()
            raise
        timings = {"act": acted - begun, **observation.timings}
        return StepResult(observation, error=error, notes=self._told(), timings=timings)

    def close(self) -> None:
        """Release held input and close the profile; the browser may be gone already."""
        with self._watchdog.guard(_CLOSE):
            with suppress(Error, OverdueError), deadline(_RELEASE):
                if len(self._tabs):
                    self._tabs.front.input.release_all()
            self._popups.close()
            with suppress(Error):
                self._context.close()
        if self._wall is not None:
            self._wall.report()
            self._wall.close()
        if self._har is not None:
            self._har.keep(self._options.secrets)

    def release(self) -> None:
        """Release all held buttons and keys."""
        with self.answering(self._options.patience):
            self._recovery.attempt(self._tabs.front.input.release_all, _RELEASE)

    def retire(self) -> None:
        """Prepare for a new episode in the same profile: release input and move the pointer away."""
        corner = self._options.viewport
        with self.answering(self._options.patience), deadline(self._options.patience):
            self._popups.forget()
            self._tabs.front.input.retire(Point(corner.width - 1, corner.height - 1))
        self._told()
        self._acts.screenshot = None

    def busy(self) -> Busy | None:
        """See ``WatchedPage``."""
        self._downloads.check()
        tab = self._tabs.front
        if tab.loading == "navigation":
            return "navigation"
        pending = tab.loading or self._traffic.pending or self._downloads.pending or tab.reads_pdf()
        return "network" if pending and not tab.reloading else None

    def watch(self, quiet: float, budget: float) -> PageState:
        """Wait until the document in front is stable; see ``WatchedPage``."""
        tab = self._tabs.front
        asked = [quiet * 1000, budget * 1000, tab.patient]
        watch: Callable[[], tuple[PageState, str] | None] = partial(tab.page.evaluate, WATCH_SCRIPT, asked)
        while True:
            if tab.suspended:
                pause(_REST, self._rest)
                return "stable" if tab.suspended else "changing"  # the page that came meanwhile was not looked at yet
            try:
                seen = unless_overdue(watch, budget + _LATE, None)
            except Error:
                if tab.crashed or self._broken():
                    raise
                return "changing"  # the document was replaced, or the tab closed, under the script
            if seen is not None:  # else another page was asked for meanwhile, or a script runs for long
                state, tab.blind = seen
                return state if tab is self._tabs.front else "changing"

    @contextmanager
    def answering(self, seconds: float) -> Iterator[None]:
        """Turn a browser that breaks, or does not answer in time and is killed, into an ``EnvironmentFailure``."""
        try:
            with self._watchdog.guard(seconds):
                yield
        except (Error, OverdueError) as error:
            if self._watchdog.fired:
                message = f"the browser did not answer for {seconds:g} s, so it was killed"
            elif isinstance(error, OverdueError):
                message = f"the page did not answer for {seconds:g} s"
            elif any(tab.crashed for tab in self._tabs):
                message = "the page crashed"
            else:
                message = f"the browser broke: {first_line(error)}"
            raise EnvironmentFailure(f"{message}; reset the environment to go on") from error

    def _new_context(self, chromium: Chromium) -> BrowserContext:
        options = self._options
        try:
            return chromium.new_context(
                viewport={"width": options.viewport.width, "height": options.viewport.height},
                device_scale_factor=options.device_scale,
                accept_downloads=options.downloads is not None,
                **(self._har.context_options() if self._har else {}),
                **(self._wall.context_options() if self._wall else {}),
            )
        except EnvironmentFailure:
            if self._wall is not None:
                self._wall.close()
            raise

    def _told(self) -> tuple[str, ...]:
        """The notes since the last time."""
        if self._wall is not None:
            self._wall.report()
        return self._notes.take()

    def _perform(self, permit: Permit) -> str | None:
        if self._dialogs.looping and isinstance(permit.action, _LEAVES):
            self._tabs.front.quieten()  # Chromium does not leave a page that shows a dialog
        return self._acts.perform(permit)

    def _begin_step(self) -> None:
        self._traffic.mark()
        self._dialogs.begin_step()
        self._downloads.check()
        self._tabs.begin_step()
        self._recovery.lose_crashed()

    def _permitted(self, action: Action) -> tuple[Permit | None, str | None]:
        """The guard's permit, and why there is none; one that ends the episode does nothing, and needs none."""
        if (refused := self._acts.refusal(action)) is not None or ends_episode(action):
            return None, refused
        try:
            return self._guard.admit(action, self._scene), None
        except DeniedError as error:
            return None, str(error)

    def _allows(self, act: Act, text: str) -> bool:
        """Whether the guard lets something be done beside the actions; the page waits while a person is asked."""
        with self._watchdog.suspended():
            return self._guard.allows(act, text, self._scene)

    def _ask(self, question: Callable[[], T]) -> T | None:
        with self.answering(self._options.patience):
            return self._recovery.attempt(question, _ANSWER)

    def _grab_now(self) -> Screenshot:
        with self.answering(self._options.patience):
            return self._recovery.picture(self._grab, self._options.clock() + _ANSWER)

    def _observe(self, end: float, *, typed: bool) -> Observation:
        """Wait until the page is stable, until ``end`` at most, and take a screenshot."""
        clock, settled = self._options.clock, None
        begun = clock()
        for _ in range(_LOSSES):
            left = max(end - clock(), _LAST_LOOK)
            settled = self._recovery.attempt(lambda: self._settle(typed), left, waits=True)
            if settled is not None or clock() >= end:
                break
        if not settled:
            self._give_up_waiting()
        waited = clock()
        shot = self._recovery.picture(self._grab, end)
        capture = clock() - waited
        if self.preview is not None:
            self.preview(shot)
        if settled and self._tabs.front.blind and not self._tabs.front.suspended:
            shot = self._recovery.attempt(partial(self._finished, shot), max(end - clock(), _LAST_LOOK)) or shot
        self._acts.screenshot = shot
        timings = {"settle": clock() - begun - capture, "capture": capture}
        return Observation(shot, time.time(), self.page.url, timings)

    def _finished(self, shot: Screenshot) -> Screenshot:
        """The finished picture of a page that draws without its document."""
        tab = self._tabs.front
        return self._pictures.wait(shot, self._grab, self._options.limits.motion, (tab, tab.page.url))

    def _settle(self, typed: bool) -> bool:
        return self._settler.wait(self, typed=typed, on_stable=self._show_preview)

    def _give_up_waiting(self) -> None:
        """What loads for too long is not waited for in later steps."""
        tab = self._tabs.front
        if tab.reloading:
            self._notes.add("the page loads itself again and again")
        elif tab.loading == "navigation":
            address = excerpt(self._traffic.opening or tab.page.url, ADDRESS)
            self._notes.add(f"still loading after {self._options.limits.navigation:g} s: {address}")
        tab.forget_loading()
        self._traffic.mark()

    def _listen(self, page: Page) -> None:
        page.on("download", self._downloads.handle)
        page.on("filechooser", self._choosers.handle)

    def _quieten(self, page: Page | None) -> None:
        if (tab := self._tabs.of(page)) is not None:
            tab.quieten()

    def _replace(self, page: Page | None) -> None:
        if (tab := self._tabs.of(page)) is not None:
            self._recovery.lose(tab, "the page was left with a dialog that could not be closed")

    def _show_preview(self) -> None:
        if self.preview is not None:
            with suppress(Error):  # it is being replaced
                self.preview(self._grab())

    def _grab(self) -> Screenshot:
        """A screenshot of the page in front, with secrets black: those from just before it, and from just after."""
        tab = self._tabs.front
        if tab.suspended and (self._options.secrets or self._options.device_scale != 1.0):
            tab.stop_loading()  # else it does not say where secrets are, or where it is scrolled to
        if tab.suspended:
            self._popups.forget()
            return tab.camera.grab()
        boxes = self._acts.marks.boxes(tab.page, tab.devtools)
        screenshot = self._popups.picture(tab)
        return redacted(screenshot, [*boxes, *self._acts.marks.boxes(tab.page, tab.devtools)])

    def _refuse_file(self, route: Route) -> None:
        self._notes.add(f"address refused: {excerpt(route.request.url)}")
        route.abort("accessdenied")

    def _alive(self) -> bool:
        browser = self._context.browser
        return browser is not None and browser.is_connected()

    def _broken(self) -> bool:
        return self._watchdog.fired or not self._alive()


def _own_time(action: Action) -> float:
    """Seconds that an action takes on a page that answers at once."""
    match action:
        case schema.Wait() | schema.LongPress():
            return action.seconds
        case schema.Type():
            return len(action.text) * _SECONDS_PER_CHARACTER
    return 0.0
