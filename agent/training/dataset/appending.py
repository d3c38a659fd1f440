"""Files of lines that are only appended to, by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from ....actions.errors import DataError, UsageError
from ....actions.files import open_file
from ....actions.untrusted import contained
from ....env.private_files import lock_alone, open_private, private_folder

_LARGEST: Final = 1 << 40
_LONGEST_LINE: Final = 1 << 28
_LOCK: Final = ".adding"


class AppendedLine(NamedTuple):
    """One whole line of a file: its bytes without the line break, where it begins, and what to call it in errors."""

    data: bytes
    offset: int
    where: str


def whole_lines(folder: Path, name: str, repair: bool = False) -> Iterator[AppendedLine]:
    """The lines of a file in a folder; none where there is no file. A torn last one is left out.

    Args:
        folder: that the file may not lead out of.
        name: of the file.
        repair: cut a torn last line off, so that the next one does not continue it.

    Raises:
        DataError: the file cannot be read.
    """
    path = folder / name
    if not path.exists():
        return
    offset, number = 0, 0
    try:
        with open_file(contained(folder, name), _LARGEST) as stream:
            while (line := stream.readline(_LONGEST_LINE)).endswith(b"\n"):
                number += 1
                yield AppendedLine(line[:-1], offset, f"{path}:{number}")
                offset += len(line)
        if line and len(line) == _LONGEST_LINE:
            raise DataError(f"{path}:{number + 1}: the line is too long")
        if line and repair:
            os.truncate(path, offset)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def append_line(path: Path, text: str) -> tuple[int, int]:
    """Append one line by one write; returns where it begins and its length without the line break.

    Raises:
        UsageError: it cannot be written; what was written of it is taken back.
    """
    line = text.encode() + b"\n"
    try:
        with open_private(path, "ab", buffering=0) as stream:
            offset = os.fstat(stream.fileno()).st_size
            written = stream.write(line)
            if written != len(line):
                os.ftruncate(stream.fileno(), offset)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; free some space") from error
    return offset, len(line) - 1


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Make a folder and keep other processes from adding to it; raises ``UsageError`` where one does."""
    try:
        private_folder(folder)
        stream = open_private(contained(folder, _LOCK), "ab")
    except OSError as error:
        raise UsageError(f"cannot write {folder}: {error.strerror}; choose another folder") from error
    with stream:
        try:
            lock_alone(stream)
        except BlockingIOError as error:
            raise UsageError(f"another process is adding to {folder}; wait until it ends") from error
        yield
