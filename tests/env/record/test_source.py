"""The queue between listeners and the stages of a recording."""

from __future__ import annotations

import select
import struct
import time
from contextlib import closing
from types import SimpleNamespace

import numpy as np

from saccade.actions.geometry import Point, Size
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.input_events import ButtonInput, Input, KeyInput, MoveInput, TickInput
from saccade.env.record.frame_buffer import FrameBuffer
from saccade.env.record.source import EventQueue
from saccade.env.x11.connection import KEY_DOWN, KEY_UP, Connection, InjectedEvent
from saccade.env.x11.event_stream import FROM_CLIENT, client_requests
from saccade.env.x11.keymap import KeyMap, keysym
from saccade.env.x11.listener import X11Listener
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


def test_a_mark_comes_behind_all_keys_before_it_however_slow_the_listener_is() -> None:
    with (
        PrivateDisplay(Size(200, 100)) as display,
        closing(Connection(display.name)) as person,
        closing(Connection(display.name)) as other,
        closing(EventQueue()) as queue,
    ):

        def hear(event: Input) -> None:
            time.sleep(0.003)
            queue.put(event)

        stroke = KeyMap(person).find(keysym("a"))
        assert stroke is not None
        with closing(X11Listener(display.name, hear)):
            for count in (1, 2, 3):
                for _ in range(20):
                    person.inject([InjectedEvent(KEY_DOWN, stroke.keycode), InjectedEvent(KEY_UP, stroke.keycode)])
                person.sync()
                other.mark()  # a mark of another client is not taken for it
                assert queue.marks[person.number] == count - 1, "the keys are still on their way"
                person.mark()
                came: list[Input] = []
                while queue.marks[person.number] < count:
                    assert select.select([queue], [], [], 10)[0]
                    came += [event for event, _ in queue.take()]
                came += [event for event, _ in queue.take()]
                assert len(came) == 40
                assert all(isinstance(event, KeyInput) for event in came), "marks are no events"
            assert queue.marks[other.number] == 3


def test_requests_that_the_server_reports_together_are_told_apart() -> None:
    change = struct.pack("=BBHBBHII", 100, 1, 4, 38, 2, 0, 97, 65)
    nothing = struct.pack("=BBH", 127, 0, 1)
    reply = SimpleNamespace(category=FROM_CLIENT, client_swapped=False, data=nothing + change + nothing)
    assert list(client_requests(reply)) == [nothing, change, nothing]
    swapped = SimpleNamespace(category=FROM_CLIENT, client_swapped=True, data=struct.pack(">BBH", 127, 0, 1) * 2)
    assert len(list(client_requests(swapped))) == 2
    assert list(client_requests(SimpleNamespace(category=0, client_swapped=False, data=nothing))) == []
