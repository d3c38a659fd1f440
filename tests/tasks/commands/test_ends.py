"""Signals at random moments, startup and ending included: nothing stays pressed, every trajectory has its end."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from made_endpoint import Endpoint, serving
from places import SOURCE
from saccade.actions.geometry import Point, Size
from saccade.env.control import Control
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.trajectory.trajectory import FILE_NAME, Trajectory
from saccade.env.x11.connection import Connection
from saccade.env.x11.input import X11Input

HOLDING = (
    "Action: mouse_down(start_box='(100,100)')",
    "Action: press(key='shift')",
    "Action: hotkey(key='shift a')",
    "Action: drag(start_box='(40,40)', end_box='(300,300)')",
    "Action: type(content='Hello, wörld ☃ and more than a few words')",
    "Action: long_press(start_box='(60,60)', time='3')",
    "Action: wait()",
)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
BUTTONS = 0x1F00


class Screen:
    """A display that outlives the commands that act on it."""

    def __init__(self, display: PrivateDisplay) -> None:
        self.name = display.name
        self.server = Connection(display.name)

    def pressed(self) -> tuple[list[int], int]:
        """The keycodes and the buttons that are down, as the server says."""
        bits = self.server.display.query_keymap()
        keys = [code for code in range(256) if bits[code // 8] >> code % 8 & 1]
        return keys, self.server.root.query_pointer().mask & BUTTONS


@pytest.fixture(scope="module")
def screen() -> Iterator[Screen]:
    with PrivateDisplay(Size(640, 480)) as display:
        screen = Screen(display)
        yield screen
        screen.server.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Endpoint]:
    """A model that holds keys and buttons in all ways, in turn."""
    chance = random.Random(7)
    with serving(lambda messages: chance.choice(HOLDING), "ui-tars-1.5") as endpoint:
        yield endpoint


class Command:
    """``saccade`` in a process of its own, with a temporary folder of its own; its family is known by a variable."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.mark = f"SACCADE_TEST_{random.getrandbits(64):x}"
        self.temporary = folder / "t"
        self.temporary.mkdir()
        self.servers: set[int] = set()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "saccade", *words],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(SOURCE), "TMPDIR": str(self.temporary), self.mark: "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def family(self) -> dict[int, str]:
        """Its processes: numbers and names."""
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and f"{self.mark}=".encode() in (entry / "environ").read_bytes():
                    found[int(entry.name)] = (entry / "comm").read_text().strip()
            except OSError:
                continue
        self.servers |= {number for number, name in found.items() if name == "Xvfb"}
        return found

    def end(self, chance: random.Random, until: Callable[[], bool] = lambda: False) -> tuple[str, str]:
        """Send it signals at random moments until it ends; returns what it printed, and when they came."""
        printed: list[str] = []
        reader = threading.Thread(target=lambda: printed.append(self.process.communicate(timeout=120)[0]))
        reader.start()
        begun, sent = time.monotonic(), ""
        deadline = begun + (chance.uniform(0, 8) if chance.random() < 0.5 else 100)
        while not until() and time.monotonic() < deadline and self.process.poll() is None:
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 2))
        for _ in range(chance.choice((1, 1, 2, 5))):
            kind = chance.choice(SIGNALS)
            self.family()
            sent += f"{kind.name} after {time.monotonic() - begun:.2f} s, "
            self.process.send_signal(kind)
            time.sleep(chance.uniform(0, 0.6))
        reader.join(120)
        return (printed or ["it did not end\n"])[0], sent


class Case(NamedTuple):
    words: tuple[str, ...]
    person: bool = False
    """Whether a person types and clicks meanwhile."""


def cases(screen: Screen, server: Endpoint, recording: Path) -> list[Case]:
    there = ("--display", screen.name, "--yes", "--out", "out/a")
    model = ("--model", server.address)
    tasks = ("--tasks", "count-lines", "--seeds", "0-3", "--workers", "2")
    return [
        Case(("run", "Hold everything", *there, *model)),
        Case(("run", "Hold everything", *there, *model, "--max-seconds", "3")),
        Case(("replay", str(recording), "--exact", *there)),
        Case(("record", "--display", screen.name, "--out", "out/a"), person=True),
        Case(("eval", "desktop", *tasks, *model, "--out", "out")),
    ]


@pytest.fixture(scope="module")
def recording(screen: Screen, server: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the same display, to replay."""
    folder = tmp_path_factory.mktemp("recording")
    words = ("run", "x", "--display", screen.name, "--yes", "--model", server.address, "--max-steps", "12")
    command = Command(folder, *words, "--out", "out")
    printed, _ = command.process.communicate(timeout=120)
    assert (folder / "out" / FILE_NAME).exists(), printed
    return folder / "out"


def act_like_a_person(name: str, over: threading.Event) -> None:
    with closing(X11Input(name, Control())) as device:
        while not over.wait(0.05):
            device.click(Point(50, 50))
            device.keyboard.type("ab")


@pytest.mark.parametrize("which", range(5), ids=("run", "limit", "replay", "record", "eval"))
def test_signals_at_random_moments(
    screen: Screen, server: Endpoint, recording: Path, tmp_path: Path, which: int, scale: int
) -> None:
    for number in range(min(scale, 12)):
        chance = random.Random(1000 * which + number)
        case = cases(screen, server, recording)[which]
        folder = tmp_path / str(number)
        folder.mkdir()
        over = threading.Event()
        person = threading.Thread(target=act_like_a_person, args=(screen.name, over))
        if case.person:
            person.start()
        command = Command(folder, *case.words)
        printed, sent = command.end(chance, lambda: any((folder / "out").rglob(FILE_NAME)))  # noqa: B023
        over.set()
        if case.person:
            person.join()
        say = f"case {number}: {sent}status {command.process.returncode}\n{printed}"
        assert screen.pressed() == ([], 0), say
        for file in (folder / "out").rglob(FILE_NAME):
            assert Trajectory.load(file).end is not None, f"{file}: {say}"
        # Python prints what a signal raises within a callback of an extension module, and goes on.
        assert "Traceback" not in re.sub(r"Exception ignored in: .*\nTraceback", "", printed), say
        assert eventually(lambda: not command.family()), f"{command.family()} {say}"  # noqa: B023
        assert list(command.temporary.iterdir()) == [], say
        locks = [int(lock.read_text()) for lock in Path("/tmp").glob(".X*-lock")]
        assert not command.servers.intersection(locks), say


@pytest.mark.parametrize("kind", SIGNALS)
def test_act_and_type_release_what_they_hold(screen: Screen, tmp_path: Path, kind: signal.Signals) -> None:
    lines = b'{"kind": "mouse_down", "point": [9, 9]}\n{"kind": "key_down", "key": "shift"}\n'
    command = [sys.executable, "-m", "saccade", "act", "--display", screen.name]
    environ = {**os.environ, "PYTHONPATH": str(SOURCE)}
    process = subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=False)
    assert process.stdin
    assert process.stdout
    process.stdin.write(lines)
    process.stdin.flush()
    assert [process.stdout.readline() for _ in range(2)] == [b'{"ok": true}\n'] * 2
    assert screen.pressed() != ([], 0)
    process.send_signal(kind)
    assert process.wait(30) == 130
    process.stdin.close()
    process.stdout.close()
    assert screen.pressed() == ([], 0)


def eventually(happened: Callable[[], object], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
