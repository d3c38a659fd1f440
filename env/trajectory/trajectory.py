"""One run on disk: ``trajectory.jsonl`` (events, append-only) and ``screenshots/`` (files by hash).

A run that is killed at any moment leaves valid files: the file appears with its first event in it, one write
appends each event, and a screenshot is complete before an event names it. Reading drops a torn last line.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from ...actions.errors import SaccadeError, Stopped, TrajectoryError, UnknownKeyError, first_problem
from ...actions.files import read_file
from ...actions.untrusted import contained, parse_json
from ...perception.observation import Observation, Screenshot
from ..private_files import private_folder, private_part, write_private
from . import ownership
from .audit import AUDIT_NAME, AuditChain
from .bounds import bounded, check_lengths
from .concealing import concealed
from .events import ActionEvent, EndEvent, Event, ObservationEvent, PredictionEvent, StartEvent, event_adapter
from .upgrade import upgrade

FILE_NAME = "trajectory.jsonl"
_LARGEST = 1 << 30

Listener = Callable[[Event], None]
EventT = TypeVar("EventT", bound=Event)


class TrajectoryWriter:
    """Appends events to a new trajectory in ``directory``, made if missing; listeners get each written event.

    With its end it is signed as this user's own recording, unless ``own`` is false: what others recorded is copied.
    ``conceal`` puts markers in place of secrets in every text of an event, before it is written and before it is heard.
    ``audit`` chains its lines by hash, from the first on; ``anchor`` is where its hashes are kept elsewhere.

    Raises:
        TrajectoryError: the folder already holds a trajectory or cannot be written.
    """

    def __init__(
        self,
        directory: Path,
        start: StartEvent,
        listeners: Iterable[Listener] = (),
        *,
        own: bool = True,
        conceal: Callable[[str], str] | None = None,
        anchor: Path | None = None,
    ) -> None:
        start = start if conceal is None else concealed(start, conceal)
        self._conceal = conceal
        self.path = directory / FILE_NAME
        self._own = own
        self._images = directory / "screenshots"
        self._listeners = tuple(listeners)
        try:
            if self.path.exists():
                raise TrajectoryError(f"{directory} already holds a trajectory; choose another folder (--out)")
            private_folder(self._images)
            self.audit = AuditChain(directory / AUDIT_NAME, conceal, anchor)
            self.audit.announce(event_line(start), anchor=True)
            _write_atomically(self.path, event_line(start))
            self._hash = hashlib.sha256(event_line(start))
            self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND)
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        self._closed = self._ended = False
        self._steps = 0
        try:
            self._notify(start)
        except BaseException as error:
            self._break_off(error)
            raise

    def __enter__(self) -> TrajectoryWriter:
        """Itself; closed after the block. An error that leaves the block becomes the end event, if there is none."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._break_off(error)

    def observe(self, step: int, observation: Observation) -> None:
        """Keep the screenshot (once per digest) and append the observation."""
        screenshot = observation.screenshot
        target = self._images / f"{screenshot.digest}.png"
        try:
            if not target.exists():
                _write_atomically(target, screenshot.png())
        except OSError as error:
            raise _cannot_write(target, error) from error
        self.append(
            ObservationEvent(
                step=step,
                screenshot=screenshot.digest,
                size=screenshot.size,
                device_scale=screenshot.device_scale,
                origin=screenshot.origin,
                url=observation.url,
                pointer=observation.pointer,
                masked=observation.masked,
                notes=observation.notes,
                timings=observation.timings,
                time=observation.captured_at,
            )
        )

    def append(self, event: EventT) -> EventT:
        """Write one event by one system call; returns it as written, an end with its hash.

        Raises:
            TrajectoryError: the disk is full or the file cannot be written.
        """
        if self._closed:
            raise TrajectoryError(f"{self.path}: written to after it was closed")
        if self._conceal is not None:
            event = concealed(event, self._conceal)
        if isinstance(event, EndEvent):
            event = event.model_copy(update={"sha256": self._hash.hexdigest()})
        event = bounded(event)
        line = event_line(event)
        self.audit.announce(line, anchor=isinstance(event, ObservationEvent | EndEvent))
        try:
            written = os.write(self._descriptor, line)
            if written != len(line):
                os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if isinstance(event, EndEvent):
                os.fsync(self._descriptor)
        except OSError as error:
            raise _cannot_write(self.path, error) from error
        self._hash.update(line)
        if self._own and isinstance(event, EndEvent):
            ownership.sign(self.path, self._hash.digest())
        self._steps += isinstance(event, PredictionEvent)
        self._ended = isinstance(event, EndEvent)
        self._notify(event)
        return event

    def _break_off(self, error: BaseException | None) -> None:
        """Close; an error becomes the end of a run that has none."""
        if error is not None and not self._ended and not self._closed:
            stopped = isinstance(error, (KeyboardInterrupt, Stopped))
            why = str(error) or ("stopped by Ctrl-C" if stopped else type(error).__name__)
            end = EndEvent(
                end="interrupted" if stopped else "error",
                success=False,
                reward=None,
                steps=self._steps,
                message=why,
                fault=error.fault if isinstance(error, SaccadeError) else None,
                time=time.time(),
            )
            with contextlib.suppress(TrajectoryError):
                self.append(end)
        self.close()

    def close(self) -> None:
        """Close the file; may be called more than once."""
        if not self._closed:
            self._closed = True
            self.audit.close()
            os.close(self._descriptor)

    def _notify(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)


