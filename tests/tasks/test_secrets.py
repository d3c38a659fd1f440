"""Secrets and keys leave no trace, and what is written is private: over run, record, replay, eval, export, view."""

from __future__ import annotations

import base64
import html
import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, urlsplit

import numpy as np
import pytest

import saccade
from made_endpoint import pictures as made_pictures
from made_endpoint import scripted, serving
from saccade.actions.errors import UsageError
from saccade.actions.geometry import Size
from saccade.actions.schema import Type
from saccade.agent.policy import ScriptedPolicy
from saccade.env.record.browser_listener import BrowserListener
from saccade.env.record.recorder import Recorder, RecordOptions
from saccade.env.record.secrets import TypedSecrets
from saccade.env.trajectory.events import StartEvent
from saccade.env.trajectory.trajectory import Trajectory, TrajectoryWriter
from saccade.tasks.replay.environment import ReplayOverrides

PASSWORD = "hunter2 &/\"'\u00e9\u2192%+Xyzzy"
CODE = "493817"
SECRETS = {"password": PASSWORD, "code": CODE}
FORM = """<!DOCTYPE html><meta charset=utf-8><body style='margin:0;font:14px monospace'>
<form action=/done><style>input, button {{ position: absolute; left: 20px }}</style>
<input name=password type=password style='top:20px;width:200px'>
<input name=code style='top:60px;width:200px' autocomplete=off>
<input name=note style='top:100px;width:200px'>
<button style='top:140px'>Send</button></form>"""
DONE = """<!DOCTYPE html><meta charset=utf-8><body style='margin:0;font:14px monospace'>
<p style='position:absolute;left:20px;top:20px;margin:0;width:500px'>You sent {0}</p>
<p style='position:absolute;left:20px;top:120px;margin:0'>Done.</p><script>
document.cookie = 'said=' + encodeURIComponent({1});
fetch('/log', {{method: 'POST', body: JSON.stringify({{said: {1}}}), headers: {{
  Authorization: 'Basic ' + btoa(unescape(encodeURIComponent('bo:' + {1}))) }} }});
alert('You sent ' + {1});</script>"""
REPLIES = [
    "Thought: first {mark}\nAction: click(start_box='(167,150)')",
    "Action: type(content='{password}')",
    "Action: click(start_box='(167,350)')",
    "Action: type(content='{code}')",
    "Action: click(start_box='(67,750)')",
    "Thought: I see {leak}\nAction: finished(content='I sent {code}')",
]


class Site:
    """A page with a form that is sent by its address; it repeats everything.

    Attributes:
        sent: what was received in the form.
        address: of the form.
    """

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}/"
        self.sent: list[dict[str, list[str]]] = []


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            if self.path.startswith("/done"):
                site.sent.append(query)
            said = " ".join(query.get(name, [""])[0] for name in ("password", "code"))
            page = DONE.format(html.escape(said), json.dumps(said).replace("<", "\\u003c")) if query else FORM.format()
            data = page.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(data)))
            self.send_header("X-Said", quote(said))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site = Site(server.server_port)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield site
    server.shutdown()
    server.server_close()


def replies(leak: str = "it") -> list[str]:
    return [
        each.format(mark="{{password}}", password="{{password}}", code="{{code}}" if leak == "it" else CODE, leak=leak)
        for each in REPLIES
    ]


@contextmanager
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    try:
        yield
    finally:
        assert os.umask(before) == 0, "the process keeps its umask"


def forms(secret: str) -> set[bytes]:
    """A secret as it may be written."""
    utf8 = secret.encode()
    texts = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), quote(quote(secret, safe=""), safe="")}
    texts |= {
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(secret))[2:-2],
    }
    texts |= {html.escape(secret), html.escape(secret, quote=False), secret.replace("&", "&amp;")}
    bases = {base64.b64encode(before + utf8) for before in (b"", b"bo:", b"b:", b"user:")}
    return {text.encode() for text in texts} | bases | {each.rstrip(b"=")[:-1] for each in bases}


def assert_no_trace(*folders: Path, secrets: Any = (PASSWORD, CODE)) -> int:
    """Nothing in the folders holds a secret, and all of it is its owner's only; returns how many files there are."""
    looked_for = {form for secret in secrets for form in forms(secret)}
    files = 0
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            mode = stat.S_IMODE(path.lstat().st_mode)
            assert mode == (0o700 if path.is_dir() else 0o600), f"{path} has mode {mode:o}"
            if path.is_file():
                files += 1
                data = path.read_bytes()
                found = [
                    form for form in looked_for if form in data and (form != CODE.encode() or path.suffix != ".png")
                ]
                assert found == [], f"{path} holds {found}"
    return files


def pictures(folder: Path) -> list[np.ndarray]:
    """The recorded screens, in order."""
    run = Trajectory.load(folder)
    return [run.screenshot(seen).pixels for seen in run.observations()]


