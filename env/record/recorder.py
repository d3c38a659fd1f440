"""The recorder: what a person does on a screen becomes a trajectory, in the format of an agent's run.

A recording is a pipeline over one iterator of events, each with the screen from just before it::

    source (listening, BrowserListener) -> secrets marked -> hovers marked -> merged into gestures -> written as steps

A step is what was done between two pictures: gestures that follow so fast that no picture shows the screen between
them are one step.

A recording that is killed leaves a trajectory without its end.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ...actions.geometry import Frame, Point
from ...actions.schema import Action, Navigate, Type, action_adapter
from ...perception.observation import Observation
from ...perception.redact import without
from ...perception.screen import Region
from ..chords import Chord
from ..input_events import TickInput
from ..trajectory.concealing import concealed
from ..trajectory.events import ActionEvent, EndEvent, PredictionEvent
from ..trajectory.trajectory import TrajectoryWriter
from .gestures import Gesture
from .hovers import Hovers
from .merge import Merger
from .secrets import SecretRegions, TypedSecrets, marked
from .source import RecordedEvent

STOP_CHORD = Chord(("ctrl", "alt"), "q")
_REDRAW = 0.3
"""Seconds that a program may need until the screen shows what was done."""
_OVER = 3.0
"""Seconds after which nothing joins a step any more, unless a list is open."""


@dataclass(frozen=True)
class RecordOptions:
    """How a recording is made.

    Attributes:
        stop_chord: keys that end it.
        redact: regions that are black in every screenshot and typing into which is secret, in input points.
        secrets: texts that are recorded as their markers wherever they are typed; what is found to be secret while
            recording is added. The trajectory must be written with their ``conceal``.
        variables: values by name, in whose place ``{{name}}`` is recorded where they are typed.
    """

    stop_chord: Chord = STOP_CHORD
    redact: Sequence[Region] = ()
    secrets: TypedSecrets = field(default_factory=TypedSecrets)
    variables: Mapping[str, str] = field(default_factory=dict)


class Recorder:
    """Marks and merges events, and writes them to a trajectory, which has begun; ``steps`` counts what is written."""

    def __init__(self, trajectory: TrajectoryWriter, options: RecordOptions) -> None:
        self._trajectory = trajectory
        self._options = options
        self._regions = SecretRegions(options.redact)
        self._hovers = Hovers()
        self._merger = Merger(options.stop_chord, options.secrets.name, options.secrets.begun)
        self._step: list[Gesture] = []
        self.steps = 0

    @property
    def stopped(self) -> bool:
        """Whether the stop chord was pressed."""
        return self._merger.stopped

    @property
    def unnamed(self) -> int:
        """How many keys were pressed that no action can name; they are left out."""
        return self._merger.unnamed

    def run(self, events: Iterable[RecordedEvent]) -> None:
        """Write what events become, until they end; more may follow in another call."""
        for event, frame in self._hovers.mark(self._regions.mark(events)):
            for gesture in self._merger.feed(event, frame):
                self._add(gesture)
            if isinstance(event, TickInput) and self._over(event.time):
                self._write()

    def finish(self, last: Observation, *, discard: tuple[str, ...] = ()) -> EndEvent:
        """Write what is left and the end, with the last screen.

        ``discard`` is a chord that was meant for another program; it is left out if it was pressed last.
        """
        self._merger.discard(*discard)
        for gesture in self._merger.finish():
            self._add(gesture)
        self._write()
        self._trajectory.observe(self.steps, without(last, self._options.redact))
        end = EndEvent(end="finished", success=False, steps=self.steps, time=time.time())
        self._trajectory.append(end)
        return end

    def _add(self, gesture: Gesture) -> None:
        """Add a gesture to the step, or write that one and begin the next."""
        if self._step and not (gesture.joined or self._hurried(gesture.frame)):
            self._write()
        self._step.append(gesture)

    def _hurried(self, frame: Observation | None) -> bool:
        """Whether what begins with a frame came so fast that no picture shows what was done before it."""
        ended = self._step[-1].ended
        assert frame is not None  # no gesture begins with a motion
        shown = frame.captured_at - (time.time() - time.monotonic())
        return shown < ended + _REDRAW

    def _over(self, now: float) -> bool:
        if not self._step or now <= self._step[-1].ended + _OVER or self._merger.joining:
            return False
        return not any(map(self._hurried, self._merger.going_on))

    def _write(self) -> None:
        gestures, self._step = self._step, []
        if not gestures:
            return
        frame = gestures[0].frame
        assert frame is not None
        since_epoch = time.time() - time.monotonic()
        done = [(gesture, tuple(self._recorded(gesture.actions, frame))) for gesture in gestures]
        self._trajectory.observe(self.steps, without(frame, self._options.redact))
        actions = tuple(action for _, some in done for action in some)
        began = gestures[0].began + since_epoch
        self._trajectory.append(PredictionEvent(step=self.steps, raw="", actions=actions, time=began))
        for gesture, some in done:
            timings = {"act": max(0.0, gesture.ended - gesture.began) / len(some)}
            for action in some:
                ended = gesture.ended + since_epoch
                self._trajectory.append(ActionEvent(step=self.steps, action=action, timings=timings, time=ended))
        self.steps += 1

    def _recorded(self, actions: Iterable[Action], frame: Observation) -> Iterator[Action]:
        for action in actions:
            if isinstance(action, Type):
                action = Type(text=marked(action.text, self._options.variables))
            if isinstance(action, Navigate | Type):  # text typed into forms comes back in addresses
                action = concealed(action, self._options.secrets.conceal)
            yield in_pixels(action, frame.screenshot.screen_frame)


def in_pixels(action: Action, frame: Frame) -> Action:
    """An action with its points, given in a frame, in pixels of the screenshot."""
    fields = action.model_dump()
    for name in ("point", "start", "end"):
        if fields.get(name) is not None:
            fields[name] = frame.to_pixels(Point(*fields[name]))
    return action_adapter.validate_python(fields)
