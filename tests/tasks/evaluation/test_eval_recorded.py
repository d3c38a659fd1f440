"""``saccade eval`` of recorded screens, as a command: its output, its exit status, what it leaves on disk."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from made_endpoint import Endpoint as Server
from made_endpoint import pictures, serving
from places import FIXTURES, SOURCE
from saccade.actions.errors import SaccadeError
from saccade.tasks.cli.app import app
from saccade.tasks.suites.registry import SUITES

KEYS = {"episodes", "success", "interval", "errors", "per_task", "tokens", "suite", "samples", "score"}
Call = Callable[..., subprocess.CompletedProcess[str]]


def middle(messages: list[dict[str, Any]]) -> str:
    """Clicks the middle; on smaller screens elsewhere, so that some are right and some are not."""
    (shot,) = pictures(messages)
    return f"Action: click(start_box='({825 if shot.size.width == 200 else 500},750)')"


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(middle) as running:
        yield running


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "saccade", *words]


@pytest.fixture
def saccade(tmp_path: Path) -> Call:
    def call(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
        return subprocess.run(
            command(*words), capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=180, check=False
        )

    return call


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """The same in this process, which starts at once."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        done = CliRunner().invoke(app, words)
        errors = done.stderr
        if isinstance(done.exception, SaccadeError):
            errors += f"saccade: {done.exception}\n"
        return subprocess.CompletedProcess(words, 2 if errors != done.stderr else done.exit_code, done.stdout, errors)

    return call


def asking(server: Server, suite: str = "screenspot", data: Path = FIXTURES) -> tuple[str, ...]:
    return ("eval", suite, "--data", str(data), "--model", server.address, "--dialect", "uitars-1.0")


def refusal(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("saccade: ")]
    return line


