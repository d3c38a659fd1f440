"""The folders of runs."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ...actions.errors import TrajectoryError

RUNS: Final = Path("runs")
"""Where runs get their folders, unless chosen otherwise."""


@contextmanager
def run_folder(out: Path | None, place: str, runs: Path = RUNS) -> Iterator[Path]:
    """Make the run's folder: ``out``, or a new one in ``runs``.

    What fails in the enclosed block before its first event leaves no folder behind.

    Raises:
        TrajectoryError: it holds a run already, or cannot be made.
    """
    directory = _given_folder(out) if out is not None else new_folder(place, runs)
    try:
        yield directory
    except BaseException:
        with suppress(OSError):
            directory.rmdir()
        raise


def _given_folder(out: Path) -> Path:
    from ...env.trajectory.trajectory import FILE_NAME

    if (out / FILE_NAME).exists():
        raise TrajectoryError(f"{out} already holds a run; choose another folder with --out")
    try:
        _make(out, exist_ok=True)
    except FileExistsError as error:
        raise TrajectoryError(f"{out} is not a folder; choose another --out") from error
    return out


def new_folder(place: str, runs: Path = RUNS) -> Path:
    """Make a folder in ``runs`` that no other run has, named by time and place."""
    slug = re.sub(r"[^a-z0-9]+", "-", place.lower()).strip("-")
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{slug}"
    for number in itertools.count(1):
        directory = runs / (name if number == 1 else f"{name}-{number}")
        with suppress(FileExistsError):
            _make(directory, exist_ok=False)
            return directory
    raise AssertionError("numbers do not end")


def _make(directory: Path, exist_ok: bool) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=exist_ok)
    except FileExistsError:
        raise
    except OSError as error:
        message = f"cannot make {directory}: {error.strerror}; choose another --out"
        raise TrajectoryError(message) from error
