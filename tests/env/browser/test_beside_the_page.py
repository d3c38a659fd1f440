"""What happens beside the page is told: tabs, files, errors of servers, addresses that lead nowhere."""

from __future__ import annotations

import random
import string
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest

from saccade.actions.geometry import Point
from saccade.actions.schema import Click, Navigate, Wait
from saccade.env.base import StepResult
from saccade.env.browser.environment import BrowserEnvironment
from saccade.env.browser.events.downloads import reserve, safe_name

OpenPage = Callable[..., BrowserEnvironment]
WHOLE = "position:absolute;left:0;top:0;width:300px;height:200px"
THERE = Click(point=Point(100, 100))
LOOK = Wait(seconds=0)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Answers ``/STATUS`` with that status, and ``/save/NAME`` with a file of that name."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, _, name = self.path[1:].partition("/")
            status = 200 if kind in ("save", "bytes") else int(kind)
            body = b"x" * int(name) if kind == "bytes" else b"" if status in (204, 205) else b"body"
            self.send_response(status)
            if kind == "save":
                self.send_header("Content-Disposition", f"attachment; filename*=UTF-8''{name}")
            elif kind == "bytes":
                self.send_header("Content-Disposition", "attachment; filename=some.bin")
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def link(address: str) -> str:
    return f"<a style='{WHOLE}' href='{address}'>there</a>"


def noted(environment: BrowserEnvironment, result: StepResult, count: int = 1) -> list[str]:
    """At least so many notes, of this step and those after it: a busy machine may be late with some."""
    notes = list(result.notes)
    for _ in range(100):
        if len(notes) >= count:
            break
        notes += environment.step(LOOK).notes
    return notes


@pytest.mark.parametrize(
    ("path", "note"),
    [
        ("/404", "HTTP 404 Not Found: {}/404"),
        ("/500", "HTTP 500 Internal Server Error: {}/500"),
        ("/401", "HTTP 401: {}/401 asks for a user name and password, which cannot be given here"),
        ("/204", "HTTP 204: {}/204 has no page to show, so the page stays"),
    ],
)
def test_what_a_server_answers_is_told(open_page: OpenPage, server: str, path: str, note: str) -> None:
    environment = open_page(link(server + path))
    assert environment.step(THERE).notes == (note.format(server),)
    again = environment.step(Navigate(url=server + path))
    assert (again.error, again.notes) == (None, (note.format(server),))


@pytest.mark.parametrize(
    ("address", "note"),
    [
        ("http://127.0.0.1:2/", "cannot open http://127.0.0.1:2/: net::ERR_UNSAFE_PORT"),
        ("http://127.0.0.1:9/x", "cannot open http://127.0.0.1:9/x: net::ERR_CONNECTION_REFUSED"),
        ("mailto:a@b.c", "no program here opens mailto:a@b.c"),
        ("zoommtg://x", "no program here opens zoommtg://x"),
    ],
)
def test_a_link_that_leads_nowhere_is_told(open_page: OpenPage, address: str, note: str) -> None:
    environment = open_page(link(address))
    notes = environment.step(THERE).notes
    assert notes[0].split("net::")[0] == note.split("net::")[0]


def test_tabs_that_open_and_close_are_told(open_page: OpenPage, site: object) -> None:
    popup = f"<div style='{WHOLE}' onclick=window.close()>popup</div>"
    address = site.page("/popup", popup)  # type: ignore[attr-defined]
    environment = open_page(f"<a style='{WHOLE}' target=_blank href=/popup></a>")
    assert environment.step(THERE).notes == ("a new tab opened and is in front",)
    assert environment.step(THERE).notes == (f"the tab of {address} closed; the one before it is in front",)


def test_a_tab_may_close_between_click_and_picture(open_page: OpenPage, site: object) -> None:
    site.page("/popup", f"<div style='{WHOLE}' onclick='setTimeout(() => window.close(), 5)'>popup</div>")  # type: ignore[attr-defined]
    environment = open_page(f"<a style='{WHOLE}' target=_blank href=/popup></a>")
    for _ in range(4):
        environment.step(THERE)
        closed = environment.step(THERE)
        assert closed.error is None
        assert "closed; the one before it is in front" in noted(environment, closed)[0]


CHOOSER = f"<input type=file style='{WHOLE}' MORE onchange='document.title = [...files].map(f => f.name)'>"


def title(environment: BrowserEnvironment) -> object:
    assert environment._session is not None
    return environment._session.evaluate("document.title")


def test_a_file_chooser_gets_the_files_that_were_allowed(open_page: OpenPage, tmp_path: Path) -> None:
    one, two = tmp_path / "one.txt", tmp_path / "two.txt"
    for path in (one, two):
        path.write_text(path.name, encoding="utf-8")
    environment = open_page(CHOOSER.replace("MORE", ""), files=(one, two))
    for name in ("one.txt", "two.txt"):
        assert noted(environment, environment.step(THERE)) == [f'file chooser answered with "{name}"']
        assert title(environment) == name
    environment = open_page(CHOOSER.replace("MORE", "multiple"), files=(one, two))
    assert noted(environment, environment.step(THERE)) == ['file chooser answered with "one.txt", "two.txt"']
    assert title(environment) == "one.txt,two.txt"


