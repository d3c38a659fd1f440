"""The window that gets the keys: which it is, what program it belongs to, and whether it has kept up.

A program translates a key with the keyboard map of the moment when it handles the key. So a map may be
changed only when the program has handled all keys before. Window managers ask programs whether they are alive
with ``_NET_WM_PING``, and programs answer in the order of their events: the answer comes after the keys.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ...actions.errors import EnvironmentFailure
from ...perception.settle import pause
from ..control import Control
from .connection import NOBODY, POINTER, Connection

_CLIENT_MESSAGE = 33
PING_ANSWERS = 1 << 17 | 1 << 19  # StructureNotify and SubstructureNotify
"""Answers to pings go to who selects either on the root window: GTK's to the second, Qt's to the first."""
# All in seconds.
_POLL = 0.02
_TIMEOUT = 10.0
_SHORT_TIMEOUT = 1.0
_LINGER = 0.1
_ASK_AGAIN = 0.5  # the focus may have moved, or the window closed
_WITHOUT_ANSWER = 0.06  # for a program that does not answer pings


class Focus:
    """Follows the input focus of one server; a stop by ``control`` ends every wait with ``Stopped``."""

    def __init__(self, connection: Connection, control: Control) -> None:
        self._connection = connection
        self._control = control
        self._pings = int(time.monotonic() * 1000) & 0x3FFFFFFF | 0x40000000
        connection.root.change_attributes(event_mask=PING_ANSWERS)

    def window(self) -> Any:
        """The window that gets the keys; None where there is none."""
        focus = self._connection.display.get_input_focus().focus
        number = focus if isinstance(focus, int) else focus.id
        if number == POINTER or number == self._connection.root.id:
            under = self._connection.root.query_pointer().child
            return None if isinstance(under, int) else under
        return None if number == NOBODY else self._connection.window(number)

    def wait_for_window(self, seconds: float) -> None:
        """Wait until a program's window gets the keys, where a window manager gives the focus."""
        root, deadline = self._connection.root, time.monotonic() + seconds
        while self._connection.numbers(root, "_NET_SUPPORTING_WM_CHECK") and time.monotonic() < deadline:
            if self._connection.numbers(root, "_NET_ACTIVE_WINDOW") not in ((), (0,)):
                return
            self._control.wait(_POLL)

    def program(self) -> str:
        """What kind of program has the focus (``WM_CLASS``), in lower case; empty where it is unknown."""
        window = self.window()
        while window is not None:
            names = self._connection.ask(window.get_wm_class)
            if names:
                return str(names[1]).lower()
            window = self._connection.parent(window)
        return ""

    def settle(self) -> None:
        """Wait until the program with the focus has handled all events so far.

        Raises:
            EnvironmentFailure: the program does not answer.
        """
        if not self.follow(_TIMEOUT, self._control.wait):
            raise EnvironmentFailure(
                f"the program with the keyboard focus did not answer for {_TIMEOUT:g} s while text was typed"
            )

    def keep_up(self) -> None:
        """Wait until the program has handled all events so far, but for a second at most."""
        self.follow(_SHORT_TIMEOUT, self._control.wait)

    def linger(self) -> None:
        """Give the program a moment to handle its events, also after a stop."""
        self.follow(_LINGER, pause)

    def follow(self, seconds: float, wait: Callable[[float], None]) -> bool:
        """Whether the program with the focus has handled all events so far within some time."""
        first, deadline = self._pings + 1, time.monotonic() + seconds
        while time.monotonic() < deadline:
            window = self._answering(self.window())
            if window is None:
                self._connection.sync()
                wait(_WITHOUT_ANSWER)
                return True
            self._ping(window)
            again = min(deadline, time.monotonic() + _ASK_AGAIN)
            while time.monotonic() < again:
                if self._answered(first):
                    return True
                wait(0.0)
        return False

    def _answering(self, window: Any) -> Any:
        """The nearest window around that answers pings."""
        ping = self._connection.atom("_NET_WM_PING")
        while window is not None and ping not in self._connection.numbers(window, "WM_PROTOCOLS"):
            window = self._connection.parent(window)
        return window

    def _ping(self, window: Any) -> None:
        from Xlib.protocol import event

        self._pings += 1
        words = [self._connection.atom("_NET_WM_PING"), self._pings, window.id, 0, 0]
        kind = self._connection.atom("WM_PROTOCOLS")
        window.send_event(event.ClientMessage(window=window, client_type=kind, data=(32, words)))
        self._connection.display.flush()

    def _answered(self, first: int) -> bool:
        """Whether an answer to one of the pings from ``first`` on is among the events that come now."""
        messages = [event for event in self._connection.events(_POLL) if event.type & 0x7F == _CLIENT_MESSAGE]
        return any(first <= message.data[1][1] <= self._pings for message in messages if message.data[0] == 32)
