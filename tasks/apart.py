"""How a process that was started for an evaluation lives and dies with the one that started it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable


def stand_apart(tidy: Callable[[], None] = lambda: None) -> None:
    """Leave Ctrl-C to the runner, end politely when it asks, and never outlive it.

    Args:
        tidy: what is left to do for a runner that was killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    if (runner := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_end_with, args=(runner, tidy), daemon=True).start()


def _end_with(runner: multiprocessing.process.BaseProcess, tidy: Callable[[], None]) -> None:
    runner.join()
    tidy()
    os._exit(1)  # the browser's driver sees its pipe close, and ends the browser