def last(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON on the last line of stdout, without what depends on the clock."""
    assert result.returncode == 0, result.stderr
    return timeless(result.stdout.splitlines()[-1])


def timeless(text: str) -> dict[str, Any]:
    found = json.loads(text)
    assert isinstance(found, dict)
    return {name: value for name, value in found.items() if name not in ("latency", "pace")}


def test_a_suite_is_evaluated_and_gone_on_with(saccade: Call, server: Server, tmp_path: Path) -> None:
    words = (*asking(server), "--out", "out", "--json")
    summary = last(saccade(*words))
    assert set(summary) >= KEYS
    assert (summary["episodes"], len(server.requests)) == (4, 4)
    assert summary["per_task"] == {
        "screenspot": {
            "episodes": 4,
            "errors": 0,
            "success": summary["score"],
            "interval": summary["interval"],
            "mean_reward": summary["score"],
            "steps": 1.0,
        }
    }
    assert 0 < summary["success"] < 1
    lines = [json.loads(line) for line in (tmp_path / "out" / "episodes.jsonl").read_text().splitlines()]
    assert summary["tokens"]["prompt"] == sum(line["prompt_tokens"] for line in lines) > 0
    assert timeless((tmp_path / "out" / "summary.json").read_text()) == summary
    assert "resume it (--resume)" in refusal(saccade(*words))
    assert last(saccade(*words, "--resume")) == summary
    paid = last(saccade(*words, "--resume", "--price", "1,2"))
    spent = (summary["tokens"]["prompt"] + 2 * summary["tokens"]["reply"]) / 1_000_000
    assert paid["cost"] == {
        "total": pytest.approx(spent, abs=1e-6),
        "per_episode": pytest.approx(spent / 4, abs=1e-6),
        "per_success": None,
    }
    assert "a price is written READ,WRITTEN" in refusal(saccade(*words, "--resume", "--price", "cheap"))
    assert len(server.requests) == 4, "nothing was asked again"
    other = saccade(*words[:-4], "uitars-1.5", "--out", "out", "--resume")
    assert 'dialect: "uitars-1.0" then, "uitars-1.5" now' in refusal(other)


def test_a_killed_evaluation_goes_on_where_it_was(saccade: Call, server: Server, tmp_path: Path) -> None:
    whole = last(saccade(*asking(server), "--out", "whole", "--json"))
    server.requests.clear()
    server.faults.extend(["pass", "pass", "hang"])
    words = (*asking(server), "--out", "cut", "--json")
    while server.arrived.acquire(blocking=False):
        pass
    process = subprocess.Popen(
        command(*words), cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(SOURCE)}, stderr=subprocess.PIPE
    )
    for _ in range(3):
        assert server.arrived.acquire(timeout=120)
    process.kill()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    server.released.set()
    records = tmp_path / "cut" / "episodes.jsonl"
    assert len(records.read_bytes().splitlines()) == 2
    with records.open("ab") as stream:
        stream.write(b'{"id": "torn')
    assert last(saccade(*words, "--resume")) == whole
    assert len(server.requests) == 3 + 2


def test_a_stop_says_how_to_go_on(saccade: Call, server: Server, tmp_path: Path) -> None:
    server.faults.append("hang")
    process = subprocess.Popen(
        command(*asking(server)),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.arrived.acquire(timeout=120)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "what is done stays in runs/" in told
    server.released.set()
    line = shlex.split(told.splitlines()[-1])
    assert line[0] == "saccade"
    assert line[-1] == "--resume"
    assert last(saccade(*line[1:], "--json"))["episodes"] == 4


def test_several_workers_ask_a_server_at_the_same_time(here: Call, server: Server) -> None:
    together, first = threading.Barrier(3), iter(range(3))

    def answer(messages: list[dict[str, Any]]) -> str:
        if next(first, None) is not None:
            together.wait(120)
        return middle(messages)

    alone = last(here(*asking(server), "--out", "one", "--json"))
    server.answer = answer
    assert last(here(*asking(server), "--workers", "3", "--out", "three", "--json")) == alone
    assert together.n_waiting == 0
    assert next(first, None) is None


def test_what_is_malformed_is_named_by_file_and_line(here: Call, server: Server, tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURES / "screenspot", tmp_path / "data/screenspot")
    file = folder / "screenspot_web.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"bbox"', '"box"'), encoding="utf-8")
    result = here(*asking(server, data=tmp_path / "data"), "--json")
    assert last(result)["errors"]["malformed"] == 1
    assert f"left out: {file}:2: [0]: bbox is missing" in result.stderr
    file.write_text("[{,", encoding="utf-8")
    assert f"{file}:1: not JSON" in refusal(here(*asking(server, data=tmp_path / "data")))


def test_what_is_missing_is_said_before_anything_is_asked(saccade: Call, server: Server, tmp_path: Path) -> None:
    line = refusal(saccade(*asking(server, "screenspot-v2", tmp_path / "nowhere")))
    assert "get screenspot_*_v2.json and screenspotv2_image.zip" in line
    assert "nowhere/screenspot-v2" in line
    assert server.asked == []
    line = refusal(saccade("eval", "screenspot-v3"))
    nearest, rest = line.partition("there are ")[2].split(", ", 1)
    assert nearest.startswith("screenspot")
    assert set(rest.split(", ")) | {nearest} >= {"miniwob", *SUITES}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("screenspot", "--seeds", "0-4"), "seeds (--seeds) is for interactive suites; screenspot is not one of them"),
        (("screenspot", "--max-steps", "3"), "max_steps (--max-steps) is for interactive suites"),
        (("miniwob", "--limit", "3"), "limit (--limit) is for suites of recorded screens; miniwob is not one of them"),
        (("screenspot", "--data", str(FIXTURES), "--workers", "2"), "workers (--workers) is for models on a server"),
        (("screenspot", "--data", str(FIXTURES), "--resume"), "resume (--resume) needs the folder"),
    ],
)
def test_options_of_the_other_kind_are_refused(words: tuple[str, ...], said: str) -> None:
    result = CliRunner().invoke(app, ["eval", *words])
    assert result.exit_code
    assert said in str(result.exception)


def test_a_server_that_stays_broken_ends_it(here: Call, server: Server, tmp_path: Path) -> None:
    server.answer = lambda messages: 400
    line = refusal(here(*asking(server, "gui-odyssey-app"), "--out", "out"))
    assert "failed on 5 samples in a row, last with: " in line
    assert "answered 400" in line
    assert "--resume" in line
    server.answer = middle
    summary = last(here(*asking(server, "gui-odyssey-app"), "--out", "out", "--resume", "--json"))
    assert (summary["episodes"], summary["errors"].get("policy")) == (7, None)


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_can_be_evaluated(
    suite: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = lambda messages: "Action: click(start_box='(500,500)')"
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, [*asking(server, suite), "--limit", "2", "--json"])
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout.splitlines()[-1])
    assert set(summary) >= KEYS
    assert summary["episodes"] == sum(task["episodes"] for task in summary["per_task"].values()) > 0
    assert list((tmp_path / "runs").glob(f"*-eval-{suite}/episodes.jsonl"))


def test_two_evaluations_are_compared_by_sample(here: Call, server: Server, tmp_path: Path) -> None:
    before = last(here(*asking(server), "--out", "a", "--json"))
    server.answer = lambda messages: "no idea"
    after = last(here(*asking(server), "--out", "b", "--limit", "3", "--json"))
    assert (before["errors"], after["errors"]) == ({}, {"unreadable": 3})
    found = last(here("compare", "a", "b", "--json"))
    right = sum(json.loads(line)["reward"] for line in (tmp_path / "a" / "episodes.jsonl").read_text().splitlines()[:3])
    assert right > 0
    assert (found["pairs"], found["lost"], found["won"], found["unpaired"]) == (3, right, 0, 1)
    assert found["difference"] == pytest.approx(-right / 3)
    shown = here("compare", "b", "a")
    assert f"won {right:.0f}" in shown.stdout
    here(*asking(server, "osworld-g"), "--out", "c")
    assert "no episode of the same suite in common" in refusal(here("compare", "a", "c"))
    assert "holds no evaluation" in refusal(here("compare", "a", str(tmp_path)))
