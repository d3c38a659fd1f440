"""Questions that a person answers with yes before anything is done."""

from __future__ import annotations

import sys
from typing import TextIO

from ...actions.errors import UsageError


def confirmed(question: str, stdin: TextIO | None = None, stream: TextIO | None = None) -> bool | None:
    """Whether a person in the terminal says yes; None if there is no terminal to ask in."""
    stdin, stream = stdin or sys.stdin, stream or sys.stderr
    if not stdin.isatty():
        return None
    stream.write(f"{question}\nContinue? [y/N] ")
    stream.flush()
    return stdin.readline().strip().lower() in ("y", "yes")


def require_consent(
    screen: str, *, yes: bool, stop: str = "ctrl+alt+q", stdin: TextIO | None = None, stream: TextIO | None = None
) -> None:
    """Ask before the agent uses mouse and keyboard of a screen that somebody sees, unless ``yes``.

    Raises:
        UsageError: the answer was no, or there is no terminal to ask in.
    """
    if yes:
        return
    answer = confirmed(
        f"The agent will use the mouse and the keyboard of {screen}. {stop}, or moving the pointer "
        "into a corner, stops it at once.",
        stdin,
        stream,
    )
    if answer is None:
        raise UsageError(f"the agent would use {screen} and there is no terminal to ask in; allow it with --yes")
    if not answer:
        raise UsageError(f"{screen} was not allowed to the agent; nothing was done")
