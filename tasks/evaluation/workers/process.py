"""What the processes of one evaluation share: they end with the runner, and their sockets' folder."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from ....env.signals import end_by_exception

_LONGEST = 103
"""Bytes that the path of a local socket may have everywhere."""


def tie_to_parent(clean_up: Callable[[], None] = lambda: None) -> None:
    """Ignore Ctrl-C, end by an exception on SIGTERM, and with the runner; ``clean_up`` is called if that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_by_exception()
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    if (runner := multiprocessing.parent_process()) is not None:
        threading.Thread(target=_end_with, args=(runner, clean_up), daemon=True).start()


def socket_folder(room: int) -> Path:
    """A new folder that only this user can enter, so short that a socket's path has ``room`` bytes within it."""
    name = len("/saccade-12345678/")
    short = len(os.fsencode(tempfile.gettempdir())) + name + room <= _LONGEST
    return Path(tempfile.mkdtemp(prefix="saccade-", dir=None if short else "/tmp"))


def _end_with(runner: multiprocessing.process.BaseProcess, clean_up: Callable[[], None]) -> None:
    runner.join()
    clean_up()
    os._exit(1)  # the browser's driver sees its pipe close, and ends the browser
