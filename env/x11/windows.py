"""What an X display's windows are doing, asked from the server and waited for by its events."""

from __future__ import annotations

import contextlib
import os
import pwd
import select
from typing import Any

from ...actions.errors import EnvironmentFailure, MissingPartError
from .connection import open_display


class Windows:
    """The windows of one display, as its window manager tells.

    Args:
        display: the display's name, such as ``:7``.

    Raises:
        EnvironmentFailure: there is no such display.
    """

    def __init__(self, display: str) -> None:
        from Xlib import X, error

        self._name = display
        self._gone = (error.ConnectionClosedError, OSError)
        self._stale = error.XError
        try:
            self._display: Any = open_display(display)
        except MissingPartError as problem:
            raise EnvironmentFailure(f"cannot open the display {display}: {problem.__cause__}") from problem
        self._root: Any = self._display.screen().root
        self._root.change_attributes(event_mask=X.PropertyChangeMask)
        self._viewable: int = X.IsViewable
        self._any: int = X.AnyPropertyType

    def only_for_this_user(self) -> None:
        """Let programs of the user who owns this process in, and nobody else's."""
        from Xlib import X

        user = pwd.getpwuid(os.getuid()).pw_name
        self._display.change_hosts(X.HostInsert, X.FamilyServerInterpreted, f"localuser\0{user}".encode())
        for family, name in self._hosts():
            if family != X.FamilyServerInterpreted:
                self._display.change_hosts(X.HostDelete, family, name)
        self._display.sync()

    def managed(self) -> bool:
        """Whether a window manager is at work."""
        return bool(self._numbers(self._root, "_NET_SUPPORTING_WM_CHECK"))

    def all(self) -> tuple[int, ...]:
        """Numbers of the programs' windows, the oldest first.

        Raises:
            EnvironmentFailure: the display is gone.
        """
        return self._numbers(self._root, "_NET_CLIENT_LIST")

    def focused(self) -> int | None:
        """The window that is visible and gets the keys; None while there is none.

        Raises:
            EnvironmentFailure: the display is gone.
        """
        active = self._numbers(self._root, "_NET_ACTIVE_WINDOW")
        if not active or not active[0]:
            return None
        try:
            window = self._display.create_resource_object("window", active[0])
            viewable = window.get_attributes().map_state == self._viewable
            return active[0] if viewable and self._has_keys(active[0]) else None
        except self._stale:  # closed meanwhile
            return None
        except self._gone as problem:
            raise self._failure() from problem

    def wait_for_change(self, seconds: float, *others: int) -> None:
        """Wait until the window manager tells something new, another descriptor can be read, or time is over.

        Raises:
            EnvironmentFailure: the display is gone.
        """
        try:
            if not self._display.pending_events():
                select.select([self._display.fileno(), *others], [], [], max(0.0, min(seconds, 0.25)))
            for _ in range(self._display.pending_events()):
                self._display.next_event()
        except self._gone as problem:
            raise self._failure() from problem

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(*self._gone):
            self._display.close()

    def _has_keys(self, window: int) -> bool:
        """Whether the input focus is in a window; toolkits give it to a child."""
        focus = self._display.get_input_focus().focus
        while not isinstance(focus, int) and focus.id != self._root.id:
            if focus.id == window:
                return True
            focus = focus.query_tree().parent
        return False

    def _numbers(self, window: Any, name: str) -> tuple[int, ...]:
        try:
            found = window.get_full_property(self._display.intern_atom(name), self._any)
        except self._stale:
            return ()
        except self._gone as problem:
            raise self._failure() from problem
        return tuple(int(number) for number in found.value) if found is not None else ()

    def _hosts(self) -> list[tuple[int, Any]]:
        return [(host["family"], host["name"]) for host in self._display.list_hosts().hosts]

    def _failure(self) -> EnvironmentFailure:
        return EnvironmentFailure(f"the display {self._name} is gone; reset the environment to go on")
