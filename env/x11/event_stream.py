"""Every input event on an X display, whoever makes it (the RECORD extension, X.org's ``recordproto``)."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from ...actions.errors import MissingPartError
from ...perception.x_patience import XlibWatch
from .connection import open_display

FROM_SERVER, FROM_CLIENT = 0, 1
_START = 4
_ALL_CLIENTS = 3
_TIMEOUT = 10.0

Requests = tuple[tuple[int, int], tuple[int, int, int, int]]
NO_REQUESTS: Requests = ((0, 0), (0, 0, 0, 0))
_REQUEST = 4
_EVENT = struct.Struct("=BB2xI12xhh4xHxx")


class DeviceEvent(NamedTuple):
    """A core input event (X protocol, appendix B); ``time`` is in the server's milliseconds."""

    kind: int
    detail: int
    time: int
    x: int
    y: int
    state: int


def device_events(reply: Any) -> Iterator[DeviceEvent]:
    """The input events in one of Xlib's RECORD replies."""
    if reply.category == FROM_SERVER and not reply.client_swapped:
        for start in range(0, len(reply.data) - _EVENT.size + 1, _EVENT.size):
            yield DeviceEvent(*_EVENT.unpack_from(reply.data, start))


def client_requests(reply: Any) -> Iterator[bytes]:
    """The requests of a client in one of Xlib's RECORD replies: as many as the server has put together."""
    data, order = bytes(reply.data), ">" if reply.client_swapped else "="
    while reply.category == FROM_CLIENT and len(data) >= _REQUEST:
        length = 4 * int(struct.unpack_from(f"{order}H", data, 2)[0]) or len(data)  # 0: longer than it can say
        yield data[:length]
        data = data[length:]


class EventStream:
    """Two connections to a display, as RECORD needs them: one controls, one receives in a thread of its own.

    Attributes:
        display: the connection that controls; it may be asked other things as well.

    Raises:
        MissingPartError: there is no such display, or it has no such extension.
    """

    def __init__(self, display: str | None, purpose: str) -> None:
        from Xlib import error

        self._gone = (error.ConnectionClosedError, OSError)
        self._name = display or "(none named)"
        self._so = f"so it cannot be listened to {purpose}"
        self.display = open_display(display, self._so)
        try:
            self._events = open_display(display, self._so)
        except MissingPartError:
            self.display.close()
            raise
        self._watch = XlibWatch(self.display)
        self._context: int | None = None
        self._started = threading.Event()
        self._thread: threading.Thread | None = None
        if not self.display.has_extension("RECORD"):
            self.close()
            raise MissingPartError(f"the display {self._name} has no RECORD extension, {self._so}")

    def start(self, receive: Callable[[Any], None], kinds: tuple[int, int], *requests: Requests) -> None:
        """Begin to listen; returns when no event is missed any more.

        Args:
            receive: called with each of Xlib's RECORD replies, in the listening thread.
            kinds: the first and the last type of input event.
            requests: core requests and requests of extensions to report, too.

        Raises:
            MissingPartError: the display does not begin to report.
        """
        interests = [_interest(kinds, NO_REQUESTS), *(_interest((0, 0), each) for each in requests)]
        self._context = self.display.record_create_context(0, [_ALL_CLIENTS], interests)
        self.display.sync()
        name = f"listens to {self._name}"
        self._thread = threading.Thread(target=self._listen, args=(receive,), name=name, daemon=True)
        self._thread.start()
        if not self._started.wait(_TIMEOUT):
            raise MissingPartError(f"the display {self._name} reports nothing, {self._so}")

    def close(self) -> None:
        """Stop listening; there are no events once it returns. The display may be gone already."""
        if self._context is not None:
            with suppress(*self._gone):
                self.display.record_disable_context(self._context)
                self.display.sync()
        if self._watch.fired:  # the thread would wait for the same server
            with suppress(OSError):
                self._events.display.socket.shutdown(socket.SHUT_RDWR)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_TIMEOUT)
        for connection in (self.display, self._events):
            with suppress(*self._gone):
                connection.close()

    def _listen(self, receive: Callable[[Any], None]) -> None:
        def take(reply: Any) -> None:
            if reply.category == _START:
                self._started.set()
            else:
                receive(reply)

        with suppress(*self._gone):
            self._events.record_enable_context(self._context, take)
            self._events.record_free_context(self._context)


def _interest(kinds: tuple[int, int], requests: Requests) -> dict[str, Any]:
    nothing: dict[str, Any] = dict.fromkeys(("core_replies", "delivered_events", "errors"), (0, 0))
    nothing |= {"ext_replies": (0, 0, 0, 0), "client_started": False, "client_died": False}
    return nothing | {"core_requests": requests[0], "ext_requests": requests[1], "device_events": kinds}