@dataclass(frozen=True)
class Step:
    """One screen and what followed: the policy's reply and the executed actions. ``index`` counts from 0."""

    index: int
    observation: ObservationEvent
    prediction: PredictionEvent | None = None
    actions: Sequence[ActionEvent] = field(default_factory=tuple)


@dataclass(frozen=True)
class Trajectory:
    """A trajectory read from disk.

    Attributes:
        directory: the run's folder.
        start: the task and the settings.
        steps: in order, each with its prediction.
        final: the last screen, where no prediction was made from it.
        end: None when the run was cut off.
        own: whether this user recorded it, and nothing in it was changed since then (``ownership``).
        before_end: SHA-256 of all lines before the end, in hexadecimal.
    """

    directory: Path
    start: StartEvent
    steps: Sequence[Step]
    final: ObservationEvent | None
    end: EndEvent | None
    own: bool = field(default=False, compare=False)
    before_end: str = field(default="", compare=False)

    @classmethod
    def load(cls, path: str | Path) -> Trajectory:
        """Read a run's folder or its ``trajectory.jsonl``.

        Raises:
            NewerSchemaError: a newer version wrote it.
            TrajectoryError: it is missing, or a line other than a torn last one cannot be read.
        """
        file = _file_of(Path(path))
        lines = _whole_lines(file)
        events = parse_events(str(file), lines)
        if not events or not isinstance(events[0], StartEvent):
            raise TrajectoryError(f"{file}:1: the first event must be 'start'")
        end = events[-1] if isinstance(events[-1], EndEvent) else None
        steps, final = _group(file, events[1 : len(events) - (end is not None)])
        before, whole = _digests(lines)
        return cls(file.parent, events[0], steps, final, end, ownership.is_signed(file, whole), before)

    def image_path(self, observation: ObservationEvent) -> Path:
        """The file of an observation's screenshot."""
        return self.directory / "screenshots" / f"{observation.screenshot}.png"

    def screenshot(self, observation: ObservationEvent) -> Screenshot:
        """Load an observation's screenshot and check it against its hash.

        Raises:
            TrajectoryError: it is missing, cannot be decoded, or is not the picture that was recorded.
        """
        what = f"{self.image_path(observation)}: the screenshot of step {observation.step + 1}"
        try:
            found = Screenshot.from_png(self.image_bytes(observation), observation.device_scale, observation.origin)
        except OSError as error:
            raise TrajectoryError(f"{what} is unreadable: {error.strerror or error}") from error
        if found.digest != observation.screenshot or found.size != observation.size:
            raise TrajectoryError(f"{what} was changed after recording")
        return found

    def image_bytes(self, observation: ObservationEvent) -> bytes:
        """The file of an observation's screenshot, as it is.

        Raises:
            OSError: it cannot be read, or lies outside the run's folder.
        """
        return read_file(contained(self.directory, f"screenshots/{observation.screenshot}.png"))

    def check(self) -> None:
        """Check that every screenshot loads and nothing was changed since it was recorded.

        Raises:
            TrajectoryError: a screenshot is missing or damaged, or a line was changed.
        """
        for observation in self.observations():
            self.screenshot(observation)
        self.check_seal()

    def check_seal(self) -> None:
        """Raise ``TrajectoryError`` when a line was changed since the end was written."""
        if self.end is None or not self.end.sha256:
            return
        if self.before_end != self.end.sha256:
            raise TrajectoryError(
                f"{self.directory / FILE_NAME}: was changed after it was recorded; record it again, or empty "
                "sha256 in its last line to stand by the change"
            )

    def observations(self) -> list[ObservationEvent]:
        """Every observation, the final one included."""
        return [step.observation for step in self.steps] + ([self.final] if self.final else [])


