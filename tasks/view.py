"""``saccade view``: validate a trajectory, or write its report and open it."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from ..env.trajectory import Trajectory
from .report import write_report


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
