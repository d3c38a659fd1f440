"""What happens on an X display, whoever does it, in order (the RECORD extension, X.org's ``recordproto``)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ...actions.errors import MissingPartError
from .connection import open_display

FROM_SERVER, FROM_CLIENT = 0, 1
_START = 4
_ALL_CLIENTS = 3
_PATIENCE = 10.0

Requests = tuple[tuple[int, int], tuple[int, int, int, int]]
NO_REQUESTS: Requests = ((0, 0), (0, 0, 0, 0))


class EventStream:
    """Two connections to a display, as RECORD asks for: one gives orders, one hears, in a thread of its own.

    Args:
        display: such as ``:7``; None is the one that ``$DISPLAY`` names.
        purpose: what for, to go on with "the display cannot be listened to".

    Attributes:
        orders: the connection that gives orders; it may be asked other things as well.

    Raises:
        MissingPartError: there is no such display, or it has no such extension.
    """

    def __init__(self, display: str | None, purpose: str) -> None:
        from Xlib import error

        self._gone = (error.ConnectionClosedError, OSError)
        self._name = display or "(none named)"
        self._purpose = purpose
        self.orders = open_display(display, f"so it cannot be listened to {purpose}")
        try:
            self._events = open_display(display, f"so it cannot be listened to {purpose}")
        except MissingPartError:
            self.orders.close()
            raise
        self._context: int | None = None
        self._started = threading.Event()
        self._thread: threading.Thread | None = None
        if not self.orders.has_extension("RECORD"):
            self.close()
            raise MissingPartError(
                f"the display {self._name} has no RECORD extension, so it cannot be listened to {purpose}"
            )

    def start(
        self, heard: Callable[[Any], None], kinds: tuple[int, int], requests: Requests = NO_REQUESTS
    ) -> None:
        """Begin to listen; returns when nothing is missed any more.

        Args:
            heard: called with each of Xlib's RECORD replies, in the listening thread.
            kinds: the first and the last type of device event.
            requests: which core requests and which requests of extensions are told of, too.

        Raises:
            MissingPartError: the display does not begin to tell.
        """
        self._context = self.orders.record_create_context(0, [_ALL_CLIENTS], [_interest(kinds, requests)])
        self.orders.sync()
        name = f"listens to {self._name}"
        self._thread = threading.Thread(target=self._listen, args=(heard,), name=name, daemon=True)
        self._thread.start()
        if not self._started.wait(_PATIENCE):
            raise MissingPartError(
                f"the display {self._name} tells nothing, so it cannot be listened to {self._purpose}"
            )

    def close(self) -> None:
        """Stop listening; nothing is heard once it returns. The display may be gone already."""
        if self._context is not None:
            with suppress(*self._gone):
                self.orders.record_disable_context(self._context)
                self.orders.sync()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_PATIENCE)
        for connection in (self.orders, self._events):
            with suppress(*self._gone):
                connection.close()

    def _listen(self, heard: Callable[[Any], None]) -> None:
        def take(reply: Any) -> None:
            if reply.category == _START:
                self._started.set()
            else:
                heard(reply)

        with suppress(*self._gone):
            self._events.record_enable_context(self._context, take)
            self._events.record_free_context(self._context)


def _interest(kinds: tuple[int, int], requests: Requests) -> dict[str, Any]:
    core, extensions = requests
    return {
        "core_requests": core,
        "core_replies": (0, 0),
        "ext_requests": extensions,
        "ext_replies": (0, 0, 0, 0),
        "delivered_events": (0, 0),
        "device_events": kinds,
        "errors": (0, 0),
        "client_started": False,
        "client_died": False,
    }
