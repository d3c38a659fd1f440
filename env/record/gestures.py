"""Gestures: what single input events grow into, and the actions each becomes."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from ...actions import schema
from ...actions.geometry import Point
from ...actions.schema import Action, Button, Direction
from ...perception.observation import Observation
from ..input_events import WheelInput

Conceal = Callable[[str, str], str]
"""Takes the kind of a secret and its text; returns the marker that is recorded in its place."""

# The thresholds of common desktops: times in seconds, distances in input points.
DOUBLE_CLICK_SECONDS = 0.4
_SLOWEST_DOUBLE_CLICK = 0.7
LONG_PRESS_SECONDS = 0.8
CLICK_RADIUS = 5.0
_SHORTEST_DRAG, _SLOW_SECONDS = 3.0, 0.3
"""A press that lasts so long and ends so far away is a drag, too: a hand that shakes in a click is faster."""
_SCROLL_RADIUS = 10.0
_SCROLL_PAUSE = 0.7
_TEXT_PAUSE = 2.0
_FIELD_PAUSE = 0.7
_MAX_WHEEL_CLICKS = 100
_MAX_CLICKS = 3
_SWITCHERS = {"alt", "meta"}
"""Modifiers under which several keys belong together: alt, tab, tab goes two windows further."""


@dataclass(frozen=True)
class Gesture:
    """One thing a person did, with the screen from just before its first event; times by the events' clock.

    ``joined``: it ends what the gesture before it began, such as a choice from a list that a click opened.
    """

    actions: tuple[Action, ...]
    frame: Observation | None
    began: float
    ended: float
    joined: bool = False


@dataclass
class PendingGesture:
    """A gesture that further events may still continue.

    Attributes:
        frame: the screen from just before its first event.
        began: time of its first event.
        last: time of its newest event.
        timeout: seconds without a further event after which it is finished.
    """

    timeout: ClassVar[float] = math.inf
    frame: Observation | None
    began: float
    last: float

    def actions(self, conceal: Conceal) -> tuple[Action, ...]:
        """What it becomes."""
        raise NotImplementedError


@dataclass
class TypedText(PendingGesture):
    """Characters typed one after the other; ``secret`` says what kind of secret they are, if any."""

    secret: str = ""
    text: str = ""

    @property
    def timeout(self) -> float:  # type: ignore[override]
        """Shorter after Enter, where something else is likely to begin; secrets are never cut."""
        if self.secret:
            return math.inf
        return _FIELD_PAUSE if self.text.endswith("\n") else _TEXT_PAUSE

    def actions(self, conceal: Conceal) -> tuple[Action, ...]:
        """One ``type``; of a secret only what stands for it."""
        text = conceal(self.secret, self.text) if self.secret and self.text else self.text
        return (schema.Type(text=text),) if text else ()


@dataclass
class Clicks(PendingGesture):
    """Clicks of the left button at one point.

    ``again``: other clicks there came right before, too long ago to be counted together.
    """

    timeout = _SLOWEST_DOUBLE_CLICK
    point: Point
    count: int = 0
    again: bool = False

    def continues_with(self, time: float, point: Point, counted: int = 0) -> bool:
        """Whether a press there and then is one more of these clicks; ``counted`` by the system, if it says so."""
        near = math.dist(point, self.point) <= CLICK_RADIUS
        soon = counted == self.count + 1 if counted else time - self.last <= DOUBLE_CLICK_SECONDS
        return near and soon and self.count < _MAX_CLICKS

    def actions(self, conceal: Conceal) -> tuple[Action, ...]:
        """A triple click is a double click and a click; a wait keeps fast replays from joining gestures."""
        wait = (schema.Wait(seconds=DOUBLE_CLICK_SECONDS),) * self.again
        doubles = (schema.DoubleClick(point=self.point),) * (self.count // 2)
        return (*wait, *doubles, *(schema.Click(point=self.point),) * (self.count % 2))


@dataclass
class WheelTurns(PendingGesture):
    """The wheel turned one way at one place."""

    timeout = _SCROLL_PAUSE
    point: Point
    direction: Direction
    clicks: int = 0

    def continues_with(self, event: WheelInput) -> bool:
        """Whether a turn of the wheel belongs to it."""
        near = math.dist(event.point, self.point) <= _SCROLL_RADIUS
        return near and event.direction == self.direction and self.clicks + event.clicks <= _MAX_WHEEL_CLICKS

    def actions(self, conceal: Conceal) -> tuple[Action, ...]:
        """One ``scroll``."""
        return (schema.Scroll(direction=self.direction, point=self.point, amount=self.clicks),)


@dataclass
class Shortcut(PendingGesture):
    """Keys pressed while modifiers are held."""

    modifiers: tuple[str, ...]
    keys: list[str] = field(default_factory=list)

    def continues_with(self, modifiers: tuple[str, ...]) -> bool:
        """Whether one more key under these modifiers belongs to it."""
        return modifiers == self.modifiers and bool(_SWITCHERS & set(modifiers))

    @property
    def pastes(self) -> bool:
        """Whether it is one of the usual chords for pasting."""
        chord = (*self.modifiers, *self.keys)
        return chord in (("ctrl", "v"), ("meta", "v"), ("ctrl", "shift", "v"), ("shift", "insert"))

    def actions(self, conceal: Conceal) -> tuple[Action, ...]:
        """A ``hotkey``, or the modifiers held around several keys."""
        if len(self.keys) == 1:
            return (schema.Hotkey(keys=(*self.modifiers, *self.keys)),)
        return (
            *(schema.KeyDown(key=key) for key in self.modifiers),
            *(schema.Press(key=key) for key in self.keys),
            *(schema.KeyUp(key=key) for key in reversed(self.modifiers)),
        )


@dataclass
class Chosen(PendingGesture):
    """A choice from a list or picker that is open; a picker that stays open tells each value on the way."""

    choice: tuple[Action, ...]

    def actions(self, conceal: Conceal) -> tuple[Action, ...]:
        """What chooses the same."""
        return self.choice


@dataclass
class HeldButton(PendingGesture):
    """A mouse button that is down, and nothing else has happened since.

    ``farthest`` is the point farthest from ``point``, where it was pressed, that the pointer has reached since.
    """

    button: Button
    point: Point
    farthest: Point

    def moved(self, point: Point) -> None:
        """The pointer moved to a point."""
        if math.dist(point, self.point) > math.dist(self.farthest, self.point):
            self.farthest = point

    @property
    def strayed(self) -> bool:
        """Whether the pointer moved too far for a click."""
        return math.dist(self.farthest, self.point) > CLICK_RADIUS

    def is_click(self, time: float, point: Point) -> bool:
        """Whether releasing it then and there makes a click of the left button."""
        short = not self.strayed and time - self.began < LONG_PRESS_SECONDS
        return self.button == "left" and short and not self.is_drag(time, point)

    def is_drag(self, time: float, point: Point) -> bool:
        """Whether releasing it then and there ends a drag."""
        distance = math.dist(point, self.point)
        return distance > CLICK_RADIUS or (distance >= _SHORTEST_DRAG and time - self.began >= _SLOW_SECONDS)

    def released(self, time: float, point: Point) -> tuple[Action, ...]:
        """The actions of a press that was no click of the left button."""
        if self.is_drag(time, point):
            if self.button == "left":
                return (schema.Drag(start=self.point, end=point),)
            return (*self.down(), schema.MouseUp(point=point, button=self.button))
        if self.strayed:
            return (*self.down(), schema.Move(point=self.farthest), schema.MouseUp(point=point, button=self.button))
        if self.button != "left":
            return ((schema.RightClick if self.button == "right" else schema.MiddleClick)(point=self.point),)
        return (schema.LongPress(point=self.point, seconds=min(round(time - self.began, 2), 60.0)),)

    def down(self) -> tuple[Action, ...]:
        """The press as an action of its own."""
        return (schema.MouseDown(point=self.point, button=self.button),)


_ACCENTS_ALONE = dict(zip("\u0300\u0301\u0302\u0303\u0308\u0327", "`'^~\"¸", strict=True))
_ACCENTS_TWICE = {**_ACCENTS_ALONE, "\u0301": "´", "\u0308": "¨"}


def compose_accent(accent: str, character: str) -> str:
    """The character that a dead key and the next key give."""
    if character == " ":
        return _ACCENTS_ALONE.get(accent, character)
    if character == accent:
        return _ACCENTS_TWICE.get(accent, accent)
    return unicodedata.normalize("NFC", character + accent)
