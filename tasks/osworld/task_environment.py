"""What setting up and scoring a task work with: its sandbox, its display, its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...actions.errors import DataError
from ...actions.geometry import Size
from ...actions.schema import Action
from .cache import Cache
from .command_sandbox import CommandSandbox
from .task import Task


@dataclass(frozen=True)
class TaskEnvironment:
    """One episode's task, sandbox, display and files.

    Attributes:
        task: with the values of its seed and its screen filled in.
        sandbox: where its programs run.
        display: the X display that they appear on.
        size: of the screen, in pixels.
        act: executes an action and waits until the screen is stable.
        wait_for_window: waits until a launched program shows a new window.
        cache: files that OSWorld would download.
        results: a folder for fetched results; the sandbox cannot see it.
    """

    task: Task
    sandbox: CommandSandbox
    display: str
    size: Size
    act: Callable[[Action], None]
    wait_for_window: Callable[[int, str, frozenset[int]], None]
    cache: Cache
    results: Path

    def result(self, name: str) -> Path:
        """The path of a fetched result.

        Raises:
            DataError: the name leads out of the folder.
        """
        path = (self.results / name).resolve()
        if not path.is_relative_to(self.results.resolve()):
            raise DataError(f"{self.task.id}: {name!r} leads out of the folder of results")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
