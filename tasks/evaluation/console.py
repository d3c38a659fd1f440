"""An evaluation in the terminal: live progress with the time left, and the result as tables."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ..terminal.narrator import plural
from .evaluate import Watcher
from .price import cost_line
from .records import EpisodeRecord, Key
from .stats import Interval
from .summary import Summary, rate_interval
from .workers.worker import EpisodeFailed

_SHOWN = 8
"""Finished episodes that stay on the screen."""
_QUIET = 15.0
"""Seconds between two lines where stderr is no terminal."""


class EvalProgress(Watcher):
    """A watcher that prints to stderr: live in a terminal, else a line now and then."""

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._clock = clock
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._scores: dict[str, list[float]] = {}
        self._latest: deque[EpisodeRecord] = deque(maxlen=_SHOWN)
        self._running: Mapping[Key, float] = {}
        self._total = self._known = self._done = self._errors = 0
        self._begun = self._printed = clock()

    def __enter__(self) -> EvalProgress:
        """Take over the terminal's last lines."""
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def begin(self, total: int, records: Sequence[EpisodeRecord]) -> None:
        """Say how much there is to do."""
        self._total, self._known = total, len(records)
        self._begun = self._clock()
        for record in records:
            self._count(record)
        known = f", {self._known} of them already done" if records else ""
        self._console.print(Text(f"{total} episodes{known}", style="dim"))

    def finished(self, record: EpisodeRecord) -> None:
        """Count it in."""
        self._count(record)
        self._latest.append(record)

    def failed(self, failure: EpisodeFailed, again: bool) -> None:
        """Say what broke."""
        then = "it is tried again" if again else "given up"
        line = f"{failure.key}: {failure.error}: {failure.message}; {then}"
        self._console.print(Text(line, style="yellow"), soft_wrap=True)

    def left_out(self, reason: str) -> None:
        """Say which row or picture cannot be used."""
        self._console.print(Text(f"left out: {reason}", style="yellow"), soft_wrap=True)

    def tick(self, running: Mapping[Key, float]) -> None:
        """Draw anew."""
        self._running = running
        if self._console.is_terminal:
            self._live.update(self._picture(), refresh=True)
        elif self._clock() - self._printed >= _QUIET:
            self._printed = self._clock()
            self._console.print(self._headline())

    def _count(self, record: EpisodeRecord) -> None:
        self._done += 1
        self._errors += record.error is not None
        if record.scored:
            task = "" if record.task == record.sample else record.task
            self._scores.setdefault(task, []).append(record.score)

    def _picture(self) -> Group:
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for record in self._latest:
            table.add_row(*_row(record))
        for key, seconds in self._running.items():
            table.add_row("...", str(key), f"{seconds:.0f} s", style="dim")
        bar = ProgressBar(total=max(1, self._total), completed=self._done, width=60)
        return Group(table, bar, self._headline())

    def _headline(self) -> Text:
        line = Text(f"{self._done}/{self._total} episodes")
        scored = sum(map(len, self._scores.values()))
        if scored:
            rate = sum(map(sum, self._scores.values())) / scored
            line.append(f"   success {percent(rate)} {span(rate_interval(self._scores))}", "bold")
        if self._errors:
            line.append(f"   {self._errors} errors", "yellow")
        return line.append(self._left(), "dim")

    def _left(self) -> str:
        new, seconds = self._done - self._known, self._clock() - self._begun
        if not new:
            return "   starting"
        left = (self._total - self._done) * seconds / new
        return f"   {60 * new / seconds:.1f} a minute   {duration(left)} left"


def _row(record: EpisodeRecord) -> tuple[str, str, str, str]:
    mark = "!" if record.error else "+" if record.success else "-"
    how = f"{record.error or record.end or ''}, {record.steps} steps".removeprefix(", ")
    return mark, str(record.key), f"{record.seconds:.1f} s", how


def percent(rate: float | None) -> str:
    """``0.5`` as ``50.0 %``; a dash for None."""
    return "-" if rate is None else f"{100 * rate:.1f} %"


def span(interval: Interval | None) -> str:
    """An interval in percent: ``[40.1, 59.9]``."""
    return "" if interval is None else f"[{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


def duration(seconds: float) -> str:
    """``75`` as ``1:15``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def print_summary(summary: Summary, where: str, to: Console | None = None) -> None:
    """The result as tables: by task, or for recorded screens by part of the rule and by label."""
    console = to or Console(file=sys.stdout, highlight=False)
    console.print(_breakdown(summary) if summary.by else _task_table(summary))
    console.print(Text(headline(summary), style="bold"))
    if summary.errors:
        shown = ", ".join(f"{kind} {count}" for kind, count in summary.errors.items())
        alternative = percent(summary.success_if_errors_fail)
        console.print(Text(f"errors: {shown}; counted as failures, success is {alternative}", style="yellow"))
    for phase in ("predict", "act", "settle", "capture"):
        if (spent := summary.latency.get(phase)) is not None:
            console.print(Text(f"{phase:<8} p50 {spent.p50:.0f} ms   p90 {spent.p90:.0f} ms", style="dim"))
    if any(summary.tokens.values()):
        used = f"tokens   {summary.tokens['prompt']:,} read, {summary.tokens['reply']:,} written"
        console.print(Text(used, style="dim"))
    if summary.cost is not None:
        console.print(Text(cost_line(summary.cost), style="dim"))
    console.print(Text(where, style="dim"), soft_wrap=True)


def headline(summary: Summary) -> str:
    """The result in one line, with its denominator."""
    missing = summary.planned - summary.episodes
    over = f", mean over {summary.average}" if summary.by else ""
    return (
        f"success {percent(summary.success)} {span(summary.interval)}{over} of {plural(summary.scored, 'episode')} "
        f"of {plural(sum(each.episodes > 0 for each in summary.per_task.values()), 'task')}"
        + (f"; {missing} of {summary.planned} have yet to be run" if missing else "")
    )


def _table(first: str, *heads: str) -> Table:
    """At most 80 columns wide: long names go on in the next line, numbers stay whole."""
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold")
    for head in heads:
        table.add_column(head, no_wrap=True)
    return table


def _task_table(summary: Summary) -> Table:
    table = _table("task", "success", "95 %", "episodes", "errors", "reward", "steps")
    for task, each in summary.per_task.items():
        if each.episodes:
            reward = "-" if each.mean_reward is None else f"{each.mean_reward:.2f}"
            steps = "-" if each.steps is None else f"{each.steps:.1f}"
            counts = str(each.episodes), str(each.errors or "")
            table.add_row(task, percent(each.success), span(each.interval), *counts, reward, steps)
    return table


def _breakdown(summary: Summary) -> Table:
    table = _table("", "success", "95 %", "n")
    rates = dict(summary.parts)
    if summary.tasks is not None:
        rates["tasks with every step right"] = summary.tasks
    for label, values in summary.by.items():
        rates |= {f"{label}: {value}": rate for value, rate in values.items()}
    for name, rate in rates.items():
        table.add_row(name, percent(rate.score), span(rate.interval), str(rate.n))
    return table
