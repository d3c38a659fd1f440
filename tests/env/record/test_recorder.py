"""What belongs to one step of a recording."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from saccade.actions.geometry import Point
from saccade.actions.schema import Press
from saccade.env.input_events import ButtonInput, ChoiceInput, TickInput
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
