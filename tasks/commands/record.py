"""``saccade record``: what the user does, as the trajectory of a run."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ... import __version__
from ...actions.errors import UsageError
from ...agent.interrupts import deferred_interrupts
from ...env.chords import Chord
from ...env.record.recorder import STOP_CHORD, Recorder, RecordOptions
from ...env.trajectory.events import ActionEvent, EndEvent, EnvironmentSettings, Event, StartEvent
from ...env.trajectory.trajectory import FILE_NAME, Trajectory, TrajectoryWriter
from ..report import write_report
from ..terminal.narrator import Narrator, describe
from ..terminal.parse import parse_region


@dataclass(frozen=True)
class RecordRequest:
    """What ``saccade record`` was asked for; see its ``--help``."""

    out: Path
    task: str = ""
    environment: str | None = None
    display: str | None = None
    app: str | None = None
    url: str | None = None
    redact: tuple[str, ...] = ()
    stop_chord: str = str(STOP_CHORD)

    @property
    def place(self) -> str:
        """``desktop`` or ``browser``.

        Raises:
            UsageError: the options do not go together.
        """
        place = self.environment or ("browser" if self.url is not None else "desktop")
        if place not in ("desktop", "browser"):
            raise UsageError(f"nothing can be recorded in {place!r}; choose --env desktop or --env browser")
        if place == "browser" and self.url is None:
            raise UsageError("name the first page: --url ADDRESS")
        if place == "browser" and (self.app or self.display):
            raise UsageError("--app and --display go with --env desktop")
        if place == "desktop" and self.url is not None:
            raise UsageError("--url goes with --env browser")
        return place

    def options(self) -> RecordOptions:
        """How to record.

        Raises:
            UsageError: the chord or a region cannot be read.
        """
        return RecordOptions(Chord.parse(self.stop_chord), tuple(map(parse_region, self.redact)))


@dataclass(frozen=True)
class Recorded:
    """What a recording left behind."""

    end: EndEvent
    trajectory: Path
    report: Path
    seconds: float

    def as_json(self) -> str:
        """One line for scripts."""
        return json.dumps(
            {
                "success": self.end.success,
                "steps": self.end.steps,
                "end": self.end.end,
                "seconds": round(self.seconds, 3),
                "trajectory": str(self.trajectory),
                "report": str(self.report),
            },
            ensure_ascii=False,
        )


def record_and_print(request: RecordRequest, json_output: bool) -> int:
    """Record; print progress, and with ``json_output`` one object as the last line of stdout."""
    narrator = Narrator(sys.stderr if json_output else sys.stdout)
    recorded = record(request, narrator)
    narrator.note(f"recorded {recorded.end.steps} steps in {recorded.seconds:.1f} s", "bold green")
    narrator.note(f"trajectory  {recorded.trajectory}")
    narrator.note(f"report      {recorded.report}")
    if json_output:
        sys.stdout.write(recorded.as_json() + "\n")
    return 0


def record(request: RecordRequest, narrator: Narrator) -> Recorded:
    """Record until the stop chord, Ctrl-C, or the end of the program or browser that was started for it.

    Raises:
        UsageError: the request cannot be met; nothing was recorded.
        EnvironmentFailure: the screen cannot be captured.
        TrajectoryError: the folder cannot be written.
    """
    begun = time.monotonic()
    recording = _record_desktop if request.place == "desktop" else _record_browser
    end = recording(request, request.options(), narrator)
    return Recorded(end, request.out / FILE_NAME, write_report(Trajectory.load(request.out)), time.monotonic() - begun)


def _record_desktop(request: RecordRequest, options: RecordOptions, narrator: Narrator) -> EndEvent:
    from ...env.record.frame_buffer import ScreenWatcher
    from ...env.record.password_fields import marking_passwords
    from ...env.record.source import listening
    from ...perception.screen import ScreenCamera

    with (
        _screen(request, narrator) as (display, ended),
        contextlib.closing(ScreenCamera(display)) as camera,
        contextlib.closing(ScreenWatcher(camera)) as frames,
        _writer(request, narrator) as trajectory,
        deferred_interrupts() as interrupts,
    ):
        recorder = Recorder(trajectory, options)

        def over() -> bool:
            return recorder.stopped or bool(interrupts) or ended()

        with (
            marking_passwords(display, partial(narrator.note, style="yellow")) as mark,
            listening(display, frames, over) as events,
        ):
            _print_how_to_end(narrator, options)
            recorder.run(mark(events))
        frames.close()
        end = recorder.finish(frames.newest, discard=("ctrl", "c") if interrupts else ())
    if recorder.unnamed:
        narrator.note(f"{recorder.unnamed} keys have no name here and were left out", "yellow")
    return end


def _record_browser(request: RecordRequest, options: RecordOptions, narrator: Narrator) -> EndEvent:
    from ...env.record.browser_listener import BrowserListener

    with (
        BrowserListener(str(request.url)) as browser,
        _writer(request, narrator) as trajectory,
        deferred_interrupts() as interrupts,
    ):
        recorder = Recorder(trajectory, options)
        _print_how_to_end(narrator, options)
        recorder.run(browser.events(lambda: recorder.stopped or bool(interrupts)))
        return recorder.finish(browser.capture())


def _print_how_to_end(narrator: Narrator, options: RecordOptions) -> None:
    narrator.note(f"recording; {options.stop_chord} or Ctrl-C ends it", "bold")


def _writer(request: RecordRequest, narrator: Narrator) -> TrajectoryWriter:
    def print_action(event: Event) -> None:
        if isinstance(event, ActionEvent):
            narrator.note(f"step {event.step + 1:<4} {describe(event.action)}", "green")

    start = StartEvent(
        saccade_version=__version__,
        instruction=request.task,
        environment=request.place,
        policy="person",
        environment_settings=EnvironmentSettings(url=request.url, app=request.app, redact=request.redact),
        time=time.time(),
    )
    return TrajectoryWriter(request.out, start, [print_action])


@contextmanager
def _screen(request: RecordRequest, narrator: Narrator) -> Iterator[tuple[str | None, Callable[[], bool]]]:
    """The display to record, with the program on it, and a check whether the program has ended."""
    if request.app is None:
        yield request.display, lambda: False
    elif request.display is None and sys.platform == "linux" and not os.environ.get("DISPLAY"):
        with _private_screen(request.app, narrator) as screen:
            yield screen
    else:
        with _own_program(request.app, request.display) as over:
            yield request.display, over


@contextmanager
def _private_screen(app: str, narrator: Narrator) -> Iterator[tuple[str, Callable[[], bool]]]:
    """A private display, for scripts that act on it."""
    from ...env.desktop.private_display import PrivateDisplay

    with PrivateDisplay() as display:
        program = display.start(shlex.split(app))
        display.wait_for_window(program)
        narrator.note(f"no screen is visible here: {app} runs on the private display {display.name}")
        yield display.name, lambda: display.ended(program)


@contextmanager
def _own_program(app: str, display: str | None) -> Iterator[Callable[[], bool]]:
    """A program on an existing display; it is ended with the recording."""
    environ = os.environ if display is None else {**os.environ, "DISPLAY": display}
    try:
        program = subprocess.Popen(shlex.split(app), env=environ, start_new_session=True)
    except OSError as error:
        raise UsageError(f"cannot start {app!r}: {error.strerror}") from error
    try:
        yield lambda: program.poll() is not None
    finally:
        program.terminate()
        program.wait()
