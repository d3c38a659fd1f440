"""Half characters, controls, NUL, odd addresses, and terminals of other encodings: in words, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from made_endpoint import scripted, serving
from places import SOURCE
from saccade.env.trajectory.trajectory import Trajectory

REPLIES = [
    "Thought: A smile \ud83d, all of it \U0001f600, \u202egnp.exe\u202c, \x00 and \x1b[2J 你好\nAction: wait(time='0')",
    "Thought: I type.\nAction: type(content='hi \ud83d')\n\ntype(content='\ude00')",
    "Thought: é\nAction: finished(content='caf\u00e9 \ud83d\U0001f600')",
]


def run(folder: Path, encoding: str, *words: bytes | str) -> tuple[int, bytes, bytes]:
    with serving(scripted(REPLIES)) as server:
        variables = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONIOENCODING": encoding}
        asked = ("--model", server.address, "--dialect", "uitars-1.5", "--env", "memory", "--out", "run")
        done = subprocess.run(
            [sys.executable, "-m", "saccade", "run", *words, *asked],
            capture_output=True,
            cwd=folder,
            env=variables,
            timeout=180,
            check=False,
        )
        assert all(
            "\ufffd" in said["content"] for said in server.requests[-1]["messages"] if said["role"] == "assistant"
        )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_run_with_odd_characters_ends_well_on_every_terminal(tmp_path: Path, encoding: str) -> None:
    status, out, shown = run(tmp_path, encoding, "--json")
    assert b"Traceback" not in shown
    result = json.loads(out.decode(encoding).splitlines()[-1])
    assert (status, result["steps"]) == (0 if result["success"] else 1, 3)
    assert result["message"] == "café \ufffd\U0001f600"
    lines = shown.decode(encoding)
    assert "\x1b" not in lines
    assert "\u202e" not in lines
    assert ("你好" in lines) == (encoding == "utf-8")
    assert "\\u4f60\\u597d" in lines or encoding == "utf-8"
    steps = Trajectory.load(tmp_path / "run").steps
    assert [len(step.actions) for step in steps] == [1, 0, 1]
    said = [step.prediction for step in steps if step.prediction]
    assert "half of a character" in (said[1].error or "")
    assert "\U0001f600" in said[0].thought


def test_a_task_in_latin_letters_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "caf\u00e9"
    folder.mkdir()
    done = subprocess.run(
        [
            sys.executable.encode(),
            b"-m",
            b"saccade",
            b"run",
            b"caf\xe9",
            b"--env",
            b"browser",
            b"--url",
            b"http://[bad",
        ],
        capture_output=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "LC_ALL": "C"},
        timeout=180,
        check=False,
    )
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert b"http://[bad is no address" in done.stderr
