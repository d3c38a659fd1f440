"""``saccade run --env desktop`` as a process: what it leaves behind, and what it does not."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from places import SOURCE
from saccade.actions.errors import UsageError
from saccade.env.registry import DesktopOptions
from saccade.env.trajectory.trajectory import Trajectory
from saccade.tasks.commands.run import RunRequest


class Run:
    """One run in a process of its own; its family is known by a variable."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.folder = folder
        self.mark = f"SACCADE_TEST_{random.getrandbits(64):x}"
        command = [sys.executable, "-m", "saccade", "run", *words, "--json", "--out", "out"]
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(SOURCE), self.mark: "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def trajectory(self) -> Path:
        return self.folder / "out" / "trajectory.jsonl"

    def family(self) -> list[str]:
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and f"{self.mark}=".encode() in (entry / "environ").read_bytes():
                    found.append((entry / "comm").read_text().strip())
            except OSError:
                continue
        return found


def eventually(happened: Callable[[], object], seconds: float = 100.0) -> bool:
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_a_run_leaves_a_trajectory_and_nothing_else(tmp_path: Path) -> None:
    run = Run(tmp_path, "Click the File menu", "--app", "mousepad", "--sandbox", "strict", "--max-steps", "1")
    out, err = run.process.communicate(timeout=120)
    assert run.process.returncode == 1, err
    outcome = json.loads(out.splitlines()[-1])
    assert outcome["steps"] == 1
    loaded = Trajectory.load(run.trajectory.parent)
    loaded.check()
    assert (loaded.start.environment, loaded.start.instruction) == ("desktop", "Click the File menu")
    settings = loaded.start.environment_settings
    assert [settings.app, settings.display, settings.sandbox] == ["mousepad", "private", "strict"]
    assert settings.screen == (1280, 720)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    assert eventually(lambda: not run.family(), 2)


def test_a_run_that_is_told_to_end_tidies_up(tmp_path: Path) -> None:
    run = Run(tmp_path, "Wait", "--app", "mousepad", "--max-steps", "1000", "--constrained")
    assert eventually(run.trajectory.exists)
    run.process.send_signal(signal.SIGTERM)
    run.process.communicate(timeout=60)
    assert eventually(lambda: not run.family(), 2), run.family()
    end = Trajectory.load(run.trajectory.parent).end
    assert end is not None
    assert end.end == "interrupted"


def test_a_screen_of_others_is_taken_only_when_allowed(tmp_path: Path) -> None:
    refused = Run(tmp_path, "Click", "--display", ":4711", "--max-steps", "1")
    out, err = refused.process.communicate(timeout=60)
    assert (refused.process.returncode, set(json.loads(out))) == (2, {"error"})
    assert "the display :4711" in err
    assert "--yes" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"task": "x", "url": "https://example.org"}, r"url \(--url\) goes with the environment browser"),
        ({"task": "x", "environment": "miniwob:click-test"}, "goes? with the environment desktop"),
        ({}, "the desktop needs the task"),
    ],
)
def test_what_does_not_go_together_is_refused(asked: dict[str, str], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        RunRequest(desktop=DesktopOptions("mousepad"), **asked).check()


def test_a_program_or_a_display_means_the_desktop() -> None:
    assert RunRequest("x", desktop=DesktopOptions("mousepad")).environment_name == "desktop"
    assert RunRequest("x", desktop=DesktopOptions(display=":7")).environment_name == "desktop"
