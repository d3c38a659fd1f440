"""Two evaluations on recorded screens side by side, paired by sample."""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ..actions.errors import UsageError
from .compare import Comparison, Flip, told
from .eval_folder import differences
from .paired import difference_interval, sign_test
from .suites.store import FAILED, HEADER, RECORDS, Record, read_run

_SHOWN = 20
"""Lost samples that are printed; all are in the JSON."""


def holds_recorded(root: Path) -> bool:
    """Whether a folder is of an evaluation on recorded screens."""
    return (root / HEADER).is_file()


def compare_recorded(a: Path, b: Path) -> Comparison:
    """Compare two evaluations' folders; finished or not, what both have an answer for counts.

    A pair is won or lost where one answer is worth more than the other; ``both`` are pairs of equal worth
    above 0. ``a`` and ``b`` are means over the pairs, whatever the suite's headline is the mean of.

    Raises:
        UsageError: one is no such evaluation, or they have no sample in common.
    """
    (header_a, records_a), (header_b, records_b) = read_run(a), read_run(b)
    first, second = _answered(records_a), _answered(records_b)
    common = [name for name in first if name in second]
    if header_a.get("suite") != header_b.get("suite") or not common:
        raise UsageError(f"{a} and {b} have no sample of the same suite in common")
    gains = {name: second[name].value - first[name].value for name in common}
    by_task: dict[str, list[float]] = defaultdict(list)
    for name, gain in gains.items():
        by_task[first[name].task].append(gain)
    won = [name for name, gain in gains.items() if gain > 0]
    lost = [name for name, gain in gains.items() if gain < 0]
    both = sum(gain == 0 and first[name].value > 0 for name, gain in gains.items())
    rate_a, rate_b = (sum(side[name].value for name in common) / len(common) for side in (first, second))
    return Comparison(
        pairs=len(common),
        a=rate_a,
        b=rate_b,
        difference=rate_b - rate_a,
        interval=difference_interval(by_task),
        won=len(won),
        lost=len(lost),
        both=both,
        neither=len(common) - len(won) - len(lost) - both,
        p_value=sign_test(len(won), len(lost)),
        steps_difference=None,
        unpaired=len(first.keys() ^ second.keys()),
        regressions=[_flip(name, a, b) for name in lost],
        improvements=[_flip(name, a, b) for name in won],
        differs=differences(header_a, header_b),
    )


def compare_recorded_and_print(a: Path, b: Path, *, json_output: bool) -> None:
    """Compare, and print a table or one line of JSON.

    Raises:
        UsageError: they cannot be compared.
    """
    comparison = compare_recorded(a, b)
    if json_output:
        sys.stdout.write(comparison.model_dump_json() + "\n")
        return
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    for line in told(comparison):
        console.print(line)
    for flip in comparison.regressions[:_SHOWN]:
        console.print(Text(f"lost: {flip.task}"))
    if (more := len(comparison.regressions) - _SHOWN) > 0:
        console.print(Text(f"and {more} more; --json lists all", style="dim"))


def _answered(records: dict[str, Record]) -> dict[str, Record]:
    return {name: record for name, record in records.items() if record.error != FAILED}


def _flip(name: str, a: Path, b: Path) -> Flip:
    return Flip(task=name, seed=0, a=str(a / RECORDS), b=str(b / RECORDS))
