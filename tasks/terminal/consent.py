"""Asks once before the agent uses the mouse and keyboard of a screen that somebody sees."""

from __future__ import annotations

import sys
from typing import TextIO

from ...actions.errors import UsageError


def require_consent(
    screen: str, *, yes: bool, stop: str = "ctrl+alt+q", stdin: TextIO | None = None, stream: TextIO | None = None
) -> None:
    """Ask in the terminal, unless ``yes``; call it before the first input to a screen that is not private.

    Raises:
        UsageError: the answer was no, or there is no terminal to ask in.
    """
    if yes:
        return
    stdin, stream = stdin or sys.stdin, stream or sys.stderr
    if not stdin.isatty():
        raise UsageError(f"the agent would use {screen} and there is no terminal to ask in; allow it with --yes")
    stream.write(
        f"The agent will use the mouse and the keyboard of {screen}. {stop}, or moving the pointer "
        "into a corner, stops it at once.\nContinue? [y/N] "
    )
    stream.flush()
    if stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError(f"{screen} was not allowed to the agent; nothing was done")
