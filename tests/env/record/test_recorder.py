"""What belongs to one step of a recording."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from saccade.actions.geometry import Point
from saccade.actions.schema import Press
from saccade.env.input_events import ButtonInput, ChoiceInput, KeyInput, TickInput
from saccade.env.record.recorder import Recorder, RecordOptions
from saccade.env.record.source import RecordedEvent
from saccade.env.trajectory.events import StartEvent
from saccade.env.trajectory.trajectory import Trajectory, TrajectoryWriter
from saccade.perception.observation import Observation, Screenshot

BLANK = Screenshot(np.zeros((60, 80, 3), np.uint8))


def test_a_choice_ends_the_step_that_opened_its_list_however_long_it_takes(tmp_path: Path) -> None:
    begun = time.monotonic()
    frame = Observation(BLANK, time.time())

    def passes(first: int, last: int) -> list[RecordedEvent]:
        return [(TickInput(begun + second), None) for second in range(first, last)]

    click: list[RecordedEvent] = [
        (ButtonInput(begun + after, Point(5, 5), "left", down=not after), frame) for after in (0.0, 0.1)
    ]
    choice: RecordedEvent = (ChoiceInput(begun + 2, (Press(key="home"), Press(key="enter"))), frame)
    start = StartEvent(saccade_version="0", instruction="", environment="browser", policy="person", time=0.0)
    with TrajectoryWriter(tmp_path / "run", start) as writer:
        recorder = Recorder(writer, RecordOptions())
        recorder.run([*click, *passes(1, 2), choice, *passes(3, 20)])
        recorder.finish(frame)
    done = [[event.action.kind for event in step.actions] for step in Trajectory.load(tmp_path / "run").steps]
    assert done == [["click", "press", "press"]]


def test_what_no_picture_comes_between_is_one_step_however_slow_the_pictures_are(tmp_path: Path) -> None:
    begun = time.monotonic()
    old, new = Observation(BLANK, time.time()), Observation(BLANK, time.time() + 2)
    keys: list[RecordedEvent] = [
        (KeyInput(begun + after, key, key, down=True), frame)
        for after, key, frame in ((0.0, "f1", old), (1.6, "f2", old), (2.5, "f3", new))
    ]
    start = StartEvent(saccade_version="0", instruction="", environment="browser", policy="person", time=0.0)
    with TrajectoryWriter(tmp_path / "run", start) as writer:
        recorder = Recorder(writer, RecordOptions())
        recorder.run(keys)
        recorder.finish(new)
    done = [[event.action for event in step.actions] for step in Trajectory.load(tmp_path / "run").steps]
    assert done == [[Press(key="f1"), Press(key="f2")], [Press(key="f3")]]
