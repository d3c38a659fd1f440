"""Defaults of options: what counts, where it comes from, and what a project's file may not choose."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from saccade.tasks.cli.app import app
from saccade.tasks.cli.settings import KEYS, all_settings


class Setup:
    """A project with a subfolder to work in, and a user's configuration directory."""

    def __init__(self, root: Path) -> None:
        self.project = root / "project" / "saccade.toml"
        self.user = root / "config" / "saccade" / "saccade.toml"
        for file in (self.project, self.user):
            file.parent.mkdir(parents=True)

    def config(self, **variables: str) -> dict[str, tuple[Any, str]]:
        found = json.loads(call("config", "--json", **variables).stdout.splitlines()[-1])
        return {each["key"]: (each["value"], each["origin"]) for each in found["settings"]}


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    made = Setup(tmp_path)
    (tmp_path / "project" / "below").mkdir()
    monkeypatch.chdir(tmp_path / "project" / "below")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return made


def call(*words: str, **variables: str) -> Result:
    return CliRunner().invoke(app, list(words), env=variables)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The request that ``saccade run`` was about to meet."""
    caught = SimpleNamespace()

    def run(request: Any, json_output: bool) -> int:
        caught.request = request
        return 0

    monkeypatch.setattr("saccade.tasks.commands.run.run_and_print", run)
    return caught


def test_the_order_of_precedence(setup: Setup, asked: SimpleNamespace) -> None:
    layers = [
        lambda: None,
        lambda: setup.user.write_text('model = "the-user"\nmax_steps = 3'),
        lambda: setup.project.write_text('model = "the/project"'),
    ]
    expected = ["embedded", "the-user", "the/project"]
    for add, model in zip(layers, expected, strict=True):
        add()
        result = call("run")
        assert (result.exit_code, asked.request.model) == (0, model), result.output
    assert asked.request.max_steps == 3, "what the project leaves open is the user's"
    call("run", SACCADE_MODEL="the-variable")
    assert asked.request.model == "the-variable"
    call("run", "--model", "the-option", SACCADE_MODEL="the-variable")
    assert asked.request.model == "the-option"


def test_config_says_where_each_value_comes_from(setup: Setup) -> None:
    setup.user.write_text('viewport = "800x600"\nmodel = "mine"')
    setup.project.write_text('model = "team/model"')
    found = setup.config(SACCADE_HEADED="1")
    assert found["viewport"] == ("800x600", str(setup.user))
    assert found["model"] == ("team/model", str(setup.project))
    assert found["headed"] == ("1", "SACCADE_HEADED")
    assert found["max_steps"][1] == "built-in"
    shown = call("config").stdout
    assert str(setup.project) in shown
    assert "800x600" in shown


def test_every_key_is_an_option_and_the_other_way_round() -> None:
    assert {each.key for each in all_settings(get_command(app))} == set(KEYS)


def test_a_default_does_not_reach_commands_that_mean_something_else(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup.user.write_text('model = "mine"')
    requests: list[Any] = []
    monkeypatch.setattr(
        "saccade.tasks.commands.replay.replay_and_print", lambda request, **_: requests.append(request) or 0
    )
    assert call("replay", "somewhere").exit_code == 0
    assert requests[0].model is None, "a replay asks the model that made the recording"


def test_a_default_viewport_leaves_existing_displays_alone(setup: Setup, asked: SimpleNamespace) -> None:
    setup.user.write_text('viewport = "800x600"')
    call("run", "x", "--display", ":3")
    assert asked.request.viewport is None
    call("run", "x", "--display", ":3", "--viewport", "1x1")
    assert asked.request.viewport == (1, 1)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ('modle = "x"', "did you mean `model`?"),
        ("max_steps = true", "max_steps"),
        ('max_steps = "three"', "max_steps"),
        ("this is no TOML", "cannot read"),
        ('api_key = "secret"', "SACCADE_API_KEY"),
        ('app = "xterm"', "unknown key"),
        ('url = "http://example.org"', "unknown key"),
    ],
)
def test_what_a_file_may_not_say(setup: Setup, text: str, hint: str) -> None:
    for file in (setup.user, setup.project):
        file.write_text(text)
        result = call("run")
        assert result.exit_code != 0
        assert hint in str(result.exception)
        assert str(file) in str(result.exception)
        assert call("run", "--help").exit_code == 0, "help is shown nevertheless"
        assert call("parse", "--dialect", "uitars-1.0", "--size", "1x1").exit_code != 0
        file.unlink()


@pytest.mark.parametrize(
    "text",
    [
        'model = "openai:http://attacker.example/v1#x"',
        'model = "https://attacker.example/x"',
        'model = "/etc"',
        'model = "../outside"',
        'model = "link"',
        'decoding = "draft:/outside+grammar"',
        'data = "../outside"',
        'data = "~/secrets"',
        'osworld_cache = "/var"',
        'sandbox = "none"',
        'stop_chord = "ctrl+alt+shift+f12"',
    ],
)
def test_a_projects_file_chooses_no_server_no_place_outside_and_no_protection(setup: Setup, text: str) -> None:
    (setup.project.parent.parent / "outside").mkdir()
    (setup.project.parent / "link").symlink_to("../outside")
    setup.project.write_text(text)
    key = text.split()[0]
    result = call("run")
    assert "may not set" in str(result.exception)
    assert f"SACCADE_{key.upper()}" in str(result.exception), "the message says where it may be set"
    setup.project.unlink()
    setup.user.write_text(text)
    assert setup.config()[key][1] == str(setup.user), "the user's own file may"


def test_a_projects_folders_are_its_own_and_what_it_chooses_is_printed(setup: Setup, asked: SimpleNamespace) -> None:
    (setup.project.parent / "checkpoint").mkdir()
    setup.project.write_text('model = "checkpoint"\ndata = "benchmarks"\nworkers = 2')
    result = call("run")
    assert asked.request.model == str(setup.project.parent / "checkpoint")
    assert f"{setup.project} sets model = " in result.stderr
    assert "workers" not in result.stderr, "run has no workers"
    assert setup.config()["data"][0] == str(setup.project.parent / "benchmarks")


def test_new_runs_get_a_folder_each_where_the_project_wants_them(setup: Setup) -> None:
    setup.project.write_text('runs = "results"')
    for _ in range(2):
        result = call("run", "--env", "memory", "--model", "no/such/checkpoint", "--json")
        assert result.exit_code != 0
    assert (setup.project.parent / "results").is_dir(), "the folder of a run that never began is removed"
    assert not Path("runs").exists()
    assert "`runs`" in str(call_with('out = "results"', setup).exception)


def call_with(text: str, setup: Setup) -> Result:
    setup.project.write_text(text)
    return call("run")
