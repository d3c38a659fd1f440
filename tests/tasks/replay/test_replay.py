"""``saccade replay`` on the real thing: the embedded policy, MiniWoB++ and pages in Chromium."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from saccade.actions.errors import SaccadeError, TrajectoryError, UsageError
from saccade.actions.geometry import Point
from saccade.actions.schema import Action, Click, Type
from saccade.agent.replay.recording import recording
from saccade.agent.training.dataset.folder import Dataset
from saccade.env.guard.guard import Guard
from saccade.env.registry import make_environment
from saccade.env.trajectory import ownership
from saccade.env.trajectory.events import ActionEvent, EndEvent, EnvironmentSettings, PredictionEvent, StartEvent
from saccade.env.trajectory.trajectory import FILE_NAME, Trajectory, TrajectoryWriter
from saccade.tasks.cli.app import app
from saccade.tasks.replay.replay import RECORD_NAME
from saccade.tasks.replay.variables import (
    fill_task,
    parse_secret_names,
    parse_settings,
    read_secrets,
    refuse_marks,
    substitution,
)

Command = Callable[..., dict[str, Any]]
BUTTON = "<button style='position:absolute;left:{0}px;top:{0}px' onclick='document.title=1'>Press</button>"
FIELD = """
<input id=name style='position:absolute;left:20px;top:20px;width:120px'>
<input type=password id=secret style='position:absolute;left:20px;top:60px;width:120px'>
<script>addEventListener('input', () => { document.title = name.value + '/' + secret.value; });
const name = document.getElementById('name'), secret = document.getElementById('secret');</script>
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command with ``--json`` in an empty folder; its object, and its exit status as ``exit``."""
    monkeypatch.chdir(tmp_path)

    def start(*arguments: object) -> dict[str, Any]:
        result = CliRunner().invoke(app, [*map(str, arguments), "--json"])
        if isinstance(result.exception, SaccadeError):
            raise result.exception
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return {**json.loads(result.stdout.splitlines()[-1]), "exit": result.exit_code}

    return start


@pytest.fixture
def page(tmp_path: Path) -> Callable[[str], str]:
    def write(html: str) -> str:
        file = tmp_path / "page.html"
        file.write_text(f"<!DOCTYPE html><meta charset=utf-8><body>{html}", encoding="utf-8")
        return file.as_uri()

    return write


def by_hand(folder: Path, url: str, actions: list[Action], task: str = "Do it.", **settings: Any) -> Path:
    """A person's recording, made by doing the actions in a real browser."""
    from saccade.actions.geometry import Size

    world = make_environment("browser", url=url, viewport=Size(200, 120), allow_file=True, guard=Guard.of("open"))
    start = StartEvent(
        saccade_version="0",
        instruction=task,
        environment="browser",
        policy="person",
        environment_settings=EnvironmentSettings(url=url, **settings),
        time=0.0,
    )
    try:
        look = world.reset()
        with TrajectoryWriter(folder, start) as writer:
            for step, action in enumerate(actions):
                writer.observe(step, look)
                writer.append(PredictionEvent(step=step, raw="", actions=(action,), time=0.0))
                look = world.step(action).observation
                writer.append(ActionEvent(step=step, action=action, time=0.0))
            writer.observe(len(actions), look)
            writer.append(EndEvent(end="finished", success=True, steps=len(actions), time=0.0))
    finally:
        world.close()
    return folder


def test_a_run_of_the_embedded_policy_is_repeated_verified_and_compared(command: Command) -> None:
    made = command("run", "--env", "miniwob:click-test", "--seed", 3, "--out", "made")
    assert made["success"]
    known = command("replay", "made")
    assert (known["success"], known["steps"], known["known"], known["forwards"]) == (True, 1, 1, 0)
    lines = Path("made", FILE_NAME).read_text(encoding="utf-8")
    assert '"fingerprint":"' in lines
    Path("made", FILE_NAME).write_text(unsealed(lines.replace('"fingerprint":"', '"fingerprint":"0')))
    verified = command("replay", "made")
    assert (verified["success"], verified["known"], verified["agreed"]) == (True, 0, 1)
    assert (verified["forwards"], verified["healed"], verified["stopped_at"]) == (1, [], None)
    assert verified["model_ms"] > 0
    assert Path(verified["report"]).is_file()
    record = json.loads(Path(verified["trajectory"]).with_name(RECORD_NAME).read_text(encoding="utf-8"))
    assert [look["outcome"] for look in record["steps"]] == ["agreed"]
    exact = command("replay", "made", "--exact")
    assert (exact["success"], exact["forwards"], exact["stopped_at"], exact["exit"]) == (True, 0, None, 0)
    offline = command("replay", "made", "--offline")
    assert (offline["success"], offline["agreed"], offline["forwards"]) == (True, 1, 1)


