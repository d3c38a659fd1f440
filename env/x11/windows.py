"""The windows of an X display, asked from the server and waited for by its events."""

from __future__ import annotations

import os
import pwd
from functools import partial
from typing import Any

from ...actions.errors import EnvironmentFailure, MissingPartError
from .connection import Connection


class Windows(Connection):
    """A connection that asks for the windows of a display, as its window manager reports them.

    Raises:
        EnvironmentFailure: there is no such display; any method raises it when the display is gone.
    """

    def __init__(self, display: str) -> None:
        from Xlib import X

        try:
            super().__init__(display)
        except MissingPartError as problem:
            raise EnvironmentFailure(f"cannot open the display {display}: {problem.__cause__}") from problem
        self.root.change_attributes(event_mask=X.PropertyChangeMask)

    def only_for_this_user(self) -> None:
        """Let programs of the user who owns this process connect, and nobody else's."""
        from Xlib import X

        display, user = self.display, pwd.getpwuid(os.getuid()).pw_name
        display.change_hosts(X.HostInsert, X.FamilyServerInterpreted, f"localuser\0{user}".encode())
        for host in display.list_hosts().hosts:
            if host["family"] != X.FamilyServerInterpreted:
                display.change_hosts(X.HostDelete, host["family"], host["name"])
        self.sync()

    def managed(self) -> bool:
        """Whether a window manager is running."""
        return bool(self._numbers("_NET_SUPPORTING_WM_CHECK"))

    def all(self) -> tuple[int, ...]:
        """Numbers of the programs' windows, the oldest first."""
        return self._numbers("_NET_CLIENT_LIST")

    def titles(self) -> list[str]:
        """The titles of the programs' windows, the oldest first."""
        with self.alive():
            return [self._title(self.window(number)) for number in self.all()]

    def front(self) -> tuple[str, str]:
        """The title of the window that is active and its program's class, in lower case; empty where it has none."""
        active = self._numbers("_NET_ACTIVE_WINDOW")
        with self.alive():
            if not active or not active[0]:
                return "", ""
            window = self.window(active[0])
            names = self.ask(window.get_wm_class)
            return self._title(window), str(names[1]).lower() if names else ""

    def focused(self) -> int | None:
        """The window that is visible and gets the keys; None while there is none."""
        from Xlib import X

        active = self._numbers("_NET_ACTIVE_WINDOW")
        if not active or not active[0]:
            return None
        with self.alive():
            attributes = self.ask(self.window(active[0]).get_attributes)
            viewable = attributes is not None and attributes.map_state == X.IsViewable
            return active[0] if viewable and self._has_keys(active[0]) else None

    def wait_for_change(self, seconds: float, *others: int) -> None:
        """Wait for a change, or until another descriptor can be read; 0.25 s at most."""
        with self.alive():
            for _ in self.events(max(0.0, min(seconds, 0.25)), *others):
                pass

    def _has_keys(self, window: int) -> bool:
        """Whether the input focus is in a window; toolkits give it to a child."""
        focus = self.display.get_input_focus().focus
        focus = None if isinstance(focus, int) else focus
        while focus is not None and focus.id != window:
            focus = self.parent(focus)
        return focus is not None

    def _title(self, window: Any) -> str:
        """As the window manager shows it; empty where the window has none, or has been closed."""
        for name in map(self.atom, ("_NET_WM_NAME", "WM_NAME")):
            found = self.ask(partial(window.get_full_property, name, 0))
            if found is not None and found.format == 8 and found.value:
                return bytes(found.value).decode(errors="replace")
        return ""

    def _numbers(self, name: str) -> tuple[int, ...]:
        with self.alive():
            return self.numbers(self.root, name)
