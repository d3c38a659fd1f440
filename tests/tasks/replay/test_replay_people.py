"""What people record is repeated exactly on unchanged pages and programs, screen by screen."""

from __future__ import annotations

import io
import random
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from made_desktop_people import DESKS, Desk
from made_people import ORIGIN_SCRIPT, PASSWORD, Person, Visit, finds_the_page, performs, wait
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Click, Type
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.trajectory.trajectory import Trajectory
from saccade.tasks.commands.record import RecordRequest, record
from saccade.tasks.replay.environment import ReplayOverrides
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


@contextmanager
def served(html: str) -> Iterator[str]:
    """One page from a server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join()


VALUED = f"""<!DOCTYPE html><meta charset=utf-8><title>Page</title><body style='margin:0'>
<input id=city style='position:absolute;left:20px;top:20px;width:200px'>
<p id=now style='position:absolute;left:20px;top:60px'></p>{ORIGIN_SCRIPT}
<script>document.getElementById('now').textContent = new Date().toISOString() + Math.random();</script>"""


def test_values_and_the_network_are_recorded(screen: PrivateDisplay, tmp_path: Path) -> None:
    def act(person: Person) -> None:
        finds_the_page(person)
        person.clicks(100, 30)
        person.types("to Rome", slips=False)

    with served(VALUED) as url:
        person = performs(screen.name, random.Random(1), act)
        request = RecordRequest(tmp_path / "made", url=url, har=True, values={"city": "Rome"})
        record(request, Narrator(io.StringIO()))
        person.join()
    made = Trajectory.load(tmp_path / "made")
    assert [event.action for step in made.steps for event in step.actions] == [
        Click(point=Point(100, 30)),
        Type(text="to {{city}}"),
    ]
    assert made.start.variables == {"city": "Rome"}
    assert made.start.environment_settings.har == "network.har"
    assert (tmp_path / "made" / "network.har").stat().st_mode & 0o777 == 0o600
    overrides = ReplayOverrides(har=True)  # its server is gone, and its clock stands still
    for values in ({}, {"city": "Oslo"}):
        request_ = ReplayRequest(
            tmp_path / "made", "exact", overrides, values=values, out=tmp_path / f"again {values}", patience=2.0
        )
        done = replay(prepare(request_))
        typed = [event.action for step in Trajectory.load(done.directory).steps for event in step.actions]
        assert Type(text=f"to {values.get('city', 'Rome')}") in typed
        assert done.success is not bool(values), done.end.message
        assert (done.drift.variables if done.drift else ()) == tuple(values)
