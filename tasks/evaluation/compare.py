"""Two evaluations side by side, paired by task and seed."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.progress import track
from rich.text import Text

from ...actions.errors import UsageError
from ...env.trajectory.trajectory import FILE_NAME, Trajectory
from ..report import REPORT_NAME, write_report
from .console import percent
from .folder import differences, read_evaluation
from .paired import PairedDifference, difference_interval, sign_test
from .records import EpisodeRecord, Key

NameT = TypeVar("NameT", bound=Hashable)
_SHOWN = 20
"""Regressions that are printed; all are in the JSON."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)


class Flip(_Data):
    """An episode that one of the two solved and the other did not, with both reports."""

    task: str
    seed: int
    a: str
    b: str

    @property
    def reports(self) -> tuple[Path, Path]:
        """A's and B's; written by ``write_reports``."""
        return Path(self.a), Path(self.b)


class Comparison(_Data):
    """What B does otherwise than A.

    Attributes:
        pairs: episodes with a result in both.
        a: success rate of A on the pairs.
        b: of B.
        difference: ``b - a``.
        interval: of the difference, 95 %, by clusters of tasks; None for a single pair.
        won: pairs that only B solved.
        lost: pairs that only A solved.
        both: pairs that both solved.
        neither: pairs that nobody solved.
        p_value: of McNemar's exact test, as if all pairs were independent.
        steps_difference: mean of B's steps less A's where both succeeded; None where there is no such pair.
        unpaired: episodes with a result in only one of them.
        regressions: the lost ones.
        improvements: the won ones.
        differs: what else differs between the two configurations.
    """

    pairs: int
    a: float
    b: float
    difference: float
    interval: PairedDifference | None
    won: int
    lost: int
    both: int
    neither: int
    p_value: float
    steps_difference: float | None
    unpaired: int
    regressions: list[Flip]
    improvements: list[Flip]
    differs: list[str]


def compare(a: Path, b: Path) -> Comparison:
    """Compare two evaluations' folders; finished or not, what both have results for counts.

    Raises:
        UsageError: one is no evaluation, or they have no episode in common.
    """
    pinned_a, records_a = read_evaluation(a)
    pinned_b, records_b = read_evaluation(b)
    first, second = _scored(records_a), _scored(records_b)
    common = [key for key in first if key in second]
    if pinned_a.asked["suite"] != pinned_b.asked["suite"] or not common:
        raise UsageError(f"{a} and {b} have no episode of the same task and seed in common")
    both = [key for key in common if first[key].success and second[key].success]
    steps = [second[key].steps - first[key].steps for key in both]
    return contrast(
        {key: _solved(record) for key, record in first.items()},
        {key: _solved(record) for key, record in second.items()},
        task=lambda key: key.task,
        flip=lambda key: _flip(key, a, b),
        steps_difference=sum(steps) / len(steps) if steps else None,
        differs=differences({**pinned_a.asked, **pinned_a.settings}, {**pinned_b.asked, **pinned_b.settings}),
    )


def contrast(
    first: Mapping[NameT, float],
    second: Mapping[NameT, float],
    *,
    task: Callable[[NameT], str],
    flip: Callable[[NameT], Flip],
    steps_difference: float | None,
    differs: list[str],
) -> Comparison:
    """What two runs' scores say, paired by name; there is at least one pair.

    Args:
        first: A's scores, 0 to 1.
        second: B's.
        task: what a name belongs to; names of one task resemble each other.
        flip: how a pair that was won or lost is shown.
        steps_difference: see ``Comparison``.
        differs: likewise.
    """
    gains = {name: second[name] - first[name] for name in first if name in second}
    by_task: dict[str, list[float]] = defaultdict(list)
    for name, gain in gains.items():
        by_task[task(name)].append(gain)
    won = [name for name, gain in gains.items() if gain > 0]
    lost = [name for name, gain in gains.items() if gain < 0]
    both = sum(gain == 0 and first[name] > 0 for name, gain in gains.items())
    rate_a, rate_b = (sum(side[name] for name in gains) / len(gains) for side in (first, second))
    return Comparison(
        pairs=len(gains),
        a=rate_a,
        b=rate_b,
        difference=rate_b - rate_a,
        interval=difference_interval(by_task),
        won=len(won),
        lost=len(lost),
        both=both,
        neither=len(gains) - len(won) - len(lost) - both,
        p_value=sign_test(len(won), len(lost)),
        steps_difference=steps_difference,
        unpaired=len(first.keys() ^ second.keys()),
        regressions=[flip(name) for name in lost],
        improvements=[flip(name) for name in won],
        differs=differs,
    )


def compare_and_print(a: Path, b: Path, *, json_output: bool) -> None:
    """Compare, and print a table or one line of JSON.

    Raises:
        UsageError: they cannot be compared, or a report cannot be written.
        TrajectoryError: a trajectory was changed meanwhile.
    """
    comparison = compare(a, b)
    write_reports([*comparison.regressions, *comparison.improvements])
    if json_output:
        sys.stdout.write(comparison.model_dump_json() + "\n")
        return
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    for line in told(comparison):
        console.print(line)
    for flip in comparison.regressions[:_SHOWN]:
        console.print(Text(f"lost: {flip.task} seed {flip.seed}"))
        for side, report in zip("AB", flip.reports, strict=True):
            console.print(Text(f"  {side} {report}", style=f"dim link {report.resolve().as_uri()}"))
    if (more := len(comparison.regressions) - _SHOWN) > 0:
        console.print(Text(f"and {more} more; --json lists all", style="dim"))


def write_reports(flips: Sequence[Flip]) -> None:
    """Write the reports that are linked to, but for those that are newer than their trajectory.

    Raises:
        UsageError: one cannot be written.
        TrajectoryError: a trajectory cannot be read.
    """
    paths = [report for flip in flips for report in flip.reports]
    stale = [path for path in paths if _older(path, path.with_name(FILE_NAME))]
    console = Console(stderr=True)
    for path in track(stale, "reports", console=console, transient=True, disable=not console.is_terminal):
        write_report(Trajectory.load(path.parent), path)


def _older(file: Path, than: Path) -> bool:
    return not file.exists() or file.stat().st_mtime_ns < than.stat().st_mtime_ns


def told(found: Comparison) -> list[Text]:
    """A comparison in lines: the difference, what it is made of, what else differs."""
    interval = (
        "" if found.interval is None else " [{:+.1f}, {:+.1f}]".format(*(100 * x for x in found.interval))
    )
    head = f"B - A: {100 * found.difference:+.1f}{interval} points over {found.pairs} pairs"
    rates = f"A {percent(found.a)}   B {percent(found.b)}   p {found.p_value:.3g}"
    counts = f"won {found.won}   lost {found.lost}   both {found.both}   neither {found.neither}"
    lines = [
        Text(head, style="bold"),
        Text(f"{rates}   {counts}"),
    ]
    if found.unpaired:
        lines.append(Text(f"{found.unpaired} episodes have a result in only one of them", style="yellow"))
    return lines + [Text(f"differs: {each}", style="dim") for each in found.differs]


def _scored(records: Sequence[EpisodeRecord]) -> dict[Key, EpisodeRecord]:
    return {record.key: record for record in records if record.error is None}


def _solved(record: EpisodeRecord) -> int:
    return int(record.success is True)


def _flip(key: Key, a: Path, b: Path) -> Flip:
    paths = [str(key.folder(root) / REPORT_NAME) for root in (a, b)]
    return Flip(task=key.task, seed=key.seed, a=paths[0], b=paths[1])
