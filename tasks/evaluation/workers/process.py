"""What processes that serve one evaluation have in common: they end with it, and meet at a socket."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

_LONGEST = 103
"""Bytes that the path of a local socket may have everywhere."""


def tie_to_parent(tidy: Callable[[], None] = lambda: None) -> None:
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


def socket_folder(room: int) -> Path:
    """A new folder that only this user can enter, with a path short enough for sockets in it.

    Args:
        room: bytes that a socket's path takes within the folder.
    """
    name = len("/saccade-12345678/")
    short = len(os.fsencode(tempfile.gettempdir())) + name + room <= _LONGEST
    return Path(tempfile.mkdtemp(prefix="saccade-", dir=None if short else "/tmp"))


def _end_with(runner: multiprocessing.process.BaseProcess, tidy: Callable[[], None]) -> None:
    runner.join()
    tidy()
    os._exit(1)  # the browser's driver sees its pipe close, and ends the browser