def test_a_file_chooser_without_files_is_said_to_be_cancelled(open_page: OpenPage) -> None:
    environment = open_page(CHOOSER.replace("MORE", ""))
    cancelled = "a file chooser opened and was cancelled, as no file may be uploaded (--file allows one)"
    for _ in range(2):
        assert noted(environment, environment.step(THERE)) == [cancelled]


PERMISSION = "the page asked for a permission ({}), which is not given here"


@pytest.mark.parametrize(
    ("ask", "note"),
    [
        (
            "Notification.requestPermission()",
            "the page asked for a permission (notifications), which is not given here",
        ),
        (
            "navigator.geolocation.getCurrentPosition(() => 0)",
            "the page asked for a permission (geolocation), which is not given here",
        ),
        (
            "navigator.mediaDevices.getUserMedia({video: true})",
            "the page asked for a permission (camera or microphone), which is not given here",
        ),
        ("print()", "the page asked to print; nothing is printed here"),
    ],
)
def test_permissions_and_printing_are_told(open_page: OpenPage, ask: str, note: str) -> None:
    environment = open_page(f"<button style='{WHOLE}' onclick='{ask}'>ask</button>")
    assert noted(environment, environment.step(THERE)) == [note]


@pytest.mark.parametrize(
    "suggested",
    [
        "a" * 300 + ".txt",
        "长" * 120 + ".txt",
        "../../etc/passwd",
        "/etc/passwd",
        "..\\..\\boot.ini",
        ".bashrc",
        "CON.txt",
        "a\u202etxt.exe",
        "x\0y\n.txt",
        "....",
        "",
    ],
)
def test_a_download_keeps_within_its_folder(open_page: OpenPage, server: str, tmp_path: Path, suggested: str) -> None:
    environment = open_page(link(f"{server}/save/{quote(suggested, safe='')}"), downloads=tmp_path / "in")
    for _ in range(2):
        assert noted(environment, environment.step(THERE))[0].startswith("download saved:")
    saved = sorted((tmp_path / "in").iterdir())
    assert [path.read_bytes() for path in saved] == [b"body", b"body"]
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert all(path.suffix == ".txt" for path in saved) or not suggested.endswith(".txt")


def test_any_suggested_name_becomes_a_safe_one(tmp_path: Path, scale: int) -> None:
    pick = random.Random(3)
    pieces = [*string.printable, "..", "/", "\\", "\0", "\u202e", "长", "😀", "CON", "nul", ".tar.gz", " ", "\ud800"]
    for number in range(100 * scale):
        suggested = "".join(pick.choice(pieces) for _ in range(pick.randrange(1, 300)))
        path = reserve(tmp_path / "in", safe_name(suggested))
        assert path.parent == tmp_path / "in"
        assert len(list((tmp_path / "in").iterdir())) == number + 1
        assert len(path.name.encode()) <= 255
        assert not path.name.startswith(".")


def test_what_stands_in_the_folder_is_neither_overwritten_nor_followed(
    open_page: OpenPage, server: str, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").symlink_to(tmp_path / "outside")
    environment = open_page(link(f"{server}/save/a.txt"), downloads=folder)
    assert noted(environment, environment.step(THERE)) == ['download saved: "a (1).txt", 4 bytes']
    assert not (tmp_path / "outside").exists()


def test_two_downloads_of_one_name_at_once_are_two_files(open_page: OpenPage, server: str, tmp_path: Path) -> None:
    press = "for (let n = 0; n < 5; n++) setTimeout(() => document.querySelector('a').click(), n)"
    page = f"<a download='a.txt' href='data:,body'></a><button style='{WHOLE}' onclick=\"{press}\">five</button>"
    environment = open_page(page, downloads=tmp_path)
    notes = noted(environment, environment.step(THERE), 5)
    assert len(notes) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "a (1).txt",
        "a (2).txt",
        "a (3).txt",
        "a (4).txt",
        "a.txt",
    ]


def test_downloads_have_a_limit_of_number_and_size(open_page: OpenPage, server: str, tmp_path: Path) -> None:
    page = link(f"{server}/bytes/600")
    environment = open_page(page, downloads=tmp_path / "one", download_bytes=1000)
    assert noted(environment, environment.step(THERE)) == ['download saved: "some.bin", 600 bytes']
    refused = 'download refused, as all may have 1.0 kB together: "some.bin"'
    assert noted(environment, environment.step(THERE)) == [refused]
    environment = open_page(page, downloads=tmp_path / "two", most_downloads=1)
    assert noted(environment, environment.step(THERE)) == ['download saved: "some.bin", 600 bytes']
    assert noted(environment, environment.step(THERE)) == ['download refused, as there were 1 already: "some.bin"']
    assert [len(list((tmp_path / name).iterdir())) for name in ("one", "two")] == [1, 1]
