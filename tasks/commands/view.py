"""``saccade view``: validate runs and evaluations, or write their pages and open them."""

from __future__ import annotations

import json
import os
import sys
import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...actions.errors import DataError, SaccadeError, TrajectoryError, UsageError
from ...actions.untrusted import one_line
from ...env.trajectory.trajectory import FILE_NAME, Trajectory
from ..evaluation.folder import read_config, read_records
from ..evaluation.page import PAGE_NAME
from ..evaluation.results import write_results
from ..report import write_overview, write_report
from ..terminal.narrator import plural


def view_and_print(paths: Sequence[Path], *, check: bool, open_it: bool, json_output: bool = False) -> int:
    """One run's report, an evaluation's page, or a table of many runs; returns the exit status.

    Raises:
        TrajectoryError: the one run cannot be read, or there is none.
        UsageError: a page cannot be written.
    """
    if check:
        return _check(paths, json_output)
    page = _write_page(paths)
    if open_it:
        webbrowser.open(page.resolve().as_uri())
    sys.stdout.write((json.dumps({"page": str(page)}) if json_output else str(page)) + "\n")
    return 0


def _write_page(paths: Sequence[Path]) -> Path:
    if _is_run(paths):
        return write_report(Trajectory.load(paths[0]))
    if len(paths) == 1 and read_config(paths[0]) is not None:
        write_results(paths[0], unreadable=_left_out)
        return paths[0] / PAGE_NAME
    return write_overview(find_runs(paths), common_folder(paths), _log)


def _log(line: str) -> None:
    sys.stderr.write(one_line(line) + "\n")


def _left_out(reason: str) -> None:
    sys.stderr.write(f"left out: {one_line(reason)}\n")


def _is_run(paths: Sequence[Path]) -> bool:
    return len(paths) == 1 and (not paths[0].is_dir() or (paths[0] / FILE_NAME).is_file())


def check_trajectory(path: Path) -> str:
    """Load and validate a trajectory with all its screenshots; one line about it.

    Raises:
        TrajectoryError: something in it cannot be read.
    """
    trajectory = Trajectory.load(path)
    trajectory.check()
    how = f"ended: {trajectory.end.end}" if trajectory.end else "cut off before its end"
    return f"ok: {plural(len(trajectory.steps), 'step')}, {plural(len(trajectory.observations()), 'screen')}, {how}"


def find_runs(paths: Sequence[Path]) -> list[Path]:
    """The folders of all runs in some folders, each once.

    Raises:
        TrajectoryError: a folder does not exist, or holds no run.
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
    folder = path.parent if path.is_file() else path
    return folder.parent if (folder / FILE_NAME).is_file() else folder


def _check(paths: Sequence[Path], json_output: bool) -> int:
    config = read_config(paths[0]) if len(paths) == 1 else None
    if _is_run(paths):
        line = check_trajectory(paths[0])
    elif config is not None and config.samples is not None:
        bad: list[str] = []
        line = f"ok: {len(read_records(paths[0], config, bad.append))} recorded screens"
        if bad:
            raise DataError(f"{len(bad)} records cannot be read, first {bad[0]}")
    else:
        return _check_all(find_runs(paths), json_output)
    sys.stdout.write((_checked(0, {paths[0]: line}) if json_output else line) + "\n")
    return 0


def _check_all(runs: Sequence[Path], json_output: bool) -> int:
    found: dict[Path, str] = {}
    bad = 0
    for run in runs:
        try:
            found[run] = check_trajectory(run)
        except SaccadeError as error:
            bad += 1
            found[run] = f"bad: {error}"
        if not json_output:
            sys.stdout.write(f"{one_line(f'{run}: {found[run]}')}\n")
            sys.stdout.flush()
    if json_output:
        sys.stdout.write(_checked(bad, found) + "\n")
    sys.stderr.write(f"{len(runs) - bad} of {len(runs)} runs are valid\n")
    return 2 if bad else 0


def _checked(bad: int, found: Mapping[Path, str]) -> str:
    return json.dumps({"bad": bad, "runs": {str(run): line for run, line in found.items()}})
