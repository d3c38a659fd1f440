"""A plain Parquet table: one row for each step, and one for the last screen.

The columns are for analysis. ``events`` holds the step's own lines of ``trajectory.jsonl``, and an import
reads these and the screenshot alone, so that a run comes back equal, times and numbers included.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from ...actions.errors import TrajectoryError, UsageError
from ...actions.extras import need_package
from ...actions.files import open_file
from ...env.private_files import private_part
from ...env.trajectory.events import Event, ObservationEvent, PredictionEvent, StartEvent
from ...env.trajectory.trajectory import Step, event_line, parse_events
from ...perception.observation import Observation
from . import base
from .base import ExportedRun, ForeignRun, ImportedScreen, LeaveOut, Note, Runs, decoded

_TEXT = ("run", "instruction", "policy", "environment", "saccade_version", "settings", "screenshot_sha256")
_KINDS: Mapping[str, str] = {
    **dict.fromkeys(_TEXT, "string"),
    **dict.fromkeys(("step", "seed", "width", "height"), "int64"),
    **dict.fromkeys(("started", "time", "device_scale", "origin_x", "origin_y"), "float64"),
    **dict.fromkeys(("url", "raw", "thought", "actions", "executed", "error"), "string"),
    **dict.fromkeys(("prompt_tokens", "reply_tokens", "forwards", "accepted_tokens"), "int64"),
    **dict.fromkeys(("seconds", "reward", "final_reward"), "float64"),
    **dict.fromkeys(("end", "message"), "string"),
    "success": "bool_",
    "screenshot_png": "binary",
    "events": "string",
}
_BATCH = 8


@dataclass(frozen=True)
class Parquet:
    """One file for all runs; needs the extra ``parquet``."""

    name: str = "parquet"
    suffix: str = ".parquet"

    def write(self, runs: Runs, target: Path, note: Note, leave_out: LeaveOut) -> Iterator[ExportedRun]:
        """See ``Format.write``."""
        arrow, table = need_package("pyarrow"), need_package("pyarrow.parquet")
        timings = sorted({name for named in runs for step in named.run.steps for name in _timings(step)})
        kinds = {**_KINDS, **dict.fromkeys(timings, "float64")}
        schema = arrow.schema([(name, getattr(arrow, kind)()) for name, kind in kinds.items()])
        with private_part(target) as part, table.ParquetWriter(part, schema, compression="zstd") as writer:
            for named in runs:
                with base.leaving_out(leave_out):
                    rows = list(_rows(named))
                    batches = [rows[first : first + _BATCH] for first in range(0, len(rows), _BATCH)]
                    tables = [
                        arrow.Table.from_pylist([_complete(named, row, kinds) for row in batch], schema=schema)
                        for batch in batches
                    ]
                    for whole in tables:  # the run is written as a whole or not at all
                        writer.write_table(whole)
                    yield named

    def read(self, source: Path, images: Path | None, note: Note, leave_out: LeaveOut) -> Iterator[ForeignRun]:
        """See ``Format.read``."""
        if images is not None:
            raise UsageError("a Parquet table holds its pictures itself; leave images (--images) out")
        rows = _read_rows(source)
        for run, of_run in groupby(rows, key=lambda row: row[1]["run"]):
            first, *rest = (_Row(source, *row) for row in of_run)
            with base.leaving_out(leave_out):
                start = first.events(())[0]
                if not isinstance(start, StartEvent):
                    raise TrajectoryError(f"{first.where}: the first event of {run} must be 'start'")
                yield ForeignRun(str(run), start, _items([first, *rest]))


class _Row:
    """One row of a table that is being read."""

    def __init__(self, source: Path, number: int, values: Mapping[str, Any]) -> None:
        self.where = f"{source}: row {number}"
        self._values = values

    @property
    def first_line(self) -> bytes:
        return self._lines[0]

    @property
    def _lines(self) -> list[bytes]:
        text = self._values["events"]
        if not text:
            raise TrajectoryError(f"{self.where}: events is empty")
        if not isinstance(text, str):
            raise TrajectoryError(f"{self.where}: events is no text")
        return [line.encode() for line in text.removesuffix("\n").split("\n")]

    def events(self, before: Sequence[bytes]) -> list[Event]:
        """The row's events; ``before`` is the line of the run's first event where this row has it not."""
        return parse_events(f"{self.where}: events", [*before, *self._lines])[len(before) :]

    def screen(self, seen: ObservationEvent) -> ImportedScreen:
        """The screen of an event of this row."""
        data = self._values["screenshot_png"]
        if not isinstance(data, bytes):
            raise TrajectoryError(f"{self.where}: screenshot_png is {'missing' if data is None else 'no picture'}")
        shown = decoded(self.where, data)
        if shown.digest != seen.screenshot:
            raise TrajectoryError(f"{self.where}: the screenshot is not the one that was recorded")
        placed = type(shown)(shown.pixels, seen.device_scale, seen.origin)
        return ImportedScreen(seen.step, Observation(placed, seen.time, seen.url, seen.timings, seen.notes))


def _items(rows: Sequence[_Row]) -> Iterator[Any]:
    for number, row in enumerate(rows):
        events = row.events((rows[0].first_line,) if number else ())
        for event in events if number else events[1:]:
            yield row.screen(event) if isinstance(event, ObservationEvent) else event


def _read_rows(source: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    arrow, table = need_package("pyarrow"), need_package("pyarrow.parquet")
    wanted = ["run", "screenshot_png", "events"]
    number = 0
    try:
        with open_file(source, base.LONGEST_FILE) as stream, table.ParquetFile(stream) as file:
            missing = [name for name in wanted if name not in file.schema_arrow.names]
            if missing:
                raise TrajectoryError(f"{source}: has no column {', '.join(missing)}; it was not exported by Saccade")
            for batch in file.iter_batches(batch_size=_BATCH, columns=wanted):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (OSError, arrow.ArrowException) as error:
        raise TrajectoryError(f"{source}: not a Parquet table that can be read: {error}") from error


def _rows(named: ExportedRun) -> Iterator[tuple[Step | ObservationEvent | None, list[Event]]]:
    """The step or screen of each row and its events; the first row has the start, the last one the end."""
    run = named.run
    rows: list[tuple[Step | ObservationEvent | None, list[Event]]] = [
        (step, [step.observation, *([step.prediction] if step.prediction else []), *step.actions]) for step in run.steps
    ]
    rows += [(run.final, [run.final])] if run.final else []
    rows = rows or [(None, [])]
    rows[0][1].insert(0, run.start)
    rows[-1][1].extend([run.end] if run.end else [])
    yield from rows


def _complete(
    named: ExportedRun, row: tuple[Step | ObservationEvent | None, list[Event]], kinds: Mapping[str, str]
) -> dict[str, Any]:
    """All columns of one row; None where there is no value."""
    about, events = row
    start, end = named.run.start, named.run.end
    step = about if isinstance(about, Step) else None
    seen = about.observation if isinstance(about, Step) else about
    values: dict[str, Any] = {
        "run": named.name,
        **start.model_dump(include={"instruction", "policy", "environment", "seed", "saccade_version"}),
        "settings": json.dumps(start.all_settings()),
        "started": start.time,
        "events": "".join(event_line(event).decode() for event in events),
        **_seen(named, seen),
        **(_said(step.prediction) if step and step.prediction else {}),
        **(_done(step) if step else {}),
    }
    if end is not None:
        success = end.success if end.judged else None
        values |= {"end": end.end, "success": success, "message": end.message, "final_reward": end.reward}
    return {name: _plain(values.get(name)) for name in kinds}


def _seen(named: ExportedRun, seen: ObservationEvent | None) -> dict[str, Any]:
    if seen is None:
        return {}
    named.run.screenshot(seen)  # checks the digest
    return {
        **seen.model_dump(include={"step", "time", "device_scale", "url"}),
        "screenshot_sha256": seen.screenshot,
        "screenshot_png": named.run.image_bytes(seen),
        "width": seen.size.width,
        "height": seen.size.height,
        "origin_x": seen.origin.x,
        "origin_y": seen.origin.y,
    }


def _said(said: PredictionEvent) -> dict[str, Any]:
    actions = json.dumps([action.model_dump(mode="json") for action in said.actions])
    known = said.model_dump(include={"raw", "thought", "error", "seconds"})
    return {**known, "actions": actions, **said.usage.model_dump(exclude={"timings"})}


def _done(step: Step) -> dict[str, Any]:
    errors = [event.error for event in step.actions if event.error]
    return {
        "executed": json.dumps([event.action.model_dump(mode="json") for event in step.actions]),
        "reward": sum(event.reward for event in step.actions),
        **({"error": "; ".join(errors)} if errors else {}),
        **_timings(step),
    }


def _timings(step: Step) -> dict[str, float]:
    """Seconds of each phase as a column's name and value; those of several actions are added up."""
    usage = step.prediction.usage.timings if step.prediction else {}
    found = {f"{name}_seconds": value for name, value in {**step.observation.timings, **usage}.items()}
    for name, value in (item for event in step.actions for item in event.timings.items()):
        found[f"after_{name}_seconds"] = found.get(f"after_{name}_seconds", 0.0) + value
    return found


def _plain(value: Any) -> Any:
    """Half a surrogate pair has no UTF-8; ``events`` keeps it."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value
