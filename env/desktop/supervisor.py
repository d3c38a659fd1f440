"""Keeps the processes of one private display together, and ends every one of them when its owner is gone.

It runs as a process of its own (``python -ISs supervisor.py OWNER FOLDER SERVER...``, standard library only),
since nothing inside the owner can outlive ``kill -9``. It is the owner's child, the parent of the X server
and of every program, and a subreaper: programs that daemonise become its children again. The owner asks on
standard input and gets reports on standard output, one JSON object per line::

    > {"start": ["mousepad"], "environ": {"DISPLAY": ":7"}, "folder": "/", "log": "/tmp/x/program.log"}
    < {"started": 4711}        or {"failed": "mousepad: No such file or directory"}
    < {"display": 7}           once the server is ready
    < {"ended": 4711, "status": 0}

When the owner closes its end, dies in whatever way, or the server ends, all descendants are killed, the
server is asked to end, what it leaves in ``/tmp`` is removed, and FOLDER as well.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Set
from pathlib import Path
from typing import Any

SET_PARENT_DEATH_SIGNAL = 1
SET_CHILD_SUBREAPER = 36
END_TIMEOUT = 1.0
"""Seconds that the X server has to end by itself."""

_LIBC = ctypes.CDLL(None, use_errno=True)


class Supervisor:
    """The parent of everything on one display; makes the display's folder, and removes it at the end."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        self._folder = folder
        self._started: dict[int, subprocess.Popen[bytes]] = {}
        self._server: int | None = None
        self._received = b""
        self._wake, waker = os.pipe()
        for end in (self._wake, waker):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        self._number, self._display = os.pipe()
        os.set_blocking(self._number, False)
        self._display_number: int | None = None

    def run(self, owner: int | None, server: list[str]) -> None:
        """Serve the owner until it goes; ``owner`` can be read from when it has died."""
        command = [*server, "-displayfd", str(self._display)]
        if not self._start(command, dict(os.environ), "/", self._folder / "server.log", (self._display,)):
            return
        self._server = next(iter(self._started))
        os.close(self._display)
        watched = [0, self._wake, self._number, *([] if owner is None else [owner])]
        while self._server in self._started:
            ready, _, _ = select.select(watched, [], [])
            if owner in ready or (0 in ready and not self._listen()):
                return
            if self._number in ready:
                self._report_number()
                watched.remove(self._number)
            self._reap()

    def finish(self) -> None:
        """Remove everything: processes, lock, socket and folder."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._kill_descendants()
        if self._server in self._started:
            os.kill(self._server, signal.SIGTERM)
            if not self._gone(self._server, END_TIMEOUT):
                os.kill(self._server, signal.SIGKILL)
                self._gone(self._server, END_TIMEOUT)
        if self._server is not None:
            self._report_number()  # it may have been made and not been asked yet
            remove_leftovers(self._server, self._display_number)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _listen(self) -> bool:
        """Do what the owner asks; False when it has closed its end."""
        data = os.read(0, 1 << 16)
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            request = json.loads(line)
            self._start(request["start"], request["environ"], request["folder"], Path(request["log"]))
        return bool(data)

    def _start(
        self, command: list[str], environ: dict[str, str], folder: str, log: Path, keep: tuple[int, ...] = ()
    ) -> bool:
        try:
            with open(log, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as output:
                process = subprocess.Popen(
                    command,
                    env=environ,
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    pass_fds=keep,
                    preexec_fn=_end_with_parent,  # safe: this process has one thread
                )
        except OSError as error:
            _report(failed=f"{command[0]}: {error.strerror}")
            return False
        self._started[process.pid] = process
        _report(started=process.pid)
        return True

    def _report_number(self) -> None:
        with contextlib.suppress(BlockingIOError):
            number = os.read(self._number, 16)
            if number.strip():
                self._display_number = int(number)
                _report(display=self._display_number)

    def _reap(self) -> None:
        """Collect children that have ended, adopted ones included."""
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake, 512)
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                number, status = ended
                if process := self._started.pop(number, None):
                    process.returncode = os.waitstatus_to_exitcode(status)
                    _report(ended=number, status=process.returncode)

    def _kill_descendants(self) -> None:
        """Kill everything but the server; again while there is something, as it may just be forking."""
        deadline = time.monotonic() + END_TIMEOUT
        while time.monotonic() < deadline:
            processes = descendants(os.getpid(), {self._server})
            if not processes:
                return
            for process in processes:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process, signal.SIGKILL)
            select.select([self._wake], [], [], 0.02)
            self._reap()

    def _gone(self, process: int, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        self._reap()
        while process in self._started and (left := deadline - time.monotonic()) > 0:
            select.select([self._wake], [], [], left)
            self._reap()
        return process not in self._started


def descendants(ancestor: int, spared: Set[int | None] = frozenset()) -> set[int]:
    """All processes below one, by number, without some and what is below those."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                # "4711 (a name) S 1 ...": a name may hold anything, so count from its end.
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = {ancestor}
    while more := {process for process, parent in parents.items() if parent in found} - found - spared:
        found |= more
    return found - {ancestor}


def remove_leftovers(
    server: int, number: int | None, folder: Path = Path("/tmp"), listening: Path = Path("/proc/net/unix")
) -> None:
    """Remove the lock and the socket of an X server that was killed.

    Args:
        server: its process number, which its lock holds; not every server makes one.
        number: its display, if it reported one.
        folder: where locks and sockets are.
        listening: what sockets are in use; another server may have taken the number meanwhile.
    """
    numbers = set() if number is None else {str(number)}
    for lock in [*folder.glob(".X*-lock"), *folder.glob(".tX*-lock")]:
        with contextlib.suppress(OSError, ValueError):
            if int(lock.read_text()) == server:
                numbers.add(lock.name.removesuffix("-lock").rpartition("X")[2])
                lock.unlink(missing_ok=True)
    in_use = {line.rpartition(" ")[2] for line in listening.read_text().splitlines()}
    for each in numbers:
        socket = folder / ".X11-unix" / f"X{each}"
        if str(socket) not in in_use:
            socket.unlink(missing_ok=True)


def _end_with_parent() -> None:
    """In a fresh child: end when the supervisor is killed itself; the server then still tidies up."""
    _LIBC.prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _report(**message: Any) -> None:
    with contextlib.suppress(OSError):
        os.write(1, json.dumps(message).encode() + b"\n")


def main(owner: int, folder: Path, server: list[str]) -> None:
    """Supervise until the owner goes."""
    _LIBC.prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    watch: int | None = None
    with contextlib.suppress(OSError):  # an old kernel
        watch = os.pidfd_open(owner)
    supervisor = Supervisor(folder)
    try:
        if os.getppid() == owner:  # else it died before it could be watched
            supervisor.run(watch, server)
    finally:
        supervisor.finish()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
