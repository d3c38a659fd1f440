"""Each option of each command means something or is refused at once: nothing is silently ignored.

The tables say where an option means something; everywhere else it must be an error that names it, before a model
is loaded or a browser started. An option that is in no table fails, so a new one has to be thought about.
"""

from __future__ import annotations

import importlib
import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from made_runs import made_run
from places import TESTS
from saccade.env.trajectory.events import EnvironmentSettings
from saccade.tasks.cli.app import app, main

COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]


def pairs(*sets: Iterable[str]) -> list[tuple[str, ...]]:
    return list(itertools.product(*sets))


# ---------------------------------------------------------------- run
BROWSER, MINIWOB, MEMORY, PRIVATE, EXISTING = "browser", "miniwob", "memory", "private desktop", "existing screen"
PLACES = {
    BROWSER: ["Do it", "--url", "http://127.0.0.1:1/"],
    MINIWOB: ["--env", "miniwob:click-test"],
    MEMORY: ["--env", "memory"],
    PRIVATE: ["Do it", "--app", "xterm"],
    EXISTING: ["Do it", "--display", ":0", "--yes"],
}
RUN = {
    "--url": {BROWSER},
    "--env": set(),  # tried apart: each place has its own
    "--app": {PRIVATE},
    "--display": {EXISTING},
    "--monitor": {EXISTING},
    "--sandbox": {PRIVATE},
    "--home": {PRIVATE},
    "--viewport": {BROWSER, PRIVATE},
    "--headed": {BROWSER, MINIWOB},
    "--allow-file": {BROWSER},
    "--har": {BROWSER},
    "--file": {BROWSER},
    "--allow-domain": {BROWSER},
    "--allow-private": {BROWSER},
}
EVERYWHERE = {
    *("--seed", "--yes", "--model", "--dialect", "--temperature", "--decoding", "--constrained", "--acceptance"),
    *(
        "--max-images",
        "--max-pixels",
        "--history",
        "--max-steps",
        "--max-seconds",
        "--stop-chord",
        "--out",
        "--runs",
        "--json",
        "--set",
        "--expect",
        "--record-takeovers",
    ),
    *("--device", "--dtype", "--attention", "--quantize"),
    *("--secret", "--help", "--guard", "--on-ask", "--anchor"),
}
VALUES = {
    "--url": "http://127.0.0.1:1/",
    "--app": "xterm",
    "--display": ":0",
    "--monitor": "1",
    "--sandbox": "strict",
    "--home": ".",
    "--viewport": "800x600",
    "--har": None,
    "--headed": None,
    "--allow-file": None,
    "--seed": "3",
    "--model": "embedded",
    "--device": "cpu",
    "--dtype": "float32",
    "--attention": "eager",
    "--quantize": "8bit",
    "--max-images": "2",
    "--max-pixels": "100000",
    "--history": "text",
    "--tolerance": "0.1",
    "--patience": "3",
    "--update": None,
    "--out": "elsewhere",
    "--runs": "elsewhere",
    "--expect": "file=x",
    "--subset": "webgum",
    "--tasks": "click-test",
    "--seeds": "0-1",
    "--share-model": None,
    "--max-steps": "3",
    "--limit": "3",
    "--timeout": "9",
    "--retries": "1",
    "--ray": "local",
    "--osworld-cache": ".",
    "--file": "x",
    "--allow-domain": "example.net",
    "--allow-private": None,
    "--guard": "strict",
    "--on-ask": "exit",
    "--anchor": "anchor",
}


class Reached(BaseException):
    """The command would begin its work now."""


