"""Pasting into the program with the focus: how each kind does it, and when it has fetched the text."""

from __future__ import annotations

import re
import time
from typing import NamedTuple

from .keys import press_chord
from .selection import text_contents
from .selection_owner import Offer
from .session import X11Session

# All but the gaps in seconds.
_FETCH_TIMEOUT = 5.0
_REPEAT_TIMEOUT = 2.0
_STOP_GRACE = 0.05
_QUIET = 0.2
_QUIET_GAPS = 6
_POLL = 0.02


class Paste(NamedTuple):
    """How a program pastes.

    Attributes:
        keys: the chord for it.
        selection: what the program then fetches.
        fetches: how often.
        questions: how often it asks afterwards whether the selection is unchanged; if not, it pastes nothing.
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
_TERMINAL_NAMES = """
    alacritty deepin-terminal foot ghostty gnome-terminal gnome-terminal-server guake kgx kitty konsole
    lxterminal mate-terminal org.gnome.terminal org.wezfurlong.wezterm qterminal roxterm sakura terminator
    terminology tilix xfce4-terminal
"""
_TERMINALS = frozenset(_TERMINAL_NAMES.split())


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


def paste(session: X11Session, text: str) -> bool:
    """Paste text; returns whether the program with the focus has fetched it."""
    way = paste_of(session.focus.program())
    session.control.check()
    offer = session.clipboard.offer(way.selection, text_contents(text))
    session.focus.settle()
    window = session.focus.window()
    press_chord(session, way.keys)
    if not _wait_for(session, offer, 0 if window is None else window.id, way):
        return False
    session.focus.settle()
    return True


def _wait_for(session: X11Session, offer: Offer, window: int, way: Paste) -> bool:
    """Whether the program of a window has fetched an offer, however slow the machine is.

    Waits until there were no requests for a time that is long compared with the gaps before.
    """
    asked, gap, known = time.monotonic(), 0.0, 0
    while (silent := time.monotonic() - asked) < _timeout(_answers(session, offer, window), way, gap):
        if offer.wait(known, _POLL):
            now, known = time.monotonic(), len(offer.answers)
            gap, asked = max(gap, now - asked), now
        elif session.control.stopped and silent > _STOP_GRACE:
            session.control.check()
    return any(_answers(session, offer, window))


def _timeout(answers: list[bool], way: Paste, gap: float) -> float:
    """The silence that ends the wait; a program that goes on asking needs more than one answer."""
    fetches, questions = sum(answers), answers[::-1].index(True) if any(answers) else 0
    if fetches < way.fetches:
        return _FETCH_TIMEOUT
    if questions < way.questions or (fetches == 1 and questions):
        return _REPEAT_TIMEOUT
    return min(max(_QUIET, _QUIET_GAPS * gap), _REPEAT_TIMEOUT)


def _answers(session: X11Session, offer: Offer, window: int) -> list[bool]:
    """Which answers to one program were whole; clipboard managers ask, too.

    Windows of one program have numbers from one range.
    """
    program = ~int(session.display.display.info.resource_id_mask)
    return [whole for each, whole in offer.answers if each & program == window & program]
