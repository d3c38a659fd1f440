"""The command line as scripts use it: a process, its output and its exit status."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from made_endpoint import Endpoint, serving
from places import SOURCE
from saccade.agent.checkpoints.tiny import tiny_checkpoint

Result = subprocess.CompletedProcess[str]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "saccade", *words]


@pytest.fixture
def saccade(tmp_path: Path) -> Callable[..., Result]:
    def call(*words: str, stdin: str = "", **variables: str) -> Result:
        environment = {**os.environ, "PYTHONPATH": str(SOURCE), **variables}
        return subprocess.run(
            command(*words),
            input=stdin,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            timeout=120,
            check=False,
        )

    return call


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    directory = tmp_path_factory.mktemp("tiny") / "qwen3_vl"
    tiny_checkpoint("qwen3_vl", directory)
    return str(directory)


def one_line(result: Result) -> str:
    """The one line a refusal consists of."""
    assert result.returncode == 2, result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("saccade: ")]
    assert len(lines) == 1
    assert "Traceback" not in result.stderr
    return lines[0]


def test_parse_prints_one_line_in_screenshot_pixels(saccade) -> None:
    reply = "Thought: x\nAction: click(start_box='(500,250)')"
    result = saccade("parse", "--dialect", "uitars-1.0", "--size", "1280x720", stdin=reply)
    assert json.loads(result.stdout) == {"thought": "x", "actions": [{"kind": "click", "point": [640.0, 180.0]}]}
    assert result.stdout.count("\n") == 1


def test_parse_reports_what_it_cannot_read_and_what_it_does_not_know(saccade) -> None:
    result = saccade("parse", "--dialect", "uitars-1.0", stdin="Action: click(start_box='[]')")
    assert result.returncode == 0
    assert set(json.loads(result.stdout)) == {"error"}
    assert "uitars-1.5" in one_line(saccade("parse", "--dialect", "uitars-1.55"))


def test_a_run_tells_scripts_everything(saccade, tiny: str, tmp_path: Path) -> None:
    result = saccade("run", "--model", tiny, "--env", "memory", "--max-steps", "2", "--out", "here", "--json")
    outcome = json.loads(result.stdout.splitlines()[-1])
    assert result.returncode == 1, "a random model does not solve it"
    assert outcome["success"] is False
    assert outcome["reward"] == 0.0
    assert (outcome["steps"], outcome["end"]) == (2, "step_limit")
    assert (tmp_path / outcome["report"]).stat().st_size > 10_000
    assert saccade("view", "--check", outcome["trajectory"]).stdout.startswith("ok: 2 steps")
    again = saccade("run", "--model", tiny, "--env", "memory", "--out", "here")
    assert "already holds a run" in one_line(again)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("run", "Click it"), "--url"),
        (("run", "--url", "http://127.0.0.1:1/"), "task"),
        (("run", "--model", "no/such/checkpoint"), "no/such/checkpoint"),
        (("run", "--out", "/dev/null/x"), "--out"),
        (("view", "--check", "nothing"), "nothing"),
        (("parse", "--dialect", "uitars-1.0", "--size", "wide"), "1280x720"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_usage_gets_one_line_that_helps(saccade, words: tuple[str, ...], hint: str) -> None:
    line = one_line(saccade(*words, HF_HUB_OFFLINE="1"))
    assert hint in line


def test_an_unknown_task_names_the_nearest(saccade, tiny: str, tmp_path: Path) -> None:
    assert "click-test-2" in one_line(saccade("run", "--model", tiny, "--env", "miniwob:click-tset-2"))
    assert not (tmp_path / "runs").exists(), "a run that never began leaves no folder"


@pytest.fixture(scope="module")
def served() -> Iterator[Endpoint]:
    """A model that needs no loading."""
    with serving(lambda messages: "Action: finished()", "ui-tars-1.5") as endpoint:
        yield endpoint


def test_an_unreachable_page_is_said(saccade, served: Endpoint) -> None:
    result = saccade("run", "Click", "--url", "http://127.0.0.1:1/", "--model", served.address)
    assert "127.0.0.1:1" in one_line(result)


def test_what_is_no_address_is_said_before_a_model_is_loaded(saccade, tmp_path: Path) -> None:
    assert "http://[bad is no address" in one_line(saccade("run", "Click", "--url", "http://[bad"))
    assert "addresses of kind ftp" in one_line(saccade("run", "Click", "--url", "ftp://example.org"))
    assert not (tmp_path / "runs").exists()


def test_no_browser_is_said_with_what_to_install(saccade, served: Endpoint) -> None:
    result = saccade("run", "--model", served.address, PATH="/nonexistent", SACCADE_BROWSER="/nonexistent/chromium")
    assert "chromium" in one_line(result)


def test_ctrl_c_ends_a_run_tidily(tiny: str, tmp_path: Path) -> None:
    words = command("run", "--model", tiny, "--out", "run", "--max-steps", "500", "--json")
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(
        words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_for(tmp_path / "run" / "trajectory.jsonl")
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert json.loads(stdout.splitlines()[-1])["end"] == "interrupted"
    assert "Traceback" not in stderr


def wait_for(path: Path) -> None:
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.1)
    raise AssertionError(f"{path} did not appear")


def test_help_names_every_command(saccade) -> None:
    text = saccade("--help").stdout
    assert {word for word in ("run", "parse", "view", "bench") if word in text} == {"run", "parse", "view", "bench"}


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("ev", {"eval"}),
        ("eval screenspot-p", {"screenspot-pro"}),
        ("run --env miniwob:click-test", {"miniwob:click-test", "miniwob:click-test-2", "miniwob:click-test-transfer"}),
        ("run --dialect uitars-1.", {"uitars-1.0", "uitars-1.0-mobile", "uitars-1.5"}),
    ],
)
def test_the_shell_completes_names(saccade, typed: str, expected: set[str]) -> None:
    words = f"saccade {typed}"
    shown = saccade(_SACCADE_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(words.count(" ")))
    assert set(shown.stdout.split()) == expected
