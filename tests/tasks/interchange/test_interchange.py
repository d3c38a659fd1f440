"""Export and import: what goes out comes back, what cannot is said, and what is malformed leaves nothing."""

from __future__ import annotations

import ast
import json
import re
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from made_runs import EPOCH, end_event, executed, made_run, observation, prediction, start_event
from saccade.actions.errors import MissingPartError, UsageError
from saccade.actions.geometry import Point, Size
from saccade.actions.keys import NAMED_KEYS
from saccade.actions.schema import (
    Action,
    CallUser,
    Click,
    DoubleClick,
    Drag,
    Finished,
    Hotkey,
    KeyDown,
    KeyUp,
    LongPress,
    MiddleClick,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    NavigateBack,
    OpenApp,
    Press,
    PressBack,
    PressHome,
    RightClick,
    Scroll,
    Type,
    Wait,
    points,
)
from saccade.env.trajectory.events import EndEvent
from saccade.env.trajectory.trajectory import FILE_NAME, Trajectory, TrajectoryWriter, read_events
from saccade.tasks.interchange import FORMATS
from saccade.tasks.interchange.code import PyCode
from saccade.tasks.interchange.convert import export_runs, find_runs, import_runs

AT = Point(90.0, 98.0)
PIXELS = PyCode(relative=False, avoid_less_than=True)
FRACTIONS = PyCode(relative=True, avoid_less_than=False)
SIZE = Size(1366, 768)

ALL_SAYABLE: tuple[Action, ...] = (
    Click(point=AT),
    DoubleClick(point=AT),
    RightClick(point=AT),
    MiddleClick(point=AT),
    Move(point=AT),
    Drag(start=AT, end=Point(10.5, 20.0)),
    MouseDown(point=AT, button="middle"),
    MouseDown(),
    MouseUp(button="right"),
    Scroll(direction="down", point=AT, amount=3),
    Scroll(direction="left", amount=100),
    Type(text='it\'s <b>"bold"</b>\n\ttab é 你 😀 \x00 \r \\n < '),
    Type(text=""),
    Type(text="<"),
    Hotkey(keys=("shift", ",")),
    Hotkey(keys=("ctrl", "meta", "A")),
    Press(key="<"),
    Press(key="'"),
    KeyDown(key="shift"),
    KeyUp(key="menu"),
    Wait(seconds=0.25),
    Wait(),
)


def quiet(text: str) -> None:
    raise AssertionError(f"nothing is to be noted, but: {text}")


def actions_of(run: Trajectory) -> list[list[Action]]:
    return [[event.action for event in step.actions] for step in run.steps]


def there_and_back(run: Path, name: str, tmp_path: Path) -> Trajectory:
    made = export_runs(run, name, tmp_path / f"there-{name}")
    back = import_runs(Path(made.out), name, tmp_path / f"back-{name}")
    loaded = Trajectory.load(Path(back.out))
    loaded.check()
    assert back.steps == len(loaded.steps)
    return loaded


def rich_run(directory: Path) -> Trajectory:
    """Several screens, an unreadable reply, an error, a reward, odd text, a scaled and moved screen."""
    with TrajectoryWriter(directory, start_event(extra={"nested": {"a": [1, None, "x"]}})) as writer:
        writer.observe(0, observation("zero", EPOCH + 0.1234567, device_scale=2.0))
        writer.append(prediction(0, [Click(point=AT)], raw="cut \ud83d here \u2028 there", thought="a\x00b"))
        writer.append(executed(0, Click(point=AT), error="no effect", reward=-0.5))
        writer.observe(1, observation("one", EPOCH + 1))
        writer.append(prediction(1, [], error="cannot be read", raw="???"))
        writer.observe(2, observation("one", EPOCH + 2))
        writer.append(prediction(2, [Type(text="<é\n>"), Press(key="enter")]))
        writer.append(executed(2, Type(text="<é\n>")))
        writer.append(executed(2, Press(key="enter"), reward=1.0, terminated=True))
        writer.observe(3, observation("three", EPOCH + 3))
        writer.append(end_event(3, message="done"))
    return Trajectory.load(directory)


