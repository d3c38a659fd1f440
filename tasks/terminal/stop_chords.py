"""The person at a run: their chords on the screens that it concerns."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from ...actions.errors import MissingPartError
from ...env.base import Environment
from ...env.chords import Chords
from ...env.control import Control
from ...env.x11.stop_keys import stop_keys


def user_display() -> str | None:
    """The X display that the person sits at; None where there is none, or no X."""
    return os.environ.get("DISPLAY") or None if sys.platform == "linux" else None


@contextmanager
def stop_chord_listener(control: Control, chords: Chords, environment: Environment) -> Iterator[None]:
    """Listen while the block runs: on the display that the environment acts on, and where the person sits.

    Only on the display that is acted on do the corners count, and only there must listening be possible.

    Raises:
        MissingPartError: that display cannot be listened to.
    """
    acted_on: str | None = getattr(environment, "display", None)
    own = user_display()
    with ExitStack() as heard:
        if acted_on is not None:
            heard.enter_context(stop_keys(control, acted_on, chords))
        if own is not None and own != acted_on:
            with suppress(MissingPartError):
                heard.enter_context(stop_keys(control, own, chords, corners=False))
        yield
