"""The metrics against what OSWorld's published functions gave for the same files, case by case."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from made_office import cases, given, make
from saccade.actions import extras
from saccade.actions.errors import MissingPartError
from saccade.tasks.osworld.metrics import METRICS, PACKAGES
from saccade.tasks.osworld.metrics.matching import fits
from saccade.tasks.osworld.metrics.texts import run_sqlite3


def ours(case: dict[str, Any], folder: Path) -> float:
    make(folder, case["files"])
    return float(METRICS[case["metric"]](*given(folder, case["given"]), **case["options"]))


def test_every_score_is_the_published_one(tmp_path: Path) -> None:
    wrong = []
    for number, case in enumerate(cases()):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            score: object = ours(case, folder)
        except Exception as error:
            score = repr(error)
        if score != pytest.approx(case["score"], abs=1e-9):
            wrong.append((number, case["metric"], case["given"], case["options"], case["score"], score))
    assert wrong == []


def test_every_metric_has_cases_that_hold_and_cases_that_do_not() -> None:
    scores: dict[str, Counter[bool]] = {name: Counter() for name in METRICS}
    for case in cases():
        scores[case["metric"]][case["score"] == 1.0] += 1
    unproved = {name for name, each in scores.items() if not each[True] or not each[False]}
    assert unproved == {"run_sqlite3"}
    assert len(cases()) > 300


def test_a_database_is_asked_and_cannot_be_changed(tmp_path: Path) -> None:
    import sqlite3

    file = tmp_path / "a.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute("create table mail (read integer)")
        connection.execute("insert into mail values (1), (0)")
    connection.close()
    assert run_sqlite3(str(file), {"sql": "select count(*) = 2 from mail"}) == 1.0
    assert run_sqlite3(str(file), {"sql": "select max(null) from mail"}) == 0.0
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        run_sqlite3(str(file), {"sql": "delete from mail returning 1"})


def test_an_unknown_rule_or_type_is_loud() -> None:
    loud: list[Callable[[], Any]] = [
        lambda: fits(1, {"method": "like", "ref": 1}),
        lambda: METRICS["literal_match"]("a", "a", type="dict"),
        lambda: METRICS["is_extension_installed"]("a", {"type": "maybe", "expected": "a"}),
    ]
    for call in loud:
        with pytest.raises(NotImplementedError):
            call()


def test_a_missing_package_names_the_line_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingPartError, match=r"pandas is not installed; run: pip install 'saccade\[osworld\]'"):
        extras.need_package("pandas")
    monkeypatch.undo()
    assert set(PACKAGES) < set(METRICS)
    assert all(extras.has_package(package) for packages in PACKAGES.values() for package in packages)


@pytest.mark.parametrize("name", ["compare_text_file", "check_list", "compare_docx_files", "check_tabstops"])
def test_a_missing_result_scores_nothing(name: str) -> None:
    assert METRICS[name](None, {"expect": []}) == 0.0
