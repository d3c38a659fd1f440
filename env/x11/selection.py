"""Reading the selections of an X server, of which the clipboard is one.

A selection has no content on the server: its owner is asked, each time, and answers through a property of the
asking window; much content goes in pieces, each fetched before the next (INCR). Inter-Client Communication
Conventions Manual, section 2.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .connection import Connection

TEXT_TARGETS = ("UTF8_STRING", "text/plain;charset=utf-8", "text/plain", "TEXT", "STRING")
_NOTIFY, PROPERTY = 31, 28
DELETED = 1
PROPERTY_CHANGES = 1 << 22
_META_TARGETS = frozenset(("TARGETS", "MULTIPLE", "TIMESTAMP", "SAVE_TARGETS", "DELETE", "INSERT_SELECTION"))
_MOST_TARGETS = 24


class Content(NamedTuple):
    """What a selection holds for one target (format, such as ``UTF8_STRING``): its type's name and bytes."""

    kind: str
    data: bytes


Contents = Mapping[str, Content]


def text_contents(text: str) -> Contents:
    """Text in all forms that programs ask for."""
    data = text.encode()
    found = {name: Content("UTF8_STRING" if name in ("UTF8_STRING", "TEXT") else name, data) for name in TEXT_TARGETS}
    with contextlib.suppress(UnicodeEncodeError):
        return found | {"STRING": Content("STRING", text.encode("latin-1"))}
    del found["STRING"]
    return found


def contents_to_json(contents: Contents) -> str:
    """As text, for another process."""
    return json.dumps({name: [kind, base64.b64encode(data).decode()] for name, (kind, data) in contents.items()})


def contents_from_json(text: str) -> Contents:
    """The opposite of ``contents_to_json``."""
    return {name: Content(kind, base64.b64decode(data)) for name, (kind, data) in json.loads(text).items()}


class SelectionReader:
    """Asks the owner of a selection what it holds."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._window = connection.root.create_window(0, 0, 1, 1, 0, 0, event_mask=PROPERTY_CHANGES)
        self._property = connection.atom("SACCADE_SELECTION")

    def read(self, selection: str, seconds: float) -> dict[str, Content]:
        """Everything that the owner offers and sends in time; empty without an owner."""
        deadline = time.monotonic() + seconds
        if not self._connection.selection_owner(selection):
            return {}
        offered = self._ask(selection, "TARGETS", deadline)
        names = [self._connection.atom_name(int(atom)) for atom in offered.value] if offered else []
        wanted = [name for name in names if _is_content(name)][:_MOST_TARGETS]
        fetched = {name: self._fetch(selection, name, deadline) for name in wanted}
        return {name: content for name, content in fetched.items() if content is not None}

    def close(self) -> None:
        """Forget the window that answers came to."""
        self._window.destroy()

    def _fetch(self, selection: str, target: str, deadline: float) -> Content | None:
        answer = self._ask(selection, target, deadline)
        if answer is None:
            return None
        kind = self._connection.atom_name(answer.property_type)
        if kind != "INCR":
            return Content(kind, bytes(answer.value)) if answer.format == 8 else None
        data = b""
        while (piece := self._next_piece(deadline)) is not None:
            if not len(piece.value):
                return Content(self._connection.atom_name(piece.property_type), data)
            data += bytes(piece.value)
        return None

    def _ask(self, selection: str, target: str, deadline: float) -> Any:
        atom = self._connection.atom
        self._window.convert_selection(atom(selection), atom(target), self._property, 0)
        self._connection.display.flush()
        for event in self._events(deadline):
            if event.type & 0x7F == _NOTIFY and event.requestor.id == self._window.id and event.target == atom(target):
                return self._take() if event.property else None
        return None

    def _next_piece(self, deadline: float) -> Any:
        for event in self._events(deadline):
            if event.type & 0x7F == PROPERTY and event.atom == self._property and event.state != DELETED:
                return self._take()
        return None

    def _take(self) -> Any:
        """The answer; taking it away is what asks for the next piece."""
        answer = self._window.get_full_property(self._property, 0)
        self._window.delete_property(self._property)
        self._connection.display.flush()
        return answer

    def _events(self, deadline: float) -> Iterator[Any]:
        while (left := deadline - time.monotonic()) > 0:
            yield from self._connection.events(left)


def _is_content(target: str) -> bool:
    """Some targets are questions, and some hold pointers into their owner's memory."""
    return target not in _META_TARGETS and "gtk" not in target.lower()
