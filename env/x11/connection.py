"""One connection to an X server, and the events that are injected through it (XTEST).

A display is named (``:7``); nothing is read from the environment, so one process can act on several. Xlib is
loaded when the first connection is opened.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from ...actions.errors import EnvironmentFailure, MissingPartError
from ...actions.geometry import Size
from ...perception.x_patience import XlibWatch, require_answer, unanswered

KEY_DOWN, KEY_UP, BUTTON_DOWN, BUTTON_UP, MOTION = 2, 3, 4, 5, 6
NOBODY, POINTER = 0, 1
"""What has the input focus where no window has it (``None`` and ``PointerRoot`` of the X protocol)."""


class InjectedEvent(NamedTuple):
    """One event to inject: its kind, such as ``KEY_DOWN``; its keycode or button; the target of a motion."""

    kind: int
    detail: int
    x: int = 0
    y: int = 0


class Connection:
    """Speaks to one X server; used by one thread at a time.

    Attributes:
        name: of the display, such as ``:7``.
        gone: what Xlib raises when the server is lost.
        size: of the screen, in pixels.

    Raises:
        MissingPartError: there is no such display, or it takes no injected input.
    """

    def __init__(self, name: str) -> None:
        from Xlib import error

        self.name = name
        self.gone = (error.ConnectionClosedError, OSError)
        self._refused = error.XError
        self.display: Any = open_display(name)
        self._watch = XlibWatch(self.display, self.last_words)
        self.display.set_error_handler(lambda *_: None)  # requests without an answer may name closed windows
        screen = self.display.screen()
        self.root: Any = screen.root
        self.size = Size(screen.width_in_pixels, screen.height_in_pixels)
        if not self.display.has_extension("XTEST"):
            self.display.close()
            raise MissingPartError(f"the display {name} has no XTEST extension, so no input can be injected")

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Raise ``EnvironmentFailure`` when the server is lost meanwhile."""
        try:
            yield
        except self.gone as problem:
            gone = f"the display {self.name} is gone; reset the environment to go on"
            raise EnvironmentFailure(unanswered(self.name) if self._watch.fired else gone) from problem

    def inject(self, events: Iterable[InjectedEvent]) -> None:
        """Inject events in one write, so that no stall of this process can come between them."""
        for event in events:
            self.display.xtest_fake_input(event.kind, event.detail, x=event.x, y=event.y)
        self.display.flush()

    def last_words(self) -> bytes:
        """Requests for a server that does not answer now, and may go on later."""
        return b""

    def mark(self) -> None:
        """Leave a mark in what is recorded of the server, behind all events so far (``MarkInput``)."""
        self.display.no_operation()
        self.display.sync()  # the server hands over what is recorded when it answers somebody

    @property
    def number(self) -> int:
        """Of this client."""
        return int(self.display.display.info.resource_id_base)

    def sync(self) -> None:
        """Wait until the server has handled all requests."""
        self.display.sync()

    def ask(self, question: Callable[[], Any]) -> Any:
        """The answer to a request about a window; None if the window has been closed."""
        try:
            return question()
        except self._refused:
            return None

    def numbers(self, window: Any, name: str) -> tuple[int, ...]:
        """A window's property that holds numbers, atoms or windows; empty without one."""
        found = self.ask(lambda: window.get_full_property(self.atom(name), 0))
        return () if found is None or found.format != 32 else tuple(int(number) for number in found.value)

    def atom(self, name: str) -> int:
        """The atom with a name."""
        return int(self.display.intern_atom(name))

    def atom_name(self, number: int) -> str:
        """The name of an atom."""
        return str(self.display.get_atom_name(number))

    def window(self, number: int) -> Any:
        """A window by its number."""
        return self.display.create_resource_object("window", number)

    def parent(self, window: Any) -> Any:
        """The window around another; None for those on the root."""
        tree = self.ask(window.query_tree)
        on_root = tree is None or isinstance(tree.parent, int) or tree.parent.id == tree.root.id
        return None if on_root else tree.parent

    def selection_owner(self, selection: str) -> int:
        """Number of the window that owns a selection, such as ``CLIPBOARD``; 0 without one."""
        owner = self.display.get_selection_owner(self.atom(selection))
        return owner if isinstance(owner, int) else int(owner.id)

    def events(self, seconds: float, *others: int) -> Iterator[Any]:
        """Events that have come, or come within some time; other descriptors end the wait, too."""
        if not self.display.pending_events():
            select.select([self.display.fileno(), *others], [], [], seconds)
        while self.display.pending_events():
            yield self.display.next_event()

    def forget_events(self) -> None:
        """Drop events that are not waited for, such as those that announce a changed keyboard."""
        for _ in self.events(0.0):
            pass

    def close(self) -> None:
        """Close the connection; the server may be gone already."""
        with suppress(*self.gone):
            self.display.close()
        self.display.display.socket.close()  # Xlib leaves it open when the server is lost


def open_display(name: str | None, so: str = "") -> Any:
    """Xlib's connection to a display; None is the one that ``$DISPLAY`` names.

    Raises:
        MissingPartError: there is no such display; ``so`` says in the message what follows from that.
        EnvironmentFailure: its server does not answer.
    """
    from Xlib import error
    from Xlib.display import Display

    require_answer(name)
    try:
        _try_connect(name)
        return Display(name)
    except (error.DisplayError, error.XError, error.ConnectionClosedError, OSError) as problem:
        what = f"cannot open the display {name!r}" if name else "no display is named"
        raise MissingPartError(
            f"{what}{f', {so}' if so else ''}: start an X server there, or choose another: display (--display :N)"
        ) from problem


def _try_connect(name: str | None) -> None:
    """Connect and disconnect, as Xlib would leave its socket open where no server answers."""
    from Xlib.support import connect

    _, protocol, host, number, _ = connect.get_display(name)
    path = f"/tmp/.X11-unix/X{number}"
    if not host or host == "unix" or protocol == "unix":
        for address in (path, f"\0{path}"):
            with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(address)
                return
    socket.create_connection((host or "localhost", 6000 + number)).close()
