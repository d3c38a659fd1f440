"""Prefills a guess of the next prompt in a background thread; a wrong guess is dropped."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from ..perception.observation import Screenshot

_LOG = logging.getLogger(__name__)

Work = Callable[[Callable[[], bool]], None]
"""The work to do in advance; it calls its argument now and then to ask whether it is still wanted."""


class BackgroundPrefill:
    """At most one guess at a time of the next screenshot, for one episode.

    A wrong guess delays the answer by the work that it had begun. So once wrong guesses outnumber right ones,
    as on a screen that never stops changing, no more are made.

    Args:
        patience: how many more wrong guesses than right ones are allowed.
    """

    def __init__(self, patience: int = 3) -> None:
        self._patience = self._credit = patience
        self._thread: threading.Thread | None = None
        self._wanted = threading.Event()
        self._seconds = 0.0
        self._digest = ""

    def start(self, guess: Screenshot, work: Work) -> None:
        """Start work on a guess of the next screenshot, unless one is running or guesses do not pay.

        Errors of the work are logged; the guess then counts as any other.
        """
        if self._credit <= 0 or self._thread is not None:
            return
        self._digest = guess.digest
        self._wanted.set()
        self._thread = threading.Thread(target=self._run, args=(work,), name="background prefill", daemon=True)
        self._thread.start()

    def finish(self, actual: Screenshot | None) -> float:
        """Wait until no work runs in the background.

        Args:
            actual: the screenshot that came; None if none did.

        Returns:
            Seconds of useful work: 0 for a wrong guess or none.
        """
        thread, self._thread = self._thread, None
        if thread is None:
            return 0.0
        right = actual is not None and actual.digest == self._digest
        if not right:
            self._wanted.clear()
        thread.join()
        if actual is not None:
            self._credit = min(self._credit + 1, self._patience) if right else self._credit - 1
        return self._seconds if right else 0.0

    def _run(self, work: Work) -> None:
        started = time.perf_counter()
        try:
            work(self._wanted.is_set)
        except Exception as error:
            _LOG.debug("background prefill failed: %s", error)
        self._seconds = time.perf_counter() - started
