"""The results of ``saccade bench`` as tables of at most 80 columns."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


def print_timings(result: Mapping[str, Any], json_output: bool) -> None:
    """A step's phases as a table, or as one line of JSON."""
    table = _table("phase", "median ms", "p90 ms", title="one step without a model")
    for phase, numbers in result["phases"].items():
        table.add_row(phase, f"{numbers['median_ms']:.1f}", f"{numbers['p90_ms']:.1f}")
    _print_result(result, json_output, table)


def print_decoding(result: Mapping[str, Any], json_output: bool) -> None:
    """The decoding benchmark as a table and lines on episodes, or as one line of JSON."""
    columns = ("forwards_per_reply", "accepted_length", "decode_ms", "decode_ratio", "step_ms", "step_ratio")
    heads = ("forwards", "accepted", "decode\nms", "faster", "step\nms", "faster", "same")
    table = _table("method", *heads, title=f"{result['prompts']} prompts against {result['baseline']}")
    for row in result["methods"]:
        same = "yes" if row["identical"] else "no"
        table.add_row(row["name"], *(f"{row[column]:.2f}" for column in columns), same)
    legend = (
        "forwards per reply; tokens accepted per forward; faster: how many times;\n"
        "same: whether all replies are those of the baseline"
    )
    _print_result(result, json_output, table, legend, *_episode_lines(result["episodes"] or {}))


def print_ways(result: Mapping[str, Any], json_output: bool) -> None:
    """The replay benchmark as a table, or as one line of JSON."""
    heads = ("model ms per step", "forwards per step", "times verified")
    table = _table("way", *heads, title=f"{result['steps']} steps")
    for way in result["ways"]:
        table.add_row(*(str(way[column]) for column in ("name", "model_ms", "forwards", "ratio")))
    _print_result(result, json_output, table)


def print_scale(result: Mapping[str, Any], json_output: bool) -> None:
    """The benchmark at size as a table, or as one line of JSON."""
    rows = result["rows"]
    models = list(dict.fromkeys(row["model"] for row in rows))
    table = Table(title=", ".join(models), box=None, padding=(0, 1, 0, 0))
    table.add_column("what", overflow="fold", max_width=23)
    for head in ("cached", "seconds", "faster", "forwards", "limit"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    for row in rows:
        if len(models) > 1 and row["part"] == "load":
            table.add_row(row["model"])
        table.add_row(
            f"{row['part']} {row['name']}".strip(),
            str(row["context"] or ""),
            _seconds(row["seconds"]) if row["seconds"] else "",
            f"{row['faster']:.2f}" if row["faster"] else "",
            f"{row['forwards']:.1f}" if row["forwards"] else "",
            f"{100 * row['limit']:.0f} %" if row["limit"] else "",
            row["note"],
        )
    legend = (
        "decode: seconds per token, and forwards per reply; first: the first replies ever,\n"
        "alike: replies like those, new: of another application; faster: than plain, or than\n"
        "generate alone; limit: share of the memory's bandwidth that plain forwards would use"
    )
    _print_result(result, json_output, table, legend, f"{result['json']}, {result['plot']}")


def _seconds(seconds: float) -> str:
    return f"{seconds:.4f}" if seconds < 0.1 else f"{seconds:.3f}" if seconds < 10 else f"{seconds:.1f}"


def _table(first: str, *heads: str, title: str) -> Table:
    table = Table(title=title, box=None, padding=(0, 1, 0, 0))
    table.add_column(first, overflow="fold")
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    return table


def _episode_lines(found: Mapping[str, Any]) -> list[str]:
    """Whole episodes: with the cache kept from step to step, and computed anew."""
    if not found:
        return []
    first, last = found["steps"]
    return [
        f"\nepisodes, steps {first} to {last}, with the last {found['images']} screenshots",
        f"computed anew {found['baseline_ms']} ms   kept {found['plain_ms']} ms ({found['plain_ratio']} times faster)",
        f"kept and drafted {found['auto_ms']} ms ({found['ratio']} times faster)",
        f"step 2 {found['step_2_ms']} ms   step 20 {found['step_20_ms']} ms ({found['late_ratio']} times as long)",
    ]


def _print_result(result: Mapping[str, Any], json_output: bool, *shown: Table | str) -> None:
    if json_output:
        sys.stdout.write(json.dumps(result) + "\n")
        return
    for each in shown:
        Console(highlight=False).print(each)
