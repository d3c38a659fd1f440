"""Killing a browser that no longer answers: a page in an endless loop blocks every call made to it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


def kill(process_id: int) -> None:
    """Kill a process; no error if it has ended already."""
    with suppress(ProcessLookupError):
        os.kill(process_id, signal.SIGKILL)


def running(process_id: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


class Watchdog:
    """Calls ``on_timeout``, in another thread, when guarded work takes too long: it should make the work fail."""

    def __init__(self, on_timeout: Callable[[], None]) -> None:
        self._on_timeout = on_timeout
        self._suspended = False
        self.fired = False

    @contextmanager
    def guard(self, seconds: float) -> Iterator[None]:
        """Guard the enclosed work."""
        over = threading.Event()
        threading.Thread(target=self._watch, args=(over, seconds), name="watchdog", daemon=True).start()
        try:
            yield
        finally:
            over.set()

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """A person is asked meanwhile; afterwards the work has its whole time again."""
        self._suspended = True
        try:
            yield
        finally:
            self._suspended = False

    def _watch(self, over: threading.Event, seconds: float) -> None:
        while not over.wait(seconds):
            if not self._suspended:
                self.fired = True
                self._on_timeout()
                return
