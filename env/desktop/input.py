"""The right hands for a screen: XTEST on an X server, PyAutoGUI where there is none."""

from __future__ import annotations

import os
import sys
from typing import Protocol

from ...actions.errors import MissingPartError
from ..control import Control
from ..input import InputDevice


class ScreenInput(InputDevice, Protocol):
    """Hands on a screen; they are closed when they are no longer needed."""

    def close(self) -> None:
        """Let go of everything, and put back what was borrowed."""


def open_input(display: str | None, control: Control) -> ScreenInput:
    """Hands on an X display, or on the screen the user sees.

    Args:
        display: name of an X display; None is the user's own screen.
        control: ends whatever the hands do.

    Raises:
        MissingPartError: there is no such screen.
    """
    if display is None and sys.platform in ("darwin", "win32"):
        from .pyautogui_input import PyAutoGuiInput

        return PyAutoGuiInput(control)
    from ..x11.input import X11Input

    name = display or os.environ.get("DISPLAY")
    if not name:
        raise MissingPartError("no X display here (DISPLAY is not set); name one with --display :N")
    return X11Input(name, control)
