"""The queue between listeners and the stages of a recording."""

from __future__ import annotations

import time

import numpy as np

from saccade.actions.geometry import Point
from saccade.env.input_events import ButtonInput, Input, KeyInput, MoveInput, TickInput
from saccade.env.record.frame_buffer import FrameBuffer
from saccade.env.record.source import EventQueue
from saccade.perception.observation import Observation, Screenshot


def frame(shade: int) -> Observation:
    return Observation(Screenshot(np.full((2, 2, 3), shade, np.uint8)), 0.0)


def test_events_come_in_order_each_with_the_screen_from_just_before_it() -> None:
    frames = FrameBuffer(2)
    old, new = frame(0), frame(9)
    frames.add(1.0, old)
    frames.add(2.0, new)
    events: list[Input] = [
        KeyInput(1.5, 1, "a", True),
        MoveInput(1.6, Point(1, 1)),
        ButtonInput(2.5, Point(1, 1), "left", True),
        KeyInput(0.5, 1, "a", False),
    ]
    queue = EventQueue(frames)
    for event in events:
        queue.put(event)
    assert queue.take() == list(zip(events, (old, old, new, old), strict=True))
    assert queue.take() == []
    queue.close()


def test_while_nothing_comes_there_are_ticks_of_a_moment_ago() -> None:
    queue = EventQueue()
    begun = time.monotonic()
    event, nothing = next(iter(queue))
    assert isinstance(event, TickInput)
    assert nothing is None
    assert begun - 0.3 <= event.time <= time.monotonic() - 0.3
    queue.close()


def test_what_came_before_the_end_is_not_lost() -> None:
    over: list[bool] = []
    queue = EventQueue(over=lambda: bool(over))
    events = iter(queue)
    assert isinstance(next(events)[0], TickInput)
    last = KeyInput(1.0, 1, "a", True)
    queue.put(last)
    over.append(True)
    assert list(events) == [(last, None)]
    queue.close()
    assert queue.take() == []
    queue.put(last)  # a listener that is just ending
