"""Windows by their titles, as ``wmctrl`` finds them for OSWorld's server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from ...actions.errors import EnvironmentFailure, MissingPartError
from ...env.x11.connection import open_display


@dataclass(frozen=True)
class Window:
    """One window of a display.

    Attributes:
        number: its X resource.
        title: as its frame shows it.
        kind: its class, as ``instance.Class``.
        size: width and height in pixels, without the frame.
    """

    number: int
    title: str
    kind: str
    size: tuple[int, int]

    def called(self, name: str, *, strict: bool = False, by_class: bool = False) -> bool:
        """Whether the title holds a name, in any case; when strict, whether the title is the name."""
        text = self.kind if by_class else self.title
        return text == name if strict else name.lower() in text.lower()


def windows_of(display: str) -> list[Window]:
    """All windows that programs have opened, the oldest first; raises ``EnvironmentFailure`` without the display."""
    with closing(_connect(display)) as server:
        return [_describe(server, number) for number in _clients(server)]


def activate(display: str, window: Window) -> None:
    """Raise a window and focus it, through the window manager."""
    _send(display, window, "_NET_ACTIVE_WINDOW", [2, 0, 0, 0, 0])


def close(display: str, window: Window) -> None:
    """Ask a window to close, as its close button does."""
    _send(display, window, "_NET_CLOSE_WINDOW", [0, 2, 0, 0, 0])


def _connect(display: str) -> Any:
    try:
        return open_display(display)
    except MissingPartError as problem:
        raise EnvironmentFailure(f"the display {display} has ended; reset the environment") from problem


def _clients(server: Any) -> Iterator[int]:
    from Xlib import X

    found = server.screen().root.get_full_property(server.intern_atom("_NET_CLIENT_LIST"), X.AnyPropertyType)
    yield from (int(number) for number in found.value) if found is not None else ()


def _describe(server: Any, number: int) -> Window:
    from Xlib import error

    window = server.create_resource_object("window", number)
    try:
        value = window.get_full_property(server.intern_atom("_NET_WM_NAME"), server.intern_atom("UTF8_STRING"))
        title = value.value.decode(errors="replace") if value is not None else str(window.get_wm_name() or "")
        kind = ".".join(window.get_wm_class() or ())
        shape = window.get_geometry()
    except error.XError:  # closed meanwhile
        return Window(number, "", "", (0, 0))
    return Window(number, title, kind, (int(shape.width), int(shape.height)))


def _send(display: str, window: Window, name: str, data: list[int]) -> None:
    from Xlib import X
    from Xlib.protocol import event

    with closing(_connect(display)) as server:
        target = server.create_resource_object("window", window.number)
        message = event.ClientMessage(window=target, client_type=server.intern_atom(name), data=(32, data))
        mask = X.SubstructureRedirectMask | X.SubstructureNotifyMask
        server.screen().root.send_event(message, event_mask=mask)
        server.sync()
