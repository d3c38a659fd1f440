"""Our own tasks on programs of Debian, in OSWorld's JSON, on private desktops.

A seed decides the words and numbers of a task. A task's commands run in a sandbox.
"""

from __future__ import annotations

import difflib
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import JsonValue

from ...actions.errors import MissingPartError, UnknownTaskError, UsageError
from ...actions.geometry import Size
from ...env.base import Environment
from ...env.control import Control
from ...env.desktop.private_display import PACKAGES as DISPLAY
from ...env.environ import without_secrets
from ...env.guard.guard import Guard
from ..osworld.environment import OsWorldEnvironment
from ..osworld.task import Task, read_task
from .interactive import EnvironmentProvider

PROGRAMS = {
    **DISPLAY,
    "bwrap": "bubblewrap",
    "mousepad": "mousepad",
    "galculator": "galculator",
    "gnumeric": "gnumeric",
    "pcmanfm": "pcmanfm",
    "xterm": "xterm",
}
"""Every program that the tasks use, and its package."""
SIZE = Size(1280, 720)
_FILES = Path(__file__).parent / "desktop_tasks"


def missing_packages() -> tuple[str, ...]:
    """The packages of programs that are not installed."""
    return tuple(package for program, package in PROGRAMS.items() if shutil.which(program) is None)


@cache
def desktop_tasks() -> dict[str, Task]:
    """All tasks by their names, sorted."""
    return {task.id: task for task in map(read_task, sorted(_FILES.glob("*.json")))}


def tasks_of(app: str) -> list[str]:
    """The tasks in which a program is used."""
    return [name for name, task in desktop_tasks().items() if app in task.related_apps]


@dataclass(frozen=True)
class DesktopSuite:
    """The tasks of this package; a subset is a program, such as ``gnumeric``."""

    name: str = "desktop"

    def tasks(self, subset: str | None = None) -> Sequence[str]:
        """Those that use a program; all by default."""
        if subset is None:
            return list(desktop_tasks())
        if not (found := tasks_of(subset)):
            apps = sorted({app for task in desktop_tasks().values() for app in task.related_apps})
            raise UsageError(f"desktop has no subset {subset!r}; choose one of {', '.join(apps)}")
        return found

    def check(self, tasks: Sequence[str]) -> None:
        """See ``InteractiveSuite``."""
        for task in tasks:
            if task not in desktop_tasks():
                near = difflib.get_close_matches(task, desktop_tasks(), n=3, cutoff=0.3)
                raise UnknownTaskError(f"desktop has no task {task!r}; nearest: {', '.join(near)}")

    def open(self, control: Control, guard: Guard) -> EnvironmentProvider:
        """Check that the programs are installed."""
        if missing := missing_packages():
            raise MissingPartError(f"the suite desktop needs more programs; run `apt install {' '.join(missing)}`")
        return DesktopProvider(control, guard)


class DesktopProvider:
    """Makes a display for each episode; between episodes there is nothing to keep."""

    def __init__(self, control: Control, guard: Guard) -> None:
        self._control = control
        self._guard = guard

    @property
    def settings(self) -> dict[str, JsonValue]:
        """The versions of the programs, which change how they look and behave."""
        return {"programs": package_versions(list(PROGRAMS.values()))}

    def environment(self, task: str) -> Environment:
        """A task on a display of its own."""
        return OsWorldEnvironment(desktop_tasks()[task], size=SIZE, control=self._control, guard=self._guard)

    def alive(self) -> bool:
        """Each episode notices for itself that its display is gone."""
        return True

    def close(self) -> None:
        """There is nothing to release."""


def package_versions(packages: Sequence[str]) -> dict[str, JsonValue]:
    """The version of each package that ``dpkg`` knows of; nothing on other systems."""
    if shutil.which("dpkg-query") is None:
        return {}
    asked = ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *sorted(set(packages))]
    listed = subprocess.run(asked, capture_output=True, text=True, check=False, env=without_secrets()).stdout
    return {line.split()[0]: line.split()[1] for line in listed.splitlines() if line.count(" ") == 1}