def unsealed(lines: str) -> str:
    """A recording that somebody changed and stands by."""
    *rest, end = lines.splitlines()
    return "\n".join([*rest, json.dumps({**json.loads(end), "sha256": ""})]) + "\n"


def test_another_layout_is_healed_and_kept_beside_the_old_one(command: Command) -> None:
    assert command("run", "--env", "miniwob:click-test", "--seed", 3, "--out", "made")["success"]
    before = {path: path.read_bytes() for path in Path("made").rglob("*") if path.is_file()}
    healed = command("replay", "made", "--seed", 4, "--tolerance", 0, "--update")
    assert (healed["success"], healed["healed"]) == (True, [1])
    assert Path(healed["updated"]).name == "made.v2"
    seeds = [Trajectory.load(Path(folder)).start.seed for folder in ("made", "made.v2")]
    assert seeds == [3, 4], "the layout that was healed is what is written"
    assert {path: path.read_bytes() for path in Path("made").rglob("*") if path.is_file()} == before
    changes = json.loads(Path("made.v2", "healed.json").read_text(encoding="utf-8"))
    assert changes["was"] == "made"
    assert [change["recorded_step"] for change in changes["changes"]] == [0]
    assert len(recording(Trajectory.load(Path("made.v2"))).steps) == 1
    stopped = command("replay", "made", "--seed", 4, "--exact", "--patience", 0)
    assert (stopped["success"], stopped["stopped_at"], stopped["exit"]) == (False, 1, 1)
    assert "step 1: the screen is not as recorded" in stopped["message"]
    left, top, right, bottom = stopped["drift"]
    assert 0 <= left < right <= 160
    assert 0 <= top < bottom <= 210

    collected = command("collect", "runs", "data", "runs", "made")
    counts = [collected[name] for name in ("stored", "failed")]
    assert counts == [3, 1], "the run, its replay, what the heal corrects; and the replay that stopped"
    correction = next(each for each in Dataset(Path("data")).episodes() if each.steps[-1].better is not None)
    recorded, now = (Trajectory.load(folder).steps[0] for folder in ("made", "made.v2"))
    assert recorded.prediction is not None
    assert now.prediction is not None
    (step,) = correction.steps
    assert (correction.source, correction.seed, step.verdict) == ("healed", 4, "wrong")
    assert step.picture == now.observation.screenshot
    assert step.reply.actions == recorded.prediction.actions
    assert step.better is not None
    assert step.better.actions == now.prediction.actions


def test_an_exact_replay_acts_only_on_the_screens_it_knows(
    command: Command, page: Callable[[str], str], tmp_path: Path
) -> None:
    url = page(BUTTON.format(20))
    by_hand(tmp_path / "made", url, [Click(point=Point(40, 30)), Click(point=Point(45, 32))])
    assert command("replay", "made", "--exact")["success"]
    page(BUTTON.format(60))
    moved = command("replay", "made", "--exact", "--patience", 0.3)
    assert (moved["success"], moved["stopped_at"], moved["steps"]) == (False, 1, 0)
    page("<script>setTimeout(() => { document.body.innerHTML = `" + BUTTON.format(20) + "`; }, 2500)</script>")
    assert command("replay", "made", "--exact")["success"], "a late page is waited for"
    page(f"<div id=late></div>{BUTTON.format(20)}<script>onclick = () => {{ late.innerHTML = 'Hi'; }}</script>")
    drifted = command("replay", "made", "--exact", "--patience", 0.3)
    assert (drifted["stopped_at"], drifted["steps"]) == (2, 1)
    shown = Trajectory.load(Path(drifted["trajectory"]))
    assert len(shown.steps[0].actions) == 1
    assert shown.end is not None
    assert (shown.end.end, shown.end.success) == ("error", False)


