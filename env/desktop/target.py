"""Where a desktop environment sits: at a private display that it furnishes, or at a screen that is there."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from typing import Protocol

from ...actions.errors import EnvironmentFailure, MissingPartError, UsageError
from ...actions.geometry import Size
from ..control import Control
from .private_display import PrivateDisplay, no_such_program
from .sandbox import Sandbox
from .xvfb import PATIENCE, Program

OPEN_LIMIT = 15.0
"""Seconds that a program opened by an action may take to show its window."""


class DesktopTarget(Protocol):
    """A screen, and what programs run on it."""

    @property
    def display(self) -> str | None:
        """The X display; None where the screen is not X11's."""

    @property
    def private(self) -> bool:
        """Whether nobody else uses it."""

    @property
    def running(self) -> bool:
        """Whether it is there."""

    def restart(self) -> None:
        """Make it anew after it was lost."""

    def begin(self) -> None:
        """Start an episode's programs afresh."""

    def open_app(self, name: str) -> str | None:
        """Start a program by name; why it cannot be."""

    def emptiness(self) -> str | None:
        """Why there is nothing to act on; None where there is something."""

    def news(self) -> tuple[str, ...]:
        """Which programs have ended since the last call, in words."""

    def close(self) -> None:
        """Release it; may be called more than once."""


class ExistingDesktop:
    """A screen that is there, left as it is.

    Args:
        display: an X display; None is the one the user sees.

    Raises:
        MissingPartError: there is no screen, or one that lets nobody look or act.
    """

    private = False
    running = True

    def __init__(self, display: str | None) -> None:
        if display is None and sys.platform == "linux":
            display = os.environ.get("DISPLAY")
            if os.environ.get("WAYLAND_DISPLAY"):
                raise MissingPartError(
                    "this is a Wayland session: no program may look at other windows or type into them; "
                    "log in to an X11 session, or use a private desktop (--app PROGRAM)"
                )
            if not display:
                raise MissingPartError(
                    "no X display here (DISPLAY is not set); use a private desktop (--app PROGRAM)"
                )
        self.display = display

    def restart(self) -> None:
        """It is not ours to start."""

    def begin(self) -> None:
        """It stays as it is."""

    def open_app(self, name: str) -> str | None:
        """Refuse: what runs on a person's screen is theirs to say."""
        return "this environment cannot execute open_app on a screen that is not private"

    def emptiness(self) -> str | None:
        """A person's screen is never empty."""
        return None

    def news(self) -> tuple[str, ...]:
        """None of its programs are ours."""
        return ()

    def close(self) -> None:
        """It stays."""


class PrivateDesktop:
    """A private display, with one program started afresh for every episode.

    Args:
        app: its command, as typed in a shell or in words; None starts nothing.
        size: of the screen, in pixels.
        sandbox: the box its programs are locked in.
        control: a stop ends the wait for a window.

    Raises:
        UsageError: there is no such program.
        MissingPartError: Xvfb or openbox is missing.
        EnvironmentFailure: the display does not start.
    """

    private = True

    def __init__(
        self, app: str | Sequence[str] | None, size: Size, sandbox: Sandbox | None, control: Control
    ) -> None:
        self._app = _words(app)
        self._size = size
        self._sandbox = sandbox
        self._control = control
        self._started: list[Program] = []
        self._told: list[Program] = []
        self._display = PrivateDisplay(size, sandbox)

    @property
    def display(self) -> str:
        """Its name."""
        return self._display.name

    @property
    def running(self) -> bool:
        """Whether its server is there."""
        return self._display.running

    def restart(self) -> None:
        """A display that was lost is replaced; its name may be another."""
        self._display.close()
        self._display = PrivateDisplay(self._size, self._sandbox)

    def begin(self) -> None:
        """End what the last episode left, and start the program.

        Raises:
            EnvironmentFailure: it shows no window.
            Stopped: a person stopped the run meanwhile.
        """
        self._display.end_programs()
        self._started, self._told = [], []
        if self._app:
            self._start(self._app)

    def open_app(self, name: str) -> str | None:
        """Start a program by its plain name, and wait for its window."""
        if "/" in name or shutil.which(name) is None:
            return no_such_program(name)
        try:
            self._start([name], OPEN_LIMIT)
        except EnvironmentFailure as error:
            if not self._display.running:
                raise
            return str(error)
        return None

    def emptiness(self) -> str | None:
        """Every program has ended and no window is left: clicks and keys would go nowhere."""
        ended = [program for program in self._started if self._display.ended(program)]
        if not ended or len(ended) < len(self._started) or self._display.windows():
            return None
        return f"{ended[-1].ending()}, and no window is left; open_app can start it again"

    def news(self) -> tuple[str, ...]:
        """Each ended program is told of once."""
        ended = [program for program in self._started if self._display.ended(program)]
        new = [program for program in ended if program not in self._told]
        self._told += new
        return tuple(program.ending() for program in new)

    def close(self) -> None:
        """End it with everything on it."""
        self._display.close()

    def _start(self, command: Sequence[str], limit: float = PATIENCE) -> None:
        program = self._display.start(command)
        self._started.append(program)
        self._display.wait_for_window(program, limit, self._control.check)


def _words(app: str | Sequence[str] | None) -> list[str]:
    try:
        words = shlex.split(app) if isinstance(app, str) else list(app or ())
    except ValueError as error:
        raise UsageError(f"the program's command {app!r} cannot be read: {error}") from error
    if app is not None and not words:
        raise UsageError("the program's command is empty; name one, such as mousepad")
    if words and shutil.which(words[0]) is None:
        raise UsageError(no_such_program(words[0]))
    return words
