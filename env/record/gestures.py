"""Gestures under way: what a person has begun and may still go on with, and the actions it will become."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ...actions.geometry import Point
from ...actions.schema import (
    Action,
    Button,
    Click,
    Direction,
    DoubleClick,
    Drag,
    Hotkey,
    KeyDown,
    KeyUp,
    LongPress,
    MiddleClick,
    MouseDown,
    MouseUp,
    Move,
    Press,
    RightClick,
    Scroll,
    Type,
    Wait,
)
from ..input_events import WheelInput

Scene = TypeVar("Scene")
Conceal = Callable[[str, str], str]
"""Takes the kind of a secret and its text, gives the words that stand for it."""

DOUBLE_CLICK_SECONDS = 0.4
LONG_PRESS_SECONDS = 0.8
CLICK_RADIUS = 5.0
_SCROLL_RADIUS = 10.0
_SCROLL_PAUSE = 0.7
_TEXT_PAUSE = 2.0
_FIELD_PAUSE = 0.7
_MAX_WHEEL_CLICKS = 100
_MAX_CLICKS = 3
_SWITCHERS = {"alt", "meta"}
"""Modifiers under which several keys are one thing: alt, tab, tab goes two windows further."""


@dataclass(frozen=True)
class Gesture(Generic[Scene]):
    """One thing a person did.

    Attributes:
        actions: what it is, in order.
        scene: what was given with its first event.
        began: seconds on the events' clock.
        ended: likewise.
    """

    actions: tuple[Action, ...]
    scene: Scene
    began: float
    ended: float


@dataclass
class PendingGesture(Generic[Scene]):
    """A gesture that may still go on.

    Attributes:
        scene: what was given with its first event.
        began: when.
        last: when it was last gone on with.
    """

    scene: Scene
    began: float
    last: float

    @property
    def patience(self) -> float:
        """Seconds after which it is over even if nothing else happens."""
        return math.inf

    def actions(self, conceal: Conceal) -> tuple[Action, ...]:
        """What it has become."""
        raise NotImplementedError


@dataclass
class TypedText(PendingGesture[Scene]):
    """Characters typed one after the other; ``secret`` says what kind of secret they are, if any."""

    secret: str = ""
    text: str = ""

    @property
    def patience(self) -> float:
        """After Enter or Tab something else is likely to begin; a secret is never cut in two."""
        if self.secret:
            return math.inf
        return _FIELD_PAUSE if self.text.endswith(("\n", "\t")) else _TEXT_PAUSE

    def actions(self, conceal: Conceal) -> tuple[Action, ...]:
        """One ``type``; of a secret only what stands for it."""
        text = conceal(self.secret, self.text) if self.secret and self.text else self.text
        return (Type(text=text),) if text else ()


@dataclass
class Clicks(PendingGesture[Scene]):
    """Clicks of the left button at one point.

    Attributes:
        point: where.
        count: how many.
        again: whether it comes right after others there that it must not be one with.
    """

    point: Point
    count: int = 0
    again: bool = False

    @property
    def patience(self) -> float:
        """The double-click time."""
        return DOUBLE_CLICK_SECONDS

    def takes(self, time: float, point: Point) -> bool:
        """Whether a press is one more click of it."""
        near = math.dist(point, self.point) <= CLICK_RADIUS
        return near and time - self.last <= DOUBLE_CLICK_SECONDS and self.count < _MAX_CLICKS

    def actions(self, conceal: Conceal) -> tuple[Action, ...]:
        """A triple click is a double click and a click; a pause keeps apart what a fast replay would join."""
        apart = (Wait(seconds=DOUBLE_CLICK_SECONDS),) * self.again
        doubles = (DoubleClick(point=self.point),) * (self.count // 2)
        return (*apart, *doubles, *(Click(point=self.point),) * (self.count % 2))


@dataclass
class WheelTurns(PendingGesture[Scene]):
    """The wheel turned one way at one place."""

    point: Point
    direction: Direction
    clicks: int = 0

    @property
    def patience(self) -> float:
        """How long a finger takes to reach over the wheel again."""
        return _SCROLL_PAUSE

    def takes(self, event: WheelInput) -> bool:
        """Whether a turn goes on with it."""
        near = math.dist(event.point, self.point) <= _SCROLL_RADIUS
        return near and event.direction == self.direction and self.clicks + event.clicks <= _MAX_WHEEL_CLICKS

    def actions(self, conceal: Conceal) -> tuple[Action, ...]:
        """One ``scroll``."""
        return (Scroll(direction=self.direction, point=self.point, amount=self.clicks),)


@dataclass
class Shortcut(PendingGesture[Scene]):
    """Keys pressed while modifiers are held."""

    modifiers: tuple[str, ...]
    keys: list[str] = field(default_factory=list)

    def takes(self, modifiers: tuple[str, ...]) -> bool:
        """Whether one more key belongs to it."""
        return modifiers == self.modifiers and bool(_SWITCHERS & set(modifiers))

    @property
    def pastes(self) -> bool:
        """Whether it is one of the usual chords for pasting."""
        chord = (*self.modifiers, *self.keys)
        return chord in (("ctrl", "v"), ("meta", "v"), ("ctrl", "shift", "v"), ("shift", "insert"))

    def actions(self, conceal: Conceal) -> tuple[Action, ...]:
        """A ``hotkey``, or the modifiers held around several keys."""
        if len(self.keys) == 1:
            return (Hotkey(keys=(*self.modifiers, *self.keys)),)
        return (
            *(KeyDown(key=key) for key in self.modifiers),
            *(Press(key=key) for key in self.keys),
            *(KeyUp(key=key) for key in reversed(self.modifiers)),
        )


@dataclass
class HeldButton(PendingGesture[Scene]):
    """A mouse button that is down, and nothing else has happened since.

    Attributes:
        button: which.
        point: where it was pressed.
        farthest: the place farthest from there where the pointer was since.
    """

    button: Button
    point: Point
    farthest: Point

    def moved(self, point: Point) -> None:
        """Take note of a motion."""
        if math.dist(point, self.point) > math.dist(self.farthest, self.point):
            self.farthest = point

    @property
    def strayed(self) -> bool:
        """Whether the pointer went too far away for a click."""
        return math.dist(self.farthest, self.point) > CLICK_RADIUS

    def is_click(self, time: float) -> bool:
        """Whether releasing it now makes a click of the left button."""
        return self.button == "left" and not self.strayed and time - self.began < LONG_PRESS_SECONDS

    def released(self, time: float, point: Point) -> tuple[Action, ...]:
        """What it was, if it was no click."""
        if math.dist(point, self.point) > CLICK_RADIUS:
            if self.button == "left":
                return (Drag(start=self.point, end=point),)
            return (*self.down(), MouseUp(point=point, button=self.button))
        if self.strayed:
            return (*self.down(), Move(point=self.farthest), MouseUp(point=point, button=self.button))
        if self.button == "right":
            return (RightClick(point=self.point),)
        if self.button == "middle":
            return (MiddleClick(point=self.point),)
        return (LongPress(point=self.point, seconds=min(round(time - self.began, 2), 60.0)),)

    def down(self) -> tuple[Action, ...]:
        """Its beginning, as an action of its own."""
        return (MouseDown(point=self.point, button=self.button),)


_ACCENTS_ALONE = dict(zip("\u0300\u0301\u0302\u0303\u0308\u0327", "`'^~\"¸", strict=True))
_ACCENTS_TWICE = {**_ACCENTS_ALONE, "\u0301": "´", "\u0308": "¨"}


def compose_accent(accent: str, character: str) -> str:
    """What a dead key and the next character give."""
    if character == " ":
        return _ACCENTS_ALONE.get(accent, character)
    if character == accent:
        return _ACCENTS_TWICE.get(accent, accent)
    return unicodedata.normalize("NFC", character + accent)
