"""A folder of runs as one page: a table with links to the reports."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from ...actions.errors import SaccadeError, TrajectoryError, UsageError
from ...actions.files import open_file
from ...actions.untrusted import contained
from ...env.trajectory.trajectory import FILE_NAME as TRAJECTORY_NAME
from ...env.trajectory.trajectory import Trajectory
from ...perception.pictures import decode_picture
from .data import outcome_of
from .html_page import content_policy, fill, json_block, part, script_of, write_atomically
from .page import FILE_NAME as REPORT_NAME
from .page import page_beginning, write_report
from .replay_outcome import RECORD_NAME, read_record
from .times import duration

FILE_NAME = "overview.html"
THUMBNAIL = (192, 120)
_LARGEST = 1 << 32
_SCRIPTS = ("elements.js", "overview.js")


@dataclass(frozen=True)
class OverviewRow:
    """The table's row of one run.

    Attributes:
        name: its folder, relative to the table.
        link: its report, relative to the table; None if there is none.
        thumbnail: its last screen as a data URL; empty if there is none.
        tone: of the outcome: good, bad, open or claim.
        end: why it ended; empty for a run that was cut off.
        seconds: its duration.
        forwards: forward passes of the model after prefill.
    """

    name: str
    link: str | None
    task: str = ""
    environment: str = ""
    policy: str = ""
    when: float | None = None
    tone: str = "bad"
    outcome: str = "Unreadable"
    why: str = ""
    end: str = ""
    steps: int | None = None
    seconds: float | None = None
    forwards: int | None = None
    thumbnail: str = ""


def write_overview(runs: Sequence[Path], folder: Path, log: Callable[[str], None]) -> Path:
    """Write the table of some runs inside ``folder``, and the reports that are missing or out of date.

    ``log`` is called with a line for each report that is written or cannot be written.

    Raises:
        UsageError: the table cannot be written.
    """
    stale = [run for run in runs if is_stale(run)]
    for number, run in enumerate(stale, start=1):
        _refresh(run, f"report {number} of {len(stale)}: {run}", log)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = list(pool.map(lambda run: row(run, folder), runs))
    style, script = part("report.css") + part("overview.css"), script_of(_SCRIPTS)
    values = {
        "policy": content_policy(style, script),
        "style": style,
        "script": script,
        "data": json_block([asdict(each) for each in rows]),
    }
    path = folder / FILE_NAME
    try:
        write_atomically(path, [fill(part("overview.html"), values)])
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; name one folder of runs") from error
    return path


def is_stale(run: Path) -> bool:
    """Whether a run's report is missing, older than the run, or not a page of this version: it may be by others."""
    try:
        with open_file(contained(run, REPORT_NAME), _LARGEST) as page:
            if page.read(len(page_beginning())) != page_beginning():
                return True
            written = os.fstat(page.fileno()).st_mtime_ns
    except OSError:
        return True
    sources = (run / TRAJECTORY_NAME, run / RECORD_NAME)
    return any(file.exists() and file.stat().st_mtime_ns > written for file in sources)


def _refresh(run: Path, message: str, log: Callable[[str], None]) -> None:
    log(message)
    try:
        write_report(Trajectory.load(run))
    except SaccadeError as error:
        log(str(error))


def row(run: Path, folder: Path) -> OverviewRow:
    """The row of a run; of one that cannot be read, with the reason."""
    name = Path(os.path.relpath(run.resolve(), folder.resolve())).as_posix()
    link = f"./{quote(name)}/{REPORT_NAME}" if (run / REPORT_NAME).is_file() else None
    try:
        trajectory = Trajectory.load(run)
        record = read_record(run)
    except TrajectoryError as error:
        return OverviewRow(name, link, why=str(error).replace(f"{run}{os.sep}", ""))
    status = outcome_of(trajectory, drifted=bool(record and record.drift))
    predictions = [step.prediction for step in trajectory.steps if step.prediction]
    return OverviewRow(
        name=name,
        link=link,
        task=trajectory.start.instruction,
        environment=trajectory.start.environment,
        policy=trajectory.start.policy,
        when=trajectory.start.time,
        tone=status.tone,
        outcome=status.word,
        why=status.why,
        end=trajectory.end.end if trajectory.end else "",
        steps=len(predictions),
        seconds=duration(trajectory),
        forwards=sum(prediction.usage.forwards for prediction in predictions),
        thumbnail=thumbnail(trajectory),
    )


def thumbnail(trajectory: Trajectory) -> str:
    """A run's last screen, small, as a data URL; empty if there is none that can be read."""
    seen = trajectory.observations()
    if not seen:
        return ""
    try:
        small = decode_picture(trajectory.image_bytes(seen[-1]))
    except OSError:
        return ""
    small.thumbnail(THUMBNAIL)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=70)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"
