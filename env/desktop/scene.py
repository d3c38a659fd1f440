"""A screen as the guard sees it: which window gets the input, and which program's it is; its widgets are not known."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from ...actions import schema
from ...actions.errors import EnvironmentFailure
from ...actions.schema import Action, points
from ...perception.observation import Screenshot
from ..guard.intent import UNKNOWN, ActionIntent, Target
from ..input import InputDevice
from ..x11.windows import Windows

_KEYS = (schema.Type, schema.Press, schema.Hotkey, schema.KeyDown, schema.KeyUp)


class ScreenScene:
    """See ``Scene``; has to be closed.

    Args:
        display: the X display; None for a screen that is not X11's, whose windows are not known.
        device: its mouse and keyboard.
        grab: takes a screenshot.
    """

    def __init__(self, display: str | None, device: InputDevice, grab: Callable[[], Screenshot]) -> None:
        self._display = display
        self._device = device
        self._grab = grab
        self._windows: Windows | None = None

    def intent(self, action: Action) -> ActionIntent:
        """See ``Scene``."""
        title, program = self._front()
        return ActionIntent(
            kind=action.kind,
            action=action,
            text=action.text if isinstance(action, schema.Type) else "",
            held=self._device.keyboard.held,
            targets=_hit(action),
            window=title,
            program=program,
        )

    def picture(self, *, fresh: bool = True) -> Screenshot:
        """See ``Scene``."""
        return self._grab()

    def close(self) -> None:
        """Disconnect from the display."""
        windows, self._windows = self._windows, None
        if windows is not None:
            windows.close()

    def _front(self) -> tuple[str, str]:
        """The title and the program of the window that gets the keys; empty where that is unknown."""
        if self._display is None:
            return "", ""
        with suppress(EnvironmentFailure):
            self._windows = self._windows or Windows(self._display)
            return self._windows.front()
        return "", ""


def _hit(action: Action) -> tuple[Target, ...]:
    if isinstance(action, schema.Move | schema.Scroll):
        return ()
    spots = len(points(action))
    uses = isinstance(action, (*_KEYS, schema.MouseDown, schema.MouseUp))
    return (UNKNOWN,) * (spots or int(uses))
