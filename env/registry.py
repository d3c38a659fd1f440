"""Environments by name, for the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..actions.errors import UsageError
from ..actions.geometry import Size
from .base import Environment
from .browser.determinism import DeterminismSettings
from .control import Control
from .guard.guard import Guard
from .places import check_settings, kind_of, named
from .secrets import Secrets
from .trajectory.events import EnvironmentSettings

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
        UsageError: the sandbox has an unknown name; or they do not go together.
    """

    app: str | None = None
    display: str | None = None
    monitor: int | None = None
    sandbox: str = "none"
    home: Path | None = None

    def __post_init__(self) -> None:
        sandbox, home, display, monitor = map(named, ("sandbox", "home", "display", "monitor"))
        if self.sandbox not in ("none", "strict"):
            raise UsageError(f"there is no sandbox {self.sandbox!r}; {sandbox} is none or strict")
        if self.home is not None and self.sandbox != "strict":
            raise UsageError(f"{home} is what a sandbox shows as home; choose the {sandbox} strict, too")
        if not self.private and (self.app is not None or self.sandbox != "none"):
            what = named("app") if self.app is not None else sandbox
            why = "only Linux has one" if self.display is None else f"leave {display} out"
            raise UsageError(f"{what} goes with a private desktop; {why}")
        if self.private and self.monitor is not None:
            raise UsageError(f"{monitor} goes with an existing screen; name one with {display}")

    def given(self) -> dict[str, object]:
        """Those that differ from their defaults, by name."""
        fields = ((name, getattr(self, name)) for name in ("app", "display", "monitor", "sandbox", "home"))
        return {name: value for name, value in fields if value not in (None, "none")}

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


def make_environment(
    spec: str,
    *,
    guard: Guard,
    url: str | None = None,
    headed: bool = False,
    viewport: Size | None = None,
    downloads: Path | None = None,
    allow_file: bool = False,
    desktop: DesktopOptions | None = None,
    control: Control | None = None,
    determinism: DeterminismSettings | None = None,
    secrets: Secrets | None = None,
    files: Sequence[Path] = (),
    allow_domains: Sequence[str] = (),
    allow_private: bool = False,
    wheel_click: float | None = None,
) -> Environment:
    """An environment by its name: ``browser``, ``desktop``, ``memory`` or ``miniwob:click-test-2``.

    Args:
        spec: the name.
        guard: decides what may be done there, such as ``Guard.of("standard")``.
        url: first page of a browser.
        headed: with a window.
        viewport: size of a browser's page area or of a private desktop's screen; the other environments
            have their own.
        downloads: folder for a browser's downloads.
        allow_file: whether a browser may open ``file://`` pages.
        desktop: which desktop; **one that a person sees is taken without asking**.
        control: lets a person pause and stop what happens there.
        determinism: makes a browser's pages deterministic.
        secrets: black in a browser's screenshots, where a page shows them; a desktop's programs may show them.
        files: what a browser's file choosers are answered with; without any they are cancelled.
        allow_domains: hosts that a browser may reach besides the site of its first page, such as ``example.org`` (with
            all below it) or ``*.example.org``; it reaches no others. Without any, it reaches every host, but for
            a guard with the profile ``strict``.
        allow_private: whether names may lead a browser to this computer and private networks; it, too, keeps a browser
            to the first page's site.
        wheel_click: CSS pixels by which a click of the wheel scrolls in a browser, where they are not the usual ones.

    Raises:
        UnknownTaskError: no environment has this name; the message lists the nearest.
        UsageError: something was given that means nothing there, or does not go together.
        MissingPartError: a private desktop's programs are missing.
    """
    desktop = desktop or DesktopOptions()
    settings: dict[str, object] = {
        "url": url,
        "headed": headed,
        "viewport": viewport,
        "allow_file": allow_file,
        "har": determinism,
    }
    settings |= {"files": files, "allow_domains": allow_domains, "allow_private": allow_private}
    given = {name: value for name, value in settings.items() if value}
    check_settings(spec, given | desktop.given())
    kind = kind_of(spec)
    if kind == "browser":
        from .browser.environment import BrowserEnvironment
        from .browser.input import WHEEL_CLICK
        from .browser.network.rules import NetworkRules
        from .browser.options import BrowserOptions

        walled = allow_private or bool(allow_domains)
        options = BrowserOptions(
            viewport=viewport or _DEFAULT_VIEWPORT,
            downloads=downloads,
            allow_file=allow_file,
            control=control or Control(),
            determinism=determinism,
            secrets=secrets or Secrets(),
            files=allowed_files(files),
            network=NetworkRules.beginning(url or "", allow_domains, allow_private) if walled else None,
            wheel_click=wheel_click or WHEEL_CLICK,
        )
        return BrowserEnvironment(url, options, guard=guard, headless=not headed)
    if kind == "miniwob":
        from .browser.miniwob import MiniWobEnvironment

        return MiniWobEnvironment(spec.partition(":")[2], guard=guard, headless=not headed, control=control)
    if kind == "desktop":
        return _make_desktop(desktop, guard, viewport, control)
    from .memory import demo

    return demo(guard)


def allowed_files(files: Sequence[Path]) -> tuple[Path, ...]:
    """Files that may be uploaded, checked; raises ``UsageError`` for one that is none."""
    for path in files:
        if not path.is_file() or not os.access(path, os.R_OK):
            raise UsageError(f"{path} is no file that can be read; name another with {named('files')}")
    return tuple(path.resolve() for path in files)


def _make_desktop(options: DesktopOptions, guard: Guard, size: Size | None, control: Control | None) -> Environment:
    from .desktop.environment import DesktopEnvironment
    from .desktop.sandbox import Sandbox

    if not options.private and size is not None:
        raise UsageError(f"{named('viewport')} is the size of a private screen; leave it out for an existing one")
    return DesktopEnvironment(
        options.app,
        guard=guard,
        display=options.display,
        private=options.private,
        size=size or _DEFAULT_VIEWPORT,
        sandbox=Sandbox(options.home) if options.sandbox == "strict" else None,
        monitor=options.monitor,
        control=control,
    )
