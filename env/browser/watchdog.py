"""Ending a browser that no longer answers: a page in an endless loop blocks every call made to it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


def kill(process_id: int) -> None:
    """End a process at once; one that has gone already is no error."""
    with suppress(ProcessLookupError):
        os.kill(process_id, signal.SIGKILL)


def running(process_id: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Watchdog:
    """Runs ``bite`` when guarded work takes too long; the work then fails with an ordinary error.

    Args:
        bite: what ends the hang; called from another thread.
    """

    def __init__(self, bite: Callable[[], None]) -> None:
        self._bite = bite
        self.bitten = False

    @contextmanager
    def guard(self, seconds: float) -> Iterator[None]:
        """Guard the enclosed work."""
        timer = threading.Timer(seconds, self._fire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _fire(self) -> None:
        self.bitten = True
        self._bite()
