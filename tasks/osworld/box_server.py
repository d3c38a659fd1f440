"""Runs inside the sandbox and does there what its owner asks, so that nothing of a task happens outside.

A process of its own (``python -ISs box_server.py SOCKET``, standard library only). It connects to the owner's
socket and answers each line, a JSON object, with another::

    > {"run": ["ls"], "shell": false, "limit": 120}     < {"status": 0, "output": "", "error": ""}
    > {"launch": ["mousepad"], "shell": false}          < {"started": 7}
    > {"ended": 7}                                      < {"status": null}
    > {"read": "/home/user/a.txt"}                      < {"data": "aGk="}
    > {"write": "/home/user/a.txt", "data": "aGk="}     < {"written": 2}
    > {"tree": "/home/user"}                            < {"tree": {"type": "directory", ...}}

What cannot be done is answered with ``{"failed": "why"}``.
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
"""Bytes of a file that may be read."""
_OUTPUT = 4 << 20

_launched: dict[int, subprocess.Popen[bytes]] = {}


def answer(wish: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked."""
    match wish:
        case {"run": command}:
            return _run(command, bool(wish.get("shell")), float(wish.get("limit", 120)))
        case {"launch": command}:
            return _launch(command, bool(wish.get("shell")))
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
    return {"failed": f"nothing is known of {sorted(wish)}"}


def _run(command: Any, shell: bool, limit: float) -> dict[str, Any]:
    # Files instead of pipes: what the command leaves running may hold its output open for ever.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as error:
        process = _start(command, shell, output, error)
        try:
            status = process.wait(limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return {"failed": f"not over after {limit:g} s"}
        for stream in (output, error):
            stream.seek(0)
        said, told = (stream.read(_OUTPUT).decode(errors="replace") for stream in (output, error))
    return {"status": status, "output": said, "error": told}


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
    """Answer until the owner hangs up."""
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(path)
        for line in link.makefile("rb"):
            try:
                told = answer(json.loads(line))
            except Exception as error:  # the owner decides what to make of it
                told = {"failed": f"{type(error).__name__}: {error}"}
            link.sendall(json.dumps(told).encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1])
