"""``saccade record``: what the user does, as the trajectory of a run."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ... import __version__
from ...actions.errors import Stopped, TrajectoryError, UsageError
from ...env.browser.determinism import HAR_NAME, DeterminismSettings
from ...env.chords import Chord
from ...env.environ import without_secrets
from ...env.notes import quoted
from ...env.record.recorder import STOP_CHORD, Recorder, RecordOptions
from ...env.record.secrets import TypedSecrets
from ...env.secrets import Secrets
from ...env.signals import ENDING, deferred_signals, hangup_ignored
from ...env.trajectory.events import ActionEvent, EndEvent, EnvironmentSettings, Event, StartEvent
from ...env.trajectory.trajectory import FILE_NAME, Trajectory, TrajectoryWriter
from ..episode import RunResult
from ..replay.variables import refuse_marks
from ..report import write_report
from ..report.times import seconds_in_words
from ..terminal.narrator import Narrator, describe, plural
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
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    har: bool = False
    values: dict[str, str] = field(default_factory=dict)

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
        if place == "desktop" and self.har:
            raise UsageError("--har records a browser's network; add --url ADDRESS, or leave it out")
        return place


def record_and_print(request: RecordRequest, json_output: bool) -> int:
    """Record; print progress, and with ``json_output`` one object as the last line of stdout."""
    narrator = Narrator(sys.stderr if json_output else sys.stdout)
    end = record(request, narrator)
    trajectory = Trajectory.load(request.out)
    result = RunResult(end, trajectory, write_report(trajectory))
    took = seconds_in_words(result.seconds)
    narrator.note(f"recorded {plural(end.steps, 'step')} in {took}", "bold green")
    narrator.note(f"trajectory  {request.out / FILE_NAME}")
    narrator.note(f"report      {result.report}")
    if json_output:
        sys.stdout.write(result.as_json() + "\n")
    return 0


def record(request: RecordRequest, narrator: Narrator) -> EndEvent:
    """Record until the stop chord, Ctrl-C, or the end of the program or browser that was started for it.

    Raises:
        UsageError: the request cannot be met; nothing was recorded.
        EnvironmentFailure: the screen cannot be captured.
        TrajectoryError: the folder cannot be written.
    """
    if (request.out / FILE_NAME).exists():
        raise TrajectoryError(f"{request.out} already holds a run; choose another folder with --out")
    # A chord or region that cannot be read is an error before anything is started.
    secrets = TypedSecrets(request.secrets)
    refuse_marks(request.task, {*secrets.names, *request.values})
    redact = tuple(map(parse_region, request.redact))
    options = RecordOptions(Chord.parse(request.stop_chord), redact, secrets, request.values)
    return (_record_desktop if request.place == "desktop" else _record_browser)(request, options, narrator)


@contextmanager
def _ending(narrator: Narrator) -> Iterator[list[int]]:
    """Collect the signals that end the recording; an output that nobody reads any more counts as one."""
    with deferred_signals() as signals:
        narrator.on_closed = lambda: None if hangup_ignored() else signals.append(signal.SIGTERM)
        yield signals


def _record_desktop(request: RecordRequest, options: RecordOptions, narrator: Narrator) -> EndEvent:
    from ...env.record.frame_buffer import ScreenWatcher
    from ...env.record.password_fields import marking_passwords
    from ...env.record.source import listening, pointer_of
    from ...perception.screen import ScreenCamera

    with (
        _ending(narrator) as signals,
        _screen(request, narrator, partial(_check, signals)) as (display, ended),
        closing(ScreenCamera(display)) as camera,
        pointer_of(display) as pointer,
        closing(ScreenWatcher(camera, pointer)) as frames,
        _writer(request, narrator, options.secrets) as trajectory,
    ):
        recorder = Recorder(trajectory, options)

        def over() -> bool:
            return recorder.stopped or bool(signals) or ended()

        with (
            marking_passwords(display, partial(narrator.note, style="yellow")) as mark,
            listening(display, frames, over) as events,
        ):
            _print_how_to_end(narrator, options)
            recorder.run(mark(events))
        frames.close()
        end = recorder.finish(frames.newest, discard=("ctrl", "c") if signals else ())
    if recorder.unnamed:
        narrator.note(f"{recorder.unnamed} keys have no name here and were left out", "yellow")
    return end


def _check(signals: Sequence[int]) -> None:
    """End what has not begun."""
    if signals:
        raise Stopped(f"stopped by {ENDING[signals[0]]}")


def _record_browser(request: RecordRequest, options: RecordOptions, narrator: Narrator) -> EndEvent:
    from ...env.record.browser_listener import BrowserListener

    har = request.out / HAR_NAME
    determinism = DeterminismSettings(har, False, time.time()) if request.har else None
    warn = partial(_warn_of_value, narrator)
    with (
        BrowserListener(
            str(request.url),
            secrets=Secrets(request.secrets),
            typed=options.secrets,
            determinism=determinism,
            warn=warn,
        ) as browser,
        _ending(narrator) as signals,
        _writer(request, narrator, options.secrets, _browser_settings(browser.wheel_click, determinism)) as trajectory,
    ):
        recorder = Recorder(trajectory, options)
        _print_how_to_end(narrator, options)
        recorder.run(browser.events(lambda: recorder.stopped or bool(signals)))
        end = recorder.finish(browser.capture())
    if browser.forged:
        narrator.note(f"{browser.forged} events were left out: scripts of the pages made them, not you", "yellow")
    if browser.dropped:
        narrator.note(f"{browser.dropped} reports of the pages could not be read and were left out", "yellow")
    return end


def _browser_settings(wheel_click: float, determinism: DeterminismSettings | None) -> EnvironmentSettings:
    if determinism is None:
        return EnvironmentSettings(wheel_click=wheel_click)
    return EnvironmentSettings(wheel_click=wheel_click, har=determinism.har.name, now=determinism.now)


def _warn_of_value(narrator: Narrator, label: str) -> None:
    narrator.note(
        f"the field {quoted(label)} changed, and not by your keys or clicks: a password manager, autofill or the page "
        "did it. Where the page did not, a replay will lack the value; type it instead",
        "yellow",
    )


def _print_how_to_end(narrator: Narrator, options: RecordOptions) -> None:
    narrator.note(f"recording; {options.stop_chord} or Ctrl-C ends it", "bold")


def _writer(
    request: RecordRequest, narrator: Narrator, secrets: Secrets, settings: EnvironmentSettings = EnvironmentSettings()
) -> TrajectoryWriter:
    def print_action(event: Event) -> None:
        if isinstance(event, ActionEvent):
            narrator.note(f"step {event.step + 1:<4} {describe(event.action)}", "green")

    start = StartEvent(
        saccade_version=__version__,
        instruction=request.task,
        environment=request.place,
        policy="person",
        environment_settings=settings.model_copy(
            update={"url": request.url, "app": request.app, "redact": request.redact}
        ),
        seed=0 if request.har else None,
        variables=request.values,
        time=time.time(),
    )
    return TrajectoryWriter(request.out, start, [print_action], conceal=secrets.conceal)


@contextmanager
def _screen(
    request: RecordRequest, narrator: Narrator, check: Callable[[], None]
) -> Iterator[tuple[str | None, Callable[[], bool]]]:
    """The display to record, with the program on it, and a check whether the program has ended."""
    if request.app is None:
        yield request.display, lambda: False
    elif request.display is None and sys.platform == "linux" and not os.environ.get("DISPLAY"):
        from ...env.desktop.private_display import PrivateDisplay

        with PrivateDisplay() as private:
            program = private.start(shlex.split(request.app))
            private.wait_for_window(program, check=check)
            narrator.note(f"no screen is visible here: {request.app} runs on the private display {private.name}")
            yield private.name, lambda: private.ended(program)
    else:
        with _own_program(request.app, request.display) as over:
            yield request.display, over


@contextmanager
def _own_program(app: str, display: str | None) -> Iterator[Callable[[], bool]]:
    """A program on an existing display; it is ended with the recording."""
    environ = without_secrets() if display is None else {**without_secrets(), "DISPLAY": display}
    try:
        program = subprocess.Popen(shlex.split(app), env=environ, start_new_session=True)
    except OSError as error:
        raise UsageError(f"cannot start {app!r}: {error.strerror}") from error
    try:
        yield lambda: program.poll() is not None
    finally:
        program.terminate()
        program.wait()
