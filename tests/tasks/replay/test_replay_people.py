"""What people record is repeated exactly on unchanged pages and programs, screen by screen."""

from __future__ import annotations

import io
import random
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from made_desktop_people import DESKS, Desk
from made_people import PASSWORD, Visit, performs, wait
from saccade.actions.geometry import Size
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.trajectory.trajectory import Trajectory
from saccade.tasks.commands.record import RecordRequest, record
from saccade.tasks.replay.replay import ReplayRequest, ReplayResult, prepare, replay
from saccade.tasks.terminal.narrator import Narrator


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateDisplay]:
    """A display that a person sees."""
    with PrivateDisplay(Size(1400, 1000)) as display:
        monkeypatch.setenv("DISPLAY", display.name)
        yield display


def repeat(folder: Path) -> ReplayResult:
    return replay(prepare(ReplayRequest(folder, mode="exact", out=folder / "again", patience=4.0)))


def told(folder: Path) -> str:
    trajectory = Trajectory.load(folder)
    return "\n".join(f"{event.step + 1} {event.action!r}" for step in trajectory.steps for event in step.actions)


def test_people_in_a_browser(
    screen: PrivateDisplay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: int
) -> None:
    monkeypatch.setenv("SACCADE_SECRET_PASSWORD", PASSWORD)
    failed = []
    for seed in range(scale):
        chance = random.Random(seed)
        visit = Visit(chance)
        folder = tmp_path / f"visit {seed}"
        folder.mkdir()
        page = folder / "page.html"
        page.write_text(visit.page(), encoding="utf-8")
        person = performs(screen.name, chance, visit.perform)
        console = io.StringIO()
        record(RecordRequest(folder / "made", url=page.as_uri()), Narrator(console))
        person.join()
        done = repeat(folder / "made")
        if not done.success:
            failed.append(f"seed {seed}: {done.end.message}\n{told(folder / 'made')}\n{console.getvalue()}")
    assert not failed, "\n\n".join(failed)


class Console(io.StringIO):
    """What a recording tells; ``display`` waits until it says where the program is."""

    def display(self) -> str:
        while "recording;" not in self.getvalue():
            wait(0.05)
        found = re.search(r"private display (:\d+)", self.getvalue())
        assert found is not None, self.getvalue()
        return found[1]


def test_people_at_a_desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: int) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    failed = []
    for seed in range(scale):
        chance, kind = random.Random(seed), DESKS[seed % len(DESKS)]
        folder = tmp_path / f"visit {seed}"
        folder.mkdir()
        desk, console = kind(chance, folder), Console()

        def work(desk: Desk = desk, console: Console = console, chance: random.Random = chance) -> None:
            performs(console.display(), chance, desk.perform).join()

        person = Thread(target=work)
        person.start()
        record(RecordRequest(folder / "made", app=shlex.join(desk.command)), Narrator(console))
        person.join()
        kind(random.Random(seed), folder)  # the files as they were
        done = repeat(folder / "made")
        if not done.success:
            failed.append(f"seed {seed}: {done.end.message}\n{told(folder / 'made')}\n{console.getvalue()}")
    assert not failed, "\n\n".join(failed)
