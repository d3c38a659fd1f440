"""Where a recording begins: the input events of a screen, each with its frame, as one iterator."""

from __future__ import annotations

import select
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

from ...actions.geometry import Point
from ...perception.observation import Observation
from ..input_events import Input, MarkInput, ReleaseAllInput, TickInput
from ..x11.connection import open_display
from ..x11.listener import X11Listener
from .frame_buffer import FrameBuffer
from .pynput_listener import PynputListener

RecordedEvent = tuple[Input, Observation | None]
"""An input event, and the screen from just before it; None where no gesture begins with the event."""

TICK = 0.1
_TRANSIT = 0.3
"""Seconds that an event may need to arrive here; a tick speaks of the time before that."""


def tick() -> RecordedEvent:
    """The event that nothing happened until a moment ago."""
    return TickInput(time.monotonic() - _TRANSIT), None


def with_frame(event: Input, frames: FrameBuffer) -> RecordedEvent:
    """An event with its frame."""
    needs_none = isinstance(event, ReleaseAllInput | TickInput)
    return event, None if needs_none else frames.before(event.time)


@contextmanager
def pointer_of(display: str | None) -> Iterator[Callable[[], Point | None]]:
    """Where the pointer of a display is, in input points; always None where no X server tells it."""
    if sys.platform in ("darwin", "win32"):
        yield lambda: None
        return
    from Xlib.error import ConnectionClosedError, XError

    connection = open_display(display)

    def pointer() -> Point | None:
        try:
            found = connection.screen().root.query_pointer()
        except (ConnectionClosedError, XError, OSError):
            return None
        return Point(float(found.root_x), float(found.root_y))

    try:
        yield pointer
    finally:
        with suppress(ConnectionClosedError, OSError):
            connection.close()


class EventQueue:
    """Input events in the order in which listeners put them, for one reader.

    Iterating waits for events, gives a tick whenever none came for 0.1 s, and ends when it is ``over``.
    Stages that wait for other things, too, ``select`` on the queue and ``take``.

    Args:
        frames: the screenshots to choose each event's frame from; None gives events no frame.
        over: whether the recording is over; asked at least every 0.1 s.

    Attributes:
        marks: how many marks of each client of the X server have come; the events before them have come, too.
    """

    def __init__(self, frames: FrameBuffer | None = None, over: Callable[[], bool] = lambda: False) -> None:
        self.over = over
        self._frames = frames
        self._events: deque[RecordedEvent] = deque()
        self.marks: Counter[int] = Counter()
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def put(self, event: Input) -> None:
        """Add an event, in any thread; returns at once."""
        if isinstance(event, MarkInput):
            self.marks[event.client] += 1
        else:
            self._events.append((event, None) if self._frames is None else with_frame(event, self._frames))
        with suppress(OSError):  # full, so that the reader is woken anyway; or closed
            self._writer.send(b"!")

    def take(self) -> list[RecordedEvent]:
        """The events that have come; does not wait."""
        with suppress(OSError):
            while self._reader.recv(4096):
                pass
        return [self._events.popleft() for _ in range(len(self._events))]

    def fileno(self) -> int:
        """What can be read from while there are events."""
        return self._reader.fileno()

    def __iter__(self) -> Iterator[RecordedEvent]:
        while not self.over():
            select.select([self], [], [], TICK)
            yield from self.take() or [tick()]
        yield from self.take()

    def close(self) -> None:
        """Close the descriptors; events that are left can still be taken."""
        self._reader.close()
        self._writer.close()


@contextmanager
def listening(
    display: str | None, frames: FrameBuffer | None = None, over: Callable[[], bool] = lambda: False
) -> Iterator[EventQueue]:
    """Listen to every key, button, wheel click and motion of a screen while the block runs; see ``EventQueue``.

    Raises:
        MissingPartError: there is no such screen, or it cannot be listened to.
    """
    listen = PynputListener if sys.platform in ("darwin", "win32") else X11Listener
    with closing(EventQueue(frames, over)) as events, closing(listen(display, events.put)):
        yield events
