"""``saccade view``: validate trajectories, or write their reports and open them."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from ...actions.errors import SaccadeError, TrajectoryError, UsageError
from ...env.trajectory.trajectory import FILE_NAME, Trajectory
from ..report import write_overview, write_report


def view_and_print(paths: Sequence[Path], *, check: bool, open_it: bool) -> int:
    """One run's report, or a table of many runs; returns the exit status.

    Raises:
        TrajectoryError: the one run cannot be read, or there is none.
        UsageError: a page cannot be written.
    """
    if len(paths) == 1 and (not paths[0].is_dir() or (paths[0] / FILE_NAME).is_file()):
        line = check_trajectory(paths[0]) if check else view_report(paths[0], open_it)
        sys.stdout.write(line + "\n")
        return 0
    runs = find_runs(paths)
    if check:
        return _check_all(runs)
    page = write_overview(runs, common_folder(paths), _tell)
    if open_it:
        webbrowser.open(page.resolve().as_uri())
    sys.stdout.write(f"{page}\n")
    return 0


def check_trajectory(path: Path) -> str:
    """Load and validate a trajectory with all its screenshots; one line about it.

    Raises:
        TrajectoryError: something in it cannot be read.
    """
    trajectory = Trajectory.load(path)
    trajectory.check()
    how = f"ended: {trajectory.end.end}" if trajectory.end else "cut off before its end"
    return f"ok: {len(trajectory.steps)} steps, {len(trajectory.observations())} screens, {how}"


def view_report(path: Path, open_it: bool) -> str:
    """Write the report, show it in the web browser where there is one, and return its path."""
    report = write_report(Trajectory.load(path))
    if open_it:
        webbrowser.open(report.resolve().as_uri())
    return str(report)


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """The folders of all runs in some folders, each once.

    Raises:
        TrajectoryError: a folder is not there, or holds no run.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        inside = [path.parent] if path.is_file() else _runs_in(path)
        if not inside:
            raise TrajectoryError(f"{path} holds no {FILE_NAME}; name a run's folder, or a folder of runs")
        found |= {run.resolve(): run for run in inside if run.resolve() not in found}
    return list(found.values())


def _runs_in(folder: Path) -> list[Path]:
    runs = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "screenshots" and not name.startswith("."))
        if FILE_NAME in files:
            runs.append(Path(place))
    return runs


def common_folder(paths: Sequence[Path]) -> Path:
    """Where a table of the runs in these folders stands: in the one folder, or in the one around them all.

    Raises:
        UsageError: there is none around them all, as on two drives.
    """
    if len(paths) == 1:
        return paths[0]
    try:
        return Path(os.path.commonpath([_around(path.resolve()) for path in paths]))
    except ValueError as error:
        raise UsageError("the folders are on several drives; view those of one drive at a time") from error


def _around(path: Path) -> Path:
    """The folder around a run; of a folder of runs, itself."""
    if path.is_file():
        return path.parent.parent
    return path.parent if (path / FILE_NAME).is_file() else path


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _check_all(runs: Sequence[Path]) -> int:
    bad = 0
    for run in runs:
        try:
            line = check_trajectory(run)
        except SaccadeError as error:
            bad += 1
            line = f"bad: {error}"
        sys.stdout.write(f"{run}: {line}\n")
        sys.stdout.flush()
    sys.stderr.write(f"{len(runs) - bad} of {len(runs)} runs are whole\n")
    return 2 if bad else 0
