"""Which suites there are, and what each still needs."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ...actions.errors import MissingPartError, UnknownTaskError
from . import osworld
from .base import data_root
from .desktop import missing_packages
from .interactive_registry import interactive_suites
from .miniwob import SUBSETS
from .osworld import OsWorldSuite
from .registry import SUITES


@dataclass(frozen=True)
class Entry:
    """One suite.

    Attributes:
        name: for ``saccade eval``.
        family: episodes to act in, points to find, or steps to predict.
        folder: where its files belong; None where they come with the installation.
        missing: files that are not there.
        source: where to get them.
        left_out: what stands in the way of each task that cannot be run here.
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
    """Every suite.

    Args:
        data: the folder that holds a folder per suite; by default ``$SACCADE_DATA`` or ``data``.
        cache: OSWorld's file cache.
    """
    root = data_root(data)
    recorded = [
        Entry(
            suite.name, suite.family, str(root / suite.folder), tuple(suite.missing(root / suite.folder)), suite.source
        )
        for suite in SUITES.values()
    ]
    return [
        Entry("miniwob", "episodes", source=f"subsets: {', '.join(SUBSETS)}"),
        Entry("desktop", "episodes", missing=missing_packages(), source="apt"),
        _osworld(data, cache),
        *recorded,
    ]


def _osworld(data: Path | None, cache: Path | None) -> Entry:
    suite = OsWorldSuite(data, cache)
    folder = str(data_root(data) / osworld.FOLDER)
    try:
        osworld.examples(data)
    except MissingPartError:
        return Entry(suite.name, "episodes", folder, (osworld.INDEX,), osworld.SOURCE)
    return Entry(suite.name, "episodes", folder, (), osworld.SOURCE, suite.left_out, suite.selection)


def is_recorded(name: str) -> bool:
    """Whether a suite is one of recorded screens, and not one to act in.

    Raises:
        UnknownTaskError: there is none of this name; the message lists all, the nearest first.
    """
    names = [*interactive_suites(), *SUITES]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
        listed = ", ".join([*near, *(each for each in names if each not in near)])
        raise UnknownTaskError(f"no suite is called {name!r}; the nearest first, there are {listed}")
    return name in SUITES
