"""``saccade suites``: what is there, and what each suite still needs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from places import FIXTURES
from saccade.tasks.cli.app import app
from saccade.tasks.suites.registry import SUITES


def suites(*words: str, data: Path | None = None) -> Result:
    result = CliRunner().invoke(app, ["suites", *words], env={"SACCADE_DATA": str(data or "")})
    assert result.exit_code == 0, result.output
    return result


def test_every_suite_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown = suites().stdout
    assert [name for name in ("miniwob", *SUITES) if f"{name} " not in shown] == []
    assert "needs OSWorld-G.json, images/* in data/osworld-g" in shown
    assert "from benchmark/ of github.com/xlang-ai/OSWorld-G" in shown


def test_scripts_are_told_what_is_there(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES, tmp_path / "benchmarks")
    (tmp_path / "benchmarks/osworld-g/OSWorld-G_refined.json").unlink()
    found = json.loads(suites("--json", data=tmp_path / "benchmarks").stdout.splitlines()[-1])["suites"]
    assert [suite["name"] for suite in found if not suite["there"]] == ["osworld-g-refined"]
    by_name = {suite["name"]: suite for suite in found}
    assert by_name["osworld-g-refined"]["missing"] == ["OSWorld-G_refined.json"]
    assert by_name["gui-odyssey-app"]["family"] == "steps"
    assert by_name["mind2web-task"]["folder"] == str(tmp_path / "benchmarks/mind2web")
    there = json.loads(suites("--json", "--data", str(FIXTURES)).stdout.splitlines()[-1])["suites"]
    assert all(suite["there"] for suite in there)
