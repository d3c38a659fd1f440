"""Tables in a terminal of 80 columns, and comparisons that are too small to say anything."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from made_runs import end_event, made_run
from saccade.tasks.evaluation.compare import Comparison, compare, comparison_lines
from saccade.tasks.evaluation.console import headline, print_summary
from saccade.tasks.evaluation.folder import EvaluationConfig, write_file
from saccade.tasks.evaluation.records import EpisodeRecord
from saccade.tasks.evaluation.summary import Summary, summarise
from saccade.tasks.terminal.bench_tables import print_decoding, print_timings, print_ways

LONG = "suffix+grammar+medusa+mtp+draft"
DECODING = {
    "prompts": 120,
    "baseline": "transformers.generate",
    "methods": [
        {
            "name": name,
            "forwards_per_reply": 102.25,
            "accepted_length": 10.04,
            "decode_ms": 12345.67,
            "step_ms": 12345.67,
            "decode_ratio": 10.25,
            "step_ratio": 10.25,
            "identical": False,
        }
        for name in ("plain", LONG)
    ],
    "episodes": {
        "images": 5,
        "steps": [5, 9],
        "baseline_ms": 12345.67,
        "plain_ms": 12345.67,
        "auto_ms": 12345.67,
        "plain_ratio": 10.25,
        "ratio": 10.25,
        "step_2_ms": 12345.67,
        "step_20_ms": 12345.67,
        "late_ratio": 10.25,
    },
}


def shown(capsys: pytest.CaptureFixture[str]) -> str:
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    return text


def test_bench_tables_fit_80_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_decoding(DECODING, json_output=False)
    text = shown(capsys)
    assert "…" not in text, "nothing is cut off"
    assert text.count("12345.67") == 2 * 2 + 5, "numbers stay whole"
    assert LONG[:20] in text
    assert "draft" in text, "a long name goes on in the next line"
    ways = [{"name": "verified", "model_ms": 12345.67, "forwards": 123.45, "ratio": 12.34}]
    print_ways({"steps": 1000, "ways": ways}, json_output=False)
    assert "12345.67" in shown(capsys)
    print_timings({"phases": {"capture": {"median_ms": 12345.6, "p90_ms": 12345.6}}}, json_output=False)
    assert "12345.6" in shown(capsys)


def record(task: str, seed: int, success: bool) -> EpisodeRecord:
    return EpisodeRecord(task=task, seed=seed, success=success, reward=float(success), end="terminated", steps=30)


def summary_of(*records: EpisodeRecord) -> Summary:
    return summarise(config_of(*records), list(records))


def config_of(*records: EpisodeRecord) -> EvaluationConfig:
    tasks, seeds = sorted({each.task for each in records}), sorted({each.seed or 0 for each in records})
    return EvaluationConfig(asked={"suite": "made", "tasks": tasks, "seeds": seeds}, settings={})


def test_a_long_name_of_a_task_breaks_and_numbers_stay_whole() -> None:
    names = ["click-checkboxes-transfer", "0f84bef9-9790-432e-92b7-eece357603fb"]
    records = [record(name, seed, success=True) for name in names for seed in range(100)]
    stream = io.StringIO()
    print_summary(summary_of(*records), "index.html", Console(file=stream, width=80, highlight=False))
    text = stream.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("100.0 %") >= 2
    assert "…" not in text


def test_one_is_not_many() -> None:
    assert headline(summary_of(record("a", 0, success=True))).endswith("of 1 episode of 1 task")


def compared(root: Path, before: list[tuple[str, bool]], after: list[tuple[str, bool]]) -> Comparison:
    for name, outcomes in (("a", before), ("b", after)):
        records = [record(task, seed, success) for seed, (task, success) in enumerate(outcomes)]
        (root / name).mkdir()
        write_file(root / name / "eval.json", config_of(*records).model_dump_json())
        for each in records:
            made_run(each.key.folder(root / name), end=end_event(1, success=each.success, reward=each.reward))
    return compare(root / "a", root / "b")


def test_two_pairs_are_too_few(tmp_path: Path) -> None:
    found = compared(tmp_path, [("x", False), ("y", True)], [("x", True), ("y", True)])
    assert (found.pairs, found.difference, found.interval) == (2, 0.5, None)
    assert str(comparison_lines(found)[0]) == "B - A: +50.0 points over 2 pairs; too few pairs or tasks for an interval"


def test_an_interval_wider_than_everything_is_none(tmp_path: Path) -> None:
    """Two tasks have one degree of freedom, and so an interval of some thousand points."""
    before = [("x", False)] * 8 + [("y", True)] * 8
    found = compared(tmp_path, before, [("x", True)] * 8 + [("y", True)] * 8)
    assert (found.pairs, found.interval) == (16, None)


def test_enough_pairs_have_an_interval_within_what_is_possible(tmp_path: Path) -> None:
    tasks = [str(number) for number in range(20)]
    found = compared(tmp_path, [(t, False) for t in tasks], [(t, int(t) % 3 == 0) for t in tasks])
    assert found.interval is not None
    assert -1 <= found.interval.low < found.difference < found.interval.high <= 1
    assert re.fullmatch(
        r"B - A: \+35\.0 \[\+\d+\.\d, \+\d+\.\d\] points over 20 pairs", str(comparison_lines(found)[0])
    )
