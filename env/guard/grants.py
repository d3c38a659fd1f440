"""Lasting answers: what a person has allowed always, and where. They are kept in one private file.

The file is replaced as a whole, so that a program that is killed leaves the old grants or the new ones. It is read
each time, so that a grant that is revoked ends at once, in runs that are under way, too.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ...actions.errors import UsageError
from ...actions.files import read_file
from ..private_files import open_private, private_folder, private_part
from ..trajectory.ownership import state_folder

_NAME = "grants.json"
_LARGEST = 1 << 24


class Grant(BaseModel):
    """One lasting answer.

    Attributes:
        id: by which it is revoked.
        what: the consequence, or ``unknown`` for what cannot be judged.
        place: the site, or the program whose window it is.
        time: when it was given, in seconds since the epoch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    what: str
    place: str
    time: float


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    grants: tuple[Grant, ...] = ()


class Grants:
    """The grants of this user; ``file`` is by default in their state folder."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file or state_folder() / _NAME

    def all(self) -> tuple[Grant, ...]:
        """Every grant, the oldest first.

        Raises:
            UsageError: the file cannot be read.
        """
        try:
            return _Kept.model_validate_json(read_file(self._file, _LARGEST)).grants
        except FileNotFoundError:
            return ()
        except (OSError, ValidationError) as error:
            why = getattr(error, "strerror", None) or "it is no file of grants"
            raise UsageError(f"cannot read the grants in {self._file}: {why}; delete it to revoke them all") from error

    def has(self, what: str, place: str) -> bool:
        """Whether something was granted at a place; nothing is where the file cannot be read."""
        try:
            return bool(place) and any(each.what == what and each.place == place for each in self.all())
        except UsageError:
            return False

    def add(self, what: str, place: str) -> Grant:
        """Grant something at a place, once.

        Raises:
            UsageError: the file cannot be read or written.
        """
        new = Grant(id=secrets.token_hex(4), what=what, place=place, time=time.time())

        def put(known: tuple[Grant, ...]) -> tuple[Grant, ...]:
            same = any((each.what, each.place) == (what, place) for each in known)
            return known if same else (*known, new)

        return next(each for each in self._change(put) if (each.what, each.place) == (what, place))

    def revoke(self, id: str | None = None) -> tuple[Grant, ...]:
        """Take back one grant, or all; returns those that were.

        Raises:
            UsageError: there is none with this id; or the file cannot be read or written.
        """
        ended = tuple(each for each in self.all() if id in (None, each.id))
        if id is not None and not ended:
            raise UsageError(f"there is no grant {id!r}; `saccade grants` lists them")
        self._change(lambda known: tuple(each for each in known if each not in ended))
        return ended

    def _change(self, change: Callable[[tuple[Grant, ...]], tuple[Grant, ...]]) -> tuple[Grant, ...]:
        try:
            private_folder(self._file.parent)
            with self._locked():
                grants = change(self.all())
                with private_part(self._file) as part, open_private(part, "wb") as stream:
                    stream.write(_Kept(grants=grants).model_dump_json(indent=1).encode() + b"\n")
                    stream.flush()
                    os.fsync(stream.fileno())
        except OSError as error:
            raise UsageError(f"cannot write the grants in {self._file}: {error.strerror}") from error
        return grants

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """One program at a time changes them; the lock ends with the program."""
        with open_private(self._file.with_name(f"{_NAME}.lock"), "ab") as stream:
            with contextlib.suppress(ImportError):
                import fcntl

                fcntl.flock(stream, fcntl.LOCK_EX)
            yield
