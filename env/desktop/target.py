"""What a desktop environment acts on: a private display with its programs, or an existing screen."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence

from ...actions.errors import EnvironmentFailure, MissingPartError, UsageError
from ...actions.geometry import Size
from ...actions.schema import OpenApp
from ..control import Control
from ..guard.guard import Permit
from .private_display import PrivateDisplay, no_such_program
from .sandbox import Sandbox
from .xvfb import PATIENCE, Program

OPEN_LIMIT = 15.0
"""Seconds that a program opened by an action may take to show its window."""


class ExistingDesktop:
    """An existing screen, left as it is: an X display, or None for the user's own screen.

    Raises:
        MissingPartError: there is no screen, or programs may neither see nor use it.
    """

    private = False
    running = True

    def __init__(self, display: str | None) -> None:
        if display is None and sys.platform == "linux":
            display = os.environ.get("DISPLAY")
            if os.environ.get("WAYLAND_DISPLAY"):
                raise MissingPartError(
                    "this is a Wayland session: no program may see other windows or type into them; "
                    "log in to an X11 session, or use a private desktop: app (--app PROGRAM)"
                )
            if not display:
                raise MissingPartError(
                    "no X display here (DISPLAY is not set); use a private desktop: app (--app PROGRAM)"
                )
        self.display = display

    def restart(self) -> None:
        """Do nothing: the screen is not ours."""

    def begin(self) -> None:
        """Do nothing: the screen stays as it is."""

    def open_app(self, permit: Permit) -> str | None:
        """Refuse: the user decides what runs there."""
        permit.spend()
        return "this environment cannot execute open_app on a screen that is not private"

    def why_empty(self) -> str | None:
        """None: a person's screen is never empty."""
        return None

    def new_notes(self) -> tuple[str, ...]:
        """Nothing: none of its programs are ours."""
        return ()

    def close(self) -> None:
        """Do nothing: the screen stays."""


class PrivateDesktop:
    """A private display, with one program started afresh for every episode.

    Args:
        app: its command, as one string or in words; None starts nothing.
        size: of the screen, in pixels.
        sandbox: of its programs.
        control: a stop ends the wait for a window.
    """

    private = True

    def __init__(self, app: str | Sequence[str] | None, size: Size, sandbox: Sandbox | None, control: Control) -> None:
        self._app = _words(app)
        self._size = size
        self._sandbox = sandbox
        self._control = control
        self._started: list[Program] = []
        self._noted: list[Program] = []
        self._display = PrivateDisplay(size, sandbox)

    @property
    def display(self) -> str:
        """Name of the display."""
        return self._display.name

    @property
    def running(self) -> bool:
        """Whether its server is running."""
        return self._display.running

    def restart(self) -> None:
        """Replace a lost display; the new one may have another name."""
        self._display.close()
        self._display = PrivateDisplay(self._size, self._sandbox)

    def begin(self) -> None:
        """End the programs of the last episode, start the program, and wait for its window."""
        self._display.end_programs()
        self._started, self._noted = [], []
        if self._app:
            self._start(self._app)

    def open_app(self, permit: Permit) -> str | None:
        """Start a program by its plain name, and wait for its window; returns why that failed, if so."""
        opens = permit.spend()
        assert isinstance(opens, OpenApp)
        name = opens.name
        if "/" in name or shutil.which(name) is None:
            return no_such_program(name)
        try:
            self._start([name], OPEN_LIMIT)
        except EnvironmentFailure as error:
            if not self._display.running:
                raise
            return str(error)
        return None

    def why_empty(self) -> str | None:
        """Why clicks and keys would go nowhere: every program has ended and no window is left; else None."""
        ended = self._ended()
        if not ended or len(ended) < len(self._started) or self._display.windows():
            return None
        return f"{ended[-1].ending()}, and no window is left; open_app can start it again"

    def new_notes(self) -> tuple[str, ...]:
        """Which programs have ended since the last call, in words."""
        new = [program for program in self._ended() if program not in self._noted]
        self._noted += new
        return tuple(program.ending() for program in new)

    def close(self) -> None:
        """End the display with everything on it."""
        self._display.close()

    def _ended(self) -> list[Program]:
        return [program for program in self._started if self._display.ended(program)]

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


DesktopTarget = ExistingDesktop | PrivateDesktop
