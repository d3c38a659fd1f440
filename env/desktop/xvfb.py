"""The owner's side of ``supervisor``: an X server and programs that cannot outlive this process."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...actions.errors import EnvironmentFailure
from ..environ import without_secrets
from . import supervisor

PATIENCE = 30.0
"""Seconds that a server or a program may take to start on a busy machine."""


@dataclass(eq=False)
class Program:
    """A program that was started.

    Attributes:
        command: program and arguments.
        number: its process number.
        status: its exit status once it has ended, negative for a signal; None while it runs.
        log: what it wrote.
    """

    command: tuple[str, ...]
    number: int
    status: int | None = None
    log: Path = field(default=Path(os.devnull), repr=False)

    @property
    def name(self) -> str:
        """Its short name."""
        return Path(self.command[0]).name

    def ending(self) -> str:
        """How it ended, in words; after a failure with the last line of its output."""
        with contextlib.suppress(OSError):
            if self.status != 0 and (said := self.log.read_text(errors="replace").strip()):
                return f"{self.name} has ended with status {self.status}: {said.splitlines()[-1]}"
        return f"{self.name} has ended with status {self.status}"


class XServer:
    """An X server under a supervisor, and the programs started beside it; any thread may call.

    Args:
        command: the X server with its arguments; ``-displayfd`` is added.

    Attributes:
        reports: can be read from when ``listen`` has something to do.

    Raises:
        EnvironmentFailure: it does not start.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._lock = threading.RLock()
        self._programs: dict[int, Program] = {}
        self._newest: Program | None = None
        self._failed = ""
        self._number: int | None = None
        self._received = b""
        self.folder = Path(tempfile.gettempdir()) / f"saccade-display-{secrets.token_hex(8)}"
        script = [sys.executable, "-ISs", supervisor.__file__, str(os.getpid()), str(self.folder)]
        self._process = subprocess.Popen(
            [*script, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=without_secrets(),  # also for the server; programs get theirs with the request to start them
            start_new_session=True,  # Ctrl-C in the terminal is for the owner
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self.reports = self._process.stdin, self._process.stdout
        try:
            self._wait_until(lambda: self._number is not None)
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """The display's name, such as ``:7``."""
        return f":{self._number}"

    @property
    def running(self) -> bool:
        """Whether the server is running."""
        return self.listen() and next(iter(self._programs.values())).status is None

    def launch(self, command: Sequence[str], environ: Mapping[str, str], folder: Path) -> Program:
        """Start a program, with these environment variables only."""
        with self._lock:
            log = self.folder / f"program-{len(self._programs)}.log"
            self._newest, self._failed = None, ""
            self._ask(start=list(command), environ=dict(environ), folder=str(folder), log=str(log))
            self._wait_until(lambda: self._newest is not None or bool(self._failed))
            if self._newest is None:
                raise EnvironmentFailure(f"cannot start {self._failed}")
            self._newest.command, self._newest.log = tuple(command), log
            return self._newest

    def kill_all(self, but: Program) -> None:
        """Kill every program with all that came of it, except the server and one more."""
        spared = {next(iter(self._programs)), but.number}
        deadline = time.monotonic() + PATIENCE
        while processes := supervisor.descendants(self._process.pid, spared):
            for number in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            if time.monotonic() > deadline or not self.listen(0.01):
                raise EnvironmentFailure(self._failure())

    def listen(self, seconds: float = 0.0) -> bool:
        """Receive reports within a time; False when the server is gone."""
        with self._lock:
            if self.reports.closed:
                return False
            if not select.select([self.reports], [], [], seconds)[0]:
                return True
            data = os.read(self.reports.fileno(), 1 << 16)
            *lines, self._received = (self._received + data).split(b"\n")
            for line in lines:
                self._note(json.loads(line))
            return bool(data)

    def close(self) -> None:
        """End everything, and wait for that; may be called more than once."""
        with self._lock:
            for end in (self._requests, self.reports):
                with contextlib.suppress(OSError):
                    end.close()
            self._process.wait()
            shutil.rmtree(self.folder, ignore_errors=True)  # where the supervisor was killed itself

    def _ask(self, **request: Any) -> None:
        try:
            self._requests.write(json.dumps(request).encode() + b"\n")
        except (OSError, ValueError) as error:
            raise EnvironmentFailure(self._failure()) from error

    def _wait_until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done():
            left = deadline - time.monotonic()
            if left <= 0 or not self.listen(left):
                raise EnvironmentFailure(self._failure())

    def _note(self, message: Mapping[str, Any]) -> None:
        match message:
            case {"display": int(number)}:
                self._number = number
            case {"started": int(number)}:
                server = not self._programs
                log = self.folder / "server.log" if server else Path(os.devnull)
                self._newest = self._programs[number] = Program(("Xvfb",), number, log=log)
            case {"ended": int(number), "status": int(status)}:
                self._programs[number].status = status
            case {"failed": str(reason)}:
                self._failed = reason

    def _failure(self) -> str:
        server = next(iter(self._programs.values()), None)
        if self._number is not None:
            return f"the display {self.name} is gone; reset the environment to go on"
        ended = server.ending() if server is not None and server.status is not None else "it does not answer"
        return f"Xvfb does not start: {self._failed or ended}"
