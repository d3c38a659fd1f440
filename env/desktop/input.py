"""The input device of a screen: XTEST on an X server, PyAutoGUI elsewhere."""

from __future__ import annotations

import os
import sys

from ...actions.errors import MissingPartError
from ..control import Control
from ..screen_input import ScreenInput


def open_input(display: str | None, control: Control) -> ScreenInput:
    """Open the input device of an X display; None is the user's own screen.

    Raises:
        MissingPartError: there is no such screen.
    """
    if display is None and sys.platform in ("darwin", "win32"):
        from .pyautogui_input import PyAutoGuiInput

        return PyAutoGuiInput(control)
    from ..x11.input import X11Input

    name = display or os.environ.get("DISPLAY")
    if not name:
        raise MissingPartError("no X display here (DISPLAY is not set); name one with display (--display :N)")
    return X11Input(name, control)
