"""A stage of the recording: the pointer rested somewhere, and the screen changed, as where a menu opens by itself."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...actions.geometry import Point
from ...actions.schema import Move
from ...perception.observation import Observation
from ...perception.settle import same_but_caret
from ..input_events import ActionInput, ButtonInput, ChoiceInput, MoveInput, TickInput
from .gestures import CLICK_RADIUS
from .source import RecordedEvent

_REST_SECONDS = 0.2
_SHOWN_SECONDS = 0.05
"""After this much of a rest a picture shows what the pointer opened."""


@dataclass
class _Rest:
    """Where the pointer came to rest, with the screen from before it moved there.

    ``from_list``: it came there while a list was open, so that the page knew of it only once that was closed, and the
    screen tells nothing.
    """

    point: Point
    frame: Observation | None
    since: float
    from_list: bool = False


class Hovers:
    """Adds a ``move`` to the events where the pointer rested and the screen changed before anything else was done.

    A click moves the pointer by itself, so a rest where the button goes down needs none. What is chosen from a list is
    recorded as keys; where the pointer is left on the page then, a ``move`` ends the choice.
    """

    def __init__(self) -> None:
        self._rest: _Rest | None = None
        self._still: Observation | None = None
        self._pressed: Point | None = None
        self._buttons = 0
        self._chose = False

    def mark(self, events: Iterable[RecordedEvent]) -> Iterator[RecordedEvent]:
        """The events, with a ``move`` before those that came after such a rest."""
        for event, frame in events:
            if isinstance(event, MoveInput):
                yield from self._moved(event, frame)
            elif isinstance(event, ButtonInput):
                self._buttons = max(0, self._buttons + (1 if event.down else -1))
                yield from self._left(event.time, frame, event.point if event.down else None)
                self._pressed = event.point
            elif isinstance(event, ChoiceInput):
                self._rest, self._chose = None, True  # what changed is the list
            elif not isinstance(event, TickInput):
                yield from self._left(event.time, frame, None)
            if not isinstance(event, MoveInput | TickInput):
                self._still = None
            yield event, frame

    def _moved(self, event: MoveInput, frame: Observation | None) -> Iterator[RecordedEvent]:
        if self._buttons:
            self._rest = None
            return
        self._still = self._still or frame
        rest = self._rest
        if rest is not None and math.dist(rest.point, event.point) <= CLICK_RADIUS:
            return
        yield from self._left(event.time, frame, None)
        chose, self._chose = self._chose, False
        if self._pressed is not None and math.dist(self._pressed, event.point) <= CLICK_RADIUS:
            return  # it is still where it was used
        self._pressed = None
        self._rest = _Rest(event.point, self._still, event.time, from_list=chose)

    def _left(self, now: float, frame: Observation | None, pressed: Point | None) -> Iterator[RecordedEvent]:
        """The rest is over: the pointer moved on, or something else was done."""
        rest, self._rest = self._rest, None
        if rest is None or now - rest.since < _REST_SECONDS or rest.frame is None or frame is None:
            return
        self._still = frame
        if pressed is not None and math.dist(pressed, rest.point) <= CLICK_RADIUS:
            return
        if rest.from_list or _may_differ(rest, frame):
            yield ActionInput(rest.since, Move(point=rest.point), joined=rest.from_list), rest.frame


def _may_differ(rest: _Rest, now: Observation) -> bool:
    """Whether the screen changed while the pointer moved there and rested; it may have, where no picture is as new."""
    taken = now.captured_at - (time.time() - time.monotonic())
    assert rest.frame is not None
    seen = taken > rest.since + _SHOWN_SECONDS
    return not (seen and same_but_caret(rest.frame.screenshot.pixels, now.screenshot.pixels))
