"""Environments by name, for the command line."""

from __future__ import annotations

import difflib
from pathlib import Path

from ..actions.errors import UnknownTaskError, UsageError
from ..actions.geometry import Size
from .base import Environment

_KINDS = ("browser", "memory", "miniwob:TASK")
_DEFAULT_VIEWPORT = Size(1280, 720)


def environment_names() -> list[str]:
    """The kinds that ``make_environment`` knows."""
    return list(_KINDS)


def make_environment(
    spec: str,
    *,
    url: str | None = None,
    headed: bool = False,
    viewport: Size | None = None,
    downloads: Path | None = None,
    allow_file: bool = False,
) -> Environment:
    """An environment by its name: ``browser``, ``memory`` or ``miniwob:click-test-2``.

    Args:
        spec: the name.
        url: first page of a browser.
        headed: with a window.
        viewport: size of a browser's page area; the other environments have their own.
        downloads: folder for a browser's downloads.
        allow_file: whether a browser may open ``file://`` pages.

    Raises:
        UnknownTaskError: no environment has this name; the message lists the nearest.
        UsageError: a url was given for anything but a browser.
    """
    kind, _, task = spec.partition(":")
    if kind == "browser" and not task:
        from .browser import BrowserEnvironment

        return BrowserEnvironment(
            url,
            viewport=viewport or _DEFAULT_VIEWPORT,
            headless=not headed,
            downloads=downloads,
            allow_file=allow_file,
        )
    if kind == "miniwob":
        from .miniwob import MiniWobEnvironment

        _refuse_url(spec, url)
        return MiniWobEnvironment(task, headless=not headed)
    if spec == "memory":
        from .memory import demo

        _refuse_url(spec, url)
        return demo()
    raise _unknown(spec)


def _refuse_url(spec: str, url: str | None) -> None:
    if url is not None:
        raise UsageError(f"--url goes with the environment browser, not with {spec}; leave it out")


def _unknown(spec: str) -> UnknownTaskError:
    from .miniwob_pages import flight_tasks, miniwob_tasks

    tasks = [*miniwob_tasks(), *flight_tasks()]
    known = ["browser", "memory", *(f"miniwob:{task}" for task in tasks), *tasks]
    near = difflib.get_close_matches(spec, known, n=3) or list(_KINDS)
    shown = [f"miniwob:{name}" if name in tasks else name for name in near]
    return UnknownTaskError(f"no environment is called {spec!r}; nearest: {', '.join(dict.fromkeys(shown))}")
