"""Files and folders that only their owner can read: everything that Saccade writes is made here.

Files get mode 0600 and folders 0700, whatever the umask is; the umask itself belongs to the process, and is not
changed. What exists already keeps its mode: it is its owner's decision.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

_FILE: Final = 0o600
_FOLDER: Final = 0o700


def private_folder(path: Path, *, exist_ok: bool = True) -> Path:
    """Make a folder, with those above it that are missing.

    Raises:
        FileExistsError: there is something else, or with ``exist_ok=False`` anything.
        OSError: it cannot be made.
    """
    for folder in [each for each in reversed(path.parents) if not each.exists()]:
        _make_folder(folder, exist_ok=True)
    _make_folder(path, exist_ok=exist_ok)
    return path


def open_private(path: Path, mode: str, **options: Any) -> IO[Any]:
    """``open`` for writing; a new file is private."""
    return open(path, mode, opener=_create, **options)  # Path.open takes no opener


def lock_alone(stream: IO[Any]) -> None:
    """Keep other processes from locking an open file until it is closed; Windows has no such locks.

    Raises:
        BlockingIOError: another process has locked it.
    """
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def write_private(path: Path, data: str | bytes) -> None:
    """Write a whole file."""
    with open_private(path, "wb") as stream:
        stream.write(data.encode() if isinstance(data, str) else data)


@contextlib.contextmanager
def private_part(target: Path) -> Iterator[Path]:
    """A path to write a file to, for libraries that open files themselves.

    When the block ends without an error, the file is private and takes the place of ``target``.
    """
    folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=".part-"))
    try:
        part = folder / target.name
        yield part
        make_private(part)
        part.replace(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_private(path: Path) -> None:
    """Take the rights of others from what another program has just written, and from all in it."""
    if path.is_symlink():
        return
    if path.is_dir():
        path.chmod(_FOLDER)
        for each in path.iterdir():
            make_private(each)
    else:
        path.chmod(_FILE)


def _make_folder(path: Path, exist_ok: bool) -> None:
    try:
        path.mkdir(_FOLDER)
        path.chmod(_FOLDER)  # a umask may have taken rights of the owner
    except FileExistsError:
        if not exist_ok or not path.is_dir():
            raise


def _create(path: str, flags: int) -> int:
    """Open a file, which is private if it is new."""
    if not flags & os.O_CREAT:
        return os.open(path, flags)
    try:
        descriptor = os.open(path, flags | os.O_EXCL, _FILE)
    except FileExistsError:
        if flags & os.O_EXCL:
            raise
        return os.open(path, flags, _FILE)
    if hasattr(os, "fchmod"):
        os.fchmod(descriptor, _FILE)
    return descriptor