# ---- round trips


@pytest.mark.parametrize("name", FORMATS)
def test_every_sayable_action_comes_back(name: str, tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", [(action,) for action in ALL_SAYABLE] + [ALL_SAYABLE, (Finished(),)])
    back = there_and_back(tmp_path / "run", name, tmp_path)
    assert [len(done) for done in actions_of(back)] == [len(done) for done in actions_of(run)]
    for was, found in zip(chain(*actions_of(run)), chain(*actions_of(back)), strict=True):
        same_within(was, found, 0.001)
    seen = [look.screenshot for look in run.observations()]
    assert [look.screenshot for look in back.observations()] == seen
    assert back.start == run.start
    assert unsealed(back.end) == unsealed(run.end)
    said = [(step.prediction.raw, step.prediction.thought) for step in back.steps if step.prediction]
    assert said == [(step.prediction.raw, step.prediction.thought) for step in run.steps if step.prediction]


def unsealed(end: EndEvent | None) -> EndEvent | None:
    """Without the hash over all other lines, of which a format may keep less."""
    return end and end.model_copy(update={"sha256": ""})


def same_within(was: Action, found: Action, pixels: float) -> None:
    for one, other in zip(points(was), points(found), strict=True):
        assert abs(one.x - other.x) <= pixels
        assert abs(one.y - other.y) <= pixels
    moved = {name: getattr(was, name) for name in ("point", "start", "end") if hasattr(was, name)}
    assert found.model_copy(update=moved) == was


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("last", [Finished(answer="it's\n42"), CallUser(message="help"), Finished()])
def test_how_a_run_ends_comes_back(name: str, last: Action, tmp_path: Path) -> None:
    how = "finished" if isinstance(last, Finished) else "call_user"
    end = end_event(2, end=how, reward=None, success=how == "finished")
    made_run(tmp_path / "run", [(Click(point=AT),), (Click(point=AT), last)], final=False, end=end)
    back = there_and_back(tmp_path / "run", name, tmp_path)
    assert actions_of(back) == [[Click(point=AT)], [Click(point=AT), last]]
    assert unsealed(back.end) == end
    assert back.final is None


@pytest.mark.parametrize("name", FORMATS)
def test_a_reply_without_actions_keeps_its_step_and_error(name: str, tmp_path: Path) -> None:
    run = rich_run(tmp_path / "run")
    back = there_and_back(tmp_path / "run", name, tmp_path)
    assert [step.prediction.error for step in back.steps if step.prediction] == [None, "cannot be read", None]
    assert [len(done) for done in actions_of(back)] == [1, 0, 2]
    assert back.steps[0].actions[-1].error == "no effect"
    assert [look.screenshot for look in back.observations()] == [look.screenshot for look in run.observations()]


def test_parquet_gives_back_every_byte(tmp_path: Path) -> None:
    rich_run(tmp_path / "run")
    there_and_back(tmp_path / "run", "parquet", tmp_path)
    was, back = (tmp_path / folder / FILE_NAME for folder in ("run", "back-parquet"))
    assert back.read_bytes() == was.read_bytes()
    assert len(read_events(back)) == 12


@pytest.mark.parametrize("name", ["osworld", "parquet"])
def test_rewards_come_back(name: str, tmp_path: Path) -> None:
    rich_run(tmp_path / "run")
    back = there_and_back(tmp_path / "run", name, tmp_path)
    done = [event for step in back.steps for event in step.actions]
    assert [event.reward for event in done] == [-0.5, 0.0, 1.0]
    assert [event.terminated for event in done] == [False, False, True]


@pytest.mark.parametrize("name", FORMATS)
def test_a_run_that_was_cut_off_comes_back_cut_off(name: str, tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", [(Click(point=AT),), (Press(key="a"),)], final=False, end=None)
    back = there_and_back(tmp_path / "run", name, tmp_path)
    assert (back.end, back.final) == (None, None)
    assert actions_of(back) == actions_of(run)


coordinates = st.builds(Point, st.floats(0, SIZE.width), st.floats(0, SIZE.height))
keys = st.sampled_from(sorted(NAMED_KEYS)) | st.characters(codec="utf-8").filter(str.isprintable).filter(
    lambda key: key != " "
)
buttons = st.sampled_from(("left", "middle", "right"))
sayable = st.one_of(
    *(st.builds(kind, point=coordinates) for kind in (Click, DoubleClick, RightClick, MiddleClick, Move)),
    st.builds(Drag, start=coordinates, end=coordinates),
    st.builds(MouseDown, point=st.none() | coordinates, button=buttons),
    st.builds(MouseUp, point=st.none() | coordinates, button=buttons),
    st.builds(
        Scroll,
        direction=st.sampled_from(("up", "down", "left", "right")),
        point=st.none() | coordinates,
        amount=st.integers(1, 100),
    ),
    st.builds(Type, text=st.text(st.characters(codec="utf-8") | st.sampled_from("<'\"\\\n"))),
    st.builds(Hotkey, keys=st.lists(keys, min_size=1, max_size=4).map(tuple)),
    *(st.builds(kind, key=keys) for kind in (Press, KeyDown, KeyUp)),
    st.builds(Wait, seconds=st.floats(0, 600)),
    st.builds(Finished, answer=st.text()),
    st.builds(CallUser, message=st.text()),
)


@pytest.mark.parametrize("code", [PIXELS, FRACTIONS], ids=["pixels", "fractions"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(sayable, min_size=1, max_size=5))
def test_any_actions_survive_as_code(code: PyCode, actions: list[Action]) -> None:
    written = code.write(actions, SIZE, lambda text: None)
    found = code.read(written, SIZE, quiet)
    assert len(found) == len(actions)
    for was, back in zip(actions, found, strict=True):
        same_within(was, back, 0.01)


@settings(max_examples=60, deadline=None)
@given(text=st.text(st.characters(codec="utf-8") | st.sampled_from("<'\"\\\n")))
def test_no_less_than_is_ever_typed_for_osworld(text: str) -> None:
    """pyautogui types another character for it, and OSWorld's own mend rewrites the code by patterns."""
    code = PIXELS.write([Type(text=text)], SIZE, lambda text: None)
    typed = [
        ast.literal_eval(call.args[0])
        for call in ast.walk(ast.parse(code))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "write"
    ]
    assert "<" not in "".join(typed)
    assert "<".join(typed) == text


# ---- what the formats are


def test_osworld_is_what_its_runner_writes(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", [(Click(point=AT),), (Wait(),), (Press(key="meta"), Finished(answer="yes"))])
    out = Path(export_runs(tmp_path / "run", "osworld").out)
    assert out == tmp_path / "run-osworld"
    lines = [json.loads(line) for line in (out / "traj.jsonl").read_text().splitlines()]
    names = "step_num action_timestamp action response reward done info screenshot_file"
    assert [" ".join(line) for line in lines] == [names] * 4
    assert [line["step_num"] for line in lines] == [1, 2, 3, 3]
    expected = ["pyautogui.click(x=90, y=98)", "WAIT", "pyautogui.press('win')", "DONE"]
    assert [line["action"] for line in lines] == expected
    assert [line["done"] for line in lines] == [False, False, False, True]
    assert all(re.fullmatch(r"step_\d+_\d{8}@\d{12}\.png", line["screenshot_file"]) for line in lines)
    after = [(out / line["screenshot_file"]).read_bytes() for line in lines]
    shown = [run.image_path(look).read_bytes() for look in run.observations()]
    assert after == [shown[1], shown[2], shown[3], shown[3]]
    assert [file.read_bytes() for file in out.glob("step_0_*.png")] == [shown[0]]
    assert (out / "result.txt").read_text() == "1.0\n"
    assert json.loads((out / "task.json").read_text())["instruction"] == "Click the button"


def test_agentnet_is_what_its_readers_expect(tmp_path: Path) -> None:
    made_run(tmp_path / "run", [(Drag(start=Point(160, 50), end=Point(320, 200)),), (Type(text="a<b"),)])
    out = Path(export_runs(tmp_path / "run", "agentnet").out)
    (line,) = (out / "trajectories.jsonl").read_text().splitlines()
    task = json.loads(line)
    assert (task["task_id"], task["instruction"], task["task_completed"]) == ("run", "Click the button", True)
    assert [step["value"]["code"] for step in task["traj"]] == [
        "pyautogui.moveTo(x=0.5, y=0.25)\npyautogui.dragTo(x=1, y=1, button='left')",
        "pyautogui.write('a<b')",
        "computer.terminate(status='success')",
    ]
    assert [step["index"] for step in task["traj"]] == [0, 1, 2]
    assert all((out / "images" / step["image"]).is_file() for step in task["traj"])
    assert len(list((out / "images").iterdir())) == 3


def test_parquet_is_a_plain_table(tmp_path: Path) -> None:
    run = rich_run(tmp_path / "run")
    table = parquet.read_table(export_runs(tmp_path / "run", "parquet").out)
    rows = table.to_pylist()
    assert [row["step"] for row in rows] == [0, 1, 2, 3]
    assert {row["run"] for row in rows} == {"run"}
    assert [row["reward"] for row in rows] == [-0.5, 0.0, 1.0, None]
    assert [row["error"] for row in rows] == ["no effect", "cannot be read", None, None]
    assert [row["prefill_seconds"] for row in rows] == [0.12, 0.12, 0.12, None]
    assert rows[2]["after_act_seconds"] == pytest.approx(0.08)
    assert json.loads(rows[0]["actions"]) == [{"kind": "click", "point": [90.0, 98.0]}]
    assert rows[0]["raw"] == "cut ? here \u2028 there"
    assert [row["screenshot_sha256"] for row in rows] == [look.screenshot for look in run.observations()]
    assert all(row["screenshot_png"].startswith(b"\x89PNG") for row in rows)
    assert {(row["end"], row["success"], row["final_reward"]) for row in rows} == {("terminated", True, 1.0)}


@pytest.mark.parametrize("name", FORMATS)
def test_a_folder_of_runs_goes_out_and_comes_back(name: str, tmp_path: Path) -> None:
    for number in range(3):
        made_run(tmp_path / "runs" / f"run {number}", seed=number, instruction=f"Job {number}")
    made = export_runs(tmp_path / "runs", name, tmp_path / "there")
    assert made.runs == ["run 0", "run 1", "run 2"]
    back = import_runs(Path(made.out), name, tmp_path / "back")
    assert back.runs == ["run_0", "run_1", "run_2"]
    told = [(item.run.start.instruction, item.run.start.seed) for item in find_runs(tmp_path / "back")]
    assert told == [("Job 0", 0), ("Job 1", 1), ("Job 2", 2)]


# ---- what has no words


SPELLED: dict[str, tuple[Action, tuple[Action, ...]]] = {
    "type": (Type(text="x", point=AT), (Click(point=AT), Type(text="x"))),
    "long_press": (LongPress(point=AT, seconds=2), (MouseDown(point=AT), Wait(seconds=2), MouseUp())),
    "navigate_back": (NavigateBack(), (Hotkey(keys=("alt", "left")),)),
    "press_back": (PressBack(), (Hotkey(keys=("alt", "left")),)),
    "navigate": (
        Navigate(url="http://a/?b='c'"),
        (Hotkey(keys=("ctrl", "l")), Type(text="http://a/?b='c'"), Press(key="enter")),
    ),
}


@pytest.mark.parametrize("name", ["osworld", "agentnet"])
@pytest.mark.parametrize("kind", SPELLED)
def test_what_has_no_call_is_spelled_out_and_noted(name: str, kind: str, tmp_path: Path) -> None:
    action, spelled = SPELLED[kind]
    made_run(tmp_path / "run", [(action,)])
    made = export_runs(tmp_path / "run", name, tmp_path / "there")
    assert [note for note in made.notes if note.startswith("run: step 1: ") and kind in note]
    back = import_runs(Path(made.out), name, tmp_path / "back")
    assert actions_of(Trajectory.load(Path(back.out))) == [list(spelled)]


@pytest.mark.parametrize("name", ["osworld", "agentnet"])
@pytest.mark.parametrize("action", [OpenApp(name="xcalc"), PressHome(), Click(point=Point(5000, 1))])
def test_what_cannot_be_said_is_refused_by_step(name: str, action: Action, tmp_path: Path) -> None:
    made_run(tmp_path / "run", [(Click(point=AT),), (action,)])
    with pytest.raises(UsageError, match=r"^run: step 2: "):
        export_runs(tmp_path / "run", name, tmp_path / "there")
    assert sorted(tmp_path.iterdir()) == [tmp_path / "run"]


@pytest.mark.parametrize("name", FORMATS)
def test_parquet_says_everything(name: str, tmp_path: Path) -> None:
    """The kinds that code has no call for are those of the two lists above, and no more."""
    kinds = {type(action) for action in ALL_SAYABLE} | {Finished, CallUser, OpenApp, PressHome}
    kinds |= {type(action) for action, _ in SPELLED.values()}
    assert {kind.__name__ for kind in kinds} == {kind.__name__ for kind in Action.__origin__.__args__}  # type: ignore[attr-defined]
    if name == "parquet":
        run = made_run(tmp_path / "run", [(OpenApp(name="xcalc"), PressHome(), SPELLED["navigate"][0])])
        assert actions_of(there_and_back(tmp_path / "run", name, tmp_path)) == actions_of(run)


# ---- nothing is overwritten, nothing is left half done


@pytest.mark.parametrize("name", FORMATS)
def test_what_exists_is_left_alone(name: str, tmp_path: Path) -> None:
    made_run(tmp_path / "run")
    made = Path(export_runs(tmp_path / "run", name).out)
    with pytest.raises(UsageError, match=r"exists already; choose another: out \(--out\)"):
        export_runs(tmp_path / "run", name)
    with pytest.raises(UsageError, match=r"exists already; choose another: out \(--out\)"):
        import_runs(made, name, tmp_path / "run")
    assert sorted(tmp_path.iterdir()) == sorted([made, tmp_path / "run"])


@pytest.mark.parametrize("name", FORMATS)
def test_a_stop_leaves_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the third picture is read."""
    made_run(tmp_path / "run", [(Click(point=AT),)] * 4)
    made = Path(export_runs(tmp_path / "run", name).out)
    before = sorted(tmp_path.iterdir())
    left = 3

    def interrupted(*arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt
        return whole(*arguments)

    whole = Trajectory.screenshot
    monkeypatch.setattr(Trajectory, "screenshot", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_runs(tmp_path / "run", name, tmp_path / "there")
    left, whole = 3, TrajectoryWriter.observe
    monkeypatch.setattr(TrajectoryWriter, "observe", interrupted)
    with pytest.raises(KeyboardInterrupt):
        import_runs(made, name, tmp_path / "back")
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(tmp_path: Path) -> None:
    made_run(tmp_path / "run")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write"):
        export_runs(tmp_path / "run", "osworld", tmp_path / "file" / "there")


def test_a_missing_pyarrow_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_run(tmp_path / "run")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingPartError, match=r"pip install 'saccade\[parquet\]'"):
        export_runs(tmp_path / "run", "parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_an_unknown_format_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nearest: osworld"):
        export_runs(tmp_path, "osword")
