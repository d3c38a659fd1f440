"""The sandbox of one episode: its own home, ``/tmp`` and processes, and requests that are executed inside."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...actions.errors import EnvironmentFailure
from ...env.control import Control
from ...env.desktop.private_display import PrivateDisplay, Program
from ...env.desktop.sandbox import Sandbox
from ...env.desktop.xvfb import PATIENCE
from . import sandbox_server
from .task import HOME

LIMIT = 120.0
"""Seconds that a command may take, as in OSWorld."""
_TICK = 0.25
_LINK = "/run/saccade"
_PATH = f"{_LINK}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games"
_USER = "1000"
_PASSWD = f"user:x:{_USER}:{_USER}::{HOME}:/bin/bash\n"
_FOLDERS = ("Desktop", "Documents", "Downloads", "Music", "Pictures", "Public", "Templates", "Videos")

# Programs that OSWorld's commands name, and what runs here instead.
_SUDO = """#!/bin/sh
# The sandbox has one user, who owns everything in it.
while :; do case ${1-} in -*) shift ;; *) break ;; esac; done
exec "$@"
"""
_ALIASES = {"google-chrome": "chromium", "gnome-terminal": "xterm -T Terminal", "nautilus": "pcmanfm"}


class CommandFailure(EnvironmentFailure):
    """Raised when the sandbox answers that a request failed."""


@dataclass(frozen=True)
class CommandResult:
    """The exit status of a finished command, and what it wrote to stdout and stderr."""

    status: int
    output: str
    error: str


class CommandSandbox:
    """A sandbox on a private display; it ends with the display, however that ends.

    A process inside reads and writes every path that a task names, so a link cannot lead out of the sandbox.

    A stop by ``control`` ends every wait with ``Stopped``.

    Attributes:
        home: the folder that is mounted as the home.

    Raises:
        MissingPartError: bubblewrap is not installed, or may not be used here.
        EnvironmentFailure: the sandbox does not start.
    """

    def __init__(self, display: PrivateDisplay, control: Control) -> None:
        self._control = control
        environ = display.environ
        folder = Path(environ["XDG_RUNTIME_DIR"]) / "sandbox"  # ends with the display, also after kill -9
        for name in ("home", "tmp", "link/bin"):
            (folder / name).mkdir(parents=True)
        for name in _FOLDERS:
            (folder / "home" / name).mkdir()
        self.home = folder / "home"
        _write_aliases(folder / "link" / "bin")
        script = Path(sandbox_server.__file__)
        (folder / "link" / "passwd").write_text(_PASSWD, encoding="utf-8")
        (folder / "link" / script.name).write_bytes(script.read_bytes())
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / "link" / "socket"))
            listener.listen(1)
            listener.settimeout(_TICK)
            server = [_python(), "-ISs", f"{_LINK}/{script.name}", f"{_LINK}/socket"]
            command = Sandbox(folder / "home").wrap(server, environ, namespaces=True)
            cut = command.index("--")
            program = display.start([*command[:cut], *_mounts(folder, environ["DISPLAY"]), *command[cut:]])
            self._connection = _accept(listener, display, program)
        self._answers = self._connection.makefile("rb")

    def run(self, command: str | Sequence[str], *, shell: bool = False, limit: float = LIMIT) -> CommandResult:
        """Run a command to its end.

        Raises:
            CommandFailure: it cannot be started, or takes too long.
            EnvironmentFailure: the sandbox has ended.
        """
        answer = self._request({"run": command, "shell": shell, "limit": limit}, limit)
        return CommandResult(answer["status"], answer["output"], answer["error"])

    def launch(self, command: str | Sequence[str], *, shell: bool = False) -> int:
        """Start a command and leave it running; returns its number, and raises what ``run`` raises."""
        return int(self._request({"launch": command, "shell": shell})["started"])

    def status(self, number: int) -> int | None:
        """The exit status of a launched command; None while it runs."""
        status = self._request({"ended": number})["status"]
        return None if status is None else int(status)

    def read(self, path: str) -> bytes | None:
        """The content of a file; None if it cannot be read."""
        answer = self._send({"read": path}, LIMIT)
        return None if "failed" in answer else base64.b64decode(answer["data"])

    def write(self, path: str, data: bytes) -> None:
        """Write a file and create its folders, relative to the home; raises ``CommandFailure`` if that fails."""
        self._request({"write": path, "data": base64.b64encode(data).decode()})

    def tree(self, path: str) -> dict[str, Any]:
        """A folder's ``type``, ``name`` and ``children``, as OSWorld's server has it; raises ``CommandFailure``."""
        found: dict[str, Any] = self._request({"tree": path})["tree"]
        return found

    def close(self) -> None:
        """Disconnect; the programs end with the display."""
        self._answers.close()
        self._connection.close()

    def _request(self, request: dict[str, Any], limit: float = LIMIT) -> dict[str, Any]:
        answer = self._send(request, limit)
        if "failed" in answer:
            (kind, what), *_ = request.items()
            raise CommandFailure(f"cannot {kind} {str(what)[:200]!r} in the sandbox: {answer['failed']}")
        return answer

    def _send(self, request: dict[str, Any], limit: float) -> dict[str, Any]:
        self._connection.settimeout(limit + PATIENCE)
        try:
            self._connection.sendall(json.dumps(request).encode() + b"\n")
            self._await_answer(limit + PATIENCE)
            answer: dict[str, Any] = json.loads(self._answers.readline())
        except (OSError, ValueError) as error:
            raise EnvironmentFailure("the sandbox has ended; reset the environment to go on") from error
        return answer

    def _await_answer(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not select.select([self._connection], [], [], _TICK)[0] and time.monotonic() < end:
            self._control.check()


def _accept(listener: socket.socket, display: PrivateDisplay, program: Program) -> socket.socket:
    deadline = time.monotonic() + PATIENCE
    while not display.ended(program) and time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            return listener.accept()[0]
    raise EnvironmentFailure(f"the sandbox does not start: {program.ending()}")


def _write_aliases(folder: Path) -> None:
    scripts = {name: f'#!/bin/sh\nexec {command} "$@"\n' for name, command in _ALIASES.items()}
    for name, text in {**scripts, "sudo": _SUDO}.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    for name in ("python", "python3"):
        (folder / name).symlink_to(_python())


def _python() -> str:
    """The interpreter itself, which works without its virtual environment."""
    return os.path.realpath(sys.executable)


def _mounts(folder: Path, display: str) -> list[str]:
    """What this sandbox mounts beyond ``Sandbox``; a later option of bubblewrap wins."""
    display_socket = f"/tmp/.X11-unix/X{display.removeprefix(':')}"
    prefix = str(Path(sys.base_prefix).resolve())
    return [
        *("--ro-bind", prefix, prefix),
        *("--bind", str(folder / "home"), HOME),
        *("--bind", str(folder / "tmp"), "/tmp"),
        *("--dir", "/tmp/.X11-unix", "--ro-bind", display_socket, display_socket),
        *("--ro-bind", str(folder / "link"), _LINK),
        *("--ro-bind", str(folder / "link" / "passwd"), "/etc/passwd"),
        *("--uid", _USER, "--gid", _USER),  # terminals and browsers behave differently for root
        *("--setenv", "HOME", HOME, "--setenv", "PATH", _PATH, "--chdir", HOME),
    ]
