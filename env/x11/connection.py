"""One connection to an X server, and the events that are injected through it (XTEST).

A display is named (``:7``); nothing is read from the environment, so one process can act on several. Xlib is
loaded when the first connection is opened.
"""

from __future__ import annotations

import select
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from ...actions.errors import EnvironmentFailure, MissingPartError

KEY_DOWN, KEY_UP, BUTTON_DOWN, BUTTON_UP, MOTION = 2, 3, 4, 5, 6
NOBODY, POINTER = 0, 1
"""What has the input focus where no window has it (``None`` and ``PointerRoot`` of the X protocol)."""


class InjectedEvent(NamedTuple):
    """One event to inject.

    Attributes:
        kind: ``KEY_DOWN`` and so on.
        detail: keycode or button; 0 for a motion.
        x: where a motion leads, in pixels of the screen.
        y: likewise.
    """

    kind: int
    detail: int
    x: int = 0
    y: int = 0


class Connection:
    """Speaks to one X server; used by one thread at a time.

    Args:
        name: the display, such as ``:7``.

    Attributes:
        gone: what Xlib raises when the server is lost.

    Raises:
        MissingPartError: there is no such display, or it takes no injected input.
    """

    def __init__(self, name: str) -> None:
        from Xlib import error

        self.name = name
        self.gone = (error.ConnectionClosedError, OSError)
        self._refused = error.XError
        self.display: Any = open_display(name)
        self.display.set_error_handler(_ignore)
        self.root: Any = self.display.screen().root
        if not self.display.has_extension("XTEST"):
            self.display.close()
            raise MissingPartError(f"the display {name} has no XTEST extension, so no input can be injected")

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Turn a lost server into an error of ours.

        Raises:
            EnvironmentFailure: the display is gone.
        """
        try:
            yield
        except self.gone as problem:
            raise EnvironmentFailure(f"the display {self.name} is gone") from problem

    def inject(self, events: Iterable[InjectedEvent]) -> None:
        """Inject events in one write, so that no stall of this process can come between them."""
        for event in events:
            self.display.xtest_fake_input(event.kind, event.detail, x=event.x, y=event.y)
        self.display.flush()

    def ask(self, question: Callable[[], Any]) -> Any:
        """The answer to a request about a window; None where the window is gone meanwhile."""
        try:
            return question()
        except self._refused:
            return None

    def numbers(self, window: Any, name: str) -> tuple[int, ...]:
        """A window's property that holds numbers, atoms or windows; empty without one."""
        found = self.ask(lambda: window.get_full_property(self.atom(name), 0))
        return (
            tuple(int(number) for number in found.value) if found is not None and found.format == 32 else ()
        )

    def atom(self, name: str) -> int:
        """The number of a name."""
        return int(self.display.intern_atom(name))

    def window(self, number: int) -> Any:
        """A window by its number."""
        return self.display.create_resource_object("window", number)

    def events(self, seconds: float) -> Iterator[Any]:
        """Events that are there, or come within some time."""
        if not self.display.pending_events():
            select.select([self.display.fileno()], [], [], seconds)
        while self.display.pending_events():
            yield self.display.next_event()

    def forget_events(self) -> None:
        """Drop events nobody waits for, such as those that tell of a changed keyboard."""
        for _ in self.events(0.0):
            pass

    def close(self) -> None:
        """Hang up; the server may be gone already."""
        with suppress(*self.gone):
            self.display.close()
        self.display.display.socket.close()  # Xlib leaves it open when the server is lost


def open_display(name: str | None, so: str = "") -> Any:
    """Xlib's connection to a display; None is the one that ``$DISPLAY`` names.

    Args:
        name: such as ``:7``.
        so: what follows from its absence, for the message.

    Raises:
        MissingPartError: there is no such display.
    """
    from Xlib import error
    from Xlib.display import Display

    try:
        return Display(name)
    except (error.DisplayError, error.XError, error.ConnectionClosedError, OSError) as problem:
        _release(problem)
        what = f"cannot open the display {name!r}" if name else "no display is named"
        raise MissingPartError(
            f"{what}{f', {so}' if so else ''}: start an X server there, or choose another with --display"
        ) from problem


def _release(problem: BaseException | None) -> None:
    """Let go of the sockets of a display that did not open, which Xlib never closes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        while problem is not None:
            traceback.clear_frames(problem.__traceback__)
            problem = problem.__context__


def _ignore(*_: object) -> None:
    """Of requests without an answer those fail that speak of a window which closed meanwhile."""
