"""Recordings, imports and evaluations that were changed at random: one clear line, and nothing outside is touched.

With ``--scale 100`` or more these are thousands of cases; the watch is in ``hostile_watch.py``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from made_runs import made_run
from places import TESTS
from saccade.actions.geometry import Point
from saccade.actions.schema import Click, Finished, Type
from saccade.env.trajectory import ownership
from saccade.tasks.interchange.convert import export_runs

GOLDEN = TESTS / "env" / "trajectory" / "golden"


def watched(kind: str, golden: Path, work: Path, count: int) -> dict[str, object]:
    """Let the watched program read so many changed folders."""
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-P", str(TESTS / "hostile_watch.py"), kind, str(golden), str(work), "0", str(count)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "SACCADE_API_KEY": "sk-mine", "SACCADE_SECRET_PASSWORD": "hunter2"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_changed_recordings(tmp_path: Path, scale: int) -> None:
    golden = tmp_path / "golden"
    for number, file in enumerate(sorted(GOLDEN.rglob("trajectory.jsonl"))):
        shutil.copytree(file.parent, golden / f"{number}", ignore=shutil.ignore_patterns("browser", "desktop", "re*ed"))
    found = watched("recording", golden, tmp_path / "work", 10 * scale)
    assert (found["bad"], found["cases"]) == ([], 10 * scale)


@pytest.mark.parametrize("name", ["osworld", "agentnet", "parquet"])
def test_changed_imports(tmp_path: Path, name: str, scale: int) -> None:
    click, text = Click(point=Point(90, 98)), Type(text="héllo <b>", point=Point(9, 9))
    for number in range(2):
        run = tmp_path / "runs" / f"{number}"
        made_run(run, [(click,), (text,), (Finished(),)][: 2 + number], final=not number)
        (run / ownership.SIGNATURE_NAME).unlink()
    for number, source in enumerate([tmp_path / "runs" / "0", tmp_path / "runs"]):
        folder = tmp_path / "golden" / f"{number}"
        if name == "parquet":
            folder.mkdir(parents=True)
        export_runs(source, name, folder / "runs.parquet" if name == "parquet" else folder)
    found = watched(name, tmp_path / "golden", tmp_path / "work", 8 * scale)
    assert (found["bad"], found["cases"]) == ([], 8 * scale)


def test_changed_evaluations(tmp_path: Path, scale: int) -> None:
    interactive = tmp_path / "golden" / "interactive"
    asked = {"suite": "miniwob", "tasks": ["click-test", "click-link"], "seeds": [0, 1], "model": "embedded"}
    for task in ("click-test", "click-link"):
        for seed in (0, 1):
            made_run(interactive / task / f"{seed}", environment=f"miniwob:{task}", seed=seed)
    (interactive / "eval.json").write_text(json.dumps({"schema_version": 2, "asked": asked}), encoding="utf-8")
    recorded = tmp_path / "golden" / "recorded"
    recorded.mkdir()
    lines = [
        json.dumps({"task": f"s{n}", "sample": f"s{n}", "success": bool(n % 2), "reward": float(n % 2), "steps": 1})
        for n in range(4)
    ]
    (recorded / "episodes.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = {"schema_version": 2, "asked": {"suite": "screenspot"}, "samples": ["s0", "s1", "s2", "s3"]}
    (recorded / "eval.json").write_text(json.dumps(config), encoding="utf-8")
    found = watched("evaluation", tmp_path / "golden", tmp_path / "work", 6 * scale)
    assert (found["bad"], found["cases"]) == ([], 6 * scale)
