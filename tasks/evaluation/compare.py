"""Two evaluations side by side, paired by task and seed, or by recorded screen."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer
from rich.console import Console
from rich.text import Text

from ...actions.errors import UsageError
from ...actions.untrusted import one_line
from ..report import REPORT_NAME
from ..terminal.narrator import plural
from .console import EvalProgress, percent
from .folder import differences, read_evaluation
from .page import PAGE_NAME
from .records import EpisodeRecord, Key
from .repeats import RepeatSpread, mean_scores, repeats_of, spread
from .repeats import repeat as run_repeats
from .results import write_reports
from .stats import Interval, difference_interval, sign_test

_UNSAID: list[tuple[str, object]] = [("unreadable", []), ("spread", None)]
_SHOWN = 20
"""Regressions that are printed; all are in the JSON."""


_ENOUGH = 6
"""Pairs below which nothing follows: of five, even 5 to 0 happens by chance once in 16 times."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True)


class Flip(_Data):
    """An episode that one of the two solved and the other did not; ``task`` is the id of a recorded screen.

    ``a`` and ``b`` are the paths of the two reports; of a recorded screen, of the two evaluations' pages.
    """

    task: str
    seed: int | None
    a: str
    b: str


class Comparison(_Data):
    """How B differs from A.

    A pair is won where B's result is better than A's, and lost where it is worse. ``a`` and ``b`` are means over the
    pairs, whatever the headline of a suite of recorded screens is the mean over.

    Attributes:
        pairs: episodes with a result in both.
        interval: of the difference, 95 %, by clusters of tasks; None where pairs or tasks are too few to say anything.
        both: equal pairs that both solved, at least in part; ``neither``, those that none solved.
        p_value: of McNemar's exact test, as if all pairs were independent.
        steps_difference: mean of B's steps less A's where both succeeded; None where there is no such pair.
        unreadable: why each record that cannot be read is not compared.
        unpaired: episodes with a result in only one of them.
        differs: the differences of the two configurations.
        spread: of A and of B, where they were repeated; the scores are then means over the repeats.
    """

    pairs: int
    a: float
    b: float
    difference: float
    interval: Interval | None
    won: int
    lost: int
    both: int
    neither: int
    p_value: float
    steps_difference: float | None
    unpaired: int
    regressions: list[Flip]
    improvements: list[Flip]
    unreadable: list[str] = []
    differs: list[str]
    spread: tuple[RepeatSpread, RepeatSpread] | None = None

    @model_serializer(mode="wrap")
    def _without_nothing(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in write(self).items() if (name, value) not in _UNSAID}


def compare(a: Path, b: Path, repeat: int = 1) -> Comparison:
    """Compare the episodes that two evaluations have in common, finished or not; UsageError where there are none.

    With ``repeat`` that many times of each are taken together, as ``repeats.repeat`` made them.
    """
    unreadable: list[str] = []
    config_a, records_a = read_evaluation(a, unreadable.append)
    config_b, records_b = read_evaluation(b, unreadable.append)
    first, second = (_scored(records) for records in (records_a, records_b))
    times = [_times(root, repeat, records, unreadable) for root, records in ((a, records_a), (b, records_b))]
    before, after = map(mean_scores, times)
    common = [key for key in first if key in second]
    if config_a.asked["suite"] != config_b.asked["suite"] or not common:
        raise UsageError(f"{a} and {b} have no episode of the same suite in common")
    gains = {key: after[key] - before[key] for key in common}
    by_task: dict[str, list[float]] = defaultdict(list)
    for key, gain in gains.items():
        by_task[first[key].task].append(gain)
    won = [key for key, gain in gains.items() if gain > 0]
    lost = [key for key, gain in gains.items() if gain < 0]
    both = sum(gain == 0 and before[key] > 0 for key, gain in gains.items())
    rate_a, rate_b = (sum(side[key] for key in common) / len(common) for side in (before, after))
    return Comparison(
        pairs=len(common),
        a=rate_a,
        b=rate_b,
        difference=rate_b - rate_a,
        interval=_interval(by_task),
        won=len(won),
        lost=len(lost),
        both=both,
        neither=len(common) - len(won) - len(lost) - both,
        p_value=sign_test(len(won), len(lost)),
        steps_difference=_steps_difference(first, second),
        unpaired=len(first.keys() ^ second.keys()),
        regressions=[_flip(key, a, b) for key in lost],
        improvements=[_flip(key, a, b) for key in won],
        unreadable=unreadable,
        differs=differences({**config_a.asked, **config_a.settings}, {**config_b.asked, **config_b.settings}),
        spread=(spread(times[0], common), spread(times[1], common)) if repeat > 1 else None,
    )


