"""A stage of the recording: marks as secret what is typed into password fields of programs.

Keys come from the X server, and where the focus is from the programs (``atspi``), which get to a key some
time later. So events are held back until the program that got them has answered two questions: one that
reaches it behind these keys, from the X server, and one on the bus, whose answer comes behind the signals of
every move of the focus until then. A mark in the record of the X server, made after the answers, tells which
events may have come before them: once it has come, nothing is on its way that could have moved the focus.
That takes milliseconds, or longer where the program is busy.

Where focus and keys cannot be put in order, or there is no answer, what was typed counts as secret.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from queue import SimpleQueue
from threading import Thread
from typing import Any, Literal, NamedTuple, TypeVar

from ...actions.errors import MissingPartError
from ...actions.keys import MODIFIERS
from ...perception.observation import Observation
from ...perception.settle import pause
from ..control import Control
from ..input_events import ActionInput, ButtonInput, Input, KeyInput, TextInput
from ..x11.connection import Connection
from ..x11.focus import PING_ANSWERS, Focus
from .atspi import FocusBus, NoAnswer
from .secrets import PASSWORD
from .source import TICK, EventQueue, RecordedEvent, tick

Answer = TypeVar("Answer")
Effect = Literal["none", "moves", "may move"]
"""What an event does to the focus: a click and Tab move it, characters do not, other keys may."""
Mark = Callable[[EventQueue], Iterator[RecordedEvent]]
"""Gives the events of a queue, in order, with secrets marked."""

WITHOUT = "password fields of programs cannot be recognised here: use --redact"
_TIMEOUT, _LONGEST = 2.0, 10.0
"""Seconds until a program has to answer, and for which events are held while it does but more of them come."""
_LATE = 0.06
"""Seconds in which a focus may still move after its cause."""
_PROPERTY = 1 << 22
_DESTROYED, _UNMAPPED, _MAPPED, _PROPERTY_CHANGED = 17, 18, 19, 28
_PLAIN_KEYS = frozenset(("space", "backspace", "delete", "capslock", "numlock", *MODIFIERS))


@contextmanager
def marking_passwords(display: str | None, warn: Callable[[str], None]) -> Iterator[Mark]:
    """Recognise password fields of programs on a display while the block runs.

    Yields the stage that marks what is typed there; without an accessibility bus it marks nothing. ``warn`` is
    called when fields cannot be recognised, and once more if that happens later.
    """
    if sys.platform != "linux":
        warn(WITHOUT)
        yield iter
        return
    try:
        fields = PasswordFields(display, warn)
    except MissingPartError as error:
        warn(f"{WITHOUT}, or install at-spi2-core ({error})")
        yield iter
        return
    with closing(fields):
        yield fields.mark


class _State(NamedTuple):
    """Which window gets the keys, whether it is a password field, and whether its program confirmed that."""

    window: int
    hidden: bool
    certain: bool


class _Held(NamedTuple):
    event: Input
    frame: Observation | None
    effect: Effect


class PasswordFields:
    """Holds events back until it is known whether they went to a password field.

    Raises:
        MissingPartError: there is no such display, or no accessibility bus for it.
    """

    def __init__(self, display: str | None, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._bus = FocusBus(display)
        try:
            self._keyboard = _Keyboard(display or os.environ["DISPLAY"])
        except BaseException:
            self._bus.close()
            raise
        self._held: deque[_Held] = deque()
        self._effects = _Effects()
        self._closing = self._lost = False
        self._state = _State(0, hidden=True, certain=False)
        self._thread: Thread | None = None
        self._ask(time.monotonic() + _TIMEOUT)

    def mark(self, events: EventQueue) -> Iterator[RecordedEvent]:
        """The events, marked; a thread of its own works ahead, so that writing them delays nothing."""
        marked: SimpleQueue[RecordedEvent | None] = SimpleQueue()

        def work() -> None:
            try:
                for event in self._marked(events):
                    marked.put(event)
            finally:
                marked.put(None)

        self._thread = Thread(target=work, name="password fields", daemon=True)
        self._thread.start()
        yield from iter(marked.get, None)

    def close(self) -> None:
        """Stop; waits some seconds at most for what is held back."""
        self._closing = True
        if self._thread is not None:
            self._thread.join()
        self._bus.close()
        self._keyboard.close()

    def _marked(self, events: EventQueue) -> Iterator[RecordedEvent]:
        while True:
            over = self._closing or events.over()
            yield from self._receive(events)
            if not self._held and over:
                return
            moved = bool(self._held) or self._answer(self._keyboard.focus_may_have_moved, False)
            if not moved:
                sources: list[Any] = [events] if self._lost else [events, self._bus, self._keyboard]
                ready = select.select(sources, [], [], TICK)[0]
                moved = self._bus in ready
                if not ready:
                    yield tick()
            if moved:
                yield from self._release(self._answer(lambda: self._settle(events), [True] * len(self._held)))

    def _receive(self, events: EventQueue) -> list[RecordedEvent]:
        """Hold back the events that came; returns those before them that need no answer."""
        passed: list[RecordedEvent] = []
        for event, frame in events.take():
            effect = self._effects.of(event)
            pressed = isinstance(event, KeyInput | ButtonInput) and event.down
            if self._held or pressed or isinstance(event, TextInput):
                self._held.append(_Held(event, frame, effect))
            else:
                passed.append((event, frame))
        return passed

    def _answer(self, question: Callable[[], Answer], otherwise: Answer) -> Answer:
        """The answer to a question about the focus; once that failed, always the same."""
        try:
            return otherwise if self._lost else question()
        except Exception as error:  # whatever it is: no event may be lost, and no secret written
            self._lost = True
            why = f"{type(error).__name__}: {error}"
            self._warn(f"programs do not report their focus any more ({why}): what is typed counts as secret")
            return otherwise

    def _settle(self, events: EventQueue) -> list[bool]:
        """Which of the held events are secret, up to a moment at which the focus has stopped moving."""
        begun = time.monotonic()
        deadline = begun + _TIMEOUT
        moves: list[bool] = []
        before, waited, in_order = self._state, False, True
        while True:
            known = len(self._hold(events))
            moves += self._ask(deadline)
            came = self._all_came(events, deadline)
            effects = self._hold(events)
            in_order = in_order and self._state.certain and self._state.window == before.window
            if not came or time.monotonic() > deadline:
                in_order = False
                break
            if not self._state.certain:
                continue
            if any(effect != "none" for effect in effects[known:]):  # was it asked before that or after?
                deadline = min(begun + _LONGEST, time.monotonic() + _TIMEOUT)
                continue
            if waited or not self._may_be_late(effects, moves):
                break
            waited = True
        return hidden(effects, before.hidden, moves, self._state.hidden, in_order)

    def _all_came(self, events: EventQueue, deadline: float) -> bool:
        """Hold back all events of which the server knew until now; whether they came before the deadline."""
        number = self._keyboard.mark()
        while events.marks[self._keyboard.number] < number:
            if not select.select([events], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return False
            self._hold(events)
        return True

    def _hold(self, events: EventQueue) -> list[Effect]:
        """Hold back all events that have come, as their order counts; returns what each does to the focus."""
        self._held += (_Held(event, frame, self._effects.of(event)) for event, frame in events.take())
        return [held.effect for held in self._held]

    def _ask(self, deadline: float) -> list[bool]:
        """Ask where the keys go, once all earlier ones arrived; returns the moves of the focus until then."""
        moves = self._bus.moves(deadline)
        window, process = self._keyboard.target()
        anew = window != self._state.window
        certain = self._keyboard.caught_up(deadline)
        enough = max(deadline, time.monotonic() + _LATE)
        try:
            hides = self._bus.in_password_field(process, enough, anew)
            if not certain:
                hides = hides or self._bus.speaks(process)
        except NoAnswer:
            hides, certain = True, False
        moves += self._bus.moves(enough)
        certain = certain and self._keyboard.target()[0] == window
        self._state = _State(window, hides, certain)
        return moves

    def _may_be_late(self, effects: Sequence[Effect], moves: Sequence[bool]) -> bool:
        """Wait a moment for a move whose cause came; whether one came."""
        causes = sum(effect != "none" for effect in effects)
        return causes > 0 and not moves and bool(select.select([self._bus], [], [], _LATE)[0])

    def _release(self, secrets: Sequence[bool]) -> Iterator[RecordedEvent]:
        for secret in secrets:
            event, frame, _ = self._held.popleft()
            if secret and isinstance(event, KeyInput | TextInput) and not event.secret:
                event = replace(event, secret=PASSWORD)
            yield event, frame


def hidden(effects: Sequence[Effect], before: bool, moves: Sequence[bool], now: bool, in_order: bool) -> list[bool]:
    """Which events have to count as typed into a password field.

    Args:
        effects: what each event does to the focus.
        before: whether a password field had the focus before them.
        moves: whether it had after each move of the focus.
        now: whether it has now.
        in_order: whether nothing else can have happened.
    """
    causes = sum(effect == "moves" for effect in effects)
    separable = "may move" not in effects and causes == len(moves) and now == [before, *moves][-1]
    if not (in_order and (separable or not moves)) or (not moves and now != before):
        return [before or now or any(moves)] * len(effects)
    if not moves:
        return [before] * len(effects)
    found, fields = [], iter((before, *moves))
    field = next(fields)
    for effect in effects:
        found.append(field)
        if effect == "moves":
            field = next(fields)
    return found


class _Effects:
    """Knows what events do to the focus, by the modifiers that are held."""

    def __init__(self) -> None:
        self._commands: set[int | str] = set()

    def of(self, event: Input) -> Effect:
        """What an event does; has to be called with every event, in order."""
        if isinstance(event, KeyInput):
            return self._of_key(event)
        if isinstance(event, ActionInput):
            return "may move"
        return "moves" if isinstance(event, ButtonInput) and event.down else "none"

    def _of_key(self, event: KeyInput) -> Effect:
        if event.key in MODIFIERS and event.key != "shift":
            (self._commands.add if event.down else self._commands.discard)(event.code)
            return "none"
        if not event.down or (not self._commands and (len(event.key) == 1 or event.key in _PLAIN_KEYS)):
            return "none"
        return "moves" if event.key == "tab" and not self._commands else "may move"


class _Keyboard(Focus):
    """Which window gets the keys of a display, and whether it has handled them all."""

    def __init__(self, display: str) -> None:
        self._server = Connection(display)
        self._marks = 0
        super().__init__(self._server, Control())
        self._server.root.change_attributes(event_mask=_PROPERTY | PING_ANSWERS)

    def fileno(self) -> int:
        return int(self._server.display.fileno())

    def close(self) -> None:
        self._server.close()

    @property
    def number(self) -> int:
        """Of the client that asks."""
        return self._server.number

    def mark(self) -> int:
        """Make a mark behind all events so far; returns how many that are."""
        self._marks += 1
        self._server.mark()
        return self._marks

    def caught_up(self, deadline: float) -> bool:
        """Whether it has, before the deadline."""
        return self.follow(max(0.0, deadline - time.monotonic()), pause)

    def target(self) -> tuple[int, int | None]:
        """The number of the program's window, 0 for none, and its process, where known."""
        window = target = self.window()
        while window is not None:
            process = self._server.numbers(window, "_NET_WM_PID")
            if process:  # a program may give the focus to a window of its own inside
                return window.id, process[0]
            window = self._server.parent(window)
        return 0 if target is None else target.id, None

    def focus_may_have_moved(self) -> bool:
        """Whether a window came, went or was activated since the last call; does not wait."""
        active = self._server.atom("_NET_ACTIVE_WINDOW")
        moved = False
        for event in self._server.events(0.0):  # all of them, so that none counts again
            activated = event.type == _PROPERTY_CHANGED and event.atom == active
            moved = moved or activated or event.type in (_DESTROYED, _UNMAPPED, _MAPPED)
        return moved
