"""A time limit for calls to the browser: a page in an endless loop never answers, and the calls have no limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import greenlet

T = TypeVar("T")
_AGAIN = 0.2
"""Seconds after which a call is given up that is made on the way out."""


class OverdueError(Exception):
    """The time limit is over; the call to the browser is given up, and its answer, if it ever comes, ignored."""


@contextmanager
def deadline(seconds: float) -> Iterator[OverdueError]:
    """Raise an ``OverdueError`` out of the enclosed calls when they take longer; gives that very error.

    Playwright's synchronous calls wait in a greenlet while its event loop runs in another one, also in threads.
    A timer of that loop throws the error into the one that waits, as a signal handler would; then again and again,
    as what is done on the way out may wait, too.
    """
    waiting, error, loop = greenlet.getcurrent(), OverdueError(), asyncio.get_running_loop()

    def end() -> None:
        timers.append(loop.call_later(_AGAIN, end))
        waiting.throw(error)

    timers = [loop.call_later(max(0.0, seconds), end)]
    try:
        yield error
    finally:
        timers[-1].cancel()


def unless_overdue(work: Callable[[], T], seconds: float, otherwise: T) -> T:
    """The result of some work, or another value when it takes longer; an outer limit still holds."""
    with deadline(seconds) as own:
        try:
            return work()
        except OverdueError as error:
            if error is not own:
                raise
    return otherwise
