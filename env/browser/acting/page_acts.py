"""Doing what the guard permits, with mouse and keyboard of the page in front and with the browser's own means."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from playwright.sync_api import Error

from ....actions import schema
from ....actions.errors import EnvironmentFailure
from ....actions.geometry import Point, clamp, inside
from ....actions.schema import Action, points
from ....perception.observation import Screenshot
from ....perception.settle import Sleep, pause
from ...guard.guard import Permit
from ...input import perform
from ..navigation import Navigation
from ..options import BrowserOptions
from ..popups import Popups
from ..secret_marks import SecretMarks
from ..tabs import Tab, Tabs


class PageActs:
    """Acts on the page in front.

    Args:
        tabs: of the profile.
        popups: of form controls, which take the mouse first.
        navigation: opens addresses.
        options: of the profile.
        sleep: lets time pass.
        broken: whether an error is the browser's own.

    Attributes:
        marks: where secrets can be read.
        screenshot: the newest one, whose pixels the points of actions count.
    """

    def __init__(
        self,
        tabs: Tabs,
        popups: Popups,
        navigation: Navigation,
        options: BrowserOptions,
        sleep: Sleep,
        broken: Callable[[], bool],
    ) -> None:
        self._tabs = tabs
        self._popups = popups
        self._navigation = navigation
        self._options = options
        self._sleep = sleep
        self._broken = broken
        self.marks = SecretMarks(options.secrets)
        self.screenshot: Screenshot | None = None

    def refusal(self, action: Action) -> str | None:
        """Why an action cannot be done here, in words for the policy; None when it can."""
        if isinstance(action, self._options.refused):
            return f"this environment cannot execute {action.kind}"
        if self.screenshot is None:
            raise EnvironmentFailure("there is no screenshot yet; observe before acting")
        for point in points(action):
            if not inside(point, self.screenshot.size):
                width, height = self.screenshot.size
                return f"({point.x:g}, {point.y:g}) is outside the screenshot of {width} x {height} pixels"
        return None

    def perform(self, permit: Permit) -> str | None:
        """Do what is permitted; returns why it had no effect, if so."""
        tab = self._tabs.front
        match permit.action:
            case schema.Wait():
                self._wait(permit)
                return None
            case schema.Navigate():
                return self._navigation.goto(permit)
            case schema.NavigateBack() | schema.PressBack():
                return self._navigation.back(tab, permit)
        try:
            with self._secretly(tab, permit.action):
                used, problem = self._use(tab, permit)
        except Error:
            if self._broken() or not tab.closed():
                raise
            return None  # the action closed its own tab, before it was over
        return problem if used else f"this environment cannot execute {permit.action.kind}"

    def at(self, point: Point) -> Point:
        """A point of the newest screenshot in CSS pixels."""
        assert self.screenshot is not None
        return self.screenshot.screen_frame.to_frame(clamp(point, self.screenshot.size))

    def _wait(self, permit: Permit) -> None:
        waits = permit.spend()
        assert isinstance(waits, schema.Wait)
        pause(waits.seconds, self._sleep)

    def _use(self, tab: Tab, permit: Permit) -> tuple[bool, str | None]:
        """Whether it was an action of mouse or keyboard, and why it had no effect."""
        for part in permit.parts():
            if problem := self._popups.refusal(tab, part.action):
                return True, problem
            device = self._popups.device(tab, part.action, tuple(self.at(point) for point in points(part.action)))
            if not perform(device, part, self.at):
                return False, None
            if problem := self._popups.follow():
                return True, problem
        return True, None

    def _secretly(self, tab: Tab, action: Action) -> AbstractContextManager[None]:
        """Marks the fields that get a secret, while an action types one."""
        typed = action.text if isinstance(action, schema.Type) else ""
        return self.marks.typing(typed, tab.page, tab.devtools)
