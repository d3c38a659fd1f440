"""A recording is data: of one of others, nothing is used that the user has not agreed to."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import saccade
from made_endpoint import Endpoint as Server
from made_endpoint import scripted, serving
from made_runs import made_run
from places import SOURCE
from saccade.actions.errors import TrajectoryError, UsageError
from saccade.actions.geometry import Point
from saccade.actions.schema import Action, Click, Navigate, OpenApp, Type
from saccade.env.trajectory import ownership
from saccade.env.trajectory.events import EnvironmentSettings, PolicySettings
from saccade.env.trajectory.trajectory import Trajectory
from saccade.tasks.bench.replay import bench_replay
from saccade.tasks.cli.app import app, main
from saccade.tasks.commands import replay as command_module
from saccade.tasks.replay.environment import ReplayOverrides
from saccade.tasks.replay.replay import ReplayRequest, prepare


def foreign(folder: Path, actions: Sequence[Action] = (Click(point=Point(9, 9)),), **start: Any) -> Path:
    """A whole recording, as somebody else's computer wrote it."""
    settings = EnvironmentSettings(**start.pop("settings", {}))
    made_run(folder, [(action,) for action in actions], environment_settings=settings, **start)
    (folder / ownership.SIGNATURE_NAME).unlink()
    return folder


def names_of(folder: Path, overrides: ReplayOverrides | None = None, **request: Any) -> list[str]:
    """What a person would have to agree to."""
    found: list[str] = []
    overrides = overrides or ReplayOverrides()
    prepare(
        ReplayRequest(folder, overrides=overrides, **request),
        ask=lambda prompt: "told",
        agree=lambda uses: found.extend(use.name for use in uses),
    )
    return found


def in_shell(*words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "saccade", *words],
        capture_output=True,
        text=True,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(SOURCE), **variables},
        timeout=180,
        check=False,
    )


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(scripted([])) as running:
        yield running


# ---- what has to be agreed to


def test_each_thing_that_is_named_is_listed_once(tmp_path: Path) -> None:
    actions = [
        Navigate(url="http://a.example/first"),
        Navigate(url="http://a.example/second"),
        Navigate(url="https://b.example"),
        Navigate(url="file:///etc/passwd"),
        Type(text="{{password}}"),
        Type(text="{{password}} {{pin}}"),
    ]
    settings = {"url": "a.example", "app": "xterm"}
    model = "openai:http://evil.example/v1#x"
    folder = foreign(tmp_path / "run", actions, environment="browser", policy=model, settings=settings)
    pages = ["a.example", "http://a.example/first", "https://b.example", "file:///etc/passwd"]
    secrets = ["{{password}}", "{{pin}}"]
    assert names_of(folder) == [model, *pages, *secrets]
    assert names_of(folder, mode="exact") == [*pages, *secrets]
    assert names_of(folder, mode="offline") == [model]
    assert names_of(folder, model="embedded") == [*pages, *secrets]
    assert names_of(folder, ReplayOverrides(url="https://b.example/mine")) == [
        model,
        "http://a.example/first",
        "file:///etc/passwd",
        *secrets,
    ]
    assert names_of(folder, allow=(model, *pages, *secrets)) == []
    assert names_of(folder, ReplayOverrides(environment="memory"), model="embedded") == secrets


def test_programs_are_listed_unless_they_are_not_started(tmp_path: Path) -> None:
    actions = [OpenApp(name="xterm"), Click(point=Point(9, 9))]
    folder = foreign(tmp_path / "run", actions, environment="desktop", policy="person", settings={"app": "sh -c evil"})
    assert names_of(folder) == ["sh -c evil", "xterm"]
    assert names_of(folder, ReplayOverrides(display=":77")) == []
    assert names_of(folder, ReplayOverrides(environment="memory")) == []


@pytest.mark.parametrize("environment", ["memory", "miniwob:click-test"])
def test_what_ships_with_saccade_needs_no_agreement(tmp_path: Path, environment: str) -> None:
    settings = {"url": "http://evil.example", "app": "evil"}
    for policy in ("embedded", "person", "recording"):
        assert names_of(foreign(tmp_path / policy, environment=environment, policy=policy, settings=settings)) == []


