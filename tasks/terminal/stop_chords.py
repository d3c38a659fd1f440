"""Listens for the stop chord while a run acts."""

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


@contextmanager
def stop_chord_listener(control: Control, chords: Chords, environment: Environment) -> Iterator[None]:
    """Listen while the block runs: on the display that the environment acts on, and on the user's own.

    The pointer in a corner stops the run only on the display that is acted on. Only that one must be usable.

    Raises:
        MissingPartError: keys on that display cannot be read.
    """
    acted_on: str | None = getattr(environment, "display", None)
    own = os.environ.get("DISPLAY") if sys.platform == "linux" else None
    with ExitStack() as listeners:
        if acted_on is not None:
            listeners.enter_context(stop_keys(control, acted_on, chords))
        if own and own != acted_on:
            with suppress(MissingPartError):
                listeners.enter_context(stop_keys(control, own, chords, corners=False))
        yield
