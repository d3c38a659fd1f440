"""A private X display: an invisible X server, a light window manager, and the programs on it.

Nothing of it outlives its owner, however that ends; see ``supervisor``. Displays are independent of each
other and of the user's own screen, session bus and input methods; several may run in one process.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path

from ...actions.errors import EnvironmentFailure, MissingPartError, UsageError
from ...actions.geometry import Size
from ..environ import without_secrets
from ..private_files import write_private
from ..x11.windows import Windows
from .sandbox import Sandbox
from .xvfb import PATIENCE, Program, XServer

__all__ = ["PrivateDisplay", "Program", "no_such_program", "require_programs"]

PACKAGES = {"Xvfb": "xvfb", "openbox": "openbox"}

_FOREIGN = """
    AT_SPI_BUS_ADDRESS DBUS_STARTER_ADDRESS DESKTOP_STARTUP_ID GTK_IM_MODULE QT_IM_MODULE SESSION_MANAGER
    WAYLAND_DISPLAY WAYLAND_SOCKET XAUTHORITY XDG_ACTIVATION_TOKEN XDG_CURRENT_DESKTOP XDG_SESSION_ID
    XMODIFIERS
"""
"""Variables that lead to the user's own screen, session bus and input method."""


class PrivateDisplay(XServer):
    """Starts a display; ``close`` (or the end of this process) ends it and everything on it.

    Args:
        size: of its screen, in pixels.
        sandbox: of its programs; None starts them without one.

    Raises:
        MissingPartError: Xvfb or openbox is missing.
        EnvironmentFailure: it does not start.
    """

    def __init__(self, size: Size = Size(1280, 720), sandbox: Sandbox | None = None) -> None:
        require_programs(PACKAGES)
        self.size = size
        self._sandbox = sandbox
        self._windows: Windows | None = None
        self._known: dict[Program, frozenset[int]] = {}
        screen = f"{size.width}x{size.height}x24"
        super().__init__(f"Xvfb -screen 0 {screen} -dpi 96 -s 0 -nolisten tcp -noreset".split())
        try:
            self._windows = Windows(self.name)
            self._windows.only_for_this_user()
            self._manager = self._start_window_manager()
        except BaseException:
            self.close()
            raise

    @property
    def environ(self) -> dict[str, str]:
        """Environment variables for programs on it."""
        kept = {name: value for name, value in without_secrets().items() if name not in _FOREIGN.split()}
        if not any("utf" in kept.get(name, "").lower() for name in ("LC_ALL", "LC_CTYPE", "LANG")):
            kept |= {"LC_ALL": "C.UTF-8"}
        return kept | {
            "DISPLAY": self.name,
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",
            "GDK_BACKEND": "x11",
            "GSETTINGS_BACKEND": "memory",  # no settings left by one episode for the next
            "NO_AT_BRIDGE": "1",
            "QT_QPA_PLATFORM": "xcb",
            "XDG_RUNTIME_DIR": str(self.folder),
            "XDG_SESSION_TYPE": "x11",
        }

    def start(
        self, command: Sequence[str], *, environ: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> Program:
        """Start a program; does not wait for its window (see ``wait_for_window``).

        Args:
            command: program and arguments.
            environ: variables on top of ``environ``; a sandbox shows only harmless ones.
            folder: its working folder; by default ours, and in a sandbox always its home.
        """
        if not command or shutil.which(command[0]) is None:
            raise UsageError(no_such_program(command[0] if command else ""))
        variables = {**self.environ, **(environ or {})}
        words = list(command) if self._sandbox is None else self._sandbox.wrap(command, variables)
        before = frozenset(self.windows())
        program = self.launch(words, variables, folder or Path.cwd())
        program.command = tuple(command)
        self._known[program] = before
        return program

    def wait_for_window(
        self, program: Program, limit: float = PATIENCE, check: Callable[[], None] = lambda: None
    ) -> int:
        """The number of a window that came after ``program`` was started, once it is visible and has the focus.

        Meanwhile ``check`` is called now and then; it raises to give up.

        Raises:
            EnvironmentFailure: the program ended without a window, or the limit (in seconds) is over.
        """
        windows = self._open_windows()
        known, deadline = self._known[program], time.monotonic() + limit
        while (window := windows.focused()) is None or window in known:
            check()
            if program.status not in (None, 0):  # 0: a launcher may end well before the window comes
                raise EnvironmentFailure(f"{program.ending()}; it showed no window")
            self._wait(deadline, f"{program.name} showed no window within {limit:g} s")
        return window

    def windows(self) -> tuple[int, ...]:
        """Numbers of all windows, the oldest first."""
        return self._open_windows().all()

    def ended(self, program: Program) -> bool:
        """Whether a program has ended; its ``status`` says how."""
        self.listen()
        return program.status is not None

    def end_programs(self) -> None:
        """Kill every program, daemons included, and wait until no window is left."""
        self.kill_all(but=self._manager)
        deadline = time.monotonic() + PATIENCE
        while self.windows():
            self._wait(deadline, "a window stays though its program was killed")
        self._known.clear()

    def close(self) -> None:
        """End everything on it, and wait for that; may be called more than once."""
        windows, self._windows = self._windows, None
        if windows is not None:
            windows.close()
        super().close()

    def __enter__(self) -> PrivateDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start_window_manager(self) -> Program:
        """Start openbox, outside any sandbox, and wait until it manages the screen."""
        settings = self.folder / "openbox.xml"
        write_private(settings, resources.files(__package__).joinpath("openbox.xml").read_bytes())
        command = ["openbox", "--sm-disable", "--config-file", str(settings)]
        # In the C locale it takes a changed keyboard map ten times as fast, and no click waits for it.
        manager = self.launch(command, {**self.environ, "LC_ALL": "C"}, Path("/"))
        windows, deadline = self._open_windows(), time.monotonic() + PATIENCE
        while not windows.managed():
            if manager.status is not None:
                raise EnvironmentFailure(f"the window manager does not start: {manager.ending()}")
            self._wait(deadline, "the window manager does not start: it does not answer")
        return manager

    def _wait(self, deadline: float, message: str) -> None:
        """Wait until something on the display changes."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise EnvironmentFailure(message)
        self._open_windows().wait_for_change(left, self.reports.fileno())
        self.listen()

    def _open_windows(self) -> Windows:
        if self._windows is None:
            raise EnvironmentFailure("the display was closed; make a new one")
        return self._windows


def require_programs(packages: Mapping[str, str]) -> None:
    """Raise ``MissingPartError`` if programs are missing; ``packages`` holds the package of each program."""
    missing = [program for program in packages if shutil.which(program) is None]
    if missing:
        line = " ".join(packages[program] for program in missing)
        raise MissingPartError(
            f"a private desktop needs {' and '.join(missing)}; run `apt install {line}`, "
            "or choose an existing screen: display (--display)"
        )


def no_such_program(name: str) -> str:
    """The message for a program that is not on the search path, with the nearest that are."""
    near = difflib.get_close_matches(name, sorted(_programs()), n=3)
    hint = f"nearest: {', '.join(near)}" if near else "install it, or give its path"
    return f"no program is called {name!r}; {hint}"


def _programs() -> set[str]:
    found = set()
    for folder in os.get_exec_path():
        with contextlib.suppress(OSError):
            found |= {entry.name for entry in os.scandir(folder) if os.access(entry.path, os.X_OK)}
    return found