def test_ones_own_recordings_name_what_the_user_named(tmp_path: Path) -> None:
    made_run(tmp_path / "own", environment="browser", environment_settings=EnvironmentSettings(url="http://a.example"))
    assert names_of(tmp_path / "own") == []


# ---- how it is agreed to


def test_without_a_terminal_nothing_is_asked_and_one_line_says_how_to_allow_it(tmp_path: Path, server: Server) -> None:
    speaks = PolicySettings(dialect="uitars-1.0")
    foreign(tmp_path / "theirs", environment="memory", policy=server.address, policy_settings=speaks)
    words = ("replay", "theirs", "--out", "out", "--json")
    refused = in_shell(*words, cwd=tmp_path, SACCADE_API_KEY="sk-mine")
    (line,) = refused.stderr.splitlines()
    assert refused.returncode == 2
    assert server.asked == []
    assert not (tmp_path / "out").exists()
    assert f"send the screenshots, and your API key if there is one, to {server.address}" in line
    assert json.loads(refused.stdout)["error"]["kind"] == "usage"
    command = shlex.split(line.partition("Allow it with: saccade ")[2])
    assert command == [*words, "--allow", server.address]
    server.key = "sk-mine"
    allowed = in_shell(*command, cwd=tmp_path, SACCADE_API_KEY="sk-mine")
    assert allowed.returncode in (0, 1), allowed.stderr
    assert server.requests


def test_a_program_of_a_recording_is_not_started(tmp_path: Path) -> None:
    marker = tmp_path / "started"
    folder = foreign(tmp_path / "run", environment="desktop", policy="person", settings={"app": f"touch {marker}"})
    for mode in ("--exact", "--verify"):
        refused = in_shell("replay", str(folder), mode, cwd=tmp_path)
        assert refused.returncode == 2
        assert f"start the program touch {marker} with all your rights" in refused.stderr
    with pytest.raises(UsageError, match=r"Allow it with allow=\['touch"):
        saccade.replay(folder, mode="exact")
    assert not marker.exists()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "agreed"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_person_is_asked_once_about_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, agreed: bool
) -> None:
    actions = [Navigate(url="http://192.168.0.7/x"), Type(text="{{pin}}")]
    folder = foreign(tmp_path / "run", actions, environment="browser", policy="person", settings={"url": "http://gpu/"})
    said = io.StringIO()
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys, "stderr", said)
    prepared: list[object] = []
    monkeypatch.setattr(command_module, "replay", lambda *given, **more: prepared.append(given) or sys.exit(7))
    monkeypatch.setenv("SACCADE_SECRET_PIN", "1234")
    with pytest.raises(SystemExit) as stopped:
        main(["replay", str(folder), "--exact"])
    assert stopped.value.code == (7 if agreed else 2)
    assert bool(prepared) == agreed
    question = said.getvalue()
    assert question.count("Continue? [y/N]") == 1
    assert "open the page http://gpu/ (on this computer or its network)" in question
    assert "open the page http://192.168.0.7/x (on this computer or its network)" in question
    assert "type your secret pin there" in question
    assert "1234" not in question


def test_what_is_shown_hides_nothing(tmp_path: Path) -> None:
    folder = foreign(
        tmp_path / "run", environment="desktop", policy="person", settings={"app": "mousepad\x1b[2K\r\n\u202egnp"}
    )
    with pytest.raises(UsageError) as refused:
        saccade.replay(folder, mode="exact")
    assert "mousepad\\x1b[2K\\r\\n\\u202egnp" in str(refused.value)


# ---- what comes of it