def test_values_are_filled_in_and_secrets_never_stored(
    command: Command, page: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = page(FIELD)
    typed = [Type(text="{{name}}", point=Point(80, 30)), Type(text="{{password}}", point=Point(80, 70))]
    by_hand(tmp_path / "made", url, typed, "Fill in {{name}}.")
    with pytest.raises(UsageError, match=r"\(--set name=VALUE\)"):
        command("replay", "made", "--offline")
    with pytest.raises(UsageError, match="SACCADE_SECRET_NAME"):
        command("replay", "made", "--exact")
    with pytest.raises(UsageError, match="SACCADE_SECRET_PASSWORD"):
        command("replay", "made", "--exact", "--set", "name=Ada")
    monkeypatch.setenv("SACCADE_SECRET_PASSWORD", "hunter2 is 18 chars")
    done = command("replay", "made", "--exact", "--set", "name=Ada", "--patience", 0)
    folder = Path(done["trajectory"]).parent
    assert done["stopped_at"] == 2, "another name looks different"
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"Ada" in written
    assert b"hunter2" not in written
    with pytest.raises(UsageError, match=r"nothing in the recording is called pass; it names {{name}}, {{password}}"):
        command("replay", "made", "--exact", "--set", "name=Ada", "--set", "pass=x")
    monkeypatch.setenv("SACCADE_SECRET_PASSWRD", "hunter2")
    with pytest.raises(UsageError, match="nothing in the recording is called passwrd"):
        command("replay", "made", "--exact", "--set", "name=Ada", "--secret", "passwrd")


def test_another_value_is_told_apart_from_drift(command: Command, page: Callable[[str], str], tmp_path: Path) -> None:
    made = Path(
        by_hand(tmp_path / "made", page(FIELD), [Type(text="Rome", point=Point(80, 30)), Click(point=Point(9, 99))])
    )
    lines = (made / FILE_NAME).read_text(encoding="utf-8").replace('"variables":{}', '"variables":{"city":"Rome"}')
    (made / FILE_NAME).write_text(unsealed(lines), encoding="utf-8")
    ownership.sign(made / FILE_NAME, hashlib.sha256(unsealed(lines).encode()).digest())
    assert command("replay", "made", "--exact")["success"]
    other = command("replay", "made", "--exact", "--set", "city=Oslo", "--patience", 0)
    assert (other["success"], other["stopped_at"]) == (False, 2)
    assert (other["changed_variables"], other["drift"]) == (["city"], None)
    assert "with another value for city than recorded, the screen shows something else" in other["message"]
    ignored = re.search(r"--ignore ([\d,]+)", other["message"])
    assert ignored is not None
    past = command("replay", "made", "--exact", "--set", "city=Oslo", "--ignore", ignored[1], "--patience", 0)
    assert past["success"], past["message"]
    page(FIELD + BUTTON.format(80))
    drift = command("replay", "made", "--exact", "--set", "city=Oslo", "--patience", 0)
    assert (drift["changed_variables"], drift["stopped_at"]) == ([], 1), "what differs before it was typed is drift"


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda lines: lines[:-1], "cut off"),
        (lambda lines: [lines[0], *lines[4:6], *lines[1:4], *lines[6:]], "out of order"),
        (lambda lines: [line.replace("Press", "Close") for line in lines], "changed after it was recorded"),
        (lambda lines: [lines[0].replace('"schema_version":', '"schema_version":9'), *lines[1:]], "newer"),
        (lambda lines: [*lines[:2], "{}", *lines[2:]], ":3:"),
    ],
    ids=["truncated", "reordered", "edited", "newer", "malformed"],
)
def test_a_recording_that_is_not_whole_executes_nothing(
    command: Command, page: Callable[[str], str], tmp_path: Path, spoil: Callable[[list[str]], list[str]], why: str
) -> None:
    made = made_up(tmp_path / "made", page(BUTTON.format(20)))
    file = made / FILE_NAME
    file.write_text("\n".join(spoil(file.read_text(encoding="utf-8").splitlines())) + "\n", encoding="utf-8")
    for mode in ("--exact", "--verify", "--offline"):
        with pytest.raises(TrajectoryError, match=why):
            command("replay", "made", mode)
    assert not Path("runs").exists()


def made_up(folder: Path, url: str) -> Path:
    """A recording of two looks at nothing; it is never executed."""
    from made_runs import observation, start_event

    settings = EnvironmentSettings(url=url)
    start = start_event(environment="browser", environment_settings=settings, instruction="Press")
    with TrajectoryWriter(folder, start) as writer:
        for step in range(2):
            writer.observe(step, observation(f"screen {step}"))
            click = Click(point=Point(40, 30))
            writer.append(PredictionEvent(step=step, raw="", actions=(click,), time=0.0))
            writer.append(ActionEvent(step=step, action=click, time=0.0))
        writer.append(EndEvent(end="finished", success=True, steps=2, time=0.0))
    return folder


