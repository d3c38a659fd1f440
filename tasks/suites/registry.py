"""Every suite of recorded screens, by name. Adding one is one file and one line here."""

from __future__ import annotations

import difflib
from typing import Any

from ...actions.errors import UnknownTaskError
from . import agentnetbench, androidcontrol, gui_odyssey, mind2web, osworld_g, screenspot
from .base import Suite

_ALL: tuple[Suite[Any], ...] = (
    screenspot.SCREENSPOT,
    screenspot.SCREENSPOT_V2,
    screenspot.SCREENSPOT_PRO,
    osworld_g.OSWORLD_G,
    osworld_g.OSWORLD_G_REFINED,
    androidcontrol.HIGH,
    androidcontrol.LOW,
    *mind2web.SPLITS,
    *gui_odyssey.SPLITS,
    agentnetbench.AGENTNETBENCH,
)
SUITES = {suite.name: suite for suite in _ALL}


def get_suite(name: str) -> Suite[Any]:
    """The suite with this name.

    Raises:
        UnknownTaskError: there is none; the message lists the nearest names.
    """
    if name in SUITES:
        return SUITES[name]
    near = difflib.get_close_matches(name, SUITES, n=3, cutoff=0.4) or list(SUITES)
    raise UnknownTaskError(f"no suite of recorded screens is called {name!r}; nearest: {', '.join(near)}")
