"""Asks the person at the terminal what the guard wants to know."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ...actions.choices import one_of
from ...env.control import Control
from ...env.guard.asking import Answer, Asker, OnAsk, Question, unattended
from ...env.guard.grants import Grants
from ...env.guard.guard import Guard
from ...env.guard.policy import GuardPolicy
from ...env.private_files import write_private

ON_ASK: Final[tuple[OnAsk, ...]] = ("deny", "allow", "exit")
_ANSWERS: Final[dict[str, Answer]] = {
    **dict.fromkeys(("y", "yes", "once", "o", "1"), "once"),
    **dict.fromkeys(("r", "run", "2"), "run"),
    **dict.fromkeys(("a", "always", "3"), "always"),
    **dict.fromkeys(("n", "no", "", "4"), "no"),
}


class TerminalAsker:
    """Asks through the run's control, which reads answers from the terminal; nobody there means no.

    Args:
        control: of the run.
        folder: where the picture of each question is put.
    """

    def __init__(self, control: Control, folder: Path) -> None:
        self._control = control
        self._folder = folder
        self._asked = 0

    def __call__(self, question: Question) -> Answer:
        """Ask until the answer is one; raises ``Stopped`` where the person stops the run instead."""
        if not self._control.attended:
            return "no"
        self._asked += 1
        picture = self._folder / f"question-{self._asked}.png"
        write_private(picture, question.png())
        lasting = f", a always on {question.place}" if question.place else ""
        words = f"{question}\n{picture}\ny this once, r in this run{lasting}, n no"
        while True:
            answer = _ANSWERS.get(self._control.ask(words, change="permission").strip().lower())
            if answer is not None:
                return answer


def make_guard(policy: GuardPolicy, on_ask: OnAsk | Asker | None, control: Control, folder: Path) -> Guard:
    """A guard whose questions go to whom ``on_ask`` says; by default to the person at the terminal."""
    if isinstance(on_ask, str):
        ask: Asker = unattended(on_ask)
    else:
        ask = on_ask or TerminalAsker(control, folder)
    return Guard(policy, ask=ask, grants=Grants())


def parse_on_ask(text: str | None) -> OnAsk | None:
    """What ``--on-ask`` says; raises ``UsageError`` for what it cannot."""
    return None if text is None else one_of(text, ON_ASK, "answer", "--on-ask")