def test_a_replay_of_others_stays_theirs(tmp_path: Path) -> None:
    """Else a harmless replay would make the rest of what is named one's own."""
    settings = {"url": "http://evil.example", "app": "evil"}
    folder = foreign(tmp_path / "theirs", environment="memory", policy="person", settings=settings)
    done = saccade.replay(folder, mode="exact", out=tmp_path / "again")
    again = Trajectory.load(done.directory)
    assert not again.own
    used = again.start.environment_settings
    assert (used.url, used.app) == (None, None)
    made_run(tmp_path / "mine", environment="memory", policy="person")
    done = saccade.replay(tmp_path / "mine", mode="exact", out=tmp_path / "mine again")
    assert Trajectory.load(done.directory).own


def test_a_benchmark_of_a_recording_loads_no_model_that_it_names(tmp_path: Path) -> None:
    folder = foreign(tmp_path / "theirs", environment="memory", policy="somebody/something")
    with pytest.raises(UsageError, match="--model"):
        bench_replay(folder, None, 1, 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_neither_key_nor_screenshots_follow_a_redirect(server: Server, status: int) -> None:
    with serving(scripted(["Action: finished()"])) as elsewhere:
        server.moved = (status, elsewhere.url)
        with pytest.raises(saccade.SaccadeError, match=rf"redirects elsewhere \({status}\)"):
            saccade.run("Look", env="memory", model=server.address)
        assert elsewhere.asked == []


# ---- the network on file


def har(folder: Path, **content: Any) -> Path:
    """A recording with a page on file."""
    url = "http://shop.example/"
    settings = {"url": url, "har": content.pop("name", "network.har"), "now": 1_700_000_000.0}
    foreign(folder, environment="browser", policy="person", settings=settings)
    headers = [{"name": "content-type", "value": "text/html"}]
    body = {"text": "<h1>shop</h1>", **content}
    response = {"status": 200, "headers": headers, "content": body, "redirectURL": ""}
    entry = {"request": {"method": "GET", "url": url, "headers": []}, "response": response}
    (folder / "network.har").write_text(json.dumps({"log": {"entries": [entry]}}), encoding="utf-8")
    return folder


def replayed(folder: Path) -> None:
    saccade.replay(
        folder, mode="exact", overrides=ReplayOverrides(har=True), allow=["http://shop.example/"], out=folder / "out"
    )


@pytest.mark.parametrize("file", ["../secret.html", "/etc/passwd", "link.html", "pipe"])
def test_a_network_on_file_reads_nothing_outside_its_folder(tmp_path: Path, file: str) -> None:
    (tmp_path / "secret.html").write_text("secret", encoding="utf-8")
    folder = har(tmp_path / "run", _file=file)
    (folder / "link.html").symlink_to(tmp_path / "secret.html")
    os.mkfifo(folder / "pipe")
    with pytest.raises(TrajectoryError, match=r"leads out of its folder|is no file"):
        replayed(folder)


@pytest.mark.parametrize("name", ["../run2/network.har", "/etc/passwd", "trajectory.jsonl", "other.zip", "link.har"])
def test_the_file_of_the_network_is_in_the_folder(tmp_path: Path, name: str) -> None:
    har(tmp_path / "run2")
    folder = har(tmp_path / "run", name=name)
    (folder / "link.har").symlink_to(tmp_path / "run2" / "network.har")
    with pytest.raises(TrajectoryError, match=r"leads out of its folder|is no \.har file"):
        replayed(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"log": 5}', '{"log": {"entries": [5]}}', "[" * 9999])
def test_a_damaged_network_is_one_clear_line(tmp_path: Path, text: str) -> None:
    folder = har(tmp_path / "run")
    (folder / "network.har").write_text(text, encoding="utf-8")
    with pytest.raises(TrajectoryError, match=r"network\.har: is not what a browser recorded") as error:
        replayed(folder)
    assert "\n" not in str(error.value)


def test_a_page_on_file_reaches_nobody(tmp_path: Path, server: Server) -> None:
    port = server.server_address[1]
    script = f"<script>new WebSocket('ws://127.0.0.1:{port}/out'); fetch('http://127.0.0.1:{port}/out')</script>"
    folder = har(tmp_path / "run", text=script)
    replayed(folder)
    assert server.asked == []


def test_help_names_the_option() -> None:
    assert "--allow" in CliRunner().invoke(app, ["replay", "--help"]).stdout
