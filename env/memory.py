"""An environment in memory that keeps the whole contract: screens drawn from a short description, no browser."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..actions.errors import DeniedError, EnvironmentFailure, UsageError
from ..actions.geometry import Point, Size, inside
from ..actions.schema import Action, Click, DoubleClick, Move, Press, Type, Wait, ends_episode, points
from ..perception.observation import Observation, Screenshot
from .base import StepResult
from .expect import EvidenceKind
from .guard.guard import Guard, Permit
from .guard.intent import ActionIntent, Target


class Rectangle(NamedTuple):
    """A rectangle in screenshot pixels; left and top are inside, right and bottom are not."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def middle(self) -> Point:
        """Its centre."""
        return Point((self.left + self.right) / 2, (self.top + self.bottom) / 2)


@dataclass(frozen=True)
class Button:
    """Something to click.

    Attributes:
        label: the text on it.
        box: where it is.
        to: name of the screen that it opens; None stays.
        reward: of clicking it.
        ends: whether it ends the episode.
        needs_text: the text that must have been typed for it to work; None needs none.
    """

    label: str
    box: Rectangle
    to: str | None = None
    reward: float = 0.0
    ends: bool = False
    needs_text: str | None = None

    def has(self, point: Point) -> bool:
        """Whether a point is on it."""
        left, top, right, bottom = self.box
        return left <= point.x < right and top <= point.y < bottom


@dataclass(frozen=True)
class MemoryScreen:
    """One screen of a small program; typed text appears in ``field``, if it has one."""

    title: str
    buttons: tuple[Button, ...] = ()
    field: Rectangle | None = None


class MemoryEnvironment:
    """A small program of screens and buttons.

    Args:
        screens: by name.
        start: name of the first screen.
        guard: decides what may be done.
        instruction: the task it sets, if any.
        size: of its screen, in pixels.
        shuffle: whether the seed of an episode swaps the places of each screen's buttons.

    Raises:
        UsageError: a screen that is named does not exist.
    """

    def __init__(
        self,
        screens: Mapping[str, MemoryScreen],
        start: str,
        *,
        guard: Guard,
        instruction: str | None = None,
        size: Size = Size(320, 240),
        shuffle: bool = False,
    ) -> None:
        named = {start} | {button.to for screen in screens.values() for button in screen.buttons if button.to}
        if missing := sorted(named - set(screens)):
            raise UsageError(f"no screen is called {', '.join(missing)}; there are {', '.join(screens)}")
        self.guard = guard
        self._given = dict(screens)
        self._start = start
        self._instruction = instruction
        self._size = size
        self._shuffle = shuffle
        self._screens = self._given
        self._state = "new"
        self.screen = start
        self.text = ""

    @property
    def instruction(self) -> str | None:
        """The task, if it sets one."""
        return self._instruction

    def button(self, label: str) -> Button:
        """The button of the current screen with this label, in its current place.

        Raises:
            UsageError: there is none.
        """
        for button in self._screens[self.screen].buttons:
            if button.label == label:
                return button
        raise UsageError(f"screen {self.screen} has no button {label!r}")

    def reset(self, seed: int | None = None) -> Observation:
        """Back to the first screen; with ``shuffle``, the seed decides where each button is."""
        if self._state == "closed":
            raise EnvironmentFailure("the environment was closed; make a new one")
        self._screens = self._given
        if self._shuffle:
            chance = random.Random(seed)
            self._screens = {name: _shuffled(screen, chance) for name, screen in self._given.items()}
        self.guard.begin()
        self.screen, self.text, self._state = self._start, "", "running"
        return self._observe()

    def step(self, action: Action) -> StepResult:
        """Execute one action; it knows clicks, typing, moving and waiting."""
        if self._state != "running":
            raise EnvironmentFailure(f"no episode is running ({self._state}); call reset before step")
        for point in points(action):
            if not inside(point, self._size):
                return StepResult(self._observe(), error=f"({point.x:g}, {point.y:g}) is outside the screenshot")
        if ends_episode(action):
            return StepResult(self._observe())
        try:
            return self._perform(self.guard.admit(action, self))
        except DeniedError as error:
            return StepResult(self._observe(), error=str(error))

    def intent(self, action: Action) -> ActionIntent:
        """See ``Scene``: buttons have their labels."""
        screen = self._screens[self.screen]
        hit = [next((each for each in screen.buttons if each.has(point)), None) for point in points(action)]
        targets = [Target() if each is None else Target(role="button", name=each.label, active=True) for each in hit]
        if not targets and isinstance(action, Type | Press):
            targets = [Target(role="textbox", editable=screen.field is not None)]
        text = action.text if isinstance(action, Type) else ""
        return ActionIntent(kind=action.kind, action=action, text=text, targets=tuple(targets), window=screen.title)

    def picture(self, *, fresh: bool = True) -> Screenshot:
        """See ``Scene``."""
        return self._observe().screenshot

    def _perform(self, permit: Permit) -> StepResult:
        action = permit.spend()
        match action:
            case Click() | DoubleClick():
                return self._click(action.point)
            case Type():
                return self._type(action)
            case Press(key="backspace"):
                self.text = self.text[:-1]
            case Press() | Wait() | Move():
                pass
            case _:
                return StepResult(self._observe(), error=f"this environment cannot execute {action.kind}")
        return StepResult(self._observe())

    @property
    def evidence_kinds(self) -> tuple[EvidenceKind, ...]:
        """See ``SupportsEvidence``."""
        return "text", "title"

    def evidence(self, kind: EvidenceKind) -> Sequence[str]:
        """See ``SupportsEvidence``: the title of the screen, or all that is written on it."""
        screen = self._screens[self.screen]
        written = [screen.title, *(button.label for button in screen.buttons), self.text if screen.field else ""]
        return [screen.title] if kind == "title" else ["\n".join(written)]

    def close(self) -> None:
        """End it; nothing has to be released."""
        self._state = "closed"

    def _click(self, point: Point) -> StepResult:
        for button in self._screens[self.screen].buttons:
            if button.has(point) and button.needs_text in (None, self.text):
                self.screen = button.to or self.screen
                if button.ends:
                    self._state = "over"
                return StepResult(self._observe(), terminated=button.ends, reward=button.reward)
        return StepResult(self._observe())

    def _type(self, action: Type) -> StepResult:
        if action.point is not None:
            result = self._click(action.point)
            if result.terminated:
                return result
        self.text += action.text
        return StepResult(self._observe())

    def _observe(self) -> Observation:
        started = time.perf_counter()
        screenshot = draw(self._screens[self.screen], self.text, self._size)
        timings = {"settle": 0.0, "capture": time.perf_counter() - started}
        return Observation(screenshot, time.time(), None, timings)


