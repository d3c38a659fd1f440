"""The clipboard and the primary selection of one X display: offered for pasting, and restored afterwards."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..environ import without_secrets
from .connection import Connection
from .selection import Contents, SelectionReader, contents_to_json
from .selection_owner import Offer, SelectionOwner

_READ_TIMEOUT = 1.0


class Clipboard:
    """Offers contents, and remembers what other programs offered before."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._owner: SelectionOwner | None = None
        self._former: dict[str, Contents] = {}
        self._kept: dict[str, Contents] = {}

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Restore, however the block ends, the selections that were offered in it."""
        try:
            yield
        finally:
            for selection, contents in self._former.items():
                assert self._owner is not None
                self._owner.offer(selection, contents)
            self._kept |= self._former
            self._former = {}

    def offer(self, selection: str, contents: Contents) -> Offer:
        """Offer contents as a selection, such as ``CLIPBOARD``; within ``restored``."""
        if selection not in self._former:
            self._former[selection] = self._read(selection)
        self._owner = self._owner or SelectionOwner(self._connection.name)
        return self._owner.offer(selection, contents)

    def close(self) -> None:
        """Leave what is still offered to a process of its own, which ends when another program copies."""
        if self._owner is None:
            return
        with contextlib.suppress(*self._connection.gone):
            for selection, contents in self._kept.items():
                if contents and self._is_ours(selection):
                    _hand_over(self._connection.name, selection, contents)
        self._owner.close()
        self._owner = None

    def _read(self, selection: str) -> Contents:
        if self._is_ours(selection):
            return self._kept.get(selection, {})
        with contextlib.closing(SelectionReader(self._connection)) as reader:
            return reader.read(selection, _READ_TIMEOUT)

    def _is_ours(self, selection: str) -> bool:
        return self._owner is not None and self._connection.selection_owner(selection) == self._owner.window


def _hand_over(display: str, selection: str, contents: Contents) -> None:
    """Let another process offer a selection from now on."""
    keeper = subprocess.Popen(
        [sys.executable, "-m", f"{__package__}.selection_owner", display, selection],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env={**without_secrets(), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    with keeper.stdin, keeper.stdout, contextlib.suppress(BrokenPipeError):
        keeper.stdin.write(contents_to_json(contents))
        keeper.stdin.close()
        keeper.stdout.readline()  # until it offers it
    keeper.returncode = 0  # it goes on by itself, and its end is not waited for
