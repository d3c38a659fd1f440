"""No X server holds a program up for ever: one that is frozen, or that another program has grabbed, is given up.

Neither Xlib nor XCB has a time limit for an answer. In Xlib the wait itself gets one. Calls through XCB are watched by
a thread, which cuts the connection under one that takes too long, so that it fails as if the server had ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from ..actions.errors import EnvironmentFailure

PATIENCE = 10.0
"""Seconds that a server may take for an answer; window managers grab servers too, for milliseconds."""
_TICK = 0.5
_SETUP = b"l\0" + (11).to_bytes(2, "little") + bytes(8)
"""The first request of a connection: little-endian, version 11, without authorization."""


_KEEP = """
import fcntl, sys, termios, time
end = time.monotonic() + 3600
while any(fcntl.ioctl(int(sys.argv[1]), termios.TIOCOUTQ, bytes(4))) and time.monotonic() < end:
    time.sleep(0.2)
time.sleep(1)
"""
"""Keeps a connection open until everything written to it has been read."""


class CallWatch:
    """Watches the calls on one connection, from one thread at a time.

    Args:
        cut: makes a call that hangs fail; called in another thread.
    """

    _watched: ClassVar[set[CallWatch]] = set()
    _lock = threading.Lock()
    _thread: threading.Thread | None = None

    def __init__(self, cut: Callable[[], None]) -> None:
        self._cut = cut
        self._since: float | None = None
        self.fired = False

    @contextmanager
    def call(self) -> Iterator[None]:
        """Watch the enclosed call."""
        outer, self._since = self._since, time.monotonic()
        try:
            yield
        finally:
            self._since = outer

    def start(self) -> None:
        """Watch from now on."""
        with CallWatch._lock:
            CallWatch._watched.add(self)
            if CallWatch._thread is None:
                CallWatch._thread = threading.Thread(target=_watch, name="watches X servers", daemon=True)
                CallWatch._thread.start()

    def stop(self) -> None:
        """Watch no more; may be called more than once."""
        with CallWatch._lock:
            CallWatch._watched.discard(self)

    def check(self, now: float) -> None:
        """Cut the connection if the call has taken too long."""
        since = self._since
        if since is not None and now - since > PATIENCE and not self.fired:
            self.fired = True
            with contextlib.suppress(Exception):  # it may be closed just now; or a later mss keeps it elsewhere
                self._cut()


def _watch() -> None:
    ticks = threading.Event()
    while not ticks.wait(_TICK):
        with CallWatch._lock:
            watched = tuple(CallWatch._watched)
            if not watched:
                CallWatch._thread = None
                return
        for each in watched:
            each.check(time.monotonic())


class _Selecting:
    """Stands for the module ``select`` in Xlib: it waits for an answer as long as ``allowed``, else for ever."""

    error = OSError

    def __init__(self) -> None:
        self.allowed = threading.local()

    def select(self, readable: Any, writable: Any, other: Any, seconds: float | None) -> Any:
        end = getattr(self.allowed, "end", None)
        if seconds is not None or end is None:
            return select.select(readable, writable, other, seconds)
        ready = select.select(readable, writable, other, max(0.0, end - time.monotonic()))
        if not any(ready):
            raise TimeoutError("the X server does not answer")
        return ready


_SELECTING = _Selecting()


class XlibWatch:
    """Watches every request of Xlib's connection for its answer; waiting for events may take for ever.

    A server that goes on after it was given up executes ``last_words``. It drops what a closed connection has left, so
    a process of its own keeps the connection open until it has been read.

    Attributes:
        fired: whether the server was given up.
    """

    def __init__(self, display: Any, last_words: Callable[[], bytes] = lambda: b"") -> None:
        from Xlib.protocol import display as module

        module.select = _SELECTING
        self._protocol = display.display
        self._inner = self._protocol.send_and_recv
        self._last_words = last_words
        self.fired = False
        self._protocol.send_and_recv = self._send_and_recv

    def _send_and_recv(self, flush: Any = None, event: Any = None, request: Any = None, recv: Any = None) -> Any:
        allowed = _SELECTING.allowed
        allowed.end = None if event else time.monotonic() + PATIENCE
        try:
            return self._inner(flush=flush, event=event, request=request, recv=recv)
        except TimeoutError:
            self._give_up()
            raise
        finally:
            allowed.end = None

    def _give_up(self) -> None:
        from Xlib.error import ConnectionClosedError

        self.fired = True
        self._protocol.socket_error = ConnectionClosedError("server")
        if words := self._last_words():
            number = self._protocol.socket.fileno()
            with contextlib.suppress(OSError):
                self._protocol.socket.send((self._protocol.data_send or b"") + words, socket.MSG_DONTWAIT)
                os.set_inheritable(number, True)
                keep = [sys.executable, "-ISsc", _KEEP, str(number)]
                os.posix_spawn(sys.executable, keep, os.environ, setpgroup=0)


def watch_xcb(camera: Any) -> CallWatch:
    """Watch calls through XCB's connection of an mss camera; the caller says when one begins (``CallWatch.call``)."""

    def cut() -> None:
        library = importlib.import_module("mss.linux.xcb").LIB.xcb
        connection = ctypes.byref(camera._impl.conn)
        with socket.socket(fileno=os.dup(library.xcb_get_file_descriptor(connection))) as shared:
            shared.shutdown(socket.SHUT_RDWR)

    watch = CallWatch(cut)
    watch.start()
    return watch


def require_answer(display: str | None) -> None:
    """Raise ``EnvironmentFailure`` if the server of a local display takes connections and does not answer them.

    Whether there is a server, and whether it lets this program in, shows when the connection is made.
    """
    name = os.environ.get("DISPLAY", "") if display is None else display
    host, _, number = name.partition(":")
    if host not in ("", "unix"):
        return
    path = f"/tmp/.X11-unix/X{number.partition('.')[0]}"
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PATIENCE)
        probe.connect(path)
        try:
            probe.sendall(_SETUP)
            probe.recv(1)
        except TimeoutError as problem:
            raise EnvironmentFailure(unanswered(name)) from problem


def unanswered(display: str) -> str:
    """What is said of a display whose server does not answer."""
    return (
        f"the X server of {display} did not answer for {PATIENCE:g} s: it hangs, or another program has grabbed it; "
        "end that program, and reset the environment to go on"
    )
