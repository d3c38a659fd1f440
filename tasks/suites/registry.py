"""Every suite by name. Adding a suite of recorded screens is one file and one line here."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...actions.errors import MissingPartError, UnknownTaskError
from . import agentnetbench, androidcontrol, gui_odyssey, mind2web, osworld, osworld_g, screenspot
from .base import Suite, data_root
from .desktop import DesktopSuite, missing_packages
from .interactive import InteractiveSuite
from .miniwob import SUBSETS, MiniWobSuite

_RECORDED: tuple[Suite[Any], ...] = (
    *screenspot.SUITES,
    *osworld_g.SUITES,
    *androidcontrol.SUITES,
    *mind2web.SUITES,
    *gui_odyssey.SUITES,
    agentnetbench.SUITE,
)
SUITES = {suite.name: suite for suite in _RECORDED}
"""The suites of recorded screens."""


def interactive_suite(name: str, data: Path | None = None, cache: Path | None = None) -> InteractiveSuite:
    """The interactive suite with this name; else UnknownTaskError.

    ``data`` is the folder with the files of suites that do not come with the installation, ``cache`` OSWorld's.
    """
    suites = _interactive(data, cache)
    if name not in suites:
        raise UnknownTaskError(f"no interactive suite is called {name!r}; there are {', '.join(suites)}")
    return suites[name]


def get_suite(name: str) -> Suite[Any]:
    """The suite of recorded screens with this name; else UnknownTaskError, with the nearest names."""
    if name not in SUITES:
        raise UnknownTaskError(f"no suite of recorded screens is called {name!r}; nearest: {_listed(name, SUITES)}")
    return SUITES[name]


def is_recorded(name: str) -> bool:
    """Whether a suite is one of recorded screens; UnknownTaskError, with all names, where no suite has this name."""
    names = [*_interactive(), *SUITES]
    if name not in names:
        raise UnknownTaskError(f"no suite is called {name!r}; the nearest first, there are {_listed(name, names)}")
    return name in SUITES


def _interactive(data: Path | None = None, cache: Path | None = None) -> dict[str, InteractiveSuite]:
    suites: list[InteractiveSuite] = [MiniWobSuite(), DesktopSuite(), osworld.OsWorldSuite(data, cache)]
    return {suite.name: suite for suite in suites}


def _listed(name: str, names: Iterable[str]) -> str:
    """All names, the nearest first."""
    return ", ".join(dict.fromkeys([*difflib.get_close_matches(name, names, n=3, cutoff=0.4), *names]))


@dataclass(frozen=True)
class Entry:
    """One suite, as ``saccade suites`` lists it.

    Attributes:
        family: episodes to act in, points to find, or steps to predict.
        folder: where its files belong; None where they come with the installation.
        missing: files, or packages, that are not installed.
        source: where to get them.
        left_out: why each task that cannot be run here cannot.
        selection: how many can, and why the others cannot.
    """

    name: str
    family: Literal["episodes", "grounding", "steps"]
    folder: str | None = None
    missing: tuple[str, ...] = ()
    source: str = ""
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    selection: str = ""


def catalog(data: Path | None = None, cache: Path | None = None) -> list[Entry]:
    """Every suite; the arguments are those of ``interactive_suite``."""
    root = data_root(data)
    return [
        Entry("miniwob", "episodes", source=f"subsets: {', '.join(SUBSETS)}"),
        Entry("desktop", "episodes", missing=missing_packages(), source="apt"),
        _osworld(data, cache),
        *(
            Entry(each.name, each.family, str(folder), tuple(each.missing(folder)), each.source)
            for each in SUITES.values()
            for folder in [root / each.folder]
        ),
    ]


def _osworld(data: Path | None, cache: Path | None) -> Entry:
    suite = osworld.OsWorldSuite(data, cache)
    folder = str(data_root(data) / osworld.FOLDER)
    try:
        return Entry(suite.name, "episodes", folder, (), osworld.SOURCE, suite.left_out, suite.selection)
    except MissingPartError:
        return Entry(suite.name, "episodes", folder, (osworld.INDEX,), osworld.SOURCE)
