"""The sandbox of one episode: one home, one ``/tmp``, one process tree, and a way to ask for things in it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...actions.errors import EnvironmentFailure
from ...env.desktop.private_display import PrivateDisplay, Program
from ...env.desktop.sandbox import Sandbox
from ...env.desktop.xvfb import PATIENCE
from . import box_server
from .task import HOME

LIMIT = 120.0
"""Seconds that a command may take, as OSWorld has it."""
_TICK = 0.25
_LINK = "/run/saccade"
_PATH = f"{_LINK}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games"
_USER = "1000"
_PASSWD = f"user:x:{_USER}:{_USER}::{HOME}:/bin/bash\n"
_FOLDERS = ("Desktop", "Documents", "Downloads", "Music", "Pictures", "Public", "Templates", "Videos")

# Names that OSWorld's commands use, and what answers to them here.
_SUDO = """#!/bin/sh
# Everything here belongs to the one user there is.
while :; do case ${1-} in -*) shift ;; *) break ;; esac; done
exec "$@"
"""
_ALIASES = {"google-chrome": "chromium", "gnome-terminal": "xterm -T Terminal", "nautilus": "pcmanfm"}


class CommandFailure(EnvironmentFailure):
    """Raised when the sandbox answers that it could not do what it was asked to."""


@dataclass(frozen=True)
class CommandResult:
    """A command that ran to its end; its exit status and what it wrote."""

    status: int
    output: str
    error: str


class CommandSandbox:
    """A sandbox on a private display; it ends with the display, however that ends.

    Everything a task names by path is read and written inside, by a process that sees nothing else: a link
    that leads out of the home leads nowhere.

    Args:
        display: on which its programs appear.

    Attributes:
        home: the folder that is the home inside.

    Raises:
        MissingPartError: bubblewrap is missing, or may not be used here.
        EnvironmentFailure: it does not start.
    """

    def __init__(self, display: PrivateDisplay) -> None:
        environ = display.environ
        folder = Path(environ["XDG_RUNTIME_DIR"]) / "box"  # ends with the display, also after kill -9
        for name in ("home", "tmp", "link/bin"):
            (folder / name).mkdir(parents=True)
        for name in _FOLDERS:
            (folder / "home" / name).mkdir()
        self.home = folder / "home"
        _write_aliases(folder / "link" / "bin")
        script = Path(box_server.__file__)
        (folder / "link" / "passwd").write_text(_PASSWD, encoding="utf-8")
        (folder / "link" / script.name).write_bytes(script.read_bytes())
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(str(folder / "link" / "door"))
            door.listen(1)
            door.settimeout(_TICK)
            server = [_python(), "-ISs", f"{_LINK}/{script.name}", f"{_LINK}/door"]
            words = Sandbox(folder / "home").wrap(server, environ)
            cut = words.index("--")
            program = display.start([*words[:cut], *_mounts(folder, environ["DISPLAY"]), *words[cut:]])
            self._link = _first_caller(door, display, program)
        self._answers = self._link.makefile("rb")

    def run(
        self, command: str | Sequence[str], *, shell: bool = False, limit: float = LIMIT
    ) -> CommandResult:
        """Run a command to its end.

        Raises:
            NotDone: it cannot be started, or takes too long.
            EnvironmentFailure: the sandbox is gone.
        """
        told = self._ask({"run": command, "shell": shell, "limit": limit}, limit)
        return CommandResult(told["status"], told["output"], told["error"])

    def launch(self, command: str | Sequence[str], *, shell: bool = False) -> int:
        """Start a command and leave it running; its number.

        Raises:
            EnvironmentFailure: it cannot be started, or the sandbox is gone.
        """
        return int(self._ask({"launch": command, "shell": shell})["started"])

    def status(self, number: int) -> int | None:
        """The exit status of a launched command; None while it runs."""
        status = self._ask({"ended": number})["status"]
        return None if status is None else int(status)

    def read(self, path: str) -> bytes | None:
        """What a file holds; None where there is none that can be read."""
        told = self._tell({"read": path}, LIMIT)
        return None if "failed" in told else base64.b64decode(told["data"])

    def write(self, path: str, data: bytes) -> None:
        """Make a file, with the folders it needs; relative to the home.

        Raises:
            EnvironmentFailure: it cannot be written.
        """
        self._ask({"write": path, "data": base64.b64encode(data).decode()})

    def tree(self, path: str) -> dict[str, Any]:
        """A folder as OSWorld's server describes it: ``type``, ``name`` and ``children``.

        Raises:
            EnvironmentFailure: it cannot be read.
        """
        found: dict[str, Any] = self._ask({"tree": path})["tree"]
        return found

    def close(self) -> None:
        """Hang up; the programs end with the display."""
        self._answers.close()
        self._link.close()

    def _ask(self, wish: dict[str, Any], limit: float = LIMIT) -> dict[str, Any]:
        told = self._tell(wish, limit)
        if "failed" in told:
            (kind, what), *_ = wish.items()
            raise CommandFailure(f"cannot {kind} {str(what)[:200]!r} in the sandbox: {told['failed']}")
        return told

    def _tell(self, wish: dict[str, Any], limit: float) -> dict[str, Any]:
        self._link.settimeout(limit + PATIENCE)
        try:
            self._link.sendall(json.dumps(wish).encode() + b"\n")
            told: dict[str, Any] = json.loads(self._answers.readline())
        except (OSError, ValueError) as error:
            raise EnvironmentFailure("the sandbox is gone; reset the environment to go on") from error
        return told


def _first_caller(door: socket.socket, display: PrivateDisplay, program: Program) -> socket.socket:
    deadline = time.monotonic() + PATIENCE
    while not display.ended(program) and time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            return door.accept()[0]
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
    """What this box has beyond a ``Sandbox``; later words of bubblewrap win."""
    door = f"/tmp/.X11-unix/X{display.removeprefix(':')}"
    prefix = str(Path(sys.base_prefix).resolve())
    return [
        *("--ro-bind", prefix, prefix),
        *("--bind", str(folder / "home"), HOME),
        *("--bind", str(folder / "tmp"), "/tmp"),
        *("--dir", "/tmp/.X11-unix", "--ro-bind", door, door),
        *("--ro-bind", str(folder / "link"), _LINK),
        *("--ro-bind", str(folder / "link" / "passwd"), "/etc/passwd"),
        *(
            "--uid",
            _USER,
            "--gid",
            _USER,
        ),  # as nobody special: terminals and browsers behave otherwise for root
        *("--setenv", "HOME", HOME, "--setenv", "PATH", _PATH, "--chdir", HOME),
    ]
