"""The suites in which the agent acts, by name."""

from __future__ import annotations

from pathlib import Path

from ...actions.errors import UnknownTaskError
from .interactive import InteractiveSuite


def interactive_suite(name: str, data: Path | None = None, cache: Path | None = None) -> InteractiveSuite:
    """A suite by its name.

    Args:
        name: as on the command line.
        data: the folder that holds the files of suites that do not come with the installation.
        cache: OSWorld's file cache.

    Raises:
        UnknownTaskError: there is none of this name.
    """
    suites = interactive_suites(data, cache)
    if name not in suites:
        raise UnknownTaskError(f"no suite to act in is called {name!r}; there is {', '.join(suites)}")
    return suites[name]


def interactive_suites(data: Path | None = None, cache: Path | None = None) -> dict[str, InteractiveSuite]:
    """All of them by name; for the arguments see ``interactive_suite``."""
    from .desktop import DesktopSuite
    from .miniwob import MiniWobSuite
    from .osworld import OsWorldSuite

    known: list[InteractiveSuite] = [MiniWobSuite(), DesktopSuite(), OsWorldSuite(data, cache)]
    return {suite.name: suite for suite in known}