def read_events(file: Path) -> list[Event]:
    """All events of a file, upgraded to this version; a torn last line is left out.

    Raises:
        NewerSchemaError: a newer version wrote it.
        TrajectoryError: the file is missing or a line cannot be read.
    """
    return parse_events(str(file), _whole_lines(file))


def _file_of(path: Path) -> Path:
    """The trajectory of a folder; a path that is no folder is the file itself."""
    try:
        return contained(path, FILE_NAME) if path.is_dir() else path
    except OSError as error:
        raise TrajectoryError(f"{path / FILE_NAME}: cannot be read: {error.strerror}") from error


def _whole_lines(file: Path) -> list[bytes]:
    """The lines of a file without their ends; a torn last one is left out."""
    try:
        return read_file(file, _LARGEST).split(b"\n")[:-1]
    except (OSError, ValueError) as error:
        raise TrajectoryError(f"{file}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def _digests(lines: Sequence[bytes]) -> tuple[str, bytes]:
    """SHA-256 of all lines but the last, in hexadecimal, and of all lines."""
    found = hashlib.sha256(b"".join(line + b"\n" for line in lines[:-1]))
    before = found.hexdigest()
    found.update(lines[-1] + b"\n")
    return before, found.digest()


def parse_events(source: str, lines: Iterable[bytes]) -> list[Event]:
    """Events out of whole lines, as ``read_events`` gives them; errors name ``source`` and the line."""
    start: object = None
    events: list[Event] = []
    for number, line in enumerate(lines, start=1):
        try:
            data = parse_json(line)
            start = data if number == 1 else start
            check_lengths(data, f"{source}:{number}")
            events.append(event_adapter.validate_python(upgrade(f"{source}:1", start, data)))
        except ValidationError as error:
            raise TrajectoryError(f"{source}:{number}: {first_problem(error)}") from error
        except UnknownKeyError as error:
            raise TrajectoryError(f"{source}:{number}: {error}") from error
        except ValueError as error:
            raise TrajectoryError(f"{source}:{number}: not JSON: {error}") from error
    return events


def _group(file: Path, events: Sequence[Event]) -> tuple[list[Step], ObservationEvent | None]:
    """Events between start and end as steps; refuses an order that no run writes."""
    steps: list[Step] = []
    for offset, event in enumerate(events, start=2):
        last = steps[-1] if steps else None
        if isinstance(event, ObservationEvent) and event.step == len(steps):
            steps.append(Step(event.step, event))
        elif isinstance(event, PredictionEvent) and last and last.index == event.step and not last.prediction:
            steps[-1] = Step(last.index, last.observation, event)
        elif isinstance(event, ActionEvent) and last and last.index == event.step and last.prediction:
            steps[-1] = Step(last.index, last.observation, last.prediction, (*last.actions, event))
        else:
            raise TrajectoryError(f"{file}:{offset}: '{event.event}' is out of order")
    final = steps.pop().observation if steps and steps[-1].prediction is None else None
    return steps, final


def event_line(event: Event) -> bytes:
    """An event as it stands in the file, with its line break."""
    try:
        return event.model_dump_json().encode() + b"\n"
    except PydanticSerializationError:  # half a surrogate pair in a reply has no UTF-8, but escapes fine
        return json.dumps(event.model_dump(mode="json")).encode() + b"\n"


def _write_atomically(path: Path, data: bytes) -> None:
    """Make a file appear with all of its content or not at all."""
    with private_part(path) as part:
        write_private(part, data)


def _cannot_write(path: Path, error: OSError) -> TrajectoryError:
    return TrajectoryError(f"cannot write {path}: {error.strerror}; free some space or choose another folder (--out)")
