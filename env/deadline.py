"""A limit of time after which work is broken off; times when a person is waited for do not count."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..perception.settle import Clock


class Deadline:
    """Calls ``expire``, in a thread of its own, after so many seconds within its block.

    Args:
        seconds: how long.
        expire: called once, while the block still runs.
        clock: monotonic seconds.
    """

    def __init__(self, seconds: float, expire: Callable[[], None], clock: Clock = time.monotonic) -> None:
        self._expire = expire
        self._clock = clock
        self._changed = threading.Condition()
        self._end = clock() + seconds
        self._suspended = self._over = False
        self._thread = threading.Thread(target=self._run, name="deadline", daemon=True)

    def __enter__(self) -> Deadline:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
        self._thread.join()

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """The time of the block does not count."""
        begun = self._clock()
        self._change(suspended=True)
        try:
            yield
        finally:
            self._end += self._clock() - begun
            self._change(suspended=False)

    def _change(self, *, suspended: bool) -> None:
        with self._changed:
            self._suspended = suspended
            self._changed.notify_all()

    def _run(self) -> None:
        with self._changed:
            while not self._over:
                left = None if self._suspended else self._end - self._clock()
                if left is not None and left <= 0:
                    break
                self._changed.wait(None if left is None else min(left, threading.TIMEOUT_MAX))
            if self._over:
                return
        self._expire()