def test_a_missing_screenshot_is_named(command: Command, page: Callable[[str], str], tmp_path: Path) -> None:
    made = made_up(tmp_path / "made", page(BUTTON.format(20)))
    next((made / "screenshots").iterdir()).unlink()
    with pytest.raises(TrajectoryError, match=r"screenshot of step \d is unreadable"):
        command("replay", "made", "--exact")


def test_modes_exclude_one_another(command: Command, tmp_path: Path) -> None:
    made_up(tmp_path / "made", "about:blank")
    with pytest.raises(UsageError, match="exclude one another"):
        command("replay", "made", "--exact", "--offline")
    with pytest.raises(UsageError, match="heals nothing"):
        command("replay", "made", "--exact", "--update")


def test_a_network_on_file_needs_no_server(command: Command, page: Callable[[str], str]) -> None:
    with pytest.raises(UsageError, match=r"har \(--har\) goes with the environment browser"):
        command("run", "--env", "miniwob:click-test", "--har")
    shutil.rmtree("runs", ignore_errors=True)


def test_settings_are_names_and_values() -> None:
    assert parse_settings(["city=Paris", "equation=a=b"]) == {"city": "Paris", "equation": "a=b"}
    for wrong in ("city", "=x", "1=x", "a b=c"):
        with pytest.raises(UsageError, match="name=value"):
            parse_settings([wrong])
    with pytest.raises(UsageError, match="twice"):
        parse_settings(["a=1", "a=2"])


def test_marks_and_recorded_values_are_replaced() -> None:
    substitute = substitution({"city": "Rome", "who": "Bo"}, {"city": "Paris"})
    assert substitute("From Paris, {{who}} to {{who}} and {{left}}") == "From Rome, Bo to Bo and {{left}}"
    assert substitution({}, {"city": "Paris"})("Paris") == "Paris"


def test_secrets_come_from_the_environment_or_a_person() -> None:
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "told"

    assert read_secrets(["pin-1"], {"SACCADE_SECRET_PIN_1": "12 34 \r\n"}, None) == {"pin-1": "12 34 "}
    assert read_secrets(["pin"], {}, ask) == {"pin": "told"}
    assert asked == ["pin: "]
    with pytest.raises(UsageError, match="set SACCADE_SECRET_PIN, or run this in a terminal") as caught:
        read_secrets(["pin"], {}, None)
    assert "--set" not in str(caught.value), "what is on the command line is in its history"
    with pytest.raises(UsageError, match="the secret pin is empty"):
        read_secrets(["pin"], {"SACCADE_SECRET_PIN": "\n"}, None)
    for wrong in ("password=hunter2", "hunter2!", "", "1"):
        with pytest.raises(UsageError, match="--secret takes a name") as caught:
            parse_secret_names([wrong])
        assert "hunter2" not in str(caught.value)


@pytest.fixture(autouse=True)
def _no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SACCADE_SECRET_PASSWORD", raising=False)


def test_every_mark_of_a_task_has_a_value_and_every_value_a_mark() -> None:
    assert fill_task("Go to {{city}} by {{car}}", {"city": "Rome"}, ["car"]) == "Go to Rome by {{car}}"
    assert fill_task("Write {{x}}", {"x": "{{x}}"}, []) == "Write {{x}}", "braces that are meant"
    told = fill_task("Log in", {}, ["pin", "word"])
    assert told == "Log in\n(Secrets that you can type by their markers: {{pin}}, {{word}})"
    assert fill_task(None, {}, []) is None
    with pytest.raises(UsageError, match=r"--set code=VALUE\), or a secret"):
        refuse_marks("Type {{code}}.")
    refuse_marks("Type it.")
    for task, values, secrets, why in (
        ("Type {{code}}.", {}, [], "the task asks for {{code}}"),
        ("Type {{a}}.", {"a": "{{b}}"}, [], "the task asks for {{b}}"),
        ("Type it.", {"code": "1"}, [], "nothing in the task is called code; it names nothing"),
        ("Type {{kode}}.", {"code": "1"}, [], "nothing in the task is called code; it names {{kode}}"),
        (None, {"code": "1"}, [], "nothing in the task is called code"),
        ("Type {{a}}.", {"a": "1"}, ["a"], "a is a value (--set) and a secret (--secret)"),
    ):
        with pytest.raises(UsageError, match=re.escape(why)):
            fill_task(task, values, secrets)
