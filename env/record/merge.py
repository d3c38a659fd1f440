"""From single presses, releases and turns of the wheel to the actions a person meant.

A state machine without clock or device: events go in, finished gestures come out, in order, nothing lost.
A gesture is finished when something else begins, or when ``tick`` says that its time is over.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Generic, TypeVar

from ...actions.geometry import Point
from ...actions.keys import MODIFIERS
from ...actions.schema import Action, Button, KeyDown, KeyUp, MouseUp, Move, Press
from ..chords import Chord
from ..input_events import (
    ActionInput,
    ButtonInput,
    Input,
    KeyInput,
    MoveInput,
    ReleaseAllInput,
    TextInput,
    WheelInput,
)
from .gestures import (
    CLICK_RADIUS,
    Clicks,
    Conceal,
    Gesture,
    HeldButton,
    PendingGesture,
    Shortcut,
    TypedText,
    WheelTurns,
    compose_accent,
)

Scene = TypeVar("Scene")

_IN_TEXT = {"space": " ", "enter": "\n", "tab": "\t"}


@dataclass
class _Modifier(Generic[Scene]):
    """A modifier that is down.

    Attributes:
        key: its name.
        scene: what was given when it went down.
        time: when.
        used: whether anything happened while it was down.
        told: whether it was recorded as a key that is held.
    """

    key: str
    scene: Scene
    time: float
    used: bool = False
    told: bool = False


class Merger(Generic[Scene]):
    """Merges the events of one keyboard and one mouse.

    Args:
        stop_chord: what ends the recording; it is not recorded itself.
        conceal: what stands for a secret text.

    Attributes:
        stopped: whether the stop chord was pressed.
        unnamed: how many keys were pressed that have no name, and so are in no gesture.
    """

    def __init__(self, stop_chord: Chord, conceal: Conceal) -> None:
        self._stop_chord = stop_chord
        self._conceal = conceal
        self._open: PendingGesture[Scene] | None = None
        self._button: HeldButton[Scene] | None = None
        self._told_buttons: list[Button] = []
        self._modifiers: dict[int | str, _Modifier[Scene]] = {}
        self._accent = ""
        self._pointer = Point(0.0, 0.0)
        self._clicked: Point | None = None
        self._newest: tuple[Scene, float] | None = None
        self._done: list[Gesture[Scene]] = []
        self.stopped = False
        self.unnamed = 0

    def feed(self, event: Input, scene: Scene) -> list[Gesture[Scene]]:
        """Take one event; returns the gestures that are finished by it.

        Args:
            event: what happened; nothing is taken any more once the stop chord was pressed.
            scene: kept with the gesture that the event begins, if it begins one (a motion never does).
        """
        if self.stopped:
            return []
        self._expire(event.time)
        if not isinstance(event, MoveInput | ReleaseAllInput):
            self._newest = (scene, event.time)
        match event:
            case MoveInput():
                self._pointer = event.point
                if self._button is not None:
                    self._button.moved(event.point)
            case ButtonInput(down=True):
                self._button_down(event, scene)
            case ButtonInput():
                self._button_up(event, scene)
            case WheelInput():
                self._wheel(event, scene)
            case TextInput():
                self._text(event, scene)
            case KeyInput(down=True):
                self._key_down(event, scene)
            case KeyInput():
                self._key_up(event, scene)
            case ReleaseAllInput():
                self._let_go()
            case ActionInput():
                self._close()
                self._emit(scene, event.time, event.action)
        return self._take()

    def tick(self, now: float) -> list[Gesture[Scene]]:
        """Time has passed without an event; returns the gestures that are finished by it."""
        self._expire(now)
        return self._take()

    def finish(self) -> list[Gesture[Scene]]:
        """Nothing more will come; returns the rest, in which everything that is held is let go."""
        if self._button is not None:
            self._tell_button(self._button)
        self._close()
        for button in reversed(self._told_buttons):
            self._emit_newest(MouseUp(point=self._pointer, button=button))
        self._told_buttons.clear()
        self._let_go()
        return self._take()

    def forget(self, *keys: str) -> None:
        """Leave a chord out that is being pressed right now: it was meant for someone else."""
        if isinstance(self._open, Shortcut) and (*self._open.modifiers, *self._open.keys) == keys:
            self._open = None

    # ---------------------------------------------------------------- the mouse

    def _button_down(self, event: ButtonInput, scene: Scene) -> None:
        self._pointer = event.point
        self._tell_modifiers()
        if not (
            event.button == "left"
            and self._button is None
            and isinstance(self._open, Clicks)
            and self._open.takes(event.time, event.point)
        ):
            self._close()
        held = HeldButton(scene, event.time, event.time, event.button, event.point, event.point)
        if self._button is None and not self._told_buttons:
            self._button = held
            return
        self._interrupt()
        self._tell_button(held)

    def _button_up(self, event: ButtonInput, scene: Scene) -> None:
        self._pointer = event.point
        held = self._button
        if event.button in self._told_buttons:
            self._close()
            self._told_buttons.remove(event.button)
            self._emit(scene, event.time, MouseUp(point=event.point, button=event.button))
        if held is None or held.button != event.button:
            return
        self._button = None
        held.moved(event.point)
        if not held.is_click(event.time):
            self._close()
            actions = held.released(event.time, event.point)
            self._add(Gesture(actions, held.scene, held.began, event.time))
            return
        if not isinstance(self._open, Clicks):
            again = self._clicked is not None and math.dist(self._clicked, held.point) <= CLICK_RADIUS
            self._open = Clicks(held.scene, held.began, held.began, held.point, again=again)
        self._open.count += 1
        self._open.last = held.began

    def _wheel(self, event: WheelInput, scene: Scene) -> None:
        self._pointer = event.point
        self._interrupt()
        self._tell_modifiers()
        if not (isinstance(self._open, WheelTurns) and self._open.takes(event)):
            self._close()
            self._open = WheelTurns(scene, event.time, event.time, event.point, event.direction)
        self._open.clicks += event.clicks
        self._open.last = event.time

    def _interrupt(self) -> None:
        """Something happens while a button is down: from now on it is down by an action of its own."""
        held, self._button = self._button, None
        if held is not None:
            self._close()
            self._tell_button(held)

    def _tell_button(self, held: HeldButton[Scene]) -> None:
        self._emit(held.scene, held.began, *held.down())
        if held.strayed:
            self._emit(held.scene, held.began, Move(point=self._pointer))
        self._told_buttons.append(held.button)

    # ---------------------------------------------------------------- the keyboard

    def _key_down(self, event: KeyInput, scene: Scene) -> None:
        if event.key in MODIFIERS:
            self._modifier_down(event, scene)
            return
        for modifier in self._modifiers.values():
            modifier.used = True
        if self._is_stop(event.key):
            self.stopped = True
            return
        if not event.key:
            self.unnamed += 1
            return
        self._interrupt()
        self._release_told(scene, event.time)
        held = tuple(dict.fromkeys(modifier.key for modifier in self._modifiers.values()))
        text = self._text_of(event, held)
        if event.dead:
            self._accent = compose_accent(self._accent, event.key) if self._accent else event.key
            if self._accent != event.key:
                self._type(self._spelled(self._accent), event.secret, event.time, scene)
        elif text:
            self._type(self._spelled(text), event.secret, event.time, scene)
        elif held:
            self._accent = ""
            self._shortcut(held, event, scene)
        elif event.secret and event.key == "backspace" and isinstance(self._open, TypedText):
            self._open.text = self._open.text[:-1]
        else:
            self._accent = ""
            self._close()
            self._emit(scene, event.time, Press(key=event.key))

    def _key_up(self, event: KeyInput, scene: Scene) -> None:
        modifier = self._modifiers.pop(event.code, None)
        if modifier is None:
            return
        if isinstance(self._open, Shortcut):
            self._close()
        if modifier.told:
            self._interrupt()
            self._close()
            self._emit(scene, event.time, KeyUp(key=modifier.key))
        elif not modifier.used:
            self._close()
            self._emit(modifier.scene, modifier.time, Press(key=modifier.key))

    def _modifier_down(self, event: KeyInput, scene: Scene) -> None:
        if event.code in self._modifiers:
            return  # it repeats
        for modifier in self._modifiers.values():
            modifier.used = True
        self._modifiers[event.code] = _Modifier(event.key, scene, event.time)
        if self._button is not None or self._told_buttons:
            self._interrupt()
            self._tell_modifiers()

    def _is_stop(self, key: str) -> bool:
        held = {modifier.key for modifier in self._modifiers.values()}
        return held == set(self._stop_chord.modifiers) and key.lower() == self._stop_chord.key

    def _text_of(self, event: KeyInput, held: tuple[str, ...]) -> str:
        """The characters of a key; nothing where it is a command."""
        if held not in ((), ("shift",)):
            return ""
        if len(event.key) == 1 or event.key == "space":
            return _IN_TEXT.get(event.key, event.key)
        goes_on = isinstance(self._open, TypedText) and not self._open.secret and not event.secret
        return _IN_TEXT.get(event.key, "") if goes_on and not held else ""

    def _spelled(self, character: str) -> str:
        """A character with the accent that was waiting for it."""
        accent, self._accent = self._accent, ""
        return compose_accent(accent, character) if accent and accent != character else character

    def _text(self, event: TextInput, scene: Scene) -> None:
        if isinstance(self._open, Shortcut) and self._open.pastes:
            self._open = None
        self._interrupt()
        self._type(event.text, event.secret, event.time, scene)

    def _type(self, text: str, secret: str, time: float, scene: Scene) -> None:
        if not (isinstance(self._open, TypedText) and self._open.secret == secret):
            self._close()
            self._open = TypedText(scene, time, time, secret)
        self._open.text += text
        self._open.last = time

    def _shortcut(self, held: tuple[str, ...], event: KeyInput, scene: Scene) -> None:
        key = event.key.lower() if len(event.key) == 1 and event.key.isascii() else event.key
        if not (isinstance(self._open, Shortcut) and self._open.takes(held)):
            self._close()
            self._open = Shortcut(scene, event.time, event.time, held)
        self._open.keys.append(key)
        self._open.last = event.time

    def _tell_modifiers(self) -> None:
        """The mouse is used while modifiers are held: they are held by actions of their own."""
        late = False
        for modifier in self._modifiers.values():
            if not modifier.told:
                self._close()
                late = late or modifier.used  # what comes after it in the recording was not seen before it
                if late:
                    self._emit_newest(KeyDown(key=modifier.key))
                else:
                    self._emit(modifier.scene, modifier.time, KeyDown(key=modifier.key))
                modifier.used = modifier.told = True

    def _release_told(self, scene: Scene, time: float) -> None:
        """Keys are pressed again after the mouse was used: chords bring their modifiers themselves."""
        for modifier in reversed(self._modifiers.values()):
            if modifier.told:
                self._close()
                modifier.told = False
                self._emit(scene, time, KeyUp(key=modifier.key))

    def _let_go(self) -> None:
        """No key is held any more, though none was seen going up."""
        self._close()
        for modifier in reversed(self._modifiers.values()):
            if modifier.told:
                self._emit_newest(KeyUp(key=modifier.key))
        self._modifiers.clear()

    # ---------------------------------------------------------------- what is finished

    def _expire(self, now: float) -> None:
        if self._open is not None and self._button is None and now - self._open.last > self._open.patience:
            self._close()

    def _close(self) -> None:
        done, self._open = self._open, None
        if done is not None and (actions := done.actions(self._conceal)):
            self._add(Gesture(actions, done.scene, done.began, done.last))
            self._clicked = done.point if isinstance(done, Clicks) else None

    def _emit(self, scene: Scene, time: float, *actions: Action) -> None:
        self._add(Gesture(actions, scene, time, time))

    def _add(self, gesture: Gesture[Scene]) -> None:
        self._done.append(gesture)
        self._clicked = None

    def _emit_newest(self, action: Action) -> None:
        """Record what follows from the newest event."""
        assert self._newest is not None  # something is held, so something was heard
        self._emit(*self._newest, action)

    def _take(self) -> list[Gesture[Scene]]:
        done, self._done = self._done, []
        return done
