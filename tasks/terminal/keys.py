"""Single keys in the terminal during a run: pause, step, resume, stop; and answers to its questions."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from ...env.control import Change, Control

KEYS = "p pause, s step, r resume, q stop"
_WHILE_PAUSED = "paused: s runs one step, r resumes, q stops"
_WHILE_ASKED = "act on the screen, type an answer if you have one, and press Enter to continue"
_POLL = 0.5
"""Seconds between two checks whether the terminal, used by another program meanwhile, is free again."""


@contextmanager
def terminal_keys(control: Control, note: Callable[[str, str], None], stream: TextIO | None = None) -> Iterator[None]:
    """Print changes of the run's state and read keys from the terminal, while the block runs.

    Where ``stream`` is no terminal, or the program runs in its background, no key is read and the run counts
    as unattended.

    Args:
        control: of the run.
        note: prints a line in a style.
        stream: the terminal; by default the standard input.
    """
    stream = stream or sys.stdin
    keys = _TerminalKeys(control, stream) if _in_front(stream) else None
    control.listen(lambda change, words: _print(note, change, words, at_terminal=keys is not None))
    if keys is None:
        yield
        return
    note(f"keys    {KEYS}", "dim")
    with keys.reading():
        yield


def _in_front(stream: TextIO) -> bool:
    """Whether it is a terminal with this program in its foreground; else its keys are for another program."""
    try:
        return hasattr(os, "tcgetpgrp") and os.tcgetpgrp(stream.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False


def _print(note: Callable[[str, str], None], change: Change, words: str, *, at_terminal: bool) -> None:
    lines: dict[Change, tuple[str, str]] = {
        "paused": (_WHILE_PAUSED if at_terminal else "paused", "bold yellow"),
        "stepping": ("one step", "yellow"),
        "resumed": ("resumed", "yellow"),
        "asked": (f"the agent asks you: {words or '(without words)'}", "bold yellow"),
        "permission": (words, "bold yellow"),
        "stopped": (words, "bold red"),
    }
    for line in lines[change][0].splitlines() or [""]:
        note(line, lines[change][1])
    if change == "asked":
        note(_WHILE_ASKED, "yellow")


class _TerminalKeys:
    """Reads a terminal key by key, and line by line while a question is open."""

    def __init__(self, control: Control, stream: TextIO) -> None:
        import termios

        self._control = control
        self._stream = stream
        self._terminal = stream.fileno()
        self._lines: list[Any] = termios.tcgetattr(self._terminal)
        self._woken, self._wake = os.pipe()
        self._ended = False
        self._thread = threading.Thread(target=self._read, name="terminal keys", daemon=True)
        self._calls: dict[str, Callable[[], None]] = {
            "p": control.pause,
            "s": control.step,
            "r": control.resume,
            "q": lambda: control.stop("stopped in the terminal"),
        }

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Read keys while the block runs; the terminal is as before afterwards."""
        self._control.attended = True
        self._control.listen(lambda change, words: self._wake_reader())
        self._thread.start()
        try:
            yield
        finally:
            self._ended = True
            self._wake_reader()
            self._thread.join()
            self._set(key_by_key=False)
            os.close(self._wake)
            os.close(self._woken)
            self._wake = -1

    def _wake_reader(self) -> None:
        """Have the reading thread check what changed."""
        if self._wake >= 0:
            os.write(self._wake, b".")

    def _read(self) -> None:
        try:
            while not self._ended:
                self._wait()
        except OSError:  # the terminal was closed
            if self._control.question is not None:
                self._control.stop("the terminal was closed while the agent waited for an answer")
        finally:
            self._control.attended = False

    def _wait(self) -> None:
        os.tcgetpgrp(self._terminal)  # OSError once it is closed, as under nohup, where the run goes on
        asked = self._control.question is not None
        sources = [self._woken]
        if _in_front(self._stream):
            self._set(key_by_key=not asked)
            sources.append(self._terminal)
        ready, _, _ = select.select(sources, [], [], _POLL)
        if self._woken in ready:
            os.read(self._woken, 4096)
        elif ready:
            typed = os.read(self._terminal, 4096).decode(errors="replace")
            if asked:
                self._control.answer(typed.strip())
            else:
                self._press(typed)

    def _press(self, typed: str) -> None:
        for key in typed.lower():
            if call := self._calls.get(key):
                call()

    def _set(self, *, key_by_key: bool) -> None:
        """Read single keys without echo, or whole lines; Ctrl-C works in both."""
        import termios
        import tty

        if not _in_front(self._stream):
            return
        with contextlib.suppress(termios.error):
            if bool(termios.tcgetattr(self._terminal)[3] & termios.ICANON) != key_by_key:
                return
            if key_by_key:
                tty.setcbreak(self._terminal, termios.TCSANOW)
            else:
                termios.tcsetattr(self._terminal, termios.TCSANOW, self._lines)
