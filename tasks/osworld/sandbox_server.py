"""Runs inside the sandbox and executes its owner's requests there, so that nothing of a task happens outside.

A process of its own (``python -ISs sandbox_server.py SOCKET``, standard library only). It connects to the
owner's socket and answers each line, a JSON object, with another::

    > {"run": ["ls"], "shell": false, "limit": 120}     < {"status": 0, "output": "", "error": ""}
    > {"launch": ["mousepad"], "shell": false}          < {"started": 7}
    > {"ended": 7}                                      < {"status": null}
    > {"read": "/home/user/a.txt"}                      < {"data": "aGk="}
    > {"write": "/home/user/a.txt", "data": "aGk="}     < {"written": 2}
    > {"tree": "/home/user"}                            < {"tree": {"type": "directory", ...}}

A request that fails is answered with ``{"failed": "why"}``.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

LARGEST = 256 << 20
"""The most bytes of a file that are read."""
_OUTPUT = 4 << 20

_launched: dict[int, subprocess.Popen[bytes]] = {}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Execute one request."""
    match request:
        case {"run": command}:
            return _run(command, bool(request.get("shell")), float(request.get("limit", 120)))
        case {"launch": command}:
            return _launch(command, bool(request.get("shell")))
        case {"ended": int(number)}:
            return {"status": _launched[number].poll()}
        case {"read": str(path)}:
            return _read(_path(path))
        case {"write": str(path), "data": str(data)}:
            target = _path(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            return {"written": target.write_bytes(base64.b64decode(data))}
        case {"tree": str(path)}:
            return {"tree": _tree(_path(path))}
    return {"failed": f"unknown request {sorted(request)}"}


def _run(command: Any, shell: bool, limit: float) -> dict[str, Any]:
    # Files instead of pipes: a program that the command leaves running may keep its output open for ever.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as error:
        process = _start(command, shell, output, error)
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return {"failed": f"still running after {limit:g} s"}
        for stream in (output, error):
            stream.seek(0)
        out, err = (stream.read(_OUTPUT).decode(errors="replace") for stream in (output, error))
    return {"status": status, "output": out, "error": err}


def _launch(command: Any, shell: bool) -> dict[str, Any]:
    with open(os.devnull, "wb") as nothing:  # noqa: PTH123  # a device
        process = _start(command, shell, nothing, nothing)
    _launched[process.pid] = process
    return {"started": process.pid}


def _start(command: Any, shell: bool, output: Any, error: Any) -> subprocess.Popen[bytes]:
    if not shell:
        words = shlex.split(command) if isinstance(command, str) else command
        command = [os.path.expanduser(word) if word.startswith("~/") else word for word in words]  # noqa: PTH111
    return subprocess.Popen(
        command,
        shell=shell,
        executable="/bin/bash" if shell else None,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=error,
        start_new_session=True,
    )


def _path(path: str) -> Path:
    return Path(path).expanduser()


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {"failed": "there is no such file"}
    with path.open("rb") as stream:
        data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        return {"failed": "the file is too large"}
    return {"data": base64.b64encode(data).decode()}


def _tree(path: Path) -> dict[str, Any]:
    if path.is_dir() and not path.is_symlink():
        children = [_tree(each) for each in sorted(path.iterdir())]
        return {"type": "directory", "name": path.name, "children": children}
    return {"type": "file" if path.is_file() else "unknown", "name": path.name}


def main(path: str) -> None:
    """Answer until the owner disconnects."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        for line in connection.makefile("rb"):
            try:
                reply = answer(json.loads(line))
            except Exception as error:  # the owner decides what it means
                reply = {"failed": f"{type(error).__name__}: {error}"}
            connection.sendall(json.dumps(reply).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1])