def black(pixels: np.ndarray, left: int, top: int, right: int, bottom: int) -> bool:
    return not pixels[top:bottom, left:right].any()


@pytest.fixture(scope="module")
def made(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that typed both secrets, with the network's file."""
    folder = tmp_path_factory.mktemp("secret")
    folder.chmod(0o700)
    with open_umask():
        saccade.run(
            "Send {{password}} and {{code}}",
            url=site.address,
            model=ScriptedPolicy(replies(f"{PASSWORD} and {CODE}"), "uitars-1.0"),
            secrets=SECRETS,
            on_ask="allow",
            har=True,
            viewport=(600, 200),
            out=folder / "made",
        )
    return folder / "made"


def test_the_page_gets_the_secrets_and_nothing_keeps_them(made: Path, site: Site) -> None:
    assert site.sent[0]["password"] == [PASSWORD]
    assert site.sent[0]["code"] == [CODE]
    assert assert_no_trace(made) >= 8
    run = Trajectory.load(made)
    assert run.start.instruction == "Send {{password}} and {{code}}"
    typed = [event.action.text for step in run.steps for event in step.actions if isinstance(event.action, Type)]
    assert typed == ["{{password}}", "{{code}}"]
    assert run.steps[-1].prediction is not None
    assert "I see {{password}} and {{code}}" in run.steps[-1].prediction.raw
    assert run.steps[-1].observation.url is not None
    assert "password={{password}}&code={{code}}" in run.steps[-1].observation.url
    assert run.end is not None
    assert run.end.message == "I sent {{code}}"
    har = (made / "network.har").read_text(encoding="utf-8")
    assert json.loads(har)["log"]["entries"]
    assert "{{password}}" in har
    assert '"Basic ' in har


def test_pictures_do_not_show_them(made: Path) -> None:
    screens = pictures(made)
    assert len(screens) == 6
    assert not black(screens[2], 30, 25, 60, 35), "dots can be seen"
    assert black(screens[4], 24, 64, 215, 76), "a code in a text field cannot"
    assert not black(screens[3], 24, 64, 215, 76), "an empty field can"
    assert black(screens[5], 100, 22, 150, 32), "nor what the page repeats"
    assert not black(screens[5], 20, 120, 60, 134), "but what else it says"


def test_a_replay_types_them_again_and_leaves_no_trace(
    made: Path, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="set SACCADE_SECRET_PASSWORD, or run this in a terminal"):
        saccade.replay(made, mode="exact")
    assert list(tmp_path.iterdir()) == [], "nothing was begun"
    count = len(site.sent)
    with open_umask():
        done = saccade.replay(made, mode="exact", secrets=SECRETS, out=tmp_path / "again")
    assert done.drift is None
    assert site.sent[count]["password"] == [PASSWORD]
    assert assert_no_trace(tmp_path / "again") >= 8


def test_a_network_on_file_has_markers_and_is_asked_for_them(made: Path, site: Site, tmp_path: Path) -> None:
    count = len(site.sent)
    with open_umask():
        done = saccade.replay(
            made, mode="exact", secrets=SECRETS, overrides=ReplayOverrides(har=True), out=tmp_path / "offline"
        )
    assert len(site.sent) == count, "no server was needed"
    run = Trajectory.load(done.directory)
    assert run.final is not None
    assert run.final.url == f"{site.address}done?password={{{{password}}}}&code={{{{code}}}}&note="
    assert_no_trace(tmp_path / "offline")


def command(*words: object, folder: Path, **environ: str) -> tuple[int, str]:
    """Exit status and all output of a command that runs with an open umask."""
    done = subprocess.run(
        [sys.executable, "-m", "saccade", *map(str, words)],
        cwd=folder,
        env={**os.environ, **environ},
        umask=0,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    return done.returncode, done.stdout + done.stderr


def test_no_command_leaves_a_trace_of_a_key_or_secret(site: Site, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    key = "sk-geheim/9+%x"
    held = {"SACCADE_SECRET_PASSWORD": PASSWORD, "SACCADE_SECRET_CODE": CODE, "SACCADE_API_KEY": f" 'Bearer {key}'\r"}
    both = ("--secret", "password", "--secret", "code")
    with serving(scripted(replies(f"{CODE}, {key}"))) as server:
        server.key = key
        model = ("--model", server.address, "--dialect", "uitars-1.0")
        where = ("--url", site.address, "--viewport", "600x200")
        asked = ("--har", "--on-ask", "allow")
        commands: list[tuple[tuple[object, ...], int]] = [
            (("run", "Send {{password}}, {{code}}", *where, *model, *both, *asked, "--out", "made", "--json"), 0),
            (("run", "Send {{passwort}}", *where, *model, *both, "--out", "no", "--json"), 2),
            (("run", "Send it", *where, *model, "--set", f"word={PASSWORD}", "--out", "no", "--json"), 2),
            (("replay", "made", "--exact", *both, "--out", "again", "--json"), 0),
            (("replay", "made", "--offline", *both, "--json"), 0),
            (("export", "made", "--to", "osworld", "--out", "o"), 0),
            (("export", "made", "--to", "agentnet", "--out", "a"), 0),
            (("export", "made", "--to", "parquet", "--out", "p.parquet"), 0),
            (("import", "a", "--from", "agentnet", "--out", "imported"), 0),
            (("view", ".", "--no-open"), 0),
            (
                (
                    "eval",
                    "miniwob",
                    "--tasks",
                    "click-test",
                    "--seeds",
                    "0",
                    *model,
                    "--max-steps",
                    "3",
                    "--out",
                    "evaluated",
                    "--json",
                ),
                0,
            ),
        ]
        shown = ""
        for words, status in commands:
            if words[0] == "eval":  # without secrets, the model cannot know them
                server.answer = scripted([f"Thought: {key}\nAction: click(start_box='(500,500)')"] * 30)
            done = command(*words, folder=tmp_path, **held)
            assert done[0] == status, (words, done)
            shown += done[1]
        server.key = "another"
        refused = command("run", "Send it", *where, *model, "--json", folder=tmp_path, **held)
        assert refused[0] == 2
        assert "refuses the key (401)" in refused[1]
        sent = json.dumps(server.requests)
    (tmp_path / "shown").write_text(shown + refused[1] + sent, encoding="utf-8")
    (tmp_path / "shown").chmod(0o600)
    assert {"made", "again", "o", "a", "p.parquet", "imported", "evaluated"} <= {
        path.name for path in tmp_path.iterdir()
    }
    assert not (tmp_path / "no").exists()
    assert assert_no_trace(*(path for path in tmp_path.iterdir()), secrets=(PASSWORD, CODE, key)) > 50
    asked = server.requests[4]["messages"]
    assert "{{password}}, {{code}}" in asked[0]["content"]
    assert black(made_pictures(asked)[-1].pixels, 24, 64, 215, 76), "the model's picture is the one that is kept"


def test_a_person_who_types_a_secret_is_recorded_with_its_marker(site: Site, tmp_path: Path) -> None:
    secrets = TypedSecrets({"code": CODE})
    start = StartEvent(saccade_version="0", instruction="", environment="browser", policy="person", time=0.0)
    with (
        open_umask(),
        BrowserListener(site.address, headless=True, viewport=Size(600, 200), secrets=secrets) as browser,
        TrajectoryWriter(tmp_path / "made", start, conceal=secrets.conceal) as trajectory,
    ):
        recorder = Recorder(trajectory, RecordOptions(secrets=secrets))

        def do(call: Callable[[], None]) -> None:
            call()
            end = time.monotonic() + 1.2  # a gesture that comes before a new picture joins the step before it
            recorder.run(browser.events(lambda: time.monotonic() >= end))

        do(lambda: browser.page.mouse.click(100, 110))
        do(lambda: browser.page.keyboard.type(f"to {CODE}!"))
        do(lambda: browser.page.mouse.click(100, 30))
        do(lambda: browser.page.keyboard.type(PASSWORD))
        do(lambda: browser.page.mouse.click(40, 150))
        do(lambda: browser.page.mouse.click(500, 190))
        recorder.finish(browser.capture())
    run = Trajectory.load(tmp_path / "made")
    typed = [event.action.text for step in run.steps for event in step.actions if isinstance(event.action, Type)]
    assert typed == ["to {{code}}!", "{{password}}"]
    assert run.final is not None
    assert run.final.url == f"{site.address}done"
    screens = pictures(tmp_path / "made")
    assert any(black(screen, 24, 104, 215, 116) for screen in screens), "the field shows it"
    assert assert_no_trace(tmp_path / "made") > 5


def test_a_code_that_is_typed_into_one_field_for_each_digit_is_black(tmp_path: Path) -> None:
    fields = "".join(
        f"<input id=f{n} maxlength=1 style='position:absolute;top:20px;left:{20 + 40 * n}px;width:20px' "
        f"oninput='document.getElementById(`f{n + 1}`)?.focus()'>"
        for n in range(6)
    )
    page = tmp_path / "page.html"
    page.write_text(f"<!DOCTYPE html><body style='margin:0'>{fields}<input style='position:absolute;top:80px'>")
    script = ["Action: click(start_box='(50,150)')", "Action: type(content='{{code}}')", "Action: wait()"]
    done = saccade.run(
        "Type {{code}}",
        url=page.as_uri(),
        allow_file=True,
        model=ScriptedPolicy(script, "uitars-1.0"),
        secrets={"code": CODE},
        viewport=(600, 200),
        out=tmp_path / "made",
    )
    last = pictures(done.trajectory.directory)[-1]
    assert all(black(last, 24 + 40 * n, 24, 40 + 40 * n, 34) for n in range(6))
    assert not black(last, 5, 84, 100, 94)
