"""Environments by name, for the command line."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass
from pathlib import Path

from ..actions.errors import UnknownTaskError, UsageError
from ..actions.geometry import Size
from .base import Environment
from .browser.determinism import DeterminismSettings
from .control import Control
from .trajectory.events import EnvironmentSettings

_NAMES = ["browser", "desktop", "memory", "miniwob:TASK"]
_DEFAULT_VIEWPORT = Size(1280, 720)


@dataclass(frozen=True)
class DesktopOptions:
    """Which desktop to act on.

    Attributes:
        app: command of the program on a private desktop.
        display: an existing X display, instead of a private one.
        monitor: number of the monitor, from 1; None is the primary one.
        sandbox: ``none``, or ``strict`` for a private desktop's programs.
        home: the home folder in a strict sandbox; None is an empty one in memory.

    Raises:
        UsageError: the sandbox has an unknown name, or a home is given without one.
    """

    app: str | None = None
    display: str | None = None
    monitor: int | None = None
    sandbox: str = "none"
    home: Path | None = None

    def __post_init__(self) -> None:
        if self.sandbox not in ("none", "strict"):
            raise UsageError(f"there is no sandbox {self.sandbox!r}; choose strict, or leave --sandbox out")
        if self.home is not None and self.sandbox != "strict":
            raise UsageError("--home is what a sandbox shows as home; add --sandbox strict")

    @property
    def private(self) -> bool:
        """Whether it is a display that nobody sees; they exist on X11 only."""
        return self.display is None and sys.platform == "linux"

    @property
    def screen(self) -> str | None:
        """The visible screen that the agent takes over, in words; None for a private one."""
        if self.private:
            return None
        return "your screen" if self.display is None else f"the display {self.display}"

    def settings(self) -> EnvironmentSettings:
        """What a trajectory records of it."""
        shown = "private" if self.private else self.display or "own"
        return EnvironmentSettings(app=self.app, display=shown, monitor=self.monitor, sandbox=self.sandbox)


def environment_names() -> list[str]:
    """The kinds that ``make_environment`` knows."""
    return list(_NAMES)


def make_environment(
    spec: str,
    *,
    url: str | None = None,
    headed: bool = False,
    viewport: Size | None = None,
    downloads: Path | None = None,
    allow_file: bool = False,
    desktop: DesktopOptions | None = None,
    control: Control | None = None,
    determinism: DeterminismSettings | None = None,
) -> Environment:
    """An environment by its name: ``browser``, ``desktop``, ``memory`` or ``miniwob:click-test-2``.

    Args:
        spec: the name.
        url: first page of a browser.
        headed: with a window.
        viewport: size of a browser's page area or of a private desktop's screen; the other environments
            have their own.
        downloads: folder for a browser's downloads.
        allow_file: whether a browser may open ``file://`` pages.
        desktop: which desktop; **one that a person sees is taken without asking**.
        control: lets a person pause and stop what happens there.
        determinism: makes a browser's pages deterministic.

    Raises:
        UnknownTaskError: no environment has this name; the message lists the nearest.
        UsageError: a url was given for anything but a browser, or what was asked for does not go together.
        MissingPartError: a private desktop's programs are missing.
    """
    kind, _, task = spec.partition(":")
    if kind == "browser" and not task:
        from .browser.environment import BrowserEnvironment
        from .browser.options import BrowserOptions

        options = BrowserOptions(
            viewport=viewport or _DEFAULT_VIEWPORT,
            downloads=downloads,
            allow_file=allow_file,
            control=control or Control(),
            determinism=determinism,
        )
        return BrowserEnvironment(url, options, headless=not headed)
    if determinism is not None:
        raise UsageError(f"--har records a browser's network; {spec} has none to record")
    if kind == "miniwob":
        from .browser.miniwob import MiniWobEnvironment

        _refuse_url(spec, url)
        return MiniWobEnvironment(task, headless=not headed, control=control)
    if spec == "desktop":
        _refuse_url(spec, url)
        return _make_desktop(desktop or DesktopOptions(), viewport, control)
    if spec == "memory":
        from .memory import demo

        _refuse_url(spec, url)
        return demo()
    raise _unknown(spec)


def _make_desktop(options: DesktopOptions, size: Size | None, control: Control | None) -> Environment:
    from .desktop.environment import DesktopEnvironment
    from .desktop.sandbox import Sandbox

    if not options.private and size is not None:
        raise UsageError("--viewport is the size of a private screen; leave it out for an existing one")
    return DesktopEnvironment(
        options.app,
        display=options.display,
        private=options.private,
        size=size or _DEFAULT_VIEWPORT,
        sandbox=Sandbox(options.home) if options.sandbox == "strict" else None,
        monitor=options.monitor,
        control=control,
    )


def _refuse_url(spec: str, url: str | None) -> None:
    if url is not None:
        raise UsageError(f"--url goes with the environment browser, not with {spec}; leave it out")


def _unknown(spec: str) -> UnknownTaskError:
    from .browser.miniwob_pages import flight_tasks, miniwob_tasks

    tasks = [*miniwob_tasks(), *flight_tasks()]
    known = [*_NAMES[:-1], *(f"miniwob:{task}" for task in tasks), *tasks]
    near = difflib.get_close_matches(spec, known, n=3) or _NAMES
    shown = [f"miniwob:{name}" if name in tasks else name for name in near]
    return UnknownTaskError(f"no environment is called {spec!r}; nearest: {', '.join(dict.fromkeys(shown))}")
