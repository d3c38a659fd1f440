"""One episode of a task: its display, its sandbox, its files."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

from ...actions.errors import DataError, EnvironmentFailure
from ...actions.geometry import Size
from ...actions.schema import Action, Wait
from ...env.control import Control
from ...env.desktop.environment import DesktopEnvironment
from ...env.desktop.private_display import PrivateDisplay
from ...env.guard.guard import Guard
from ...env.private_files import private_folder
from .cache import Cache
from .command_sandbox import CommandSandbox
from .task import Task
from .windows import windows_of

WINDOW_LIMIT = 30.0
"""Seconds that a launched program may take to show its window."""
_WINDOW_POLL = 0.1


class TaskEnvironment:
    """A new display with a desktop and a sandbox on it, for setting up and scoring a task.

    Attributes:
        task: with the values of its seed and its screen filled in.
        size: of the screen, in pixels.
        display: the X display that its programs appear on.
        desktop: acts on that display.
        sandbox: where its programs run.
        results: a folder for fetched results; the sandbox cannot see it.
    """

    def __init__(self, task: Task, cache: Cache, size: Size, control: Control, *, guard: Guard) -> None:
        self.task, self.cache, self.size = task, cache, size
        with ExitStack() as stack:
            self._display = stack.enter_context(PrivateDisplay(size))
            self.display = self._display.name
            self.sandbox = CommandSandbox(self._display, control)
            stack.callback(self.sandbox.close)
            self.results = self.sandbox.home.with_name("results")  # ends with the display, also after kill -9
            private_folder(self.results, exist_ok=False)
            self.desktop = stack.enter_context(DesktopEnvironment(guard=guard, display=self.display, control=control))
            self.desktop.reset()
            self._resources = stack.pop_all()

    def result(self, name: str) -> Path:
        """The path of a fetched result; raises ``DataError`` if the name leads out of the folder."""
        path = (self.results / name).resolve()
        if not path.is_relative_to(self.results.resolve()):
            raise DataError(f"{self.task.id}: {name!r} leads out of the folder of results")
        private_folder(path.parent)
        return path

    def act(self, action: Action) -> None:
        """Execute an action and wait until the screen is stable; raises ``EnvironmentFailure`` if it has no effect."""
        if (refused := self.desktop.step(action).error) is not None:
            raise EnvironmentFailure(f"a step of {self.task.id} has no effect: {refused}")

    def wait_for_window(self, number: int, program: str, before: frozenset[int]) -> None:
        """Wait for a launched program's window, which is not one of ``before``; ``EnvironmentFailure`` without one."""
        deadline = time.monotonic() + WINDOW_LIMIT
        while not {window.number for window in windows_of(self.display) if window.title} - before:
            status = self.sandbox.status(number)
            if status not in (None, 0):  # 0: a launcher may end before the window shows
                raise EnvironmentFailure(f"{program} exited with status {status} and showed no window")
            if time.monotonic() > deadline:
                raise EnvironmentFailure(f"{program} showed no window within {WINDOW_LIMIT:g} s")
            self.act(Wait(seconds=_WINDOW_POLL))

    def close(self) -> None:
        """End the display with all that is on it."""
        self._resources.close()
