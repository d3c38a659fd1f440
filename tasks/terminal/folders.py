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
from ...env.private_files import private_folder

RUNS: Final = Path("runs")
"""Where runs get their folders, unless chosen otherwise."""


@contextmanager
def run_folder(out: Path | None, place: str, runs: Path = RUNS) -> Iterator[Path]:
    """Make the run's folder: ``out``, or a new one in ``runs``.

    What fails in the enclosed block before its first event leaves no folder behind.

    Raises:
        TrajectoryError: it holds a run already, or cannot be made.
    """
    from ...env.trajectory.trajectory import FILE_NAME

    if out is not None and (out / FILE_NAME).exists():
        raise TrajectoryError(f"{out} already holds a run; choose another folder (--out)")
    directory = new_folder(place, runs) if out is None else _make(out)
    try:
        yield directory
    except BaseException:
        with suppress(OSError):
            directory.rmdir()
        raise


def new_folder(place: str, runs: Path = RUNS) -> Path:
    """Make a folder in ``runs`` that no other run has, named by time and place."""
    slug = re.sub(r"[^a-z0-9]+", "-", place.lower()).strip("-")
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{slug}"
    for number in itertools.count(1):
        with suppress(FileExistsError):
            return _make(runs / (name if number == 1 else f"{name}-{number}"), exist_ok=False)
    raise AssertionError("numbers do not end")


def _make(directory: Path, exist_ok: bool = True) -> Path:
    try:
        private_folder(directory, exist_ok=exist_ok)
    except OSError as error:
        if isinstance(error, FileExistsError) and not exist_ok:
            raise
        raise TrajectoryError(f"cannot make {directory}: {error.strerror}; choose another folder (--out)") from error
    return directory
