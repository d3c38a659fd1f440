"""The page in front as the guard sees it."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

from ....actions import schema
from ....actions.schema import Action, points
from ....perception.observation import Screenshot
from ...guard.intent import UNKNOWN, ActionIntent, Target
from ..popups import Popups
from ..tabs import Tab, Tabs
from .page_acts import PageActs
from .page_target import PageTargets

_KEYS = (schema.Type, schema.Press, schema.Hotkey, schema.KeyDown, schema.KeyUp)
_OPTION = Target(role="option")
"""What is chosen in a popup of a form control."""


class PageScene:
    """See ``Scene``.

    Args:
        tabs: of the profile.
        popups: of form controls, which lie over the page.
        acts: know where points of the screenshot are on the page.
        ask: asks the page something; None where it does not answer.
        grab: takes a screenshot.
    """

    def __init__(
        self,
        tabs: Tabs,
        popups: Popups,
        acts: PageActs,
        ask: Callable[[Callable[[], tuple[Target, ...]]], tuple[Target, ...] | None],
        grab: Callable[[], Screenshot],
    ) -> None:
        self._tabs = tabs
        self._popups = popups
        self._acts = acts
        self._ask = ask
        self._grab = grab
        self._targets: WeakKeyDictionary[Tab, PageTargets] = WeakKeyDictionary()

    def intent(self, action: Action) -> ActionIntent:
        """See ``Scene``."""
        tab = self._tabs.front
        return ActionIntent(
            kind=action.kind,
            action=action,
            text=action.text if isinstance(action, schema.Type) else "",
            held=tab.input.keyboard.held,
            targets=self._hit(tab, action),
            address=tab.page.url,
        )

    def picture(self, *, fresh: bool = True) -> Screenshot:
        """See ``Scene``."""
        return self._grab() if fresh or self._acts.screenshot is None else self._acts.screenshot

    def _hit(self, tab: Tab, action: Action) -> tuple[Target, ...]:
        places = tuple(self._acts.at(point) for point in points(action))
        if isinstance(action, schema.MouseDown | schema.MouseUp) and not places:
            places = (tab.input.position,)
        keys = isinstance(action, _KEYS) and not places
        if isinstance(action, schema.Move | schema.Scroll) or not (places or keys):
            return ()
        if self._popups.covers(tab, places):
            return (_OPTION,)
        if tab.suspended or tab.crashed:
            return (UNKNOWN,)
        page = self._targets.setdefault(tab, PageTargets(tab))
        return self._ask(lambda: tuple(map(page.at, places)) if places else (page.focused(),)) or (UNKNOWN,)
