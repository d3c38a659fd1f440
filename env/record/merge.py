"""From single presses, releases and turns of the wheel to the actions that a person meant.

A state machine without clock or device: events go in, finished gestures come out, in order. A gesture is
finished when something else begins, or when its timeout has passed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from ...actions.geometry import Point
from ...actions.keys import MODIFIERS
from ...actions.schema import Action, Button, KeyDown, KeyUp, MouseUp, Move, Press
from ...perception.observation import Observation
from ..chords import Chord
from ..input_events import (
    ActionInput,
    ButtonInput,
    ChoiceInput,
    Input,
    KeyInput,
    MoveInput,
    ReleaseAllInput,
    TextInput,
    TickInput,
    WheelInput,
)
from .gestures import (
    CLICK_RADIUS,
    Chosen,
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

Frame = Observation | None
_IN_TEXT = {"space": " ", "enter": "\n"}


@dataclass
class _Modifier:
    """A modifier that is down; ``used`` since for anything, or even ``recorded`` as a key that is held."""

    key: str
    frame: Frame
    time: float
    used: bool = False
    recorded: bool = False


class Merger:
    """Merges the events of one keyboard and one mouse into gestures.

    ``conceal`` gives the marker of a text that is typed where secrets are. ``begun`` tells whether a text that is typed
    elsewhere may go on as a known secret.

    Attributes:
        stopped: whether the stop chord, which is not recorded, was pressed; later events are ignored.
        unnamed: how many keys were pressed that no action can name; they are in no gesture.
    """

    def __init__(self, stop_chord: Chord, conceal: Conceal, begun: Callable[[str], bool] = lambda text: False) -> None:
        self._stop_chord = stop_chord
        self._conceal = conceal
        self._begun = begun
        self._pending: PendingGesture | None = None
        self._button: HeldButton | None = None
        self._recorded_buttons: list[Button] = []
        self._modifiers: dict[int | str, _Modifier] = {}
        self._accent = ""
        self._pointer = Point(0.0, 0.0)
        self._clicked: Point | None = None
        self._newest: tuple[Frame, float] = (None, 0.0)
        self._finished: list[Gesture] = []
        self.stopped = False
        self.unnamed = 0

    def merge(self, events: Iterable[tuple[Input, Frame]]) -> Iterator[Gesture]:
        """Each gesture as soon as the events have finished it; ``finish`` gives the rest."""
        for event, frame in events:
            yield from self.feed(event, frame)

    def feed(self, event: Input, frame: Frame = None) -> list[Gesture]:
        """Take an event with the screen from just before it; returns the gestures that it finishes."""
        if self.stopped:
            return []
        self._expire(event.time)
        if not isinstance(event, MoveInput | ReleaseAllInput | TickInput):
            self._newest = (frame, event.time)
        match event:
            case MoveInput():
                self._pointer = event.point
                if self._button is not None:
                    self._button.moved(event.point)
            case ButtonInput(down=True):
                self._button_down(event)
            case ButtonInput():
                self._button_up(event)
            case WheelInput():
                self._wheel(event)
            case TextInput():
                self._text(event)
            case KeyInput(down=True):
                self._key_down(event)
            case KeyInput():
                self._key_up(event)
            case ReleaseAllInput():
                self._release_all()
            case ActionInput():
                self._close()
                frame, time = self._newest
                self._add(Gesture((event.action,), frame, time, time, event.joined))
            case ChoiceInput():
                self._choose(event)
        return self._take_finished()

    def finish(self) -> list[Gesture]:
        """Returns the gestures that are left, which end with the release of everything held."""
        if self._button is not None:
            self._record_button(self._button)
        self._close()
        for button in reversed(self._recorded_buttons):
            self._emit(MouseUp(point=self._pointer, button=button))
        self._recorded_buttons.clear()
        self._release_all()
        return self._take_finished()

    @property
    def joining(self) -> bool:
        """Whether what is going on will end what the gesture before it began."""
        return isinstance(self._pending, Chosen)

    @property
    def going_on(self) -> list[Frame]:
        """The screens from just before what has begun and is not finished."""
        held = [modifier.frame for modifier in self._modifiers.values() if not modifier.used]
        return [*held, *(each.frame for each in (self._pending, self._button) if each is not None)]

    def discard(self, *keys: str) -> None:
        """Leave out a chord that is pressed right now: it was meant for another program."""
        if isinstance(self._pending, Shortcut) and (*self._pending.modifiers, *self._pending.keys) == keys:
            self._pending = None

    # ---------------------------------------------------------------- the mouse

    def _button_down(self, event: ButtonInput) -> None:
        self._pointer = event.point
        self._record_modifiers()
        if not (
            event.button == "left"
            and self._button is None
            and isinstance(self._pending, Clicks)
            and self._pending.continues_with(event.time, event.point, event.count)
        ):
            self._close()
        held = HeldButton(*self._begin(), event.button, event.point, event.point)
        if self._button is None and not self._recorded_buttons:
            self._button = held
            return
        self._interrupt()
        self._record_button(held)

    def _button_up(self, event: ButtonInput) -> None:
        self._pointer = event.point
        held = self._button
        if event.button in self._recorded_buttons:
            self._close()
            self._recorded_buttons.remove(event.button)
            self._emit(MouseUp(point=event.point, button=event.button))
        if held is None or held.button != event.button:
            return
        self._button = None
        held.moved(event.point)
        if not held.is_click(event.time, event.point):
            self._close()
            actions = held.released(event.time, event.point)
            self._add(Gesture(actions, held.frame, held.began, event.time))
            return
        if not isinstance(self._pending, Clicks):
            again = self._clicked is not None and math.dist(self._clicked, held.point) <= CLICK_RADIUS
            self._pending = Clicks(held.frame, held.began, held.began, held.point, again=again)
        self._pending.count += 1
        self._pending.last = held.began

    def _wheel(self, event: WheelInput) -> None:
        self._pointer = event.point
        self._interrupt()
        self._record_modifiers()
        if not (isinstance(self._pending, WheelTurns) and self._pending.continues_with(event)):
            self._close()
            self._pending = WheelTurns(*self._begin(), event.point, event.direction)
        self._pending.clicks += event.clicks
        self._pending.last = event.time

    def _interrupt(self) -> None:
        """Something else happens while a button is down: its press becomes an action of its own."""
        held, self._button = self._button, None
        if held is not None:
            self._close()
            self._record_button(held)

    def _record_button(self, held: HeldButton) -> None:
        self._emit_at(held.frame, held.began, *held.down())
        if held.strayed:
            self._emit_at(held.frame, held.began, Move(point=self._pointer))
        self._recorded_buttons.append(held.button)

    def _choose(self, event: ChoiceInput) -> None:
        if not isinstance(self._pending, Chosen):
            self._close()
            self._pending = Chosen(*self._begin(), ())
        self._pending.choice = event.actions
        self._pending.last = event.time

    # ---------------------------------------------------------------- the keyboard

    def _key_down(self, event: KeyInput) -> None:
        if event.key in MODIFIERS:
            self._modifier_down(event)
            return
        self._use_modifiers()
        if self._is_stop(event.key):
            self.stopped = True
            return
        if not event.key:
            self.unnamed += 1
            return
        self._interrupt()
        self._release_recorded()
        held = tuple(dict.fromkeys(modifier.key for modifier in self._modifiers.values()))
        text = self._text_of(event, held)
        if event.dead:
            self._accent = compose_accent(self._accent, event.key) if self._accent else event.key
            if self._accent != event.key:
                self._type(self._spelled(self._accent), event.secret)
        elif text:
            self._type(self._spelled(text), event.secret)
        elif held:
            self._accent = ""
            self._shortcut(held, event)
        elif event.key == "backspace" and isinstance(self._pending, TypedText) and (event.secret or self._waits()):
            self._pending.text = self._pending.text[:-1]
        else:
            self._accent = ""
            self._close()
            self._emit(Press(key=event.key))

    def _key_up(self, event: KeyInput) -> None:
        modifier = self._modifiers.pop(event.code, None)
        if modifier is None:
            return
        if isinstance(self._pending, Shortcut):
            self._close()
        if modifier.recorded:
            self._interrupt()
            self._close()
            self._emit(KeyUp(key=modifier.key))
        elif not modifier.used:
            self._close()
            self._emit_at(modifier.frame, modifier.time, Press(key=modifier.key))

    def _modifier_down(self, event: KeyInput) -> None:
        if event.code in self._modifiers:
            return  # it repeats
        self._use_modifiers()
        self._modifiers[event.code] = _Modifier(event.key, *self._newest)
        if self._button is not None or self._recorded_buttons:
            self._interrupt()
            self._record_modifiers()

    def _use_modifiers(self) -> None:
        for modifier in self._modifiers.values():
            modifier.used = True

    def _is_stop(self, key: str) -> bool:
        held = {modifier.key for modifier in self._modifiers.values()}
        return held == set(self._stop_chord.modifiers) and key.lower() == self._stop_chord.key

    def _text_of(self, event: KeyInput, held: tuple[str, ...]) -> str:
        """The character that a key types; empty where it is a command."""
        if held not in ((), ("shift",)):
            return ""
        if len(event.key) == 1 or event.key == "space":
            return _IN_TEXT.get(event.key, event.key)
        goes_on = isinstance(self._pending, TypedText) and not self._pending.secret and not event.secret
        return _IN_TEXT.get(event.key, "") if goes_on and not held else ""

    def _spelled(self, character: str) -> str:
        """A character, composed with the accent that was typed before it."""
        accent, self._accent = self._accent, ""
        return compose_accent(accent, character) if accent and accent != character else character

    def _text(self, event: TextInput) -> None:
        if isinstance(self._pending, Shortcut) and self._pending.pastes:
            self._pending = None
        self._interrupt()
        self._type(event.text, event.secret)

    def _type(self, text: str, secret: str) -> None:
        if not (isinstance(self._pending, TypedText) and self._pending.secret == secret):
            self._close()
            self._pending = TypedText(*self._begin(), secret)
        self._pending.text += text
        self._pending.last = self._newest[1]

    def _shortcut(self, held: tuple[str, ...], event: KeyInput) -> None:
        key = event.key.lower() if len(event.key) == 1 and event.key.isascii() else event.key
        if not (isinstance(self._pending, Shortcut) and self._pending.continues_with(held)):
            self._close()
            self._pending = Shortcut(*self._begin(), held)
        self._pending.keys.append(key)
        self._pending.last = event.time

    def _record_modifiers(self) -> None:
        """The mouse is used while modifiers are held: record them as keys that go down."""
        later = False
        for modifier in self._modifiers.values():
            if not modifier.recorded:
                self._close()
                later = later or modifier.used  # what is recorded after it has a later screen
                if later:
                    self._emit(KeyDown(key=modifier.key))
                else:
                    self._emit_at(modifier.frame, modifier.time, KeyDown(key=modifier.key))
                modifier.used = modifier.recorded = True

    def _release_recorded(self) -> None:
        """Keys are pressed again after the mouse was used: release the modifiers, which chords include."""
        for modifier in reversed(self._modifiers.values()):
            if modifier.recorded:
                self._close()
                modifier.recorded = False
                self._emit(KeyUp(key=modifier.key))

    def _release_all(self) -> None:
        """No key is held any more, though no release was seen."""
        self._close()
        for modifier in reversed(self._modifiers.values()):
            if modifier.recorded:
                self._emit(KeyUp(key=modifier.key))
        self._modifiers.clear()

    # ---------------------------------------------------------------- what is finished

    def _waits(self) -> bool:
        """Whether what is being typed may become a known secret, which pauses and corrections must not split."""
        return isinstance(self._pending, TypedText) and not self._pending.secret and self._begun(self._pending.text)

    def _expire(self, now: float) -> None:
        if self._waits():
            return
        if self._pending is not None and self._button is None and now - self._pending.last > self._pending.timeout:
            self._close()

    def _close(self) -> None:
        done, self._pending = self._pending, None
        if done is not None and (actions := done.actions(self._conceal)):
            self._add(Gesture(actions, done.frame, done.began, done.last, joined=isinstance(done, Chosen)))
            self._clicked = done.point if isinstance(done, Clicks) else None

    def _emit_at(self, frame: Frame, time: float, *actions: Action) -> None:
        self._add(Gesture(actions, frame, time, time))

    def _add(self, gesture: Gesture) -> None:
        self._finished.append(gesture)
        self._clicked = None

    def _emit(self, action: Action) -> None:
        """Record an action that follows from the newest event."""
        self._emit_at(*self._newest, action)

    def _begin(self) -> tuple[Frame, float, float]:
        """How a gesture begins that begins with the newest event."""
        frame, time = self._newest
        return frame, time, time

    def _take_finished(self) -> list[Gesture]:
        done, self._finished = self._finished, []
        return done
