"""``saccade export`` and ``saccade import``: folders of runs; the output is complete or not written."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ...actions.errors import TrajectoryError, UsageError
from ...env.private_files import private_folder, private_part
from ...env.trajectory.trajectory import FILE_NAME, Trajectory, TrajectoryWriter
from . import get_format
from .base import ExportedRun, ForeignRun, ImportedScreen, LeaveOut, leaving_out, throw


@dataclass
class ConvertedRun:
    """The result of an export or import.

    Attributes:
        out: the file or folder.
        format: the format's name.
        runs: names of the runs, in order.
        steps: predictions in all of them.
        notes: what could not be expressed exactly, once each, in order.
        left_out: why each run that could not be converted was left out.
    """

    out: str
    format: str
    runs: list[str] = field(default_factory=list)
    steps: int = 0
    notes: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Add a note."""
        if text not in self.notes:
            self.notes.append(text)


def export_runs(path: Path, format_name: str, out: Path | None = None) -> ConvertedRun:
    """Write a run, or every run in a folder, in another format; of several, those that can be written.

    Args:
        path: a run's folder, its ``trajectory.jsonl``, or a folder of runs.
        format_name: a name in ``FORMATS``.
        out: the file or folder to make; by default beside the runs.

    Raises:
        UsageError: the output exists already, or an action of the only run cannot be expressed in this format.
        TrajectoryError: none of them can be read.
    """
    chosen = get_format(format_name)
    faults = _Faults()
    runs = find_runs(path, faults)
    folder = (path.parent if path.is_file() else path).resolve()
    target = out or folder.with_name(folder.name + chosen.suffix)
    result = ConvertedRun(str(target), chosen.name)
    with atomic_output(target) as beside:
        for named in chosen.write(runs, beside, result.note, faults):
            result.runs.append(named.name)
            result.steps += len(named.run.steps)
        result.left_out = faults.texts(bool(result.runs))
    return result


def import_runs(source: Path, format_name: str, out: Path, images: Path | None = None) -> ConvertedRun:
    """Read runs of another format into trajectories: one into ``out``, several into folders inside it.

    Of several, those that can be read are kept.

    Raises:
        UsageError: ``out`` exists already.
        TrajectoryError: none of them can be read; nothing is kept then.
    """
    chosen = get_format(format_name)
    faults = _Faults()
    if not source.exists():
        raise TrajectoryError(f"{source}: No such file or directory")
    result = ConvertedRun(str(out), chosen.name)
    with atomic_output(out) as beside:
        for run in chosen.read(source, images, result.note, faults):
            name = _free_name(run.name, result.runs)
            with leaving_out(faults):
                result.steps += _write(run, beside / name)
                result.runs.append(name)
                _progress(len(result.runs))
        result.left_out = faults.texts(bool(result.runs))
        if not result.runs:
            raise TrajectoryError(f"{source}: holds no run")
        if len(result.runs) == 1 and not result.left_out:
            _lift(beside / result.runs[0], beside)
    return result


class _Faults:
    """Collects why runs are left out."""

    def __init__(self) -> None:
        self._errors: list[TrajectoryError | UsageError] = []

    def __call__(self, error: TrajectoryError | UsageError) -> None:
        self._errors.append(error)

    def texts(self, others: bool) -> list[str]:
        """The reasons; raises the first where there are no other runs to go on with."""
        if self._errors and not others:
            raise self._errors[0]
        return [str(error) for error in self._errors]


def find_runs(path: Path, leave_out: LeaveOut = throw) -> list[ExportedRun]:
    """The run in a folder, or all in the folders inside it, by their names; raises ``TrajectoryError`` if none."""
    if path.is_file() or (path / FILE_NAME).is_file():
        run = Trajectory.load(path)
        return [ExportedRun(run.directory.resolve().name, run)]
    files = sorted(path.rglob(FILE_NAME))
    if not files:
        raise TrajectoryError(f"{path} holds no {FILE_NAME}")
    found = []
    for file in files:
        with leaving_out(leave_out):
            name = "-".join(file.parent.relative_to(path).parts)
            found.append(ExportedRun(name, Trajectory.load(file.parent)))
    return found


@contextmanager
def atomic_output(target: Path) -> Iterator[Path]:
    """A path to write to, then moved to ``target``, or removed after an error; raises ``UsageError`` if that exists."""
    _refuse_existing(target)
    with ExitStack() as stack:
        try:
            private_folder(target.parent)
            beside = stack.enter_context(private_part(target))
        except OSError as error:
            raise UsageError(f"cannot write {target}: {error.strerror}; choose another: out (--out)") from error
        yield beside
        _refuse_existing(target)


def _refuse_existing(target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target} exists already; choose another: out (--out)")


def _write(run: ForeignRun, directory: Path) -> int:
    """Write one run, load it again as a check, and return its number of steps; of a bad one nothing is left."""
    try:
        with TrajectoryWriter(directory, run.start, own=False) as writer:
            for item in run.rest:
                if isinstance(item, ImportedScreen):
                    writer.observe(item.step, item.observation)
                else:
                    writer.append(item)
        return len(Trajectory.load(directory).steps)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise


def _free_name(name: str, taken: list[str]) -> str:
    """A folder name made of a run's name; a number makes it unique."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._")[:100] or "run"
    number, free = 1, plain
    while free in taken:
        number += 1
        free = f"{plain}-{number}"
    return free


def _lift(folder: Path, target: Path) -> None:
    """Replace a folder by its only subfolder."""
    spare = target.with_name(target.name + ".one")
    folder.rename(spare)
    target.rmdir()
    spare.rename(target)


def _progress(count: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{count} runs ")
