"""Asking a person once before the agent takes the pointer and the keyboard of their own screen."""

from __future__ import annotations

import sys
from typing import TextIO

from ...actions.errors import UsageError


def require_consent(
    screen: str,
    *,
    yes: bool,
    stop: str = "ctrl+alt+q",
    stdin: TextIO | None = None,
    stream: TextIO | None = None,
) -> None:
    """Return when a person allowed it; call it before the first event on a screen that someone sits at.

    A private display needs no consent: nobody looks at it.

    Args:
        screen: what is taken, in words, such as ``display :0``.
        yes: allowed beforehand, with ``--yes``; nothing is asked.
        stop: the chord that ends the run, as it is shown.
        stdin: where the answer comes from; by default the standard input.
        stream: where the question goes; by default the standard error, so that output stays clean.

    Raises:
        UsageError: it was not allowed, or there is no terminal to ask in.
    """
    if yes:
        return
    stdin, stream = stdin or sys.stdin, stream or sys.stderr
    if not stdin.isatty():
        raise UsageError(f"the agent would take {screen} and nobody can be asked; allow it with --yes")
    stream.write(
        f"The agent will use the mouse and the keyboard of {screen}. {stop}, or the pointer thrown into a "
        "corner, stops it at once.\nGo on? [y/N] "
    )
    stream.flush()
    if stdin.readline().strip().lower() not in ("y", "yes"):
        raise UsageError(f"{screen} was not given to the agent; nothing was done")
