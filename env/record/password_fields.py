"""What is typed into password fields of programs is marked before anybody writes it down.

Keys are heard from the X server, and where the focus is from the programs (``accessibility_bus``), which get
to a key some time later. So events are held back until the program that got them has answered two questions:
one that comes to it behind these keys, from the X server, and one on the bus, whose answer comes behind the
signals of every focus that moved until then. That takes milliseconds, or longer where the program is busy.

Where focus and keys cannot be put in order, or there is no answer, what was typed counts as secret.
"""

from __future__ import annotations

import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from ...actions.errors import MissingPartError
from ...actions.keys import MODIFIERS
from ...perception.settle import pause
from ..control import Control
from ..input_events import ActionInput, ButtonInput, Input, KeyInput, TextInput
from ..x11.connection import Connection
from ..x11.focus import PING_ANSWERS, Focus
from .atspi import FocusBus, NoAnswer
from .secrets import PASSWORD, Hold, Release, pass_on

Effect = Literal["none", "moves", "may move"]
"""What an event does to the focus: a click and Tab move it, characters do not, of other keys nobody knows."""

WITHOUT = "password fields of programs cannot be recognised here: use --redact"
_PATIENCE = 1.0
_LATE = 0.06
"""Seconds in which a focus may still move after its cause, or the cause be heard after the move."""
_MARGIN = 0.01
"""Seconds by which the time of an event may be too late on a busy machine."""
_PROPERTY = 1 << 22
_DESTROYED, _UNMAPPED, _MAPPED, _PROPERTY_CHANGED = 17, 18, 19, 28
_PLAIN_KEYS = frozenset(("space", "backspace", "delete", "capslock", "numlock", *MODIFIERS))


@contextmanager
def marking_passwords(display: str | None, tell: Callable[[str], None]) -> Iterator[Hold]:
    """Mark what is typed into password fields of programs on a display, while the block runs.

    Args:
        display: such as ``:7``; None is the one that ``$DISPLAY`` names.
        tell: is told, at most once each, that fields cannot be recognised, or no more.

    Yields:
        What takes each event; when the block ends all are released.
    """
    if sys.platform != "linux":
        tell(WITHOUT)
        yield pass_on
        return
    try:
        fields = PasswordFields(display, tell)
    except MissingPartError as error:
        tell(f"{WITHOUT}, or install at-spi2-core ({error})")
        yield pass_on
        return
    try:
        yield fields.hold
    finally:
        fields.close()


class _State(NamedTuple):
    """Where the keys go.

    Attributes:
        window: number of the window that gets them.
        hidden: whether to a password field, as far as anybody knows.
        certain: whether the program answered, and no other window came in between.
    """

    window: int
    hidden: bool
    certain: bool


