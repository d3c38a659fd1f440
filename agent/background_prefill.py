"""Work done before it is asked for, in one background thread, and given up when it was for nothing."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from ..perception.observation import Screenshot

_LOG = logging.getLogger(__name__)

Work = Callable[[Callable[[], bool]], None]
"""Something to do ahead; it asks its argument now and then whether it is still wanted."""


class BackgroundPrefill:
    """At most one guess at a time at the next screen, for one episode.

    Where guesses are wrong more often than right, as on a screen that never rests, no more are made: a wrong
    one delays the answer by what it had begun.

    Args:
        patience: how many more wrong guesses than right ones are borne.
    """

    def __init__(self, patience: int = 3) -> None:
        self._patience = self._credit = patience
        self._thread: threading.Thread | None = None
        self._wanted = threading.Event()
        self._seconds = 0.0

    def begin(self, guess: Screenshot, work: Work) -> None:
        """Start on a guess, unless one is under way or guessing does not pay.

        Args:
            guess: the screen that will probably be asked about.
            work: what to do; its errors are no more than a guess that failed.
        """
        if self._credit <= 0 or self._thread is not None:
            return
        self._guess = guess
        self._wanted.set()
        self._thread = threading.Thread(target=self._run, args=(work,), name="reading ahead", daemon=True)
        self._thread.start()

    def settle(self, truth: Screenshot | None) -> float:
        """Wait until nothing goes on in the background.

        Args:
            truth: the screen that was asked about; None if none was.

        Returns:
            Seconds of work that were done ahead, for a guess that was right; else 0.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return 0.0
        right = truth is not None and truth.digest == self._guess.digest
        if not right:
            self._wanted.clear()
        thread.join()
        if truth is not None:
            self._credit = min(self._credit + 1, self._patience) if right else self._credit - 1
        return self._seconds if right else 0.0

    def _run(self, work: Work) -> None:
        begun = time.perf_counter()
        try:
            work(self._wanted.is_set)
        except Exception as error:
            _LOG.debug("reading ahead failed: %s", error)
        self._seconds = time.perf_counter() - begun
