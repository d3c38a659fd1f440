"""What a person sees in the terminal while a run goes on."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TextIO

from pydantic import JsonValue
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ...actions.schema import Action, CallUser, Drag, points
from ...env.trajectory.events import ActionEvent, Event, PredictionEvent, StartEvent, Usage


class Narrator:
    """A trajectory listener that prints each step as it happens.

    Args:
        stream: where to print.
    """

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, soft_wrap=True)

    def __call__(self, event: Event) -> None:
        """Print one event."""
        if isinstance(event, StartEvent):
            self._start(event)
        elif isinstance(event, PredictionEvent):
            self._prediction(event)
        elif isinstance(event, ActionEvent):
            self._action(event)

    def note(self, message: str, style: str = "dim") -> None:
        """Print one line that is no event."""
        self._console.print(Text(message, style=style))

    def _start(self, event: StartEvent) -> None:
        self._console.print(Text.assemble(("task    ", "dim"), (event.instruction, "bold")))
        where = f"{event.environment}, seed {event.seed}, policy {event.policy}"
        self._console.print(Text.assemble(("on      ", "dim"), where))

    def _prediction(self, event: PredictionEvent) -> None:
        head = (f"step {event.step + 1:<3}", "bold cyan")
        cost = (f"{event.seconds * 1000:6.0f} ms  ", "dim")
        if event.error is not None:
            said = Text.assemble(head, cost, (f"unreadable reply: {event.error}", "yellow"))
        else:
            said = Text.assemble(head, cost, event.thought or "(no thought)")
        said.append(_decoding(event.usage), "dim")
        self._console.print(said)

    def _action(self, event: ActionEvent) -> None:
        seconds = sum(event.timings.values())
        cost = (f"        {seconds * 1000:6.0f} ms  ", "dim")
        line = Text.assemble(cost, (describe(event.action), "green"))
        if event.error is not None:
            handed_over = isinstance(event.action, CallUser)
            line.append(f"  {event.error}" if handed_over else f"  had no effect: {event.error}", "yellow")
        self._console.print(line)


def _decoding(usage: Usage) -> str:
    """What a reply took, if a model of ours wrote it."""
    if not usage.forwards:
        return ""
    drafted = f", {usage.accepted_tokens} drafted" if usage.accepted_tokens else ""
    return f"  [{usage.reply_tokens} tokens{drafted}, {usage.forwards} forwards]"


def describe(action: Action) -> str:
    """An action in a few words, for people: ``click (384, 324)``."""
    where = " to ".join(f"({point.x:.0f}, {point.y:.0f})" for point in points(action))
    skip = {"kind", "point", "start", "end"} if isinstance(action, Drag) else {"kind", "point"}
    rest = [_word(value) for value in action.model_dump(exclude=skip, exclude_defaults=True).values()]
    return " ".join(part for part in (action.kind, *rest, where) if part)


def _word(value: object) -> str:
    if isinstance(value, tuple):
        return "+".join(map(str, value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


def print_timings(result: Mapping[str, JsonValue], json_output: bool) -> None:
    """A benchmark's result as a table, or as one line of JSON."""
    if json_output:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    table = Table("phase", "median ms", "p90 ms", title="one step without a model")
    phases = result["phases"]
    for phase, numbers in phases.items() if isinstance(phases, dict) else ():
        if isinstance(numbers, dict):
            table.add_row(phase, f"{numbers['median_ms']:.1f}", f"{numbers['p90_ms']:.1f}")
    Console().print(table)


def print_decoding(result: Mapping[str, JsonValue], json_output: bool) -> None:
    """The decoding benchmark as a table and a line on episodes, or as one line of JSON."""
    if json_output:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    columns = ("forwards_per_reply", "accepted_length", "decode_ms", "step_ms", "decode_ratio", "step_ratio")
    title = f"{result['prompts']} prompts against {result['baseline']}"
    table = Table(title=title)
    table.add_column("method", no_wrap=True)
    for column in (*columns, "identical"):
        table.add_column(column.replace("_", " "))
    methods = result["methods"]
    for row in methods if isinstance(methods, list) else ():
        if isinstance(row, dict):
            table.add_row(
                str(row["name"]), *(f"{row[column]:.2f}" for column in columns), str(row["identical"])
            )
    console = Console()
    console.print(table)
    if isinstance(numbers := result["episodes"], dict):
        console.print("  ".join(f"{name} {value}" for name, value in numbers.items()))


def print_ways(result: Mapping[str, JsonValue], json_output: bool) -> None:
    """The replay benchmark as a table, or as one line of JSON."""
    if json_output:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    table = Table(
        "way", "model ms per step", "forwards per step", "times verified", title=f"{result['steps']} steps"
    )
    ways = result["ways"]
    for way in ways if isinstance(ways, list) else ():
        if isinstance(way, dict):
            table.add_row(*(str(way[column]) for column in ("name", "model_ms", "forwards", "ratio")))
    Console().print(table)
