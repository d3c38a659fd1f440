"""Errors of the command line: a line on stderr for people, with ``--json`` one object on stdout, too."""

import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from saccade.actions.errors import EnvironmentFailure, MissingPartError, Stopped
from saccade.tasks.cli.app import app, failure_of, main


@pytest.fixture(autouse=True)
def as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"Action: wait()")))
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as caught:
        main(words)
    out, err = capsys.readouterr()
    return int(caught.value.code or 0), out, err


@pytest.mark.parametrize(
    ("words", "kind", "hint"),
    [
        (("evl", "--json"), "usage", "eval"),
        (("run", "--max-steps", "0", "--json"), "usage", "--max-steps"),
        (("run", "--no-such-option", "--json"), "usage", "--no-such-option"),
        (("replay", "--json"), "usage", "RUN"),
        (("run", "Click it", "--json"), "usage", "--url"),
        (("view", "nothing", "--json"), "trajectory", "nothing"),
        (("parse", "--dialect", "none", "--json"), "unknown_dialect", "uitars"),
        (("export", "nothing", "--to", "osworld", "--json"), "trajectory", "nothing"),
        (("eval", "miniwob", "--tasks", "no-such-task", "--json"), "unknown_task", "no-such-task"),
        (("compare", "a", "b", "--json"), "usage", "a"),
    ],
)
def test_every_error_is_one_object_and_one_line(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], kind: str, hint: str
) -> None:
    exit_status, out, err = call(capsys, *words)
    error = json.loads(out)["error"]
    assert (exit_status, error["kind"], error["exit"]) == (2, kind, 2)
    assert hint in error["message"]
    assert error["message"] in " ".join(err.split()), "people are told the same"


def test_without_json_stdout_stays_empty(capsys: pytest.CaptureFixture[str]) -> None:
    exit_status, out, err = call(capsys, "run", "--max-steps", "0")
    assert (exit_status, out) == (2, "")
    assert "--max-steps" in err


@pytest.mark.parametrize(
    ("error", "kind", "exit_status"),
    [
        (MissingPartError("no browser"), "missing_part", 2),
        (EnvironmentFailure("it crashed"), "environment", 2),
        (Stopped("by you"), "stopped", 130),
        (OSError(28, "No space left on device"), "disk_full", 2),
        (ZeroDivisionError("a bug"), "internal", 1),
    ],
)
def test_kinds_are_named_by_the_error_tree(error: Exception, kind: str, exit_status: int) -> None:
    failure = failure_of(error)
    assert (failure.kind, failure.exit) == (kind, exit_status)


def test_a_bug_keeps_its_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saccade.tasks.doctor.doctor.doctor_and_print", lambda json_output: 1 // 0)
    exit_status, out, err = call(capsys, "doctor", "--json")
    assert (exit_status, json.loads(out)["error"]["kind"]) == (1, "internal")
    assert err.startswith("Traceback")
    assert err.endswith("ZeroDivisionError: integer division or modulo by zero\n")


def test_no_error_shows_a_key_or_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SACCADE_API_KEY", "sk-geheim/1+2")
    monkeypatch.setenv("SACCADE_SECRET_PIN", "p\xe4ss wort")

    def broken(json_output: bool) -> int:
        try:
            raise ValueError("Bearer sk-geheim%2F1%2B2")
        except ValueError as error:
            raise KeyError("p\xe4ss wort") from error

    monkeypatch.setattr("saccade.tasks.doctor.doctor.doctor_and_print", broken)
    status, out, err = call(capsys, "doctor", "--json")
    assert (status, json.loads(out)["error"]["kind"]) == (1, "internal")
    shown = out + err
    for words in (("run", "--model", "sk-geheim/1+2"), ("view", "sk-geheim/1+2"), ("run", "--sk-geheim/1+2")):
        status, out, err = call(capsys, *words, "--json")
        assert (status, out[:10]) == (2, '{"error": ')
        shown += out + err
    monkeypatch.setenv("SACCADE_MODEL", "openai:http://bob:hunter2@host/v1?key=hunter2#x")
    monkeypatch.setenv("SACCADE_DIALECT", "sk-geheim/1+2")
    for words in (("config",), ("config", "--json"), ("run",)):
        status, out, err = call(capsys, *words)
        shown += out + err
    Path("saccade.toml").write_text('model = "openai:http://bob:hunter2@host/v1"\n', encoding="utf-8")
    monkeypatch.delenv("SACCADE_MODEL")
    assert call(capsys, "config")[0] == 2
    Path("saccade.toml").write_text('model = ["openai:http://bob:hunter2@host/v1"]\n', encoding="utf-8")
    for words in (("run",), ("doctor",), ("eval", "miniwob")):
        status, out, err = call(capsys, *words)
        shown += out + err
    assert [each for each in ("geheim", "wort", "hunter2") if each in shown] == []


def test_ctrl_c_is_an_error_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(json_output: bool) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("saccade.tasks.doctor.doctor.doctor_and_print", stop)
    exit_status, out, _ = call(capsys, "doctor", "--json")
    assert (exit_status, json.loads(out)["error"]["kind"]) == (130, "stopped")


def test_an_evaluation_knows_the_words_that_started_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []
    monkeypatch.setattr(
        "saccade.tasks.commands.eval.eval_and_print", lambda request, **given: seen.append(given["command"]) or 0
    )
    words = ["eval", "miniwob", "--tasks", "click-test"]
    assert call(capsys, *words)[0] == 0
    assert seen == [tuple(words)], "its line to resume is made of them, whatever the process was started with"


def test_every_command_can_answer_in_json_and_shows_an_example() -> None:
    commands = dict(get_command(app).commands)  # type: ignore[attr-defined]
    for group in ("audit", "bench", "collect"):
        commands |= commands.pop(group).commands
    lacking = [name for name, each in commands.items() if "json" not in {one.name for one in each.params}]
    assert lacking == []
    assert [name for name, each in commands.items() if "\n  saccade " not in each.help.replace("| ", "\n  ")] == []


@pytest.mark.parametrize("words", [["--help"], ["run", "-h"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = f"import sys\nfrom saccade.tasks.cli.app import main\ntry: main({words})\nexcept SystemExit: pass\n"
    code += "print(sorted({'torch', 'numpy', 'playwright', 'rich'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