def draw(screen: MemoryScreen, text: str, size: Size) -> Screenshot:
    """A screen as pixels; the same screen and text always give the same pixels."""
    image = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(image)
    font = ImageFont.load_default(12)
    pen.text((6, 4), screen.title, fill="black", font=font)
    for button in screen.buttons:
        pen.rectangle(_edges(button.box), fill="#d0d8ff", outline="black")
        pen.text(button.box.middle, button.label, fill="black", font=font, anchor="mm")
    if screen.field is not None:
        pen.rectangle(_edges(screen.field), fill="white", outline="black")
        pen.text((screen.field.left + 4, screen.field.top + 3), text, fill="black", font=font)
    return Screenshot(np.asarray(image))


def demo(guard: Guard, shuffle: bool = False) -> MemoryEnvironment:
    """A form to fill in: start, type a name, save."""
    start = Button("Start", Rectangle(20, 40, 140, 80), to="form")
    help_ = Button("Help", Rectangle(180, 40, 300, 80), to="help")
    save = Button("Save", Rectangle(20, 150, 140, 190), to="saved", reward=1.0, ends=True, needs_text="Ada")
    screens = {
        "start": MemoryScreen("Welcome", (start, help_)),
        "help": MemoryScreen("Press Start, type the name, press Save.", (replace(help_, label="Back", to="start"),)),
        "form": MemoryScreen(
            "Name:", (save, Button("Back", Rectangle(180, 150, 300, 190), to="start")), Rectangle(20, 60, 300, 90)
        ),
        "saved": MemoryScreen("Saved."),
    }
    return MemoryEnvironment(screens, "start", guard=guard, instruction="Save the name Ada.", shuffle=shuffle)


def _shuffled(screen: MemoryScreen, chance: random.Random) -> MemoryScreen:
    boxes = [button.box for button in screen.buttons]
    chance.shuffle(boxes)
    buttons = (replace(button, box=box) for button, box in zip(screen.buttons, boxes, strict=True))
    return replace(screen, buttons=tuple(buttons))


def _edges(box: Rectangle) -> tuple[int, int, int, int]:
    return (box.left, box.top, box.right - 1, box.bottom - 1)
