"""Text by way of the clipboard, which is put back afterwards: for what no key can say, and for much of it."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ..control import Control
from .connection import Connection
from .focus import Focus
from .selection import Contents, SelectionReader, contents_to_json, text_contents
from .selection_owner import Offer, SelectionOwner

_READ_TIME = 1.0
_FETCH_TIME = 5.0
_ONCE_MORE = 2.0
_AFTER_STOP = 0.05
_QUIET = 0.2
_GAPS = 6
_LOOK = 0.02


class Paste(NamedTuple):
    """How a program is made to paste.

    Attributes:
        keys: the chord it listens to.
        selection: what it then fetches.
        fetches: how often it does so.
        questions: how often it asks after that whether all is still there; if not, it pastes nothing.
    """

    keys: tuple[str, ...]
    selection: str
    fetches: int = 1
    questions: int = 0


_BROWSERS = re.compile(r"chrom|firefox|brave|edge|vivaldi|opera|navigator|epiphany|falkon")
_CHROMIUM = Paste(("ctrl", "v"), "CLIPBOARD", fetches=2, questions=4)
_USUAL = Paste(("ctrl", "v"), "CLIPBOARD")
_TERMINAL = Paste(("ctrl", "shift", "v"), "CLIPBOARD")
_OLD_TERMINAL = Paste(("shift", "insert"), "PRIMARY")
_OLD_TERMINALS = frozenset(("xterm", "uxterm", "urxvt", "rxvt", "st", "st-256color"))
_TERMINALS = frozenset(
    (
        *(
            "gnome-terminal",
            "gnome-terminal-server",
            "org.gnome.terminal",
            "konsole",
            "xfce4-terminal",
            "kitty",
        ),
        *("lxterminal", "mate-terminal", "terminator", "tilix", "alacritty", "foot", "qterminal", "guake"),
        *("terminology", "sakura", "roxterm", "deepin-terminal", "kgx", "org.wezfurlong.wezterm", "ghostty"),
    )
)


def is_terminal(program: str) -> bool:
    """Whether every line that a kind of program gets is a command, run by the Enter key."""
    return program in _TERMINALS or program in _OLD_TERMINALS


def is_browser(program: str) -> bool:
    """Whether a kind of program leaves a text field at a tab."""
    return bool(_BROWSERS.search(program))


def paste_of(program: str) -> Paste:
    """How a kind of program (``WM_CLASS``, in lower case) pastes."""
    if program in _OLD_TERMINALS:
        return _OLD_TERMINAL
    if "chrom" in program:
        return _CHROMIUM
    return _TERMINAL if program in _TERMINALS else _USUAL


class Clipboard:
    """Pastes text into the program with the focus.

    Args:
        connection: to the server.
        control: ends every wait.
        focus: the program that is pasted into.
        press: presses a chord.
    """

    def __init__(
        self,
        connection: Connection,
        control: Control,
        focus: Focus,
        press: Callable[[tuple[str, ...]], None],
    ) -> None:
        self._connection = connection
        self._control = control
        self._focus = focus
        self._press = press
        self._owner: SelectionOwner | None = None
        self._kept: dict[str, Contents] = {}

    @contextmanager
    def lent(self) -> Iterator[Callable[[str], bool]]:
        """Gives a function that pastes, and says whether the program has fetched it.

        The clipboard is as before when it is over, however it ends.

        Raises:
            Stopped: a stop was asked for.
        """
        way = paste_of(self._focus.program())
        owner = self._owner = self._owner or SelectionOwner(self._connection.name)
        former = self._former(way.selection)
        try:
            yield lambda text: self._paste(text, way, owner)
        finally:
            owner.offer(way.selection, former)
            self._kept[way.selection] = former

    def close(self) -> None:
        """Hand what is still offered to a process of its own, which ends when another program copies."""
        if self._owner is None:
            return
        with contextlib.suppress(*self._connection.gone):
            for selection, contents in self._kept.items():
                if contents and self._is_ours(selection):
                    _leave(self._connection.name, selection, contents)
        self._owner.close()
        self._owner = None

    def _former(self, selection: str) -> Contents:
        if self._is_ours(selection):
            return self._kept.get(selection, {})
        reader = SelectionReader(self._connection)
        try:
            return reader.read(selection, _READ_TIME)
        finally:
            reader.close()

    def _is_ours(self, selection: str) -> bool:
        owner = self._connection.display.get_selection_owner(self._connection.atom(selection))
        return self._owner is not None and not isinstance(owner, int) and owner.id == self._owner.window

    def _paste(self, text: str, way: Paste, owner: SelectionOwner) -> bool:
        self._control.check()
        offer = owner.offer(way.selection, text_contents(text))
        self._focus.settle()
        window = self._focus.window()
        self._press(way.keys)
        if not self._wait_for(offer, 0 if window is None else window.id, way):
            return False
        self._focus.settle()
        return True

    def _wait_for(self, offer: Offer, window: int, way: Paste) -> bool:
        """Whether the program of a window has got it, however slow the machine is.

        It stays until nobody has asked for a while that is long compared with how they asked before.
        """
        asked, gap, known = time.monotonic(), 0.0, 0
        while (silent := time.monotonic() - asked) < self._patience(self._answered(offer, window), way, gap):
            if offer.wait(known, _LOOK):
                now, known = time.monotonic(), len(offer.answers)
                gap, asked = max(gap, now - asked), now
            elif self._control.stopped and silent > _AFTER_STOP:
                self._control.check()
        return any(whole for whole in self._answered(offer, window))

    def _patience(self, answers: list[bool], way: Paste, gap: float) -> float:
        """How long a silence is the end; a program that asks on has not got enough with one answer."""
        fetches, questions = sum(answers), answers[::-1].index(True) if any(answers) else 0
        if fetches < way.fetches:
            return _FETCH_TIME
        if questions < way.questions or (fetches == 1 and questions):
            return _ONCE_MORE
        return min(max(_QUIET, _GAPS * gap), _ONCE_MORE)

    def _answered(self, offer: Offer, window: int) -> list[bool]:
        """What one program was answered; clipboard managers ask, too.

        Windows of one program have numbers from one range.
        """
        program = ~int(self._connection.display.display.info.resource_id_mask)
        return [whole for each, whole in offer.answers if each & program == window & program]


def _leave(display: str, selection: str, contents: Contents) -> None:
    """Let another process offer a selection from now on."""
    keeper = subprocess.Popen(
        [sys.executable, "-m", f"{__package__}.selection_owner", display, selection],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    with keeper.stdin, keeper.stdout, contextlib.suppress(BrokenPipeError):
        keeper.stdin.write(contents_to_json(contents))
        keeper.stdin.close()
        keeper.stdout.readline()  # until it offers it
    keeper.returncode = 0  # it lives on by itself; nobody waits for its end
