"""The pages of the ``miniwob`` package: which tasks there are and how large they are."""

from __future__ import annotations

import difflib
import importlib.util
from pathlib import Path
from typing import Any

from ...actions.errors import MissingPartError, UnknownTaskError
from ...actions.geometry import Size

# FlightWoB loads its pages in a frame, which file:// pages may do only with this flag.
FLAGS = ("--allow-file-access-from-files",)

# Chromium's compositor then draws as soon as it is asked to: a screenshot of a stable page takes 8 ms instead
# of 22. It also draws when nothing changes, so this is for a page that has a core of its own: where episodes
# share the machine, each waits longer for a core than it gains.
ALONE = (*FLAGS, "--disable-frame-rate-limit")


def miniwob_tasks() -> list[str]:
    """All tasks of the installed ``miniwob`` package, sorted; the four ``flight.*`` tasks are extra.

    Raises:
        MissingPartError: the package is not installed.
    """
    return sorted(page.stem for page in (_pages() / "miniwob").glob("*.html"))


def flight_tasks() -> list[str]:
    """The FlightWoB tasks, such as ``flight.AA``."""
    return sorted(f"flight.{page.parent.name}" for page in (_pages() / "flight").glob("*/wrapper.html"))


def window_of(task: str) -> Size:
    """The viewport that a task is published for, in CSS pixels."""
    return Size(600, 800) if task.startswith("flight.") else Size(500, 320)


def view_of(task: str) -> Size:
    """The part of the window that the task takes up, from the top left corner."""
    return Size(375, 667) if task.startswith("flight.") else Size(160, 210)


def _pages() -> Path:
    # find_spec does not import the package, which would pull in selenium and gymnasium.
    spec = importlib.util.find_spec("miniwob")
    if spec is None or not spec.submodule_search_locations:
        raise MissingPartError("the MiniWoB++ pages are not installed; run `pip install miniwob`")
    return Path(spec.submodule_search_locations[0]) / "html"


def page_of(task: str) -> Path:
    """The page of a task.

    Raises:
        UnknownTaskError: there is no such task; the message names the nearest.
    """
    known = [*miniwob_tasks(), *flight_tasks()]
    if task not in known:
        near = difflib.get_close_matches(task, known, n=3)
        hint = f"; nearest: {', '.join(near)}" if near else f"; there are {len(known)}, such as click-test-2"
        raise UnknownTaskError(f"MiniWoB++ has no task {task!r}{hint}")
    if task.startswith("flight."):
        return _pages() / "flight" / task.removeprefix("flight.") / "wrapper.html"
    return _pages() / "miniwob" / f"{task}.html"


def words(utterance: Any) -> str:
    """An utterance is a sentence, or an object with the sentence and its fields."""
    return str(utterance["utterance"] if isinstance(utterance, dict) else utterance)
