"""What a person sees of an evaluation on recorded screens: how far it is, and a table at its end."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ...agent.policy import Policy, settings_of
from ..evaluation.price import Cost, cost_line
from ..evaluation.recorded.evaluate import RecordedProgress as Judged
from ..evaluation.recorded.evaluate import RecordedWatcher, evaluate_offline


def evaluate_with_progress(
    suite: str, data: Path | None, policies: Sequence[Policy], out: Path, limit: int | None
) -> dict[str, Any]:
    """Evaluate with progress on stderr.

    Args:
        suite: for this and all that follow, and for errors, see ``evaluate_offline``.
        data: where the files are.
        policies: whom to ask, all of the same model.
        out: folder of the records.
        limit: only the first so many samples.

    Returns:
        The summary.
    """
    policy, *others = policies
    settings = settings_of(policy).model_dump(mode="json")
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(suite, total=None)
        errors = 0

        def tell(judged: Judged) -> None:
            nonlocal errors
            errors += judged.record.error is not None
            said = f"{suite}, {errors} errors" if errors else suite
            bar.update(task, description=said, completed=judged.done, total=judged.total)

        def complain(line: str) -> None:
            console.print(Text(line, style="yellow"))

        watcher = RecordedWatcher(tell, complain)
        return evaluate_offline(suite, data, policy, out, limit, watcher, others=others, settings=settings)


def show(summary: Mapping[str, Any], *, json_output: bool) -> None:
    """The table on stdout, or on stderr where the last line of stdout is the summary as JSON."""
    print_summary(summary, Console(stderr=json_output, highlight=False, soft_wrap=json_output))
    if json_output:
        sys.stdout.write(json.dumps(summary) + "\n")


def print_summary(summary: Mapping[str, Any], console: Console) -> None:
    """The headline, its parts and its cuts as a table; what went wrong below it."""
    table = Table("what", "n", "score %", "95 % interval", title=summary["suite"])
    tasks = summary["tasks"]
    headline = {"n": summary["samples"], "score": summary["score"], "interval": summary["interval"]}
    table.add_row(f"mean over {summary['average']}", *_cells(headline), style="bold")
    for name, part in summary["parts"].items():
        table.add_row(name, *_cells(part))
    if tasks is not None:
        table.add_row("tasks with every step right", *_cells({**tasks, "score": tasks["success"]}))
    for label, values in summary["by"].items():
        table.add_section()
        for value, cell in values.items():
            table.add_row(f"{label}: {value}", *_cells(cell))
    console.print(table)
    tokens = summary["tokens"]
    if any(tokens.values()):
        console.print(Text(f"tokens: {tokens['prompt']:,} read, {tokens['reply']:,} written", style="dim"))
    if "cost" in summary:
        console.print(Text(cost_line(Cost.model_validate(summary["cost"])), style="dim"))
    for kind, count in summary["errors"].items():
        console.print(Text(f"{kind}: {count}", style="yellow"))


def _cells(cell: Mapping[str, Any]) -> tuple[str, str, str]:
    interval = cell.get("interval")
    shown = "" if interval is None else f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"
    return str(cell["n"]), "" if cell["score"] is None else f"{100 * cell['score']:.1f}", shown
