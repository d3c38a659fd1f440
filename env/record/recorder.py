"""The recorder: what a person does on a screen becomes a trajectory, as an agent's run does.

Events are heard in threads of their own and queued with the picture from just before them; whoever calls
``run`` merges them and writes. A recording that is killed leaves a trajectory without its end.
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ...actions.geometry import Frame, Point
from ...actions.schema import Action, Navigate, action_adapter
from ...perception.observation import Observation
from ...perception.redact import without
from ...perception.screen import Region
from ...perception.settle import Clock
from ..chords import Chord
from ..input_events import Input, MoveInput, ReleaseAllInput
from ..trajectory.events import ActionEvent, EndEvent, PredictionEvent
from ..trajectory.trajectory import TrajectoryWriter
from .gestures import Gesture
from .merge import Merger
from .secrets import Hold, SecretRegions, Secrets, pass_on

STOP_CHORD = Chord(("ctrl", "alt"), "q")
_TICK = 0.1
_LATE = 0.3
"""Seconds that an event may be on its way: only then is a gesture over because nothing came."""


@dataclass(frozen=True)
class RecordOptions:
    """How a recording is made.

    Attributes:
        stop_chord: keys that end it.
        redact: regions that are black in every picture, and typing into which is secret, in input points.
        clock: the events' clock.
    """

    stop_chord: Chord = STOP_CHORD
    redact: Sequence[Region] = ()
    clock: Clock = time.monotonic


class Recorder:
    """Merges events and writes them down.

    Args:
        trajectory: where to; its start is written.
        options: see ``RecordOptions``.
        hold: keeps events back until it has marked what is secret; see ``accessibility``.

    Attributes:
        steps: how many were written.
    """

    def __init__(self, trajectory: TrajectoryWriter, options: RecordOptions, hold: Hold = pass_on) -> None:
        self._trajectory = trajectory
        self._options = options
        self._hold = hold
        self._held: deque[float] = deque()
        self._secrets = Secrets()
        self._places = SecretRegions(options.redact)
        self._merger: Merger[Observation | None] = Merger(options.stop_chord, self._secrets.conceal)
        self._events: queue.SimpleQueue[tuple[Input, Observation | None]] = queue.SimpleQueue()
        self.steps = 0

    @property
    def unnamed(self) -> int:
        """How many keys were pressed that no action can name."""
        return self._merger.unnamed

    def hear(self, event: Input, look: Callable[[float], Observation]) -> None:
        """Take an event, in any thread; returns at once."""
        scene = None if isinstance(event, MoveInput | ReleaseAllInput) else look(event.time)

        def release(marked: Input) -> None:
            self._events.put((marked, scene))
            self._held.popleft()

        self._held.append(event.time)
        self._hold(event, release)

    def run(self, over: Callable[[], bool], wait: float = _TICK) -> None:
        """Write until the stop chord was pressed, or it is ``over``; that is asked every ``wait`` seconds."""
        while not self._merger.stopped and not over():
            self.work(wait)

    def work(self, seconds: float) -> None:
        """Write what was heard; wait that long for the first event."""
        try:
            event, scene = self._events.get(timeout=seconds)
            while True:
                self._write(self._merger.feed(self._places.marked(event), scene))
                event, scene = self._events.get_nowait()
        except queue.Empty:
            now = self._options.clock() - _LATE
            with suppress(IndexError):  # time stands still for what is held back
                now = min(now, self._held[0])
            self._write(self._merger.tick(now))

    def finish(self, last: Observation, *, typed_away: tuple[str, ...] = ()) -> EndEvent:
        """Write what is left and the end.

        Args:
            last: the screen at the end.
            typed_away: a chord that was meant for somebody else, if it is what was pressed last.
        """
        self.work(0.0)
        self._merger.forget(*typed_away)
        self._write(self._merger.finish())
        self._trajectory.observe(self.steps, without(last, self._options.redact))
        end = EndEvent(end="finished", success=True, steps=self.steps, time=time.time())
        self._trajectory.append(end)
        return end

    def _write(self, gestures: Sequence[Gesture[Observation | None]]) -> None:
        for gesture in gestures:
            assert gesture.scene is not None  # no gesture begins with a motion
            self._write_step(gesture, gesture.scene)

    def _write_step(self, gesture: Gesture[Observation | None], scene: Observation) -> None:
        frame = scene.screenshot.screen_frame
        actions = tuple(in_pixels(self._scrubbed(action), frame) for action in gesture.actions)
        since_epoch = time.time() - self._options.clock()
        began, ended = gesture.began + since_epoch, gesture.ended + since_epoch
        self._trajectory.observe(self.steps, without(scene, self._options.redact))
        self._trajectory.append(PredictionEvent(step=self.steps, raw="", actions=actions, time=began))
        for action in actions:
            timings = {"act": max(0.0, ended - began) / len(actions)}
            self._trajectory.append(ActionEvent(step=self.steps, action=action, timings=timings, time=ended))
        self.steps += 1

    def _scrubbed(self, action: Action) -> Action:
        if isinstance(action, Navigate):
            return Navigate(url=self._secrets.scrubbed(action.url))
        return action


def in_pixels(action: Action, frame: Frame) -> Action:
    """An action with its points, given in a frame, in pixels of the screenshot."""
    fields = action.model_dump()
    for name in ("point", "start", "end"):
        if fields.get(name) is not None:
            fields[name] = frame.to_pixels(Point(*fields[name]))
    return action_adapter.validate_python(fields)