def _times(root: Path, repeat: int, first: list[EpisodeRecord], unreadable: list[str]) -> list[list[EpisodeRecord]]:
    """The records of an evaluation, and of its repeats."""
    others = repeats_of(root)[1:repeat]
    return [first, *(read_evaluation(each, unreadable.append)[1] for each in others)]


def compare_and_print(a: Path, b: Path, *, repeat: int = 1, json_output: bool) -> None:
    """Compare, write the reports of episodes that were won or lost, and print a table or one line of JSON."""
    if repeat > 1:
        for root in (a, b):
            run_repeats(root, repeat, EvalProgress)
    comparison = compare(a, b, repeat)
    flips = [*comparison.regressions, *comparison.improvements]
    write_reports(Path(report).parent for flip in flips if flip.seed is not None for report in (flip.a, flip.b))
    if json_output:
        sys.stdout.write(comparison.model_dump_json() + "\n")
        return
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    for line in comparison_lines(comparison):
        console.print(line)
    for flip in comparison.regressions[:_SHOWN]:
        console.print(Text(f"lost: {Key(flip.task, flip.seed)}"))
        for side, report in (("A", flip.a), ("B", flip.b)):
            console.print(Text(f"  {side} {report}", style=f"dim link {Path(report).resolve().as_uri()}"))
    if (more := len(comparison.regressions) - _SHOWN) > 0:
        console.print(Text(f"and {more} more; --json lists all", style="dim"))


def comparison_lines(found: Comparison) -> list[Text]:
    """A comparison in lines: the difference, what it is made of, what else differs."""
    interval = "" if found.interval is None else " [{:+.1f}, {:+.1f}]".format(*(100 * x for x in found.interval))
    few = "; too few pairs or tasks for an interval" if found.interval is None else ""
    over = plural(found.pairs, "pair")
    head = f"B - A: {100 * found.difference:+.1f}{interval} points over {over}{few}"
    rates = f"A {percent(found.a)}   B {percent(found.b)}   p {found.p_value:.3g}"
    counts = f"won {found.won}   lost {found.lost}   both {found.both}   neither {found.neither}"
    lines = [Text(head, style="bold"), Text(f"{rates}   {counts}")]
    for name, each in zip("AB", found.spread or (), strict=False):
        rates = ", ".join(percent(rate) for rate in each.rates)
        apart = "" if each.deviation is None else f"; standard deviation {100 * each.deviation:.1f} points"
        lines.append(Text(f"{name} {len(each.rates)} times: {rates}{apart}"))
    if found.unpaired:
        alone = "1 episode has" if found.unpaired == 1 else f"{found.unpaired} episodes have"
        lines.append(Text(f"{alone} a result in only one of them", style="yellow"))
    lines += [Text(one_line(f"left out: {each}"), style="yellow") for each in found.unreadable]
    return lines + [Text(f"differs: {each}", style="dim") for each in found.differs]


def _interval(by_task: Mapping[str, Sequence[float]]) -> Interval | None:
    """The interval of the difference; None where it would be a guess, or wider than all that is possible."""
    found = difference_interval(by_task)
    few = sum(map(len, by_task.values())) < _ENOUGH
    return None if few or found is None or found.low < -1 or found.high > 1 else found


def _scored(records: list[EpisodeRecord]) -> dict[Key, EpisodeRecord]:
    return {record.key: record for record in records if record.scored}


def _steps_difference(first: dict[Key, EpisodeRecord], second: dict[Key, EpisodeRecord]) -> float | None:
    both = [key for key in first if key.seed is not None and key in second]
    solved = [key for key in both if first[key].success and second[key].success]
    steps = [second[key].steps - first[key].steps for key in solved]
    return sum(steps) / len(steps) if steps else None


def _flip(key: Key, a: Path, b: Path) -> Flip:
    paths = [root / PAGE_NAME if key.seed is None else key.folder(root) / REPORT_NAME for root in (a, b)]
    return Flip(task=key.task, seed=key.seed, a=str(paths[0]), b=str(paths[1]))
