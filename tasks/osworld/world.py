"""What the set-up and the judging of a task work on: its sandbox, its display, its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ...actions.errors import DataError
from ...actions.geometry import Size
from ...actions.schema import Action
from .box import CommandSandbox
from .cache import Cache
from .task import Task


@dataclass(frozen=True)
class TaskEnvironment:
    """One episode's.

    Attributes:
        task: as its seed and its screen have it.
        box: where its programs run.
        display: on which they appear.
        size: of the screen, in pixels.
        act: does something by pointer or keyboard and waits until the screen is at rest.
        wait_for_window: waits until a window shows that was not there before a program was launched.
        cache: what is never downloaded.
        results: a folder for what is fetched to be judged; nothing in the sandbox can see it.
    """

    task: Task
    box: CommandSandbox
    display: str
    size: Size
    act: Callable[[Action], None]
    wait_for_window: Callable[[int, str, frozenset[int]], None]
    cache: Cache
    results: Path

    def result(self, name: str) -> Path:
        """Where a fetched file is kept under a name.

        Raises:
            DataError: the name leads out of the folder.
        """
        path = (self.results / name).resolve()
        if not path.is_relative_to(self.results.resolve()):
            raise DataError(f"{self.task.id}: {name!r} leads out of the folder of results")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
