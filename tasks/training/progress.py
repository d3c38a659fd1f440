"""A training in the terminal: a line that is drawn anew, or lines now and then where stderr is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.text import Text

_BARS: Final = "▁▂▃▄▅▆▇█"
_WIDTH: Final = 60
_QUIET: Final = 5.0
"""Seconds between two lines where stderr is no terminal."""


class TrainProgress:
    """Shows the numbers of each step.

    Args:
        steps: in all.
        console: where to; by default stderr.
        clock: seconds.
    """

    def __init__(self, steps: int, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._steps = steps
        self._console = console or Console(stderr=True, highlight=False)
        self._clock = clock
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._losses: list[float] = []
        self._held: list[tuple[int, float]] = []
        self._begun, self._first, self._step = clock(), 0, 0
        self._printed = -_QUIET

    def begin(self, history: Sequence[Mapping[str, float]]) -> None:
        """Take over what was done before a training was interrupted."""
        for row in history:
            self._take(row)
        self._begun, self._first = self._clock(), self._step

    def __enter__(self) -> TrainProgress:
        """Take over the terminal's last lines."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def __call__(self, row: Mapping[str, float]) -> None:
        """Show one step or one measurement."""
        self._take(row)
        if self._console.is_terminal:
            bar = ProgressBar(total=max(1, self._steps), completed=self._step, width=_WIDTH)
            self._live.update(Group(Text(self._curve(), style="cyan"), bar, self._line()), refresh=True)
        elif self._clock() - self._printed >= _QUIET or "held_out" in row or self._step == self._steps:
            self._printed = self._clock()
            self._console.print(self._line())

    def _take(self, row: Mapping[str, float]) -> None:
        self._step = int(row["step"])
        if "loss" in row:
            self._losses.append(row["loss"])
        if "held_out" in row:
            self._held.append((self._step, row["held_out"]))

    def _line(self) -> Text:
        line = Text(f"step {self._step}/{self._steps}")
        if self._losses:
            recent = self._losses[-20:]
            line.append(f"   loss {sum(recent) / len(recent):.4f}", "bold")
        if self._held:
            best = min(self._held, key=lambda each: each[1])
            line.append(f"   held out {self._held[-1][1]:.4f} (best {best[1]:.4f} at {best[0]})")
        done = self._step - self._first
        if done:
            left = (self._clock() - self._begun) / done * (self._steps - self._step)
            line.append(f"   {left:.0f} s left", "dim")
        return line

    def _curve(self) -> str:
        """The losses as a row of bars."""
        if not self._losses:
            return ""
        every = max(1, len(self._losses) // _WIDTH)
        means = [sum(part) / len(part) for part in _parts(self._losses, every)][-_WIDTH:]
        low, high = min(means), max(means)
        return "".join(_BARS[round((each - low) / ((high - low) or 1.0) * (len(_BARS) - 1))] for each in means)


def _parts(values: Sequence[float], size: int) -> list[Sequence[float]]:
    return [values[start : start + size] for start in range(0, len(values), size)]