@pytest.fixture(autouse=True)
def nothing_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(*_: object, **__: object) -> None:
        raise Reached

    for name in ("env.x11.event_stream", "env.record.source", "env.record.atspi", "tasks.osworld.windows"):
        importlib.import_module(f"saccade.{name}")  # imported while it is replaced, they would keep what replaces it
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr("saccade.env.x11.connection.open_display", lambda *_: type("Display", (), {"close": reached}))
    monkeypatch.setattr("saccade.env.places.check_window", lambda: None)
    monkeypatch.setattr("saccade.tasks.commands.run.run_folder", reached)
    monkeypatch.setattr("saccade.tasks.replay.replay.run_folder", reached)
    monkeypatch.setattr("saccade.tasks.replay.replay.PreparedReplay.load_model", reached)
    monkeypatch.setattr("saccade.tasks.commands.eval.evaluate", reached)


def call(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The error of a command, or ``begins``."""
    try:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--json"])
    except Reached:
        return "begins"
    error = json.loads(capsys.readouterr().out.splitlines()[-1])["error"]
    assert (ended.value.code, error["exit"]) == (2, 2), error
    return str(error["message"])


def options_of(command: str) -> set[str]:
    return {each.opts[0] for each in COMMANDS[command].params if each.param_type_name == "option"}


def words_of(option: str) -> list[str]:
    value = VALUES[option]
    return [option] if value is None else [option, value]


def test_every_option_of_run_is_in_the_table() -> None:
    assert options_of("run") <= {*RUN, *EVERYWHERE}


@pytest.mark.parametrize(("place", "option"), pairs(PLACES, [each for each in RUN if each != "--env"]))
def test_run_refuses_what_means_nothing_there(capsys: pytest.CaptureFixture[str], place: str, option: str) -> None:
    if option not in options_of("run"):
        return
    Path("x").touch()
    more = ["--sandbox", "strict"] if option == "--home" else []
    given = PLACES[place]
    if option not in given:
        given = [*given, *words_of(option), *more]
    said = call(capsys, "run", *given)
    if place in RUN[option]:
        assert said == "begins"
    else:
        # Of an address and a program, the address may be the one too many.
        assert any(each in said for each in (option, *more[:1], *(["--url"] if place == BROWSER else []))), said
    assert not Path("runs").exists()


@pytest.mark.parametrize("env", ["brwser", "desktop:x", "miniwob:clik-test", "click-test", "osworld"])
@pytest.mark.parametrize("command", [["run", "Do it"], ["replay", "made"]])
def test_an_unknown_environment_is_said_at_once(
    capsys: pytest.CaptureFixture[str], command: list[str], env: str
) -> None:
    recorded("made", "miniwob:click-test")
    assert "nearest" in call(capsys, *command, "--env", env)


def test_a_default_of_ones_own_is_for_where_it_means_something(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Path("config", "saccade").mkdir(parents=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    defaults = 'headed = true\nviewport = "800x600"\nsandbox = "strict"\nruns = "mine"\n'
    Path("config", "saccade", "saccade.toml").write_text(defaults)
    for place in PLACES.values():
        assert call(capsys, "run", *place) == "begins"
    assert call(capsys, "run", "--out", "here") == "begins"
    recorded("made", "desktop", EnvironmentSettings(app="xterm", display="private"))
    assert call(capsys, "replay", "made", "--exact") == "begins"
    assert call(capsys, "replay", "made", "--offline") == "begins"


# ---------------------------------------------------------------- replay
MODES = {"verify": [], "exact": ["--exact"], "offline": ["--offline"]}
LIVE = {"verify", "exact"}
REPLAY = {
    "--url": LIVE,
    "--seed": LIVE,
    "--display": LIVE,
    "--headed": LIVE,
    "--har": LIVE,
    "--file": LIVE,
    "--model": {"verify", "offline"},
    "--max-images": {"verify", "offline"},
    "--max-pixels": {"verify", "offline"},
    "--history": {"verify", "offline"},
    **{key: {"verify", "offline"} for key in ("--device", "--dtype", "--attention", "--quantize")},
    "--tolerance": {"verify", "offline"},
    "--patience": {"exact"},
    "--update": {"verify"},
    "--out": LIVE,
    "--runs": LIVE,
    "--expect": LIVE,
    "--guard": LIVE,
    "--on-ask": LIVE,
    "--anchor": LIVE,
    "--allow-domain": LIVE,
    "--allow-private": LIVE,
}
REPLAYED_IN = {
    "--url": {"browser"},
    "--seed": {"miniwob:click-test", "memory"},
    "--display": {"desktop"},
    "--headed": {"browser", "miniwob:click-test"},
    "--har": {"browser"},
    "--file": {"browser"},
    "--allow-domain": {"browser"},
    "--allow-private": {"browser"},
}
ALWAYS = {"--exact", "--verify", "--offline", "--env", "--yes", "--allow", "--json", "--set", "--secret", "--ignore"}


def recorded(name: str, place: str, settings: EnvironmentSettings | None = None) -> Path:
    folder = Path(name)
    Path("x").touch()  # a file to give
    if not folder.exists():
        settings = settings or EnvironmentSettings(url="http://127.0.0.1:1/", har="network.har", now=0.0)
        made_run(folder, environment=place, environment_settings=settings, policy="embedded", seed=1)
    return folder


def test_every_option_of_replay_is_in_the_table() -> None:
    assert options_of("replay") <= {*REPLAY, *ALWAYS}


@pytest.mark.parametrize(("mode", "option"), pairs(MODES, REPLAY))
def test_replay_refuses_what_means_nothing_in_a_mode(
    capsys: pytest.CaptureFixture[str], mode: str, option: str
) -> None:
    place = {"--display": "desktop", "--seed": "miniwob:click-test"}.get(option, "browser")
    recorded("made", place, EnvironmentSettings(app="xterm", display="private") if place == "desktop" else None)
    said = call(
        capsys, "replay", "made", *MODES[mode], *words_of(option), *(["--yes"] if option == "--display" else [])
    )
    if mode in REPLAY[option]:
        assert said == "begins"
    else:
        assert f"({option})" in said


@pytest.mark.parametrize(
    ("place", "option"), pairs(("browser", "miniwob:click-test", "memory", "desktop"), REPLAYED_IN)
)
def test_replay_refuses_what_means_nothing_where_it_acts(
    capsys: pytest.CaptureFixture[str], place: str, option: str
) -> None:
    recorded("made", place, EnvironmentSettings(app="xterm", display="private") if place == "desktop" else None)
    said = call(capsys, "replay", "made", *words_of(option), "--yes")
    if place in REPLAYED_IN[option]:
        assert said == "begins"
    else:
        assert f"({option})" in said


# ---------------------------------------------------------------- eval
SUITES = {
    "interactive": ["miniwob", "--tasks", "click-test"],
    "interactive, on a server": ["miniwob", "--tasks", "click-test", "--model", "openai:http://127.0.0.1:1/v1#m"],
    "recorded": ["screenspot"],
    "recorded, on a server": ["screenspot", "--model", "openai:http://127.0.0.1:1/v1#m"],
}
ACTING = {"interactive", "interactive, on a server"}
RECORDED = {*SUITES} - ACTING
EVAL = {
    "--subset": set(),  # beside --tasks
    "--tasks": ACTING,
    "--seeds": ACTING,
    "--max-steps": ACTING,
    "--share-model": {"interactive"},
    "--ray": ACTING,
    "--timeout": ACTING,
    "--retries": ACTING,
    "--guard": ACTING,
    "--limit": RECORDED,
    "--data": RECORDED,
    "--osworld-cache": set(),
}
EVAL_ALWAYS = {
    *("--model", "--dialect", "--decoding", "--constrained", "--acceptance", "--max-images", "--workers", "--price"),
    *("--max-pixels", "--history"),
    *("--out", "--runs", "--resume", "--json", "--device", "--dtype", "--attention", "--quantize"),
}


def test_every_option_of_eval_is_in_the_table() -> None:
    assert options_of("eval") <= {*EVAL, *EVAL_ALWAYS}


@pytest.mark.parametrize(("suite", "option"), pairs(SUITES, EVAL))
def test_eval_refuses_what_means_nothing_for_a_suite(
    capsys: pytest.CaptureFixture[str], suite: str, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SACCADE_DATA", str(TESTS / "tasks" / "fixtures"))
    given = SUITES[suite]
    if option not in given:
        given = [*given, *(["--data", str(TESTS / "tasks" / "fixtures")] if option == "--data" else words_of(option))]
    said = call(capsys, "eval", *given)
    if suite in EVAL[option]:
        assert said == "begins"
    else:
        assert option in said


# ---------------------------------------------------------------- the others, and pairs
PAIRS = [
    (["run", "--out", "a", "--runs", "b"], "--runs"),
    (["replay", "made", "--out", "a", "--runs", "b"], "--runs"),
    (["eval", "miniwob", "--out", "a", "--runs", "b"], "--runs"),
    (["eval", "miniwob", "--resume"], "--resume"),
    (["replay", "made", "--exact", "--offline"], "--offline"),
    (["run", "x", "--app", "xterm", "--display", ":0"], "--display"),
    (["run", "x", "--app", "xterm", "--home", "."], "--home"),
    (["run", "x", "--app", "xterm", "--sandbox", "loose"], "--sandbox"),
    (["run", "--decoding", "plain", "--acceptance", "typical"], "--acceptance"),
    (["run", "--model", "openai:http://127.0.0.1:1/v1#m", "--constrained"], "--constrained"),
    (["run", "--model", "openai:http://127.0.0.1:1/v1#m", "--quantize", "4bit"], "--quantize"),
    (["eval", "miniwob", "--model", "openai:http://127.0.0.1:1/v1#m", "--device", "cpu"], "--device"),
    (["eval", "miniwob", "--quantize", "3bit"], "8bit"),
    (["run", "--dialect", "uitars-9"], "uitars-1.5"),
    (["eval", "miniwob", "--dialect", "uitars-9"], "uitars-1.5"),
    (["run", "--expect", "Done"], "--expect"),
    (["run", "x", "--app", "xterm", "--expect", "text=x"], "--expect"),
    (["replay", "made", "--expect", "html=x"], "--expect"),
    (["record", "--out", "o", "--env", "memory"], "--env"),
    (["record", "--out", "o", "--url", "http://a/", "--app", "xterm"], "--app"),
    (["record", "--out", "o", "--env", "desktop", "--url", "http://a/"], "--url"),
    (["record", "--out", "made", "--url", "http://a/"], "already holds a run"),
    (["view", "made", "--check", "--open"], "--open"),
    (["screenshot", "--out", "a.png", "--monitor", "1", "--region", "0,0,9x9"], "--monitor"),
    (["export", "made", "--to", "word"], "parquet"),
    (["import", "made", "--from", "parquet", "--out", "o", "--images", "."], "--images"),
]


@pytest.mark.parametrize(
    ("words", "named"), PAIRS, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_what_does_not_go_together_is_said(capsys: pytest.CaptureFixture[str], words: list[str], named: str) -> None:
    recorded("made", "browser")
    assert named in call(capsys, *words)


@pytest.mark.parametrize(
    ("environment", "hint"),
    [
        ({"DISPLAY": "", "WAYLAND_DISPLAY": ""}, "needs a display"),
        ({"DISPLAY": ":97", "WAYLAND_DISPLAY": ""}, "':97'|no display"),
        ({"DISPLAY": ":0", "SACCADE_BROWSER": "/opt/chrome-headless-shell"}, "shows no window"),
    ],
)
def test_a_window_that_nobody_can_see_is_refused(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], hint: str
) -> None:
    import importlib
    import re

    from saccade.actions.errors import UsageError
    from saccade.env import places
    from saccade.env.x11 import connection

    monkeypatch.undo()
    importlib.reload(connection)
    with monkeypatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        with pytest.raises(UsageError) as raised:
            places.check_window()
    assert re.search(hint, str(raised.value)), raised.value
