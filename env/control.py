"""How a person controls a run: stop, pause, single step, resume, answer.

Watchers (of chords, keys in the terminal, corners of the screen) call ``stop``, ``pause``, ``resume``,
``step`` or ``answer`` from any thread. Input devices call ``check`` before every event they inject and sleep
with ``wait``, so that nothing is injected after a stop. The loop calls ``gate`` before each step, predicts
inside ``interrupting``, and asks the person with ``ask``. A limit of time (``within``) and the signals that end a
program (``stop_signals``) break work off in the same way.
"""

from __future__ import annotations

import _thread
import math
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import Literal

from ..actions.errors import Stopped
from .chords import Chord
from .deadline import Deadline
from .signals import ENDING, receiving

Change = Literal["paused", "stepping", "resumed", "asked", "permission", "stopped"]
Listener = Callable[[Change, str], None]
"""Called with what changed, and with the question or the reason of a stop."""

_SLICE_SECONDS = 0.25
"""How long a wait may miss a signal that comes just as it begins: handlers run in the thread that waits."""
_OWN_MOVE_SECONDS = 1.0
"""The X server reports an injected move of the pointer within this time, on a busy machine too."""


class Control:
    """Shared between the thread that acts and the threads that watch; every method may be called from any.

    Attributes:
        attended: whether a person can answer questions; set by whoever reads their answers.
        reserved: the person's chords, which the agent may not press; set by whoever watches for them.
        reason: why the run was stopped; None while it was not.
        signal: the signal that stopped it; None where it was a person.
        expired: whether the time of ``within`` is over.
        pausing: whether a pause was requested within a step, whose remaining actions are then left out.
        question: what waits for a person's answer; None without a question.
        take_over: what surrounds the time that a person has the screen, such as a recording; gets the task.
    """

    def __init__(self) -> None:
        self.attended = False
        self.reserved: tuple[Chord, ...] = ()
        self._changed = threading.Condition()
        self.reason: str | None = None
        self.signal: int | None = None
        self.expired = False
        self._deadline: Deadline | None = None
        self._allowed: int | None = None
        self.pausing = False
        self.question: str | None = None
        self.take_over: Callable[[str], AbstractContextManager[None]] = lambda task: nullcontext()
        self._answer = ""
        self._interruptible: int | None = None
        self._listeners: list[Listener] = []
        self._moves: deque[tuple[float, tuple[int, int]]] = deque(maxlen=64)

    @property
    def stopped(self) -> bool:
        """Whether nothing may be done any more: a stop was requested, or the time is over."""
        return self.reason is not None or self.expired

    @property
    def timed_out(self) -> bool:
        """Whether the time of ``within`` is over, and nobody stopped the run before."""
        return self.expired and self.reason is None

    @property
    def paused(self) -> bool:
        """Whether the next step waits for a person."""
        return self._allowed == 0

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` at every change from now on, in the thread that makes it."""
        self._listeners.append(listener)

    def stop(self, reason: str) -> None:
        """Stop the run at once; the first reason is kept, and it cannot be taken back."""
        with self._changed:
            if self.reason is not None:
                return
            self.reason = reason
            self._break_off()
        self._notify("stopped", reason)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Break off the enclosed work after some time, as a stop does; times of pauses and questions do not count."""
        if not math.isfinite(seconds):
            yield
            return
        try:
            with Deadline(seconds, self._expire) as self._deadline:
                yield
        finally:
            self._deadline, self.expired = None, False

    @contextmanager
    def stop_signals(self) -> Iterator[None]:
        """While the block runs, SIGINT, SIGTERM and SIGHUP stop the run, once; see ``signals.receiving``."""
        with receiving(self._receive):
            yield

    def pause(self) -> None:
        """Pause the run before its next step."""
        self._allow(0, "paused")

    def step(self) -> None:
        """Run one step, then pause again."""
        self._allow((self._allowed or 0) + 1, "stepping")

    def resume(self) -> None:
        """Let the run go on; an open question gets an empty answer."""
        self._allow(None, "resumed")

    def toggle(self) -> None:
        """Pause, or resume when the run is paused or waits for an answer."""
        if self.paused or self.question is not None:
            self.resume()
        else:
            self.pause()

    def answer(self, text: str) -> None:
        """Answer the open question and resume."""
        with self._changed:
            self._answer = text
            self.question = None
            self._changed.notify_all()
        self._notify("resumed", "")

    def announce_move(self, x: int, y: int) -> None:
        """Announce where the agent is about to put the pointer, in points of its screen."""
        with self._changed:
            self._moves.append((time.monotonic(), (x, y)))

    def is_own_move(self, x: int, y: int) -> bool:
        """Whether a reported move was announced by the agent within the last second; true once for each."""
        since = time.monotonic() - _OWN_MOVE_SECONDS
        with self._changed:
            moves = list(self._moves)
            own = [index for index, (when, point) in enumerate(moves) if point == (x, y) and when >= since]
            if own:
                self._moves = deque(moves[own[0] + 1 :], self._moves.maxlen)
        return bool(own)

    def check(self) -> None:
        """Raise ``Stopped`` if a stop was requested, or the time is over."""
        if self.stopped:
            raise Stopped(self.reason or "the time is over")

    def wait(self, seconds: float) -> None:
        """Sleep; a stop ends it at once with ``Stopped``."""
        end = time.monotonic() + seconds
        with self._changed:
            while not self.stopped and (left := end - time.monotonic()) > 0:
                self._changed.wait(min(left, _SLICE_SECONDS))
        self.check()

    def gate(self) -> bool:
        """Wait while the run is paused; returns whether it was. A stop raises ``Stopped``."""
        with self._changed:
            was_paused = self._allowed is not None
            self._wait_for_person(lambda: self._allowed != 0)
            if self._allowed:
                self._allowed -= 1
            self.pausing = False
        self.check()
        return was_paused

    def ask(self, question: str, change: Change = "asked") -> str:
        """Ask a person and wait; returns their answer, which may be empty. A stop raises ``Stopped``.

        Listeners are told ``asked`` where the agent asks, and ``permission`` where the guard does.
        """
        with self._changed:
            self.question, self._answer = question, ""
        self._notify(change, question)
        with self._changed:
            self._wait_for_person(lambda: self.question is None)
            self.question = None
        self.check()
        return self._answer

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """Let a stop interrupt the enclosed work, which injects nothing, as Ctrl-C would; raises ``Stopped``.

        Only the main thread can be interrupted; in others a stop is noticed when the work returns.
        """
        with self._changed:
            self.check()
        if threading.current_thread() is threading.main_thread():
            try:
                with self._heeding_sigint(), self._interruptible_here():
                    yield
            except KeyboardInterrupt:
                self.check()
                raise
        else:
            yield
        self.check()

    @contextmanager
    def _interruptible_here(self) -> Iterator[None]:
        try:
            with self._changed:
                self.check()
                self._interruptible = threading.get_ident()
            yield
        finally:
            with self._changed:
                self._interruptible = None

    def _wait_for_person(self, done: Callable[[], bool]) -> None:
        """Wait until something is done or the run is stopped, while the time stands still."""
        with nullcontext() if self._deadline is None or done() else self._deadline.suspended():
            while not self.stopped and not done():
                self._changed.wait(_SLICE_SECONDS)

    def _expire(self) -> None:
        with self._changed:
            self.expired = True
            self._break_off()

    def _break_off(self) -> None:
        """Wake whoever waits, and interrupt what can be."""
        self._changed.notify_all()
        if self._interruptible is not None:
            _interrupt(self._interruptible)

    def _receive(self, number: int) -> None:
        """Take a signal, in the main thread; it may be the one that ``_interrupt`` sends."""
        interruptible, self._interruptible = self._interruptible, None
        if not self.stopped:
            self.signal, self.reason = number, f"stopped by {ENDING[number]}"
        if interruptible is not None:
            raise KeyboardInterrupt

    @contextmanager
    def _heeding_sigint(self) -> Iterator[None]:
        """Receive the SIGINT of a stop in background jobs, too, for which shells ignore it, and Ctrl-C."""
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            yield
            return

        def interrupt_if_stopped(_number: int, _frame: FrameType | None) -> None:
            if self.stopped:
                raise KeyboardInterrupt

        signal.signal(signal.SIGINT, interrupt_if_stopped)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _allow(self, steps: int | None, change: Change) -> None:
        with self._changed:
            self._allowed = steps
            self.pausing = steps == 0
            if steps != 0:
                self.question = None
            self._changed.notify_all()
        self._notify(change, "")

    def _notify(self, change: Change, words: str) -> None:
        for listener in tuple(self._listeners):
            listener(change, words)


def _interrupt(thread: int) -> None:
    """Raise ``KeyboardInterrupt`` in the main thread, also when it waits in the operating system."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(thread, signal.SIGINT)
    else:
        _thread.interrupt_main()
