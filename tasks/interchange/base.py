"""What the formats share: exported runs, imported runs, and errors that name file and line.

What reads here raises such an error, a ``TrajectoryError``, for everything that it cannot read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pydantic import ValidationError

from ... import __version__
from ...actions.dialects.reply_errors import InvalidReply
from ...actions.errors import TrajectoryError, UnknownKeyError, UsageError, first_problem
from ...actions.files import open_file, read_file
from ...actions.untrusted import contained, parse_json
from ...env.trajectory.events import ActionEvent, EndEvent, PredictionEvent, StartEvent, event_adapter
from ...env.trajectory.trajectory import EventT, Trajectory
from ...env.trajectory.upgrade import upgrade
from ...perception.observation import Observation, Screenshot

Note = Callable[[str], None]
"""Called with a line for each thing that a format cannot express exactly."""
LeaveOut = Callable[[TrajectoryError | UsageError], None]
"""Called with the error of a run that cannot be converted; it may raise it, or let the others go on."""


def throw(error: TrajectoryError | UsageError) -> None:
    """The strict ``LeaveOut``."""
    raise error


LONGEST_FILE = 1 << 34
"""Bytes of a file that is read line by line."""


class ExportedRun(NamedTuple):
    """One of our runs, and its name in the export."""

    name: str
    run: Trajectory


Runs = Sequence[ExportedRun]


class ImportedScreen(NamedTuple):
    """A screen to be written into a trajectory."""

    step: int
    observation: Observation


@dataclass(frozen=True)
class ForeignRun:
    """A run read from another format.

    Attributes:
        name: its name in that format.
        start: its first event.
        rest: all other events, in order; a generator, so that only one screen is in memory at a time.
    """

    name: str
    start: StartEvent
    rest: Iterable[ImportedScreen | PredictionEvent | ActionEvent | EndEvent]


class Format(Protocol):
    """A format that runs can be written to and read from.

    Attributes:
        name: its name in ``--to`` and ``--from``.
        suffix: added to the name of a run's folder to name the output.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def suffix(self) -> str: ...  # noqa: D102

    def write(self, runs: Runs, target: Path, note: Note, leave_out: LeaveOut) -> Iterator[ExportedRun]:
        """Write the runs to a file or folder that does not exist yet, and yield each that is written.

        ``leave_out`` gets the ``UsageError`` of a run with an action that cannot be expressed in this format, and the
        ``TrajectoryError`` of one that cannot be read.
        """

    def read(self, source: Path, images: Path | None, note: Note, leave_out: LeaveOut) -> Iterator[ForeignRun]:
        """Read every run of a file or folder; images are also searched for in ``images``.

        ``leave_out`` gets the ``TrajectoryError`` of a run whose beginning cannot be read; the message names the file
        and the line.

        Raises:
            TrajectoryError: nothing in it can be read.
        """


@contextmanager
def leaving_out(leave_out: LeaveOut) -> Iterator[None]:
    """Pass on what is wrong with one run, so that others can go on."""
    try:
        yield
    except (TrajectoryError, UsageError) as error:
        leave_out(error)


@contextmanager
def located(where: str) -> Iterator[None]:
    """Raise errors of an input as a ``TrajectoryError`` that names the file and line."""
    try:
        yield
    except ValidationError as error:
        raise TrajectoryError(f"{where}: {first_problem(error)}") from error
    except (InvalidReply, UnknownKeyError) as error:
        raise TrajectoryError(f"{where}: {error}") from error
    except OSError as error:
        raise TrajectoryError(f"{where}: {error.filename}: {error.strerror or error}") from error


def json_lines(file: Path) -> Iterator[tuple[str, bytes]]:
    """Each line of a JSONL file as ``(file:line, text)``; empty lines are skipped."""
    with located(str(file)), open_file(file, LONGEST_FILE) as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield f"{file}:{number}", line


def json_object(where: str, text: bytes) -> dict[str, Any]:
    """A JSON object."""
    try:
        found = parse_json(text)
    except ValueError as error:
        raise TrajectoryError(f"{where}: not JSON: {error}") from error
    if not isinstance(found, dict):
        raise TrajectoryError(f"{where}: not a JSON object")
    return found


def field(where: str, holder: Mapping[str, Any], name: str, kind: type, default: Any = None) -> Any:
    """A field of a JSON object, checked; without a default it is required."""
    value = holder.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        found = "is missing" if value is None else f"is not {_KINDS[kind]}: {str(value)[:60]!r}"
        raise TrajectoryError(f"{where}: {name} {found}")
    return value


_KINDS = {str: "a text", dict: "an object", list: "a list", int: "a whole number", bool: "true or false"}


def picture(where: str, folders: Iterable[Path], name: str) -> Screenshot:
    """The image that a line names, from the first folder that has it; the name may not lead out of the folders."""
    for folder in folders:
        try:
            return decoded(f"{where}: {folder / name}", read_file(contained(folder, name)))
        except FileNotFoundError:
            continue
        except OSError as error:
            reason = error.strerror or error
            raise TrajectoryError(f"{where}: {name!r} does not name an image in the folder: {reason}") from error
    raise TrajectoryError(f"{where}: the image {name} is missing; name its folder: images (--images)")


def sibling(file: Path, name: str) -> bytes | None:
    """What is in a file beside another one; None if there is none.

    Raises:
        TrajectoryError: it cannot be read.
    """
    try:
        return read_file(contained(file.parent, name))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TrajectoryError(f"{file.parent / name}: {error.strerror}") from error


def decoded(where: str, data: bytes) -> Screenshot:
    """The pixels of an image."""
    try:
        return Screenshot.from_png(data)
    except OSError as error:
        raise TrajectoryError(f"{where}: not an image: {error}") from error


def provenance(run: Trajectory) -> dict[str, Any]:
    """Our first and last event as JSON, for formats that have no fields for them."""
    ends = {"start": run.start, "end": run.end}
    return {name: event.model_dump(mode="json") for name, event in ends.items() if event is not None}


def restored(where: str, known: Mapping[str, Any]) -> tuple[StartEvent | None, EndEvent | None]:
    """The events that ``provenance`` wrote, if there are any; raises ``NewerSchemaError`` if a newer version did."""
    return _event(where, known, "start", StartEvent), _event(where, known, "end", EndEvent)


def _event(where: str, known: Mapping[str, Any], name: str, kind: type[EventT]) -> EventT | None:
    if (data := known.get(name)) is None:
        return None
    if not isinstance(data, dict) or not isinstance(known.get("start"), dict):
        raise TrajectoryError(f"{where}: saccade: not the first and last event of a run")
    with located(where):
        event = event_adapter.validate_python(upgrade(where, known["start"], data))
    if not isinstance(event, kind):
        raise TrajectoryError(f"{where}: saccade: '{event.event}' is out of place")
    return event


def imported_start(environment: str, instruction: str, time: float) -> StartEvent:
    """The first event of a run that another program recorded."""
    return StartEvent(
        saccade_version=__version__, instruction=instruction, environment=environment, policy="unknown", time=time
    )
