"""Puts what was collected into a dataset, with progress on the way."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ...agent.training.dataset.folder import Dataset
from ...agent.training.dataset.records import AttemptOutcome, DatasetAttempt, KeptEpisode
from ..terminal.narrator import plural

_QUIET = 15.0
"""Seconds between two lines where stderr is no terminal."""


@dataclass(frozen=True)
class CollectedEpisodes:
    """What came of one attempt: of a run, a task with a seed, a page.

    Attributes:
        origin: what the attempt is called; nothing is collected from it twice.
        task: as its environment is named.
        kept: its episodes, the one with this origin first.
        outcome: ``failed`` or ``unjudged`` where there are none.
    """

    origin: str
    task: str
    kept: tuple[KeptEpisode, ...] = ()
    outcome: AttemptOutcome = "failed"


@dataclass
class CollectTotals:
    """What one collection has done so far.

    Attributes:
        attempts: how many were looked at.
        stored: episodes that are new.
        duplicates: equal ones that were there already.
        failed: attempts that did not achieve their task.
        unjudged: attempts of which nobody said whether they did.
        left_out: why something could not be read.
    """

    attempts: int = 0
    stored: int = 0
    duplicates: int = 0
    failed: int = 0
    unjudged: int = 0
    left_out: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        words = [f"{plural(self.attempts, 'attempt')}: {plural(self.stored, 'new episode')}"]
        words += [plural(self.duplicates, "duplicate")] if self.duplicates else []
        words += [f"{self.failed} failed"] if self.failed else []
        words += [f"{self.unjudged} not judged"] if self.unjudged else []
        return ", ".join(words)


class CollectProgress:
    """Prints to stderr how a collection goes: live in a terminal, else a line now and then.

    Args:
        total: attempts in all; None where nobody knows.
        console: where to print.
        clock: seconds.
    """

    def __init__(
        self, total: int | None, console: Console | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total = total
        self._console = console or Console(stderr=True, highlight=False)
        self._clock = clock
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._begun = self._printed = clock()

    def __enter__(self) -> CollectProgress:
        """Take over the terminal's last line."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def note(self, line: str) -> None:
        """Print a line that stays."""
        self._console.print(Text(line, style="yellow"), soft_wrap=True)

    def tick(self, totals: CollectTotals) -> None:
        """Show how far it is."""
        line = Text(f"{totals}{self._left(totals.attempts)}", style="dim")
        if self._console.is_terminal:
            self._live.update(line, refresh=True)
        elif self._clock() - self._printed >= _QUIET:
            self._printed = self._clock()
            self._console.print(line)

    def _left(self, done: int) -> str:
        if self._total is None or not done:
            return ""
        left = (self._clock() - self._begun) / done * max(0, self._total - done)
        return f"; {done} of {self._total}, {left:.0f} s left"


def store(
    dataset: Dataset, found: Iterable[CollectedEpisodes], progress: CollectProgress, totals: CollectTotals
) -> None:
    """Add everything that is new, and count it; whatever stops it, what was added stays."""
    for each in found:
        totals.attempts += 1
        for kept in reversed(each.kept):  # the one that stands for the attempt comes last: it was all there then
            added = dataset.add(*kept)
            totals.stored += added
            totals.duplicates += not added
        if not each.kept:
            totals.failed += each.outcome == "failed"
            totals.unjudged += each.outcome == "unjudged"
        dataset.note(DatasetAttempt(origin=each.origin, task=each.task, outcome=each.outcome))
        progress.tick(totals)


def say(line: str) -> None:
    """A line for people."""
    sys.stderr.write(line + "\n")
