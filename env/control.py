"""A person's hold on a run: stop, pause, one step, go on, answer.

Whoever watches for the person's wish (a chord on the keyboard, a key in the terminal, a corner of the
screen) calls ``stop``, ``pause``, ``resume``, ``step`` or ``answer`` from any thread. Whoever acts asks
``check`` before every event it injects and lets time pass with ``wait``, so that nothing is injected once a
stop was asked for. The loop asks ``gate`` before each step, thinks inside ``interrupting``, and hands over
with ``ask``.
"""

from __future__ import annotations

import _thread
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from ..actions.errors import Stopped
from .chords import Chord

Change = Literal["paused", "stepping", "resumed", "asked", "stopped"]
Listener = Callable[[Change, str], None]
"""Is told what changed, and the question or the reason of a stop."""

_OWN_MOVES_LAST = 1.0
"""Seconds in which the X server has reported a move of the pointer for certain."""


class Control:
    """Shared between the thread that acts and the threads that watch; every method may be called from any.

    Attributes:
        attended: whether a person is there to answer; set by whoever listens to them.
        reserved: chords that are listened for, which the agent may not press; set likewise.
    """

    def __init__(self) -> None:
        self.attended = False
        self.reserved: tuple[Chord, ...] = ()
        self._changed = threading.Condition()
        self._reason: str | None = None
        self._allowed: int | None = None
        self._pausing = False
        self._question: str | None = None
        self._answer = ""
        self._breakable: int | None = None
        self._listeners: list[Listener] = []
        self._moves: deque[tuple[float, tuple[int, int]]] = deque(maxlen=64)

    @property
    def stopped(self) -> bool:
        """Whether a stop was asked for; there is no way back."""
        return self._reason is not None

    @property
    def reason(self) -> str | None:
        """Why it was stopped."""
        return self._reason

    @property
    def paused(self) -> bool:
        """Whether the next step waits for a person."""
        return self._allowed == 0

    @property
    def pausing(self) -> bool:
        """Whether a pause was asked for in the middle of a step: nothing more of it should be done."""
        return self._pausing

    @property
    def question(self) -> str | None:
        """What a person is being asked; None when nothing is."""
        return self._question

    def listen(self, listener: Listener) -> None:
        """Tell ``listener`` of every change from now on, in the thread that makes it."""
        self._listeners.append(listener)

    def stop(self, reason: str) -> None:
        """End the run at once; the first reason is kept."""
        with self._changed:
            if self._reason is not None:
                return
            self._reason = reason
            self._changed.notify_all()
            if self._breakable is not None:
                _break_into(self._breakable)
        self._tell("stopped", reason)

    def pause(self) -> None:
        """Hold the run before its next step."""
        self._allow(0, "paused")

    def step(self) -> None:
        """Let one step pass, then hold again."""
        self._allow((self._allowed or 0) + 1, "stepping")

    def resume(self) -> None:
        """Let the run go on; a question that is open has no answer in words."""
        self._allow(None, "resumed")

    def toggle(self) -> None:
        """Pause, or go on when it is paused or waits for an answer."""
        if self.paused or self._question is not None:
            self.resume()
        else:
            self.pause()

    def answer(self, text: str) -> None:
        """Answer the question that is open, and go on."""
        with self._changed:
            self._answer = text
            self._question = None
            self._changed.notify_all()
        self._tell("resumed", "")

    def moving(self, x: int, y: int) -> None:
        """Say where the agent is about to put the pointer, in points of its screen."""
        with self._changed:
            self._moves.append((time.monotonic(), (x, y)))

    def moved(self, x: int, y: int) -> bool:
        """Whether a move that was reported is the agent's own; each is so once, and only for a moment."""
        since = time.monotonic() - _OWN_MOVES_LAST
        with self._changed:
            moves = list(self._moves)
            own = [at for at, (when, place) in enumerate(moves) if place == (x, y) and when >= since]
            if own:
                self._moves = deque(moves[own[0] + 1 :], self._moves.maxlen)
        return bool(own)

    def check(self) -> None:
        """Do nothing, unless a stop was asked for.

        Raises:
            Stopped: it was.
        """
        if self._reason is not None:
            raise Stopped(self._reason)

    def wait(self, seconds: float) -> None:
        """Let time pass; a stop ends it at once.

        Raises:
            Stopped: a stop was asked for.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.stopped, timeout=seconds)
        self.check()

    def gate(self) -> bool:
        """Wait while the run is paused; whether it was.

        Raises:
            Stopped: a stop was asked for.
        """
        with self._changed:
            held = self._allowed is not None
            self._changed.wait_for(lambda: self.stopped or self._allowed != 0)
            if self._allowed:
                self._allowed -= 1
            self._pausing = False
        self.check()
        return held

    def ask(self, question: str) -> str:
        """Hand over to a person and wait; returns what they answered, which may be nothing.

        Raises:
            Stopped: a stop was asked for.
        """
        with self._changed:
            self._question, self._answer = question, ""
        self._tell("asked", question)
        with self._changed:
            self._changed.wait_for(lambda: self.stopped or self._question is None)
            self._question = None
        self.check()
        return self._answer

    @contextmanager
    def interrupting(self) -> Iterator[None]:
        """During the enclosed work, which injects nothing, a stop breaks into it as Ctrl-C would.

        Only the main thread can be broken into; work in another is over when it returns.

        Raises:
            Stopped: a stop was asked for.
        """
        with self._changed:
            self.check()
            if threading.current_thread() is threading.main_thread():
                self._breakable = threading.get_ident()
        try:
            yield
        except KeyboardInterrupt:
            self.check()
            raise
        finally:
            with self._changed:
                self._breakable = None
        self.check()

    def _allow(self, steps: int | None, change: Change) -> None:
        with self._changed:
            self._allowed = steps
            self._pausing = steps == 0
            if steps != 0:
                self._question = None
            self._changed.notify_all()
        self._tell(change, "")

    def _tell(self, change: Change, words: str) -> None:
        for listener in tuple(self._listeners):
            listener(change, words)


def _break_into(thread: int) -> None:
    """Raise ``KeyboardInterrupt`` in the main thread, also when it waits in the operating system."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(thread, signal.SIGINT)
    else:
        _thread.interrupt_main()
