"""What a person does on a display while a run waits for them: recordings of their own, in the run's folder."""

from __future__ import annotations

import itertools
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from ... import __version__
from ...actions.errors import SaccadeError
from ...perception.screen import ScreenCamera
from ..chords import Chord, Chords
from ..trajectory.events import StartEvent
from ..trajectory.trajectory import TrajectoryWriter
from .frame_buffer import ScreenWatcher
from .password_fields import marking_passwords
from .recorder import Recorder, RecordOptions
from .secrets import TypedSecrets
from .source import listening, pointer_of

TAKEOVERS: Final = "takeovers"


class TakeOverRecorder:
    """Records each time that a person has the screen; where they did nothing, nothing is left.

    Args:
        display: the X display that the run acts on.
        run: the run's folder; recordings are ``takeovers/1`` and so on in it.
        environment: its name in the records.
        chords: the person's; they are not recorded.
        secrets: are recorded as their markers.
        warn: gets a line where something could not be recorded.
    """

    def __init__(
        self,
        display: str | None,
        run: Path,
        environment: str,
        chords: Chords,
        secrets: dict[str, str],
        warn: Callable[[str], None],
    ) -> None:
        self._display = display
        self._folder = run / TAKEOVERS
        self._environment = environment
        self._chords = chords
        self._secrets = secrets
        self._warn = warn

    @contextmanager
    def __call__(self, instruction: str) -> Iterator[None]:
        """Record while the block runs; what goes wrong is told, and holds nothing up."""
        ready, over = threading.Event(), threading.Event()
        thread = threading.Thread(target=self._record_safely, args=(instruction, ready, over), name="take-over")
        thread.start()
        try:
            ready.wait()
            yield
        finally:
            over.set()
            thread.join()

    def _record_safely(self, instruction: str, ready: threading.Event, over: threading.Event) -> None:
        try:
            self._record(instruction, ready, over)
        except (SaccadeError, OSError) as error:
            self._warn(f"what you do is not recorded: {error}")
        finally:
            ready.set()

    def _record(self, instruction: str, ready: threading.Event, over: threading.Event) -> None:
        secrets = TypedSecrets(self._secrets)
        start = StartEvent(
            saccade_version=__version__,
            instruction=instruction,
            environment=self._environment,
            policy="person",
            time=time.time(),
        )
        folders = (self._folder / str(number) for number in itertools.count(1))
        folder = next(each for each in folders if not each.exists())
        with (
            closing(ScreenCamera(self._display)) as camera,
            pointer_of(self._display) as pointer,
            closing(ScreenWatcher(camera, pointer)) as frames,
            marking_passwords(self._display, self._warn) as mark,
            listening(self._display, frames, over.is_set) as events,
            TrajectoryWriter(folder, start, conceal=secrets.conceal) as trajectory,
        ):
            recorder = Recorder(trajectory, RecordOptions(self._chords.pause, secrets=secrets))
            ready.set()
            recorder.run(mark(events))
            frames.close()
            recorder.finish(frames.newest, discard=_keys(self._chords.stop))
        if not recorder.steps:
            shutil.rmtree(folder)


def _keys(chord: Chord) -> tuple[str, ...]:
    return (*chord.modifiers, chord.key)
