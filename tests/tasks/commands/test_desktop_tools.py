from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from made_desktops import Notepad, eventually
from places import SOURCE
from saccade.actions.errors import UsageError
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.perception.screen import Region
from saccade.tasks.terminal.parse import parse_region


@pytest.fixture(scope="module")
def display() -> Iterator[PrivateDisplay]:
    with PrivateDisplay() as display:
        yield display


def saccade(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environ = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    return subprocess.run(
        [sys.executable, "-m", "saccade", *words],
        input=stdin,
        capture_output=True,
        timeout=60,
        env={**environ, "PYTHONPATH": str(SOURCE)},
    )


def test_text_and_actions_reach_a_program(display: PrivateDisplay, tmp_path: Path) -> None:
    notepad = Notepad(display, tmp_path / "note.txt")
    text = "Grüße <y>, 你好 ☃ ~ 😀\nnext"
    done = saccade("type", "--display", display.name, stdin=text.encode())
    assert (done.returncode, done.stderr) == (0, b"")
    lines = [
        '{"kind": "type", "text": "!"}',
        "",
        "nonsense",
        '{"kind": "click", "point": [1, 2000]}',
        '{"kind": "finished"}',
        '{"kind": "press", "key": "nosuch"}',
        '{"kind": "wait", "seconds": 0.01}',
        '{"kind": "hotkey", "keys": ["ctrl", "s"]}',
    ]
    done = saccade("act", "--display", display.name, stdin="\n".join(lines).encode())
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 2
    assert [answer.get("ok", False) for answer in answers] == [True, False, False, False, False, True, True]
    assert [answer["error"].split(":")[0] for answer in answers[1:5]] == [f"line {n}" for n in (3, 4, 5, 6)]
    assert eventually(lambda: notepad.file.read_bytes() == (text + "!").encode())


def test_a_picture_of_all_and_of_a_part(display: PrivateDisplay, tmp_path: Path) -> None:
    out = tmp_path / "screen.png"
    assert saccade("screenshot", "--display", display.name, "--out", str(out)).returncode == 0
    assert Image.open(io.BytesIO(out.read_bytes())).size == (1280, 720)
    part = ["--region", "10,20,30x40"]
    assert saccade("screenshot", "--display", display.name, "--out", str(out), *part).returncode == 0
    assert Image.open(io.BytesIO(out.read_bytes())).size == (30, 40)


@pytest.mark.parametrize("words", [["type"], ["act"], ["screenshot", "--out", "unused.png"]])
@pytest.mark.parametrize("display_", [[], ["--display", ":999"]])
def test_no_display_is_one_line(words: list[str], display_: list[str]) -> None:
    done = saccade(*words, *display_, stdin=b"x")
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"--display" in done.stderr or b":999" in done.stderr


def test_what_is_no_text_is_refused(display: PrivateDisplay) -> None:
    done = saccade("type", "--display", display.name, stdin=b"ab\xff")
    assert (done.returncode, done.stderr) == (2, b"saccade: standard input is not UTF-8 at byte 2\n")


def test_regions() -> None:
    assert parse_region("1,-2, 30x40") == Region(1, -2, 30, 40)
    with pytest.raises(UsageError, match="X,Y,WIDTHxHEIGHT"):
        parse_region("30x40")
