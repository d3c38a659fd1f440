"""OSWorld's own tasks, read as published: those that a private desktop can serve, and why the others cannot.

No virtual machine: the programs are Debian's, on a bare screen of 1920 x 1080 with a window manager and no GNOME,
and nothing is downloaded. A score is therefore one on the tasks that were run here, and not OSWorld's.

Paper: OSWorld (arXiv 2404.07972). Files: ``evaluation_examples/`` of xlang-ai/OSWorld.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import JsonValue

from ...actions.errors import DataError, MissingPartError, UnknownTaskError, UsageError
from ...actions.files import read_file
from ...actions.untrusted import parse_json
from ...env.base import Environment
from ...env.control import Control
from ...env.guard.guard import Guard
from ..osworld.cache import Cache
from ..osworld.environment import OsWorldEnvironment
from ..osworld.requirements import counted, unmet
from ..osworld.task import Task, read_task
from .base import data_root
from .desktop import DesktopProvider, package_versions
from .interactive import EnvironmentProvider
from .rows import DataRow

FOLDER = "osworld"
INDEX = "test_all.json"
SOURCE = "evaluation_examples/ of xlang-ai/OSWorld on GitHub"
_PACKAGES = ("libreoffice-core", "chromium", "gimp", "vlc", "thunderbird", "mousepad", "pcmanfm", "xterm")


def examples(data: Path | None) -> Path:
    """The folder with ``test_all.json``: the data folder, ``osworld`` in it, or what either unpacks to."""
    root = data_root(data)
    candidates = [root / FOLDER, root / FOLDER / "evaluation_examples", root, root / "evaluation_examples"]
    for folder in candidates:
        if (folder / INDEX).is_file():
            return folder
    raise MissingPartError(f"osworld needs {candidates[0] / INDEX}; put {SOURCE} there, or name it: data (--data)")


@dataclass(frozen=True)
class OsWorldSuite:
    """The tasks that can be run here; ``cache`` is OSWorld's file cache, which is read only.

    A subset is a domain (``os``), or one of the published lists beside ``test_all.json`` (``small``).
    """

    data: Path | None = None
    cache: Path | None = None
    name: str = "osworld"

    def tasks(self, subset: str | None = None) -> Sequence[str]:
        """Those of a subset that can be run here, in the published order."""
        chosen = self._chosen(subset)
        if not (found := [task for task in chosen if task not in self.left_out]):
            raise UsageError(
                f"none of the {len(chosen)} tasks of {subset or 'osworld'} can be run here: "
                + reason_counts(self.counted(chosen))
            )
        return found

    def check(self, tasks: Sequence[str]) -> None:
        """Raise UnknownTaskError where OSWorld has no such task, UsageError where it cannot be run here."""
        for task in tasks:
            if task not in self._tasks:
                raise UnknownTaskError(f"osworld has no task {task!r}; `saccade suites --json` lists all")
            if task in self.left_out:
                raise UsageError(f"{task} cannot be run here: {'; '.join(self.left_out[task])}")

    def open(self, control: Control, guard: Guard) -> EnvironmentProvider:
        """Read the tasks."""
        return OsWorldProvider(self, control, guard)

    @property
    def left_out(self) -> Mapping[str, list[str]]:
        """Why each task that cannot be run here cannot."""
        return _left_out(examples(self.data), self.cache)

    def counted(self, tasks: Sequence[str]) -> dict[str, int]:
        """How many of these tasks cannot be run for each kind of reason."""
        return counted({task: self.left_out[task] for task in tasks if task in self.left_out})

    @property
    def selection(self) -> str:
        """How many tasks can be run here and why the others cannot, in one line."""
        total = len(self._tasks)
        line = f"{total - len(self.left_out)} of {total} tasks can be run here"
        return f"{line}; the others: {reason_counts(self.counted(list(self._tasks)))}" if self.left_out else line

    @property
    def _tasks(self) -> Mapping[str, Task]:
        return _read(examples(self.data))

    def task(self, name: str) -> Task:
        """One task."""
        return self._tasks[name]

    def _chosen(self, subset: str | None) -> list[str]:
        folder = examples(self.data)
        domains = _index(folder / INDEX)
        if subset is None:
            return [task for tasks in domains.values() for task in tasks]
        if subset in domains:
            return domains[subset]
        lists = {file.stem.removeprefix("test_"): file for file in sorted(folder.glob("test_*.json"))}
        if subset not in lists:
            known = [*domains, *lists]
            raise UsageError(f"osworld has no subset {subset!r}; choose one of {', '.join(known)}")
        return [task for tasks in _index(lists[subset]).values() for task in tasks if task in self._tasks]


class OsWorldProvider(DesktopProvider):
    """Makes a display for each episode."""

    def __init__(self, suite: OsWorldSuite, control: Control, guard: Guard) -> None:
        super().__init__(control, guard)
        self._suite = suite

    @property
    def settings(self) -> dict[str, JsonValue]:
        """The tasks' files, the programs, and what was left out for which reasons."""
        return {
            "tasks_sha256": _digest(examples(self._suite.data)),
            "programs": package_versions(_PACKAGES),
            "left_out": dict(self._suite.counted(self._suite._chosen(None))),
        }

    def environment(self, task: str) -> Environment:
        """A task on a display of its own."""
        return OsWorldEnvironment(
            self._suite.task(task), Cache(self._suite.cache), control=self._control, guard=self._guard
        )


def reason_counts(reasons: Mapping[str, int]) -> str:
    """Kinds of reasons in words, the most frequent first."""
    ordered = sorted(reasons.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{kind} ({count})" for kind, count in ordered)


def _index(file: Path) -> dict[str, list[str]]:
    """The names of a list's tasks by domain."""
    try:
        held = parse_json(read_file(file))
    except OSError as error:
        raise DataError(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{file}: {error}") from error
    if not isinstance(held, dict) or not all(isinstance(names, list) for names in held.values()):
        raise DataError(f"{file}: is no object of lists of task ids by domain")
    return {str(domain): [str(name) for name in names] for domain, names in held.items()}


@cache
def _read(folder: Path) -> Mapping[str, Task]:
    index = _index(folder / INDEX)
    listed = DataRow(str(folder / INDEX), {})
    names = [f"{domain}/{name}.json" for domain, names in index.items() for name in names]
    files = [listed.inside(folder / "examples", name) for name in names]
    return {file.stem: read_task(file) for file in files}


@cache
def _left_out(folder: Path, cache: Path | None) -> Mapping[str, list[str]]:
    found = {name: unmet(task, Cache(cache)) for name, task in _read(folder).items()}
    return {name: reasons for name, reasons in found.items() if reasons}


@cache
def _digest(folder: Path) -> str:
    tasks = [task.model_dump_json() for task in _read(folder).values()]
    return hashlib.sha256("\n".join(tasks).encode()).hexdigest()
