"""Offering a selection of an X server, such as the clipboard, to other programs; see ``selection``."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from typing import Any, Literal

from .connection import Connection
from .selection import DELETED, PROPERTY, PROPERTY_CHANGES, Content, Contents, contents_from_json

_REQUEST, _CLEAR = 30, 29
_PIECE = 1 << 16


class Offer:
    """What a selection holds from now on, by target, and who has asked for it."""

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self._changed = threading.Condition()
        self._answers: list[tuple[int, bool]] = []

    def note(self, requestor: int, *, whole: bool) -> None:
        """Note that a window was answered; ``whole``: it has got all of a content."""
        with self._changed:
            self._answers.append((requestor, whole))
            self._changed.notify_all()

    @property
    def answers(self) -> tuple[tuple[int, bool], ...]:
        """The windows that were answered, in order, and whether each got all of a content."""
        with self._changed:
            return tuple(self._answers)

    def wait(self, known: int, seconds: float) -> bool:
        """Wait for more than ``known`` answers; whether there were."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._answers) > known, seconds)


class SelectionOwner:
    """Offers selections from a thread of its own, until other programs take them over.

    Attributes:
        lost: set when a selection was taken over, or the display is gone.
        window: number of the owning window.

    Raises:
        MissingPartError: there is no such display.
    """

    def __init__(self, display: str) -> None:
        self.lost = threading.Event()
        self._connection = Connection(display)
        self._window = self._connection.root.create_window(0, 0, 1, 1, 0, 0)
        self.window = int(self._window.id)
        self._lock = threading.Lock()
        self._offers: dict[int, Offer] = {}
        self._sending: dict[tuple[int, int], tuple[Offer, Content, int]] = {}
        self._awake, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="selection", daemon=True)
        self._thread.start()

    def offer(self, selection: str, contents: Contents) -> Offer:
        """Take a selection over; with nothing to offer, leave it without an owner."""
        from Xlib.protocol.request import SetSelectionOwner

        offer = Offer(contents)
        with self._lock:
            atom = self._connection.atom(selection)
            self._offers[atom] = offer
            owner = self.window if contents else 0
            SetSelectionOwner(display=self._connection.display.display, window=owner, selection=atom, time=0)
            self._connection.sync()
        os.write(self._wake, b"!")  # its thread may wait for events that this call has read
        return offer

    def close(self) -> None:
        """Offer nothing any more and disconnect."""
        os.close(self._wake)
        self._thread.join()
        os.close(self._awake)

    def _serve(self) -> None:
        descriptors = [self._connection.display.fileno(), self._awake]
        try:
            with contextlib.suppress(*self._connection.gone):
                while self._awake not in select.select(descriptors, [], [])[0] or os.read(self._awake, 64):
                    with self._lock:
                        for event in self._connection.events(0.0):
                            self._handle(event)
        finally:
            self.lost.set()
            self._connection.close()

    def _handle(self, event: Any) -> None:
        kind = event.type & 0x7F
        if kind == _REQUEST:
            self._answer(event)
        elif kind == PROPERTY and event.state == DELETED:
            self._send_piece(event.window, event.atom)
        elif kind == _CLEAR:
            self._offers.pop(event.atom, None)
            self.lost.set()

    def _answer(self, request: Any) -> None:
        from Xlib.protocol import event

        where = request.property or request.target
        offer = self._offers.get(request.selection)
        written = self._write(offer, request, where) if offer is not None else ""
        names = ("time", "requestor", "selection", "target")
        asked = {name: getattr(request, name) for name in names}
        request.requestor.send_event(event.SelectionNotify(**asked, property=where if written else 0))
        self._connection.sync()
        if offer is not None:
            offer.note(request.requestor.id, whole=written == "content")

    def _write(self, offer: Offer, request: Any, where: int) -> Literal["", "something", "content"]:
        """Put the answer into the asking window, and say what it was."""
        atom, requestor = self._connection.atom, request.requestor
        target = self._connection.atom_name(request.target)
        if target == "TARGETS":
            names = ("TARGETS", *offer.contents)
            requestor.change_property(where, atom("ATOM"), 32, [atom(name) for name in names])
            return "something"
        content = offer.contents.get(target)
        if content is None:
            return ""
        if len(content.data) <= _PIECE:
            requestor.change_property(where, atom(content.kind), 8, content.data)
            return "content"
        requestor.change_attributes(event_mask=PROPERTY_CHANGES)
        self._sending[requestor.id, where] = (offer, content, 0)
        requestor.change_property(where, atom("INCR"), 32, [len(content.data)])
        return "something"

    def _send_piece(self, requestor: Any, where: int) -> None:
        """The next piece; one without bytes ends it."""
        sending = self._sending.pop((requestor.id, where), None)
        if sending is None:
            return
        offer, content, begin = sending
        piece = content.data[begin : begin + _PIECE]
        requestor.change_property(where, self._connection.atom(content.kind), 8, piece)
        self._connection.sync()
        if piece:
            self._sending[requestor.id, where] = (offer, content, begin + len(piece))
        else:
            requestor.change_attributes(event_mask=0)
            offer.note(requestor.id, whole=True)


def keep(display: str, selection: str) -> None:
    """Offer what comes on standard input until another program takes over."""
    owner = SelectionOwner(display)
    owner.offer(selection, contents_from_json(sys.stdin.read()))
    sys.stdout.write("kept\n")
    sys.stdout.flush()
    owner.lost.wait()


if __name__ == "__main__":
    keep(*sys.argv[1:3])
