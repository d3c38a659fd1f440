"""What belongs to one step of a recording."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from saccade.actions.geometry import Point
from saccade.actions.schema import Action, Click, Move, Press, Type
from saccade.env.input_events import ButtonInput, ChoiceInput, KeyInput, MoveInput, TickInput
from saccade.env.record.recorder import Recorder, RecordOptions
from saccade.env.record.source import RecordedEvent
from saccade.env.trajectory.events import StartEvent
from saccade.env.trajectory.trajectory import Trajectory, TrajectoryWriter
from saccade.perception.observation import Observation, Screenshot

BLANK = Screenshot(np.zeros((60, 80, 3), np.uint8))


def recorded(folder: Path, events: list[RecordedEvent], last: Observation) -> list[list[Action]]:
    """The actions of each step that events become."""
    start = StartEvent(saccade_version="0", instruction="", environment="browser", policy="person", time=0.0)
    with TrajectoryWriter(folder, start) as writer:
        recorder = Recorder(writer, RecordOptions())
        recorder.run(events)
        recorder.finish(last)
    return [[event.action for event in step.actions] for step in Trajectory.load(folder).steps]


def click(at: float, point: Point, frame: Observation) -> list[RecordedEvent]:
    return [(ButtonInput(at + after, point, "left", down=not after), frame) for after in (0.0, 0.1)]


def test_a_choice_ends_the_step_that_opened_its_list_however_long_it_takes(tmp_path: Path) -> None:
    begun = time.monotonic()
    frame = Observation(BLANK, time.time())

    def passes(first: int, last: int) -> list[RecordedEvent]:
        return [(TickInput(begun + second), None) for second in range(first, last)]

    choice: RecordedEvent = (ChoiceInput(begun + 2, (Press(key="home"), Press(key="enter"))), frame)
    done = recorded(tmp_path / "run", [*click(begun, Point(5, 5), frame), *passes(1, 2), choice, *passes(3, 20)], frame)
    assert done == [[Click(point=Point(5, 5)), Press(key="home"), Press(key="enter")]]


def test_where_the_pointer_is_left_by_a_list_ends_the_choice(tmp_path: Path) -> None:
    begun = time.monotonic()
    frame, later = Observation(BLANK, time.time()), Observation(BLANK, time.time() + 3)
    choice: RecordedEvent = (ChoiceInput(begun + 1, (Press(key="enter"),)), frame)
    moves: list[RecordedEvent] = [
        (MoveInput(begun + after, Point(x, 30)), later) for after, x in ((1.1, 60), (1.9, 40), (2.0, 30))
    ]
    done = recorded(
        tmp_path / "run",
        [*click(begun, Point(5, 5), frame), choice, *moves, *click(begun + 3, Point(20, 30), later)],
        later,
    )
    chosen = [Click(point=Point(5, 5)), Press(key="enter"), Move(point=Point(60, 30))]
    assert done == [chosen, [Click(point=Point(20, 30))]]


def test_a_pointer_that_a_list_has_not_moved_is_told_of_no_further(tmp_path: Path) -> None:
    begun = time.monotonic()
    frame, later = Observation(BLANK, time.time()), Observation(BLANK, time.time() + 3)
    choice: RecordedEvent = (ChoiceInput(begun + 1, (Press(key="enter"),)), frame)
    moves: list[RecordedEvent] = [(MoveInput(begun + after, Point(x, 5)), later) for after, x in ((1.1, 7), (1.9, 40))]
    done = recorded(tmp_path / "run", [*click(begun, Point(5, 5), frame), choice, *moves], later)
    assert done == [[Click(point=Point(5, 5)), Press(key="enter")]]


def test_what_opened_before_the_pointer_rested_was_opened_by_its_way(tmp_path: Path) -> None:
    begun = time.monotonic()
    other = Screenshot(np.full((60, 80, 3), 9, np.uint8))
    closed, opened = Observation(BLANK, time.time() + 1), Observation(other, time.time() + 3)
    way = ((2.0, 10, closed), (2.1, 20, opened), (2.2, 30, opened), (2.9, 30, opened), (3.0, 30, opened))
    events: list[RecordedEvent] = [(MoveInput(begun + after, Point(x, 30)), frame) for after, x, frame in way]
    events += [(MoveInput(begun + 3.0, Point(30, 50)), opened), *click(begun + 3.1, Point(30, 58), opened)]
    assert recorded(tmp_path / "run", events, opened) == [[Move(point=Point(30, 30))], [Click(point=Point(30, 58))]]


def test_a_rest_that_no_picture_shows_is_recorded(tmp_path: Path) -> None:
    begun = time.monotonic()
    old, new = Observation(BLANK, time.time() + 1), Observation(BLANK, time.time() + 3)

    def rests(frame: Observation) -> list[RecordedEvent]:
        way = ((2.0, 10), (2.1, 30), (2.6, 50))
        moves: list[RecordedEvent] = [(MoveInput(begun + after, Point(x, 30)), frame) for after, x in way]
        return [*moves, *click(begun + 3.6, Point(50, 30), new)]

    assert recorded(tmp_path / "old", rests(old), new)[0][0] == Move(point=Point(30, 30))
    assert recorded(tmp_path / "new", rests(new), new) == [[Click(point=Point(50, 30))]]


def test_what_no_picture_comes_between_is_one_step_however_slow_the_pictures_are(tmp_path: Path) -> None:
    begun = time.monotonic()
    old, new = Observation(BLANK, time.time()), Observation(BLANK, time.time() + 2)
    keys: list[RecordedEvent] = [
        (KeyInput(begun + after, key, key, down=True), frame)
        for after, key, frame in ((0.0, "f1", old), (1.6, "f2", old), (2.5, "f3", new))
    ]
    done = recorded(tmp_path / "run", keys, new)
    assert done == [[Press(key="f1"), Press(key="f2")], [Press(key="f3")]]


def test_what_is_still_going_on_counts_too_where_no_picture_comes_between(tmp_path: Path) -> None:
    begun = time.monotonic()
    old, new = Observation(BLANK, time.time()), Observation(BLANK, time.time() + 5)
    events: list[RecordedEvent] = click(begun, Point(5, 5), old)
    events.append((KeyInput(begun + 0.8, "a", "a", down=True), old))
    events += [(TickInput(begun + 1.5), None), (KeyInput(begun + 2.5, "b", "b", down=True), new)]
    events += [(TickInput(begun + 0.5 * number), None) for number in range(6, 12)]
    done = recorded(tmp_path / "run", events, new)
    assert done == [[Click(point=Point(5, 5)), Type(text="ab")]]
