"""Popups of form controls that take the mouse: lists, calendars, clocks, colour pickers.

Chromium draws them over the page, but a click that comes through DevTools goes to the page beneath. So each is
closed as soon as it opens, and the same document is shown by a page of our own: its picture is laid over the
screenshot, it takes mouse and keyboard, and what is chosen in it goes to the control, with the usual events.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from playwright.sync_api import BrowserContext, Error, Page

from ...actions import schema
from ...actions.geometry import Point
from ...actions.schema import Action, points
from ...perception.capture import PageCamera
from ...perception.observation import Screenshot
from ...perception.page_settle import WATCH_SCRIPT
from ...perception.settle import Sleep
from .chromium import Chromium
from .input import PageInput
from .native_popups import NativePopup, PopupOwner
from .options import BrowserOptions
from .tabs import Tab

_SHOW = resources.files(__package__).joinpath("popup_page.js").read_text(encoding="utf-8")
_KEYBOARD = (schema.Type, schema.Press, schema.Hotkey, schema.KeyDown, schema.KeyUp)
_MOUSE = (schema.Scroll, schema.MouseDown, schema.MouseUp)
"""Actions that use the mouse where it is, when they have no point."""
_STUCK = "a list of the page is open that the mouse cannot use; close it with Escape, or choose with the arrow keys"


@dataclass
class _Shown:
    """A popup on show: whose it is, where it is on the page, and whether a colour was tried out in it."""

    tab: Tab
    owner: PopupOwner
    left: float = 0.0
    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    tried: bool = False

    def has(self, point: Point) -> bool:
        return self.left <= point.x < self.right and self.top <= point.y < self.bottom


class _PopupPage:
    """The page that shows popups."""

    def __init__(self, context: BrowserContext, options: BrowserOptions, sleep: Sleep) -> None:
        self.page: Page = context.pages[0] if context.pages else context.new_page()
        devtools = context.new_cdp_session(self.page)
        self.camera = PageCamera(devtools, options.device_scale, options.clip)
        self.input = PageInput(self.page, devtools, Point(0.0, 0.0), sleep, options.control, clicks=True)

    def settle(self, longest: float) -> None:
        """Wait until the popup is stable."""
        with suppress(Error, IndexError):
            self.page.frames[1].evaluate(WATCH_SCRIPT, [16, longest * 1000, True])


class Popups:
    """The popups of one browser profile; at most one is open, as for a person.

    Args:
        chromium: the browser.
        options: how the profile is set up.
        sleep: lets time pass for an action.
    """

    def __init__(self, chromium: Chromium, options: BrowserOptions, sleep: Sleep) -> None:
        self._chromium = chromium
        self._options = options
        self._sleep = sleep
        self._context: BrowserContext | None = None
        self._page: _PopupPage | None = None
        self._found: tuple[Tab, NativePopup] | None = None
        self._shown: _Shown | None = None

    def picture(self, tab: Tab) -> Screenshot:
        """A screenshot of the page, with the popup that is open."""
        self._drop_stale(tab)
        if self._options.device_scale != 1.0:  # then Chromium closes the popup to take the screenshot
            self._take(tab)
        shot = tab.camera.grab()
        while self._take(tab):
            shot = tab.camera.grab()
        if self._shown is None or self._page is None:
            return shot
        self._page.settle(self._options.limits.motion)
        self._follow()
        return self._over(shot)

    def refusal(self, tab: Tab, action: Action) -> str | None:
        """Why the mouse cannot be used now; None when it can."""
        mouse = bool(points(action)) or isinstance(action, _MOUSE)
        return _STUCK if mouse and tab.popups.stuck else None

    def device(self, tab: Tab, action: Action, places: tuple[Point, ...]) -> PageInput:
        """What takes an action: the popup that is open, or the page; there a click closes the popup.

        Args:
            tab: the page in front.
            action: the action.
            places: its points, in CSS pixels.
        """
        self._drop_stale(tab)
        if self._shown is None or self._page is None:
            return tab.input
        popup, pointer = self._page.input, tab.input.position
        if not places and isinstance(action, _MOUSE):
            places = (pointer,)
        if tab.input.held or (isinstance(action, schema.KeyUp) and action.key in tab.input.keyboard.held):
            return tab.input  # what was pressed on the page is released there
        if popup.held or (self._shown.has(places[0]) if places else isinstance(action, _KEYBOARD)):
            popup.position = pointer
            tab.input.position = places[-1] if places else pointer
            return popup
        if places and not isinstance(action, schema.Move):
            self.leave()
        return tab.input

    def covers(self, tab: Tab, places: tuple[Point, ...]) -> bool:
        """Whether a popup of the page would take a click at the first place, in CSS pixels, or keys without any."""
        shown = self._shown
        return shown is not None and shown.tab is tab and (not places or shown.has(places[0]))

    def follow(self) -> str | None:
        """Give what was chosen in the popup to its control; what cannot be done, in words."""
        return self._follow() if self._shown else None

    def leave(self) -> None:
        """Close the popup, as a click beside it does."""
        shown = self._shown
        self.forget()
        if shown is not None and shown.tried:
            shown.owner.take("done", "")

    def forget(self) -> None:
        """Show no popup: a new episode begins."""
        self._found = self._shown = None

    def close(self) -> None:
        """Close the page that shows popups; the browser may be gone already."""
        self.forget()
        if self._context is not None:
            with suppress(Error):
                self._context.close()

    def _take(self, tab: Tab) -> bool:
        """Show the popup that has opened; it is closed already, so where time is up before, the next try goes on."""
        if (native := tab.popups.take()) is not None:
            self._found, self._shown = (tab, native), None
        if self._found is None:
            return False
        try:
            self._show(*self._found)
        except Error:
            self._found = None
            raise
        self._found = None
        return True

    def _open_page(self) -> _PopupPage:
        """The page that shows popups, in a profile of its own that reaches no network."""
        if self._context is None:
            self._context = self._chromium.new_context(
                viewport={"width": self._options.viewport.width, "height": self._options.viewport.height},
                device_scale_factor=self._options.device_scale,
                offline=True,
            )
        if self._page is None or self._page.page.is_closed():
            self._page = _PopupPage(self._context, self._options, self._sleep)
        return self._page

    def _show(self, tab: Tab, native: NativePopup) -> None:
        shows = self._open_page()
        width, height = self._options.clip or self._options.viewport
        corner = native.owner.corner() or native.anchor
        shift = {"x": native.anchor.x - corner.x, "y": native.anchor.y - corner.y}
        shows.input.move(tab.input.position)  # elsewhere it would mark another entry
        shows.page.evaluate(_SHOW, [native.html, {"width": width, "height": height}, shift])
        self._shown = _Shown(tab, native.owner)

    def _drop_stale(self, tab: Tab) -> None:
        if self._shown is not None and (self._shown.tab is not tab or not self._shown.owner.lasts()):
            self._shown = None
        if self._found is not None and (self._found[0] is not tab or not self._found[1].owner.lasts()):
            self._found = None

    def _follow(self) -> str | None:
        assert self._shown is not None
        assert self._page is not None
        shown, refused = self._shown, None
        state: dict[str, Any] = self._page.page.evaluate("() => popup.state()")
        shown.left, shown.top, width, height = state["box"]
        shown.right, shown.bottom = shown.left + width, shown.top + height
        for change, value in state["calls"]:
            match change:
                case "close":
                    self.leave()
                case "refused":
                    refused = f"{value} cannot be used here"
                case _:
                    shown.tried |= change == "preview"
                    shown.owner.take(change, value)
        return refused

    def _over(self, shot: Screenshot) -> Screenshot:
        """The screenshot with the popup laid over it."""
        if self._shown is None or self._page is None:
            return shot
        scale, pixels = self._options.device_scale, np.array(shot.pixels)
        top, bottom = round(self._shown.top * scale), round(self._shown.bottom * scale)
        left, right = round(self._shown.left * scale), round(self._shown.right * scale)
        drawn = self._page.camera.grab().pixels[top:bottom, left:right]
        pixels[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
        return Screenshot(pixels, shot.device_scale, shot.origin)
