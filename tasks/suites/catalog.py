"""Which suites there are, and what each still needs."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...actions.errors import UnknownTaskError
from .base import data_root
from .interactive import interactive_suites
from .miniwob import SUBSETS
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
    """

    name: str
    family: Literal["episodes", "grounding", "steps"]
    folder: str | None = None
    missing: tuple[str, ...] = ()
    source: str = ""


def catalog(data: Path | None = None) -> list[Entry]:
    """Every suite.

    Args:
        data: the folder that holds a folder per suite; by default ``$SACCADE_DATA`` or ``data``.
    """
    root = data_root(data)
    recorded = [
        Entry(
            suite.name,
            suite.family,
            str(root / suite.folder),
            tuple(suite.missing(root / suite.folder)),
            suite.source,
        )
        for suite in SUITES.values()
    ]
    return [Entry("miniwob", "episodes", source=f"subsets: {', '.join(SUBSETS)}"), *recorded]


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
