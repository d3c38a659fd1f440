"""Prefills the next prompt in a background thread, before it is asked for; what was guessed wrong is dropped."""

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
    """What is computed ahead of the next reply of one episode: one job after another.

    A wrong guess of the next screenshot delays the answer by the work that it had begun. So once wrong guesses
    outnumber right ones, as on a screen that never stops changing, no more are made.

    Args:
        patience: how many more wrong guesses than right ones are allowed.
    """

    def __init__(self, patience: int = 3) -> None:
        self._patience = self._credit = patience
        self._jobs: list[_Job] = []

    def prepare(self, work: Work) -> None:
        """Start work that is of use whatever the next screenshot is."""
        self._begin(_Job(work, "", self._last))

    def start(self, screenshot: Screenshot, work: Work, *, certain: bool = False) -> None:
        """Start work on what is probably the next screenshot; a guess replaces the one before.

        Nothing happens if it is under way already, or if it is not ``certain`` and guesses do not pay. Errors of the
        work are logged.
        """
        last = self._last
        if last is not None and last.digest == screenshot.digest:
            return
        if last is not None and last.digest:
            self._drop(last)
        if certain or self._credit > 0:
            self._begin(_Job(work, screenshot.digest, self._last, certain))

    def finish(self, actual: Screenshot | None) -> float:
        """Wait until no work runs in the background.

        Args:
            actual: the screenshot that came; None if none did.

        Returns:
            Seconds of useful work that were over by now: so much sooner does the answer come.
        """
        begun, jobs, self._jobs = time.perf_counter(), self._jobs, []
        useful = [job for job in jobs if actual is not None and job.digest in ("", actual.digest)]
        for job in jobs:
            if job not in useful:
                job.wanted.clear()
        for job in jobs:
            job.thread.join()
        for job in jobs if actual is not None else ():
            if job.guessed:
                self._credit = min(self._credit + 1, self._patience) if job in useful else self._credit - 1
        return max(sum(job.seconds for job in useful) - (time.perf_counter() - begun), 0.0)

    @property
    def _last(self) -> _Job | None:
        return self._jobs[-1] if self._jobs else None

    def _begin(self, job: _Job) -> None:
        self._jobs.append(job)
        job.thread.start()

    def _drop(self, job: _Job) -> None:
        """Give up a guess that turned out to be wrong before the answer was asked for."""
        job.wanted.clear()
        if job.guessed:
            job.guessed, self._credit = False, self._credit - 1


class _Job:
    """Some work in a thread of its own, which begins when that of the job before has ended.

    ``digest`` is that of its screenshot, or empty where it needs none; ``guessed`` says whether it may be wrong.
    """

    def __init__(self, work: Work, digest: str, before: _Job | None, certain: bool = True) -> None:
        self.digest = digest
        self.guessed = not certain
        self.seconds = 0.0
        self.wanted = threading.Event()
        self.wanted.set()
        self._work, self._before = work, before
        self.thread = threading.Thread(target=self._run, name="background prefill", daemon=True)

    def _run(self) -> None:
        if self._before is not None:
            self._before.thread.join()
        if not self.wanted.is_set():
            return
        started = time.perf_counter()
        try:
            self._work(self.wanted.is_set)
        except Exception as error:
            _LOG.debug("background prefill failed: %s", error)
        self.seconds = time.perf_counter() - started
