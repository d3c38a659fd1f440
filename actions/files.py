"""Reading files that others name: only regular ones, of bounded size, so that no read hangs or fills the memory."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

LARGEST = 256 << 20
"""The most bytes that are read of a file, unless its kind is known to be smaller or larger."""


class UnusableFileError(OSError):
    """Raised for a FIFO, a device, a folder or a file that is too large; ``strerror`` says which in words."""

    def __init__(self, path: str | Path, reason: str) -> None:
        super().__init__(None, reason, str(path))

    def __str__(self) -> str:
        return f"{self.strerror}: {self.filename}"


def open_file(path: str | Path, limit: int = LARGEST) -> BinaryIO:
    """Open a regular file of at most ``limit`` bytes for reading; a FIFO or a device is refused at once.

    Raises:
        OSError: it cannot be opened.
        UnusableFileError: it is no regular file, or is too large.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise UnusableFileError(path, f"it is {_kind(about.st_mode)}, not a file")
        if about.st_size > limit:
            raise UnusableFileError(path, f"it is larger than {_size(limit)}")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_file(path: str | Path, limit: int = LARGEST) -> bytes:
    """The content of a regular file of at most ``limit`` bytes; raises what ``open_file`` raises."""
    with open_file(path, limit) as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:  # it grows, or is one of the system's whose size is said to be 0
        raise UnusableFileError(path, f"it is larger than {_size(limit)}")
    return data


def read_text_file(path: str | Path, limit: int = LARGEST) -> str:
    """The content of a UTF-8 file; raises what ``open_file`` raises, and ``UnicodeDecodeError``."""
    return read_file(path, limit).decode()


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFDIR: "a folder", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _size(count: int) -> str:
    return f"{count >> 20} MB" if count >= 1 << 20 else f"{count} bytes"
