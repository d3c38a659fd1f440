"""``saccade record`` as a process: it prints what it records, ends in every way, and leaves what it wrote."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from places import SOURCE
from saccade.actions.errors import UsageError
from saccade.actions.geometry import Point, Size
from saccade.env.control import Control
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.trajectory.trajectory import Trajectory
from saccade.env.x11.input import X11Input
from saccade.tasks.commands.record import RecordRequest, record
from saccade.tasks.commands.view import check_trajectory
from saccade.tasks.report import write_report
from saccade.tasks.terminal.narrator import Narrator


@pytest.fixture(scope="module")
def display() -> Iterator[PrivateDisplay]:
    with PrivateDisplay(Size(640, 480)) as display:
        yield display


@pytest.fixture
def device(display: PrivateDisplay) -> Iterator[X11Input]:
    device = X11Input(display.name, Control())
    yield device
    device.close()


class Process:
    """``saccade record``, recording."""

    def __init__(self, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "saccade", "record", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )
        assert self.process.stdout is not None
        self._out = self.process.stdout
        self.said: list[str] = []
        self.until("recording;")

    def until(self, words: str) -> str:
        """Read until a line holds some words."""
        while words not in (line := self._out.readline()):
            assert line, f"it ended without {words!r}: {self.said}"
            self.said.append(line)
        return line

    def end(self) -> tuple[int, list[str]]:
        """Wait for its end: the exit status, and the lines that were left."""
        rest = self._out.read().splitlines()
        self._out.close()
        return self.process.wait(30), rest


def test_the_stop_chord_ends_a_recording(display: PrivateDisplay, device: X11Input, tmp_path: Path) -> None:
    process = Process("--out", str(tmp_path / "run"), "--display", display.name, "--task", "Say hello", "--json")
    device.click(Point(100, 100))
    device.keyboard.type("hello")
    device.keyboard.chord(("ctrl", "alt", "q"))
    process.until("click (100, 100)")
    process.until('type "hello"')
    status, rest = process.end()
    said = json.loads(rest[-1])
    assert status == 0
    assert (said["judged"], said["steps"], said["end"]) == (False, 2, "finished")
    assert check_trajectory(tmp_path / "run") == "ok: 2 steps, 3 screens, ended: finished"
    assert write_report(Trajectory.load(tmp_path / "run")).stat().st_size > 1000
    start = Trajectory.load(tmp_path / "run").start
    assert (start.policy, start.environment, start.instruction) == ("person", "desktop", "Say hello")


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_a_recording(
    display: PrivateDisplay, device: X11Input, tmp_path: Path, kind: signal.Signals
) -> None:
    process = Process("--out", str(tmp_path / "run"), "--display", display.name)
    device.click(Point(50, 50), "right")
    process.until("right_click (50, 50)")
    process.process.send_signal(kind)
    status, rest = process.end()
    assert status == 0, rest
    assert check_trajectory(tmp_path / "run") == "ok: 1 step, 2 screens, ended: finished"


def test_a_killed_recording_can_be_loaded(display: PrivateDisplay, device: X11Input, tmp_path: Path) -> None:
    process = Process("--out", str(tmp_path / "run"), "--display", display.name)
    device.click(Point(50, 50), "right")
    process.until("right_click (50, 50)")
    process.process.kill()
    process.end()
    assert check_trajectory(tmp_path / "run") == "ok: 1 step, 1 screen, cut off before its end"


def test_the_end_of_the_program_ends_its_recording(display: PrivateDisplay, tmp_path: Path) -> None:
    process = Process("--out", str(tmp_path / "run"), "--display", display.name, "--app", "sleep 1")
    assert process.end()[0] == 0
    assert check_trajectory(tmp_path / "run").startswith("ok: 0 steps")


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        (RecordRequest(Path("x"), environment="phone"), "'phone'"),
        (RecordRequest(Path("x"), environment="browser"), "--url"),
        (RecordRequest(Path("x"), url="example.org", display=":1"), "--display"),
        (RecordRequest(Path("x"), environment="desktop", url="example.org"), "--url"),
        (RecordRequest(Path("x"), redact=("all of it",)), "X,Y"),
        (RecordRequest(Path("x"), stop_chord="q"), "ctrl"),
    ],
)
def test_options_that_do_not_go_together(request_: RecordRequest, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        record(request_, Narrator(sys.stderr))
    assert not Path("x").exists()
