"""Signals that end a command, received without an exception in the middle of other work.

By default Python raises ``KeyboardInterrupt`` wherever the main thread is: within a request to an X server, whose
connection then answers no more, or within the writing of a trajectory's end. Here they are noted, and the work ends
where it can. What is ignored stays ignored: SIGHUP under ``nohup``, SIGINT in the background jobs of shells.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_NAMES = {"SIGINT": "Ctrl-C", "SIGTERM": "SIGTERM", "SIGHUP": "SIGHUP, as the terminal was closed"}
ENDING = {getattr(signal, name): words for name, words in _NAMES.items() if hasattr(signal, name)}
"""The signals that end a command, and what each is called."""


class _Receiver:
    """The handler of one ``receiving``."""

    def __init__(self, receive: Callable[[int], None]) -> None:
        self._receive = receive

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self._receive(number)


@contextmanager
def receiving(receive: Callable[[int], None]) -> Iterator[None]:
    """Call ``receive`` with each ending signal that comes while the block runs, however many; others nest inside.

    It is called in the main thread, in the middle of anything, so it must not print or wait for that thread. In other
    threads, for ignored signals and for those with a handler of the caller's own, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former = {number: signal.getsignal(number) for number in ENDING}
    ours = [number for number, handler in former.items() if _raises(handler) or isinstance(handler, _Receiver)]
    receiver = _Receiver(receive)
    try:
        for number in ours:
            signal.signal(number, receiver)
        yield
    finally:
        for number in ours:
            if signal.getsignal(number) is receiver:  # else the block gave it another handler for good
                signal.signal(number, former[number])


@contextmanager
def deferred_signals() -> Iterator[list[int]]:
    """Collect ending signals in a list that the work checks; see ``receiving``."""
    caught: list[int] = []
    with receiving(caught.append):
        yield caught


def end_by_exception() -> None:
    """Let SIGTERM and SIGHUP raise ``KeyboardInterrupt``, as SIGINT does, unless they are ignored."""
    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def hangup_ignored() -> bool:
    """Whether the program shall outlive its terminal, as under ``nohup``."""
    return hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def _raises(handler: object) -> bool:
    return handler is signal.default_int_handler