class PasswordFields:
    """Holds events back, in a thread of its own, until it is known whether they went to a password field.

    Args:
        display: such as ``:7``; None is the one that ``$DISPLAY`` names.
        tell: is told when programs do not speak any more.

    Raises:
        MissingPartError: there is no such display, or no accessibility bus for it.
    """

    def __init__(self, display: str | None, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._bus = FocusBus(display)
        try:
            self._keyboard = _Keyboard(display or os.environ["DISPLAY"])
        except BaseException:
            self._bus.close()
            raise
        self._held: deque[tuple[Input, Effect, Release]] = deque()
        self._effects = _Effects()
        self._lock = threading.Lock()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._closing = self._lost = False
        self._state = _State(0, hidden=True, certain=False)
        self._doubtful = 0.0
        self._look(time.monotonic() + _PATIENCE)
        self._thread = threading.Thread(target=self._run, name="watches the focus", daemon=True)
        self._thread.start()

    def hold(self, event: Input, release: Release) -> None:
        """Take an event, in any thread; returns at once."""
        with self._lock:
            effect = self._effects.of(event)
            pressed = isinstance(event, KeyInput | ButtonInput) and event.down
            if not self._held and not pressed and not isinstance(event, TextInput):
                release(event)
                return
            self._held.append((event, effect, release))
        os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Release what is held, within some seconds, and end."""
        self._closing = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        self._bus.close()
        self._keyboard.close()
        os.close(self._wake)

    # ---------------------------------------------------------------- in the thread

    def _run(self) -> None:
        while self._held or not self._closing:
            try:
                if not self._lost:
                    self._settle()
            except Exception as error:  # whatever it is: nothing is lost, and nothing is told
                self._lost = True
                why = f"{type(error).__name__}: {error}"
                self._tell(
                    f"programs do not tell their focus any more ({why}): what is typed counts as secret"
                )
            if self._lost:
                self._release([True] * len(self._held))
            if not self._held and not self._closing:
                self._idle()

    def _idle(self) -> None:
        """Until an event is held, or the focus may have moved."""
        sources: list[Any] = [self._wake] if self._lost else [self._wake, self._bus, self._keyboard]
        while self._lost or not self._keyboard.focus_may_have_moved():
            ready = select.select(sources, [], [])[0]
            if self._wake in ready:
                os.eventfd_read(self._wake)
            if self._wake in ready or self._bus in ready:
                return

    def _settle(self) -> None:
        """Release the events up to a moment at which the focus rests."""
        deadline = time.monotonic() + _PATIENCE
        moves: list[bool] = []
        before, waited, in_order = self._state, False, True
        changed = 0.0
        while True:
            count, last = len(self._held), self._state
            new = self._look(deadline)
            moves += new
            if new or self._state != last:
                changed = time.monotonic()
            in_order = in_order and self._state.certain and self._state.window == before.window
            if time.monotonic() > deadline:
                in_order, changed = False, time.monotonic()
                break
            if new or self._state != last or not self._state.certain:
                continue  # what was heard meanwhile may have been the cause
            if waited or not self._may_be_late([effect for _, effect, _ in self._first(count)], moves):
                break
            waited = True
        effects = [effect for _, effect, _ in self._first(count)]
        self._release(hidden(effects, before.hidden, moves, self._state.hidden, in_order))
        if before.hidden or any(moves) or self._state.hidden:
            self._doubtful = max(self._doubtful, changed + _MARGIN)

    def _look(self, deadline: float) -> list[bool]:
        """Ask where the keys go, once all before have arrived; returns how the focus moved until then."""
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
        """Whether a focus that should have moved does so now, or what moved it is heard now."""
        causes = sum(effect != "none" for effect in effects)
        if causes and not moves:
            return bool(select.select([self._bus], [], [], _LATE)[0])
        if len(moves) > causes:
            with suppress(BlockingIOError):
                os.eventfd_read(self._wake)
            return bool(select.select([self._wake], [], [], _LATE)[0])
        return False

    def _first(self, count: int) -> list[tuple[Input, Effect, Release]]:
        with self._lock:
            return list(self._held)[:count]

    def _release(self, secrets: Sequence[bool]) -> None:
        for secret in secrets:
            event, _, release = self._held[0]
            secret = secret or event.time <= self._doubtful  # it was heard after a move that it came before
            if secret and isinstance(event, KeyInput | TextInput) and not event.secret:
                event = replace(event, secret=PASSWORD)
            with self._lock:  # who hears meanwhile must not overtake it
                release(event)
                self._held.popleft()


def hidden(
    effects: Sequence[Effect], before: bool, moves: Sequence[bool], now: bool, in_order: bool
) -> list[bool]:
    """Which of some events have to count as typed into a password field.

    Args:
        effects: what each event does to the focus.
        before: whether a password field had the focus before them.
        moves: whether it had after each move of the focus.
        now: whether it has now.
        in_order: whether nothing else can have happened.
    """
    causes = sum(effect == "moves" for effect in effects)
    told_apart = "may move" not in effects and causes == len(moves) and now == [before, *moves][-1]
    if not (in_order and (told_apart or not moves)) or (not moves and now != before):
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
    """Tells what events do to the focus, by the modifiers that are held."""

    def __init__(self) -> None:
        self._commands: set[int | str] = set()

    def of(self, event: Input) -> Effect:
        """To be asked about every event, in order."""
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
    """Which window gets the keys of a display, and whether it has got to them all."""

    def __init__(self, display: str) -> None:
        self._server = Connection(display)
        super().__init__(self._server, Control())
        self._server.root.change_attributes(event_mask=_PROPERTY | PING_ANSWERS)

    def fileno(self) -> int:
        return int(self._server.display.fileno())

    def close(self) -> None:
        self._server.close()

    def caught_up(self, deadline: float) -> bool:
        """Whether it has, before the deadline."""
        return self._follow(max(0.0, deadline - time.monotonic()), pause)

    def target(self) -> tuple[int, int | None]:
        """The window's number, 0 for none, and its process, where it tells."""
        window = target = self.window()
        while window is not None:
            process = self._server.numbers(window, "_NET_WM_PID")
            if process:
                return target.id, process[0]
            window = self._parent(window)
        return 0 if target is None else target.id, None

    def focus_may_have_moved(self) -> bool:
        """Whether a window came, went or was activated since the last call; does not wait."""
        active = self._server.atom("_NET_ACTIVE_WINDOW")
        moved = False
        for event in self._server.events(0.0):  # all of them, so that none is told again
            activated = event.type == _PROPERTY_CHANGED and event.atom == active
            moved = moved or activated or event.type in (_DESTROYED, _UNMAPPED, _MAPPED)
        return moved
