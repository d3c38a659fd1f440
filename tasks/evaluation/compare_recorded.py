"""Two evaluations on recorded screens side by side, paired by sample."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from ...actions.errors import UsageError
from .compare import Comparison, Flip, contrast, told
from .folder import differences
from .recorded.records import FAILED, HEADER, RECORDS, SampleRecord, read_run

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
    return contrast(
        {name: record.value for name, record in first.items()},
        {name: record.value for name, record in second.items()},
        task=lambda name: first[name].task,
        flip=lambda name: _flip(name, a, b),
        steps_difference=None,
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


def _answered(records: dict[str, SampleRecord]) -> dict[str, SampleRecord]:
    return {name: record for name, record in records.items() if record.error != FAILED}


def _flip(name: str, a: Path, b: Path) -> Flip:
    return Flip(task=name, seed=0, a=str(a / RECORDS), b=str(b / RECORDS))
