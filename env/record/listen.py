"""Hearing what is typed and clicked on a screen, whoever does it, on whatever system this is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..input_events import Heard
from ..x11.listener import X11Listener
from .pynput_listener import PynputListener


@contextmanager
def listening(display: str | None, heard: Heard) -> Iterator[None]:
    """Hear of every key, button, wheel click and motion of a screen while the block runs.

    Args:
        display: an X display such as ``:7``; None is the user's own screen. Several may be heard at once.
        heard: called with each event, in order, in a thread of its own; it should be quick.

    Raises:
        MissingPartError: there is no such screen, or it cannot be listened to.
    """
    listener = _listener(display, heard)
    try:
        yield
    finally:
        listener.close()


def _listener(display: str | None, heard: Heard) -> X11Listener | PynputListener:
    if sys.platform in ("darwin", "win32"):
        return PynputListener(display, heard)
    return X11Listener(display, heard)
