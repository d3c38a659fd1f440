"""Telling one's own recordings from those of others, by a signature that no folder can forge.

``trajectory.hmac`` beside a trajectory that is written here holds an HMAC over the whole file. Its key is a private
file in the user's state folder, made when it is first needed: ``$XDG_STATE_HOME/saccade/recordings.key``. A recording
stays one's own wherever its folder is moved to, until a byte of ``trajectory.jsonl`` is changed.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import stat
import sys
import tempfile
from pathlib import Path
from typing import Final

from ...actions.files import read_file
from ...actions.untrusted import contained
from ..private_files import private_folder

SIGNATURE_NAME: Final = "trajectory.hmac"
_KEY_NAME: Final = "recordings.key"
_KEY_BYTES: Final = 32


def state_folder() -> Path:
    """The user's folder for what programs keep about their work; it may not exist yet."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local", "saccade")
    return Path(os.environ.get("XDG_STATE_HOME") or home / ".local" / "state", "saccade")


def sign(trajectory: Path, digest: bytes) -> None:
    """Sign a trajectory as this user's; where no key or signature can be kept, it counts as that of another."""
    key = _key(make=True)
    if key is not None:
        file = trajectory.with_name(SIGNATURE_NAME)
        with contextlib.suppress(OSError):
            file.unlink(missing_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
                stream.write(f"{_hmac(key, digest)}\n")


def is_signed(trajectory: Path, digest: bytes) -> bool:
    """Whether this user signed a trajectory, and its content has this digest."""
    key = _key(make=False)
    if key is None:
        return False
    with contextlib.suppress(OSError, ValueError):
        given = read_file(contained(trajectory.parent, SIGNATURE_NAME), 1024).strip()
        return hmac.compare_digest(_hmac(key, digest).encode(), given)
    return False


def _hmac(key: bytes, digest: bytes) -> str:
    return hmac.new(key, digest, "sha256").hexdigest()


def _key(*, make: bool) -> bytes | None:
    try:
        file = state_folder() / _KEY_NAME
        if make and not file.exists():
            _make_key(file)
        status = file.lstat()
        private = sys.platform == "win32" or (status.st_uid == os.getuid() and not status.st_mode & 0o077)
        key = read_file(file, _KEY_BYTES) if stat.S_ISREG(status.st_mode) and private else b""
    except (OSError, RuntimeError, ValueError):  # there is no home, or it cannot be written
        return None
    return key if len(key) == _KEY_BYTES else None


def _make_key(file: Path) -> None:
    """Make the key appear whole; the first of several processes counts."""
    private_folder(file.parent)
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=".part-")  # private from the start
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(secrets.token_bytes(_KEY_BYTES))
        with contextlib.suppress(FileExistsError):
            os.link(name, file)
    finally:
        Path(name).unlink(missing_ok=True)
