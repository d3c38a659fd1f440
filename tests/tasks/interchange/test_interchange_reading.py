"""Data that others wrote is read, and what is malformed is named by file and line and leaves nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet as parquet
import pytest

from made_runs import made_run, screen
from places import ROOT
from saccade.actions.errors import NewerSchemaError, TrajectoryError
from saccade.actions.geometry import Point
from saccade.actions.schema import (
    Action,
    CallUser,
    Click,
    DoubleClick,
    Drag,
    Finished,
    Hotkey,
    Move,
    Press,
    Scroll,
    Type,
    Wait,
)
from saccade.env.trajectory.events import SCHEMA_VERSION
from saccade.env.trajectory.trajectory import Trajectory
from saccade.tasks.interchange import FORMATS
from saccade.tasks.interchange.convert import export_runs, find_runs, import_runs

STAMP = "20260101@120000000000"


def agentnet(folder: Path, *codes: str, **changes: Any) -> Path:
    """A file as it is published: codes and pictures, and nothing of ours."""
    folder.mkdir()
    (folder / "0.png").write_bytes(screen("AgentNet").png())
    traj = [{"index": i, "image": "0.png", "value": {"code": code}} for i, code in enumerate(codes)]
    task = {"task_id": "task_example_0", "instruction": "Do it", "traj": traj, **changes}
    file = folder / "raw.jsonl"
    file.write_text(json.dumps(task) + "\n")
    return file


def osworld(folder: Path, *lines: dict[str, Any]) -> Path:
    """A result folder as the published runner leaves it."""
    folder.mkdir()
    (folder / "after.png").write_bytes(screen("OSWorld").png())
    known = {"action_timestamp": STAMP, "response": "r", "reward": 0, "done": False, "info": {}}
    written = [
        {"step_num": number, **known, "screenshot_file": "after.png", **line}
        for number, line in enumerate(lines, start=1)
    ]
    (folder / "traj.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in written))
    (folder / "result.txt").write_text("1.0\n")
    return folder


def brought(source: Path, name: str, tmp_path: Path) -> tuple[Trajectory, list[str]]:
    outcome = import_runs(source, name, tmp_path / "in")
    return Trajectory.load(tmp_path / "in"), outcome.notes


CODES: dict[str, tuple[Action, ...]] = {
    "pyautogui.click(x=0.5, y=0.25)": (Click(point=Point(160, 50)),),
    "pyautogui.moveTo(x=0.5, y=0.25)\npyautogui.dragTo(x=1, y=0.5, button='left')": (
        Drag(start=Point(160, 50), end=Point(320, 100)),
    ),
    "pyautogui.moveTo(x=0.5, y=0.25)\npyautogui.scroll(-3)": (
        Move(point=Point(160, 50)),
        Scroll(direction="down", amount=3),
    ),
    "computer.triple_click(x=0.5, y=0.25)": (DoubleClick(point=Point(160, 50)), Click(point=Point(160, 50))),
    "pyautogui.click(x=0.5, y=0.25, clicks=3, button='left')": (
        DoubleClick(point=Point(160, 50)),
        Click(point=Point(160, 50)),
    ),
    "pyautogui.hotkey(['ctrl', 'c'])": (Hotkey(keys=("ctrl", "c")),),
    "import pyautogui\nimport time\npyautogui.press('enter', presses=2)  # twice": (Press(key="enter"),) * 2,
    'pyautogui.write(message="it\'s \\u003c", interval=0.1); time.sleep(1.5)': (Type(text="it's <"), Wait(seconds=1.5)),
    r"pyautogui.write('C:\dir')": (Type(text=r"C:\dir"),),
    "computer.wait()": (Wait(),),
    "computer.terminate(status='failure')": (CallUser(),),
}


@pytest.mark.parametrize("code", CODES)
def test_published_agentnet_code_is_read(code: str, tmp_path: Path) -> None:
    run, _ = brought(agentnet(tmp_path / "data", code), "agentnet", tmp_path)
    assert tuple(event.action for event in run.steps[0].actions) == CODES[code]
    assert run.start.instruction == "Do it"


def test_an_agentnet_task_says_how_it_ended(tmp_path: Path) -> None:
    codes = ("pyautogui.click(x=0.5, y=0.5)", "computer.terminate(status='success')")
    run, _ = brought(agentnet(tmp_path / "data", *codes, task_completed=False), "agentnet", tmp_path)
    assert run.end is not None
    assert (run.end.end, run.end.success, run.end.steps) == ("finished", False, 2)


def test_agentnet_pictures_may_be_elsewhere(tmp_path: Path) -> None:
    file = agentnet(tmp_path / "data", "pyautogui.press('a')")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "data" / "0.png").rename(tmp_path / "pictures" / "0.png")
    with pytest.raises(TrajectoryError, match=r"0\.png is missing; name its folder: images \(--images\)"):
        import_runs(file, "agentnet", tmp_path / "in")
    assert import_runs(file, "agentnet", tmp_path / "in", tmp_path / "pictures").steps == 1


def test_a_published_osworld_result_is_read(tmp_path: Path) -> None:
    code = 'import pyautogui\npyautogui.typewrite("a"); pyautogui.hotkey("shift", ","); pyautogui.typewrite("b")'
    folder = osworld(
        tmp_path / "task-id",
        {"action": "pyautogui.click(90, 98)", "response": ["a", "list"]},
        {"action": code},
        {"action": {"action_type": "WAIT"}},
        {"action": "DONE", "done": True},
    )
    run, notes = brought(folder, "osworld", tmp_path)
    done = [[event.action for event in step.actions] for step in run.steps]
    assert done == [[Click(point=Point(90, 98))], [Type(text="a<b")], [Wait()], [Finished()]]
    assert run.steps[0].prediction is not None
    assert run.steps[0].prediction.raw == '["a", "list"]'
    assert run.end is not None
    assert (run.end.end, run.end.success, run.end.reward) == ("finished", True, 1.0)
    first = run.screenshot(run.steps[0].observation)
    assert set(first.pixels.ravel().tolist()) == {128}
    assert [("no instruction is known" in note, "step 1 shows a grey one" in note) for note in notes] == [
        (True, False),
        (False, True),
    ]


def test_the_task_beside_an_osworld_result_gives_the_instruction(tmp_path: Path) -> None:
    folder = osworld(tmp_path / "task-id", {"action": "FAIL"})
    (folder / "task.json").write_text('{"id": "task-id", "instruction": "Rename it", "evaluator": {}}')
    run, _ = brought(folder, "osworld", tmp_path)
    assert run.start.instruction == "Rename it"
    assert run.end is not None
    assert run.end.end == "call_user"


# ---- malformed


BAD_CODE = {
    "os.system('touch /tmp/pwned')": "no action is called 'os.system'",
    "__import__('os').system('true')": "is called \"__import__('os').system\"",
    "pyautogui.click(x=open('/etc/passwd'))": "something other than plain values",
    "pyautogui.click(**{'x': 1})": "something other than plain values",
    "x = 5": "'x = 5' is not a call of pyautogui",
    "for i in range(3):\n    pyautogui.press('a')": "is not a call of pyautogui",
    "pyautogui.click(x=": "the code cannot be read",
    "pyautogui.click(x=3, y=0.5)": "coordinate 3 lies outside",
    "pyautogui.press('anykey')": "anykey",
    "pyautogui.scroll(5000)": "amount",
    "pyautogui.click()": "needs a point",
    "(" * 5000: "the code cannot be read",
    "\0": "the code cannot be read",
}


@pytest.mark.parametrize("code", BAD_CODE, ids=range(len(BAD_CODE)))
def test_bad_code_is_named_by_file_and_line_and_never_run(code: str, tmp_path: Path) -> None:
    file = agentnet(tmp_path / "data", "pyautogui.press('a')", code)
    with pytest.raises(TrajectoryError) as caught:
        import_runs(file, "agentnet", tmp_path / "in")
    assert str(caught.value).startswith(f"{file}:1: traj[1]: ")
    assert BAD_CODE[code] in str(caught.value)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "data"]
    folder = osworld(tmp_path / "task", {"action": "WAIT"}, {"action": code.replace("x=3", "x=3000")})
    with pytest.raises(TrajectoryError) as caught:
        import_runs(folder, "osworld", tmp_path / "in")
    assert str(caught.value).startswith(f"{folder / 'traj.jsonl'}:2: ")


def test_one_bad_line_does_not_hide_the_others(tmp_path: Path) -> None:
    file = agentnet(tmp_path / "data", "pyautogui.press('a')")
    good = file.read_text()
    late = good.replace('"image": "0.png"', '"image": "gone.png"')
    file.write_text(f'{good}{{"task_id": 5}}\n{late}{good}[\n')
    found = import_runs(file, "agentnet", tmp_path / "in")
    assert [reason.split(": ")[0] for reason in found.left_out] == [f"{file}:{line}" for line in (2, 3, 5)]
    assert found.left_out[0] == f"{file}:2: task_id is not a text: '5'"
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == sorted(found.runs)
    assert len(found.runs) == 2
    assert len(find_runs(tmp_path / "in")) == 2


def test_of_a_file_with_bad_lines_only_nothing_is_kept(tmp_path: Path) -> None:
    file = agentnet(tmp_path / "data", "pyautogui.press('a')")
    file.write_text('{"task_id": 5}\n{"task_id": 6}\n')
    with pytest.raises(TrajectoryError) as caught:
        import_runs(file, "agentnet", tmp_path / "in")
    assert str(caught.value) == f"{file}:1: task_id is not a text: '5'"
    assert sorted(tmp_path.iterdir()) == [tmp_path / "data"]


Change = Callable[[dict[str, Any]], object]
TASKS: dict[str, tuple[Change, str]] = {
    "not an object": (lambda task: task["traj"].__setitem__(0, []), "traj[0] is not an object"),
    "no steps": (lambda task: task.pop("traj"), "traj is missing"),
    "reordered": (lambda task: task["traj"][0].update(index=3), "out of order"),
    "no image": (lambda task: task["traj"][0].pop("image"), "image is missing"),
    "a way out": (lambda task: task["traj"][0].update(image="../0.png"), "does not name an image"),
    "an absolute way out": (lambda task: task["traj"][0].update(image="/etc/passwd"), "does not name"),
    "no picture": (lambda task: task["traj"][0].update(image="raw.jsonl"), "not an image"),
    "no code": (lambda task: task["traj"][0]["value"].pop("code"), "code is missing"),
    "someone else's": (lambda task: task.update(saccade={"start": 3}), "saccade: "),
    "no version": (lambda task: task.update(saccade={"start": {}}), "no schema_version"),
}


@pytest.mark.parametrize("damage", TASKS)
def test_a_malformed_task_is_named(damage: str, tmp_path: Path) -> None:
    file = agentnet(tmp_path / "data", "pyautogui.press('a')")
    task = json.loads(file.read_text())
    TASKS[damage][0](task)
    file.write_text(json.dumps(task))
    with pytest.raises(TrajectoryError) as caught:
        import_runs(file, "agentnet", tmp_path / "in")
    assert str(caught.value).startswith(f"{file}:1: ")
    assert TASKS[damage][1] in str(caught.value)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "data"]


LINES: dict[str, tuple[dict[str, Any], str]] = {
    "reordered": ({"step_num": 0}, "step_num 0 comes after 1"),
    "no number": ({"step_num": "2"}, "step_num is not a whole number"),
    "no action": ({"action": None}, "action is neither code nor one of"),
    "no time": ({"action_timestamp": "noon"}, "action_timestamp is not"),
    "no picture": ({"screenshot_file": "missing.png"}, "missing.png is missing"),
    "a way out": ({"screenshot_file": "../x.png"}, "does not name an image"),
    "a reward of another kind": ({"reward": "much"}, "reward"),
    "info of another kind": ({"info": []}, "info is not an object"),
}


@pytest.mark.parametrize("damage", LINES)
def test_a_malformed_osworld_line_is_named(damage: str, tmp_path: Path) -> None:
    folder = osworld(tmp_path / "task", {"action": "WAIT"}, {"action": "WAIT", **LINES[damage][0]})
    with pytest.raises(TrajectoryError) as caught:
        import_runs(folder, "osworld", tmp_path / "in")
    assert str(caught.value).startswith(f"{folder / 'traj.jsonl'}:2: ")
    assert LINES[damage][1] in str(caught.value)
    assert sorted(tmp_path.iterdir()) == [folder]


def test_a_result_that_is_no_number_is_named(tmp_path: Path) -> None:
    folder = osworld(tmp_path / "task", {"action": "WAIT"})
    (folder / "result.txt").write_text("good\n")
    with pytest.raises(TrajectoryError, match=r"result\.txt:1: not a number"):
        import_runs(folder, "osworld", tmp_path / "in")


def changed_table(tmp_path: Path, change: Callable[[list[dict[str, Any]]], object]) -> Path:
    made_run(tmp_path / "run", [(Click(point=Point(1, 1)),)] * 2)
    file = Path(export_runs(tmp_path / "run", "parquet").out)
    table = parquet.read_table(file)
    rows = table.to_pylist()
    change(rows)
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=table.schema), file)
    return file


ROWS: dict[str, tuple[Callable[[list[dict[str, Any]]], object], str]] = {
    "a row is gone": (lambda rows: rows.pop(1), "'observation' is out of order"),
    "reordered": (lambda rows: rows.reverse(), "row 1: events:1: no schema_version"),
    "another picture": (
        lambda rows: rows[1].update(screenshot_png=rows[0]["screenshot_png"]),
        "row 2: the screenshot is not the one that was recorded",
    ),
    "no picture": (lambda rows: rows[1].update(screenshot_png=None), "row 2: screenshot_png is missing"),
    "no events": (lambda rows: rows[1].update(events=None), "row 2: events is empty"),
    "no JSON": (lambda rows: rows[1].update(events="{"), "row 2: events:2: not JSON"),
}


@pytest.mark.parametrize("damage", ROWS)
def test_a_malformed_table_is_named(damage: str, tmp_path: Path) -> None:
    file = changed_table(tmp_path, ROWS[damage][0])
    with pytest.raises(TrajectoryError) as caught:
        import_runs(file, "parquet", tmp_path / "in")
    assert ROWS[damage][1] in str(caught.value)
    assert not (tmp_path / "in").exists()


def test_a_table_of_a_newer_version_says_so(tmp_path: Path) -> None:
    def newer(rows: list[dict[str, Any]]) -> None:
        rows[0]["events"] = rows[0]["events"].replace(f'"schema_version":{SCHEMA_VERSION}', '"schema_version":99')

    file = changed_table(tmp_path, newer)
    with pytest.raises(NewerSchemaError, match=r"99.*update"):
        import_runs(file, "parquet", tmp_path / "in")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("content", [None, b"", b"nonsense\n", b"\xff\xfe\n", b"[1]\n"])
def test_a_file_of_another_kind_is_named(name: str, content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(TrajectoryError) as caught:
        import_runs(file, name, tmp_path / "in")
    assert str(caught.value).startswith(str(file))
    assert not (tmp_path / "in").exists()


# ---- the command line


def saccade(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "saccade", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"},
        timeout=60,
    )


def test_the_commands_say_what_they_made(tmp_path: Path) -> None:
    made_run(tmp_path / "run", [(Type(text="x", point=Point(1, 1)),)])
    made = saccade("export", "run", "--to", "osworld", "--json", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout.splitlines()[-1])
    assert (told["runs"], told["steps"], told["format"]) == (["run"], 1, "osworld")
    assert told["notes"] == ["run: step 1: type with a point is written as a click and a text"]
    back = saccade("import", told["out"], "--from", "osworld", "--out", "in", cwd=tmp_path)
    assert (back.returncode, back.stdout) == (0, "in: 1 run, 1 step\n"), back.stderr
    again = saccade("import", told["out"], "--from", "osworld", "--out", "in", cwd=tmp_path)
    assert again.returncode == 2
    assert again.stderr == "saccade: in exists already; choose another: out (--out)\n"
