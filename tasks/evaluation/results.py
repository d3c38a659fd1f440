"""The files that are made of an evaluation's records: summary, table, page, and the reports it links to."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console
from rich.progress import track

from ...actions.errors import TrajectoryError
from ...env.trajectory.trajectory import FILE_NAME, Trajectory
from ..report import write_report
from ..report.overview import is_stale
from .folder import read_evaluation, write_file, write_records
from .page import write_page
from .price import Price
from .records import ignore
from .summary import Summary, as_csv, summarise


def write_results(
    root: Path, price: Price | None = None, *, quiet: bool = False, unreadable: Callable[[str], None] = ignore
) -> Summary:
    """Write ``summary.json``, ``summary.csv``, ``index.html`` and the reports from the records on disk.

    ``unreadable`` is called with why a record cannot be read.
    """
    config, records = read_evaluation(root, unreadable)
    summary = summarise(config, records, price)
    if config.samples is None:
        write_records(root, records)
        write_reports((record.key.folder(root) for record in records), quiet=quiet)
    write_file(root / "summary.json", summary.model_dump_json(indent=1) + "\n")
    write_file(root / "summary.csv", as_csv(records))
    write_page(root, summary, records)
    return summary


def write_reports(folders: Iterable[Path], *, quiet: bool = False) -> None:
    """Write the reports of episodes that have none, or one older than their trajectory.

    An episode that was cut off before its first line has nothing to report.
    """
    stale = [folder for folder in folders if (folder / FILE_NAME).is_file() and is_stale(folder)]
    console = Console(stderr=True)
    silent = quiet or not console.is_terminal
    for folder in track(stale, "reports", console=console, transient=True, disable=silent):
        with contextlib.suppress(TrajectoryError):
            write_report(Trajectory.load(folder))
