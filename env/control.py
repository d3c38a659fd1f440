"""How a person controls a run: stop, pause, single step, resume, answer.

Watchers (of chords, keys in the terminal, corners of the screen) call ``stop``, ``pause``, ``resume``,
``step`` or ``answer`` from any thread. Input devices call ``check`` before every event they inject and sleep
with ``wait``, so that nothing is injected after a stop. The loop calls ``gate`` before each step, predicts
inside ``interrupting``, and asks the person with ``ask``.
"""

from __future__ import annotations

import _thread
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Literal

from ..actions.errors import Stopped
from .chords import Chord

Change = Literal["paused", "stepping", "resumed", "asked", "stopped"]
Listener = Callable[[Change, str], None]
"""Called with what changed, and with the question or the reason of a stop."""

_OWN_MOVE_SECONDS = 1.0
"""The X server reports an injected move of the pointer within this time, on a busy machine too."""


class Control:
    """Shared between the thread that acts and the threads that watch; every method may be called from any.

    Attributes:
        attended: whether a person can answer questions; set by whoever reads their answers.
        reserved: the person's chords, which the agent may not press; set by whoever watches for them.
        reason: why the run was stopped; None while it was not.
        pausing: whether a pause was requested within a step, whose remaining actions are then left out.
        question: what waits for a person's answer; None without a question.
    """

    def __init__(self) -> None:
        self.attended = False
        self.reserved: tuple[Chord, ...] = ()
        self._changed = threading.Condition()
        self.reason: str | None = None
        self._allowed: int | None = None
        self.pausing = False
        self.question: str | None = None
        self._answer = ""
        self._interruptible: int | None = None
        self._listeners: list[Listener] = []
        self._moves: deque[tuple[float, tuple[int, int]]] = deque(maxlen=64)

    @property
    def stopped(self) -> bool:
        """Whether a stop was requested; it cannot be taken back."""
        return self.reason is not None

    @property
    def paused(self) -> bool:
        """Whether the next step waits for a person."""
        return self._allowed == 0

    def listen(self, listener: Listener) -> None:
        """Call ``listener`` at every change from now on, in the thread that makes it."""
        self._listeners.append(listener)

    def stop(self, reason: str) -> None:
        """Stop the run at once; the first reason is kept."""
        with self._changed:
            if self.reason is not None:
                return
            self.reason = reason
            self._changed.notify_all()
            if self._interruptible is not None:
                _interrupt(self._interruptible)
        self._notify("stopped", reason)

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
        """Raise ``Stopped`` if a stop was requested."""
        if self.reason is not None:
            raise Stopped(self.reason)

    def wait(self, seconds: float) -> None:
        """Sleep; a stop ends it at once with ``Stopped``."""
        with self._changed:
            self._changed.wait_for(lambda: self.stopped, timeout=seconds)
        self.check()

    def gate(self) -> bool:
        """Wait while the run is paused; returns whether it was. A stop raises ``Stopped``."""
        with self._changed:
            was_paused = self._allowed is not None
            self._changed.wait_for(lambda: self.stopped or self._allowed != 0)
            if self._allowed:
                self._allowed -= 1
            self.pausing = False
        self.check()
        return was_paused

    def ask(self, question: str) -> str:
        """Ask a person and wait; returns their answer, which may be empty. A stop raises ``Stopped``."""
        with self._changed:
            self.question, self._answer = question, ""
        self._notify("asked", question)
        with self._changed:
            self._changed.wait_for(lambda: self.stopped or self.question is None)
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
        if threading.current_thread() is not threading.main_thread():
            yield
            self.check()
            return
        with self._heeding_sigint():
            try:
                with self._changed:
                    self.check()
                    self._interruptible = threading.get_ident()
                yield
            except KeyboardInterrupt:
                self.check()
                raise
            finally:
                with self._changed:
                    self._interruptible = None
        self.check()

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
