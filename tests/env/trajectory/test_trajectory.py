"""Trajectories on disk: round trips, torn files, damaged files, kills, and full disks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from made_runs import EPOCH, end_event, executed, made_run, observation, prediction, start_event
from places import ROOT
from saccade.actions.errors import NewerSchemaError, Stopped, TrajectoryError
from saccade.actions.geometry import Point
from saccade.actions.schema import Click, Finished, Hotkey, Type
from saccade.env.trajectory import upgrade as module
from saccade.env.trajectory.events import SCHEMA_VERSION, Event, event_adapter
from saccade.env.trajectory.trajectory import FILE_NAME, Trajectory, TrajectoryWriter, event_line, read_events
from saccade.perception.observation import Observation, Screenshot

TWO_STEPS = ((Click(point=Point(90.25, 98.0)),), (Hotkey(keys=("ctrl", "s")), Type(text="é\n\u2028😀")))


def lines_of(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / FILE_NAME).read_bytes().splitlines()]


def rewrite(directory: Path, lines: list[Any]) -> Path:
    file = directory / FILE_NAME
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return file


# ---- round trip


def test_what_is_written_is_read(tmp_path: Path) -> None:
    heard: list[Event] = []
    written = [
        start_event(extra={"nested": {"a": [1, None, "x"]}}),
        prediction(0, TWO_STEPS[1], raw="  spaces \t and\r\n lines \x00 end \u2028"),
        executed(0, TWO_STEPS[1][0], error="no effect", reward=-0.5),
        end_event(1, end="error", success=False, message="broke"),
    ]
    first = observation("one", EPOCH + 0.1, device_scale=2.0)
    with TrajectoryWriter(tmp_path / "run", written[0], [heard.append]) as writer:  # type: ignore[arg-type]
        writer.observe(0, first)
        written = [written[0], *(writer.append(event) for event in written[1:])]
    loaded = Trajectory.load(tmp_path / "run")
    assert loaded.start == written[0]
    assert (loaded.steps[0].prediction, *loaded.steps[0].actions) == (written[1], written[2])
    assert loaded.end == written[3]
    assert loaded.final is None
    assert heard == read_events(tmp_path / "run" / FILE_NAME)
    shown = loaded.screenshot(loaded.steps[0].observation)
    assert np.array_equal(shown.pixels, first.screenshot.pixels)
    assert shown.device_scale == 2.0
    loaded.check()


@settings(max_examples=60, deadline=None)
@given(
    raw=st.text(alphabet=st.characters(codec=None)),
    x=st.floats(allow_nan=False, allow_infinity=False),
    seconds=st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_reply_and_number_survives(raw: str, x: float, seconds: float) -> None:
    event = prediction(0, [Click(point=Point(x, 1.0)), Finished(answer=raw)], raw=raw, seconds=seconds)
    line = event_line(event)
    assert line.count(b"\n") == 1
    assert event_adapter.validate_python(json.loads(line)) == event


def test_half_a_surrogate_pair_survives(tmp_path: Path) -> None:
    with TrajectoryWriter(tmp_path, start_event()) as writer:
        writer.observe(0, observation("a"))
        writer.append(prediction(0, [], raw="cut \ud83d here", error="cut off"))
    said = Trajectory.load(tmp_path).steps[0].prediction
    assert said is not None
    assert said.raw == "cut \ud83d here"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused_before_it_is_written(number: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        executed(0, Click(point=Point(1, 1)), reward=number)
    with pytest.raises(ValueError, match="finite"):
        start_event(extra={"temperature": number})


def test_equal_screens_are_kept_once(tmp_path: Path) -> None:
    with TrajectoryWriter(tmp_path, start_event()) as writer:
        for step in range(3):
            writer.observe(step, observation("same", EPOCH + step))
            writer.append(prediction(step, []))
    assert len(list((tmp_path / "screenshots").iterdir())) == 1
    assert len(Trajectory.load(tmp_path).steps) == 3


@pytest.mark.parametrize(
    ("error", "end", "message"),
    [
        (KeyboardInterrupt(), "interrupted", "stopped by Ctrl-C"),
        (Stopped("enough"), "interrupted", "enough"),
        (RuntimeError("broke"), "error", "broke"),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_what_breaks_off_a_run_is_its_end(
    tmp_path: Path, error: BaseException, end: str, message: str, at_once: bool
) -> None:
    def hear(event: Event) -> None:
        if at_once and event.event == "start":
            raise error

    def run() -> None:
        with TrajectoryWriter(tmp_path, start_event(), [hear]) as writer:
            writer.observe(0, observation("a"))
            writer.append(prediction(0, []))
            raise error

    with pytest.raises(type(error)):
        run()
    trajectory = Trajectory.load(tmp_path)
    trajectory.check()
    assert trajectory.end is not None
    assert (trajectory.end.end, trajectory.end.message) == (end, message)
    assert trajectory.end.steps == (0 if at_once else 1)


def test_an_end_that_is_written_stays_the_only_one(tmp_path: Path) -> None:
    def run() -> None:
        with TrajectoryWriter(tmp_path, start_event()) as writer:
            writer.append(end_event(0))
            raise RuntimeError("later")

    with pytest.raises(RuntimeError, match="later"):
        run()
    assert [event.event for event in read_events(tmp_path / FILE_NAME)] == ["start", "end"]


def test_loads_by_folder_or_by_file(tmp_path: Path) -> None:
    made_run(tmp_path)
    assert Trajectory.load(tmp_path) == Trajectory.load(tmp_path / FILE_NAME)


def test_a_screen_without_a_reply_is_the_final_one(tmp_path: Path) -> None:
    loaded = made_run(tmp_path, TWO_STEPS)
    assert [step.index for step in loaded.steps] == [0, 1]
    assert loaded.final is not None
    assert loaded.final.step == 2
    assert [seen.step for seen in loaded.observations()] == [0, 1, 2]


# ---- torn files


def test_every_prefix_that_holds_the_first_line_loads(tmp_path: Path, scale: int) -> None:
    """A quick check tries every fifth byte, and all near the ends of lines."""
    made_run(tmp_path, TWO_STEPS[1:], final=False)
    file = tmp_path / FILE_NAME
    whole = file.read_bytes()
    events = read_events(file)
    first = whole.index(b"\n") + 1
    ends = {at + near for at, byte in enumerate(whole) if byte == ord("\n") for near in (-1, 0, 1, 2)}
    lengths = {*ends, *range(first, len(whole), 5 if scale == 1 else 1)}
    for length in sorted(each for each in lengths if first <= each <= len(whole)):
        file.write_bytes(whole[:length])
        loaded = Trajectory.load(tmp_path)
        assert read_events(file) == events[: whole[:length].count(b"\n")]
        assert (loaded.end is not None) == (length == len(whole))


def test_a_file_without_a_whole_first_line_is_refused(tmp_path: Path) -> None:
    made_run(tmp_path)
    file = tmp_path / FILE_NAME
    whole = file.read_bytes()
    for length in (0, 1, whole.index(b"\n")):
        file.write_bytes(whole[:length])
        with pytest.raises(TrajectoryError, match=r"trajectory\.jsonl:1: the first event must be 'start'"):
            Trajectory.load(tmp_path)


# ---- damaged files


@pytest.mark.parametrize(
    ("order", "line"),
    [
        ([0, 2, 1], 2),  # a reply before its screen
        ([0, 1, 3], 3),  # an action without a reply
        ([0, 1, 2, 2], 4),  # two replies to one screen
        ([0, 1, 2, 3, 1], 5),  # a screen of an earlier step
        ([0, 1, 2, 3, 5, 4], 5),  # something after the end
        ([0, 1, 0], 3),  # two starts
        ([1, 2, 3], 1),  # no start
    ],
)
def test_events_out_of_order_are_refused(tmp_path: Path, order: list[int], line: int) -> None:
    made_run(tmp_path)
    lines = lines_of(tmp_path)
    file = rewrite(tmp_path, [lines[index] for index in order])
    with pytest.raises(TrajectoryError) as caught:
        Trajectory.load(tmp_path)
    assert str(caught.value).startswith(f"{file}:{line}: ")


DAMAGES: dict[str, tuple[Any, str]] = {
    "a list": ([], ""),
    "a field nobody knows": ({"colour": "red"}, "colour"),
    "an event nobody knows": ({"event": "dance"}, "dance"),
    "a wrong type": ({"step": "three"}, "step"),
    "a key nobody has": ({"event": "action", "action": {"kind": "press", "key": "anykey"}}, "anykey"),
    "an action nobody knows": ({"event": "action", "action": {"kind": "jump"}}, "jump"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_hand_edits_are_refused_with_file_and_line(tmp_path: Path, damage: str) -> None:
    made_run(tmp_path)
    lines: list[Any] = lines_of(tmp_path)
    change, named = DAMAGES[damage]
    lines[2] = {"step": 0, "time": 1.0, "raw": "", "event": "prediction", **change} if change else change
    if "action" in lines[2]:
        del lines[2]["raw"]
    file = rewrite(tmp_path, lines)
    with pytest.raises(TrajectoryError) as caught:
        Trajectory.load(tmp_path)
    assert str(caught.value).startswith(f"{file}:3: ")
    assert named in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"{", b"nonsense", b"\xff\xfe", b"[" * 100_000])
def test_a_line_that_is_not_json_is_refused_with_file_and_line(tmp_path: Path, text: bytes) -> None:
    made_run(tmp_path)
    file = tmp_path / FILE_NAME
    lines = file.read_bytes().split(b"\n")
    lines[1] = text
    file.write_bytes(b"\n".join(lines))
    with pytest.raises(TrajectoryError) as caught:
        Trajectory.load(tmp_path)
    assert str(caught.value).startswith(f"{file}:2: ")


def test_a_newer_version_says_so_whatever_else_it_holds(tmp_path: Path) -> None:
    made_run(tmp_path)
    lines = lines_of(tmp_path)
    lines[0] |= {"schema_version": 99, "something": "new"}
    rewrite(tmp_path, lines)
    with pytest.raises(NewerSchemaError, match=r"99.*update"):
        Trajectory.load(tmp_path)


@pytest.mark.parametrize("version", [None, "1", 0, -3])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, version: object) -> None:
    made_run(tmp_path)
    rewrite(tmp_path, [lines_of(tmp_path)[0] | {"schema_version": version}])
    with pytest.raises(TrajectoryError, match=r"jsonl:1: .*not a Saccade trajectory"):
        Trajectory.load(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrajectoryError, match=r"nowhere: cannot be read: No such file"):
        Trajectory.load(tmp_path / "nowhere")


def test_an_older_version_is_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_run(tmp_path)
    lines = lines_of(tmp_path)
    for line in lines:
        line["when"] = line.pop("time")
    rewrite(tmp_path, lines)

    def rename(line: dict[str, Any]) -> dict[str, Any]:
        return {**{name: value for name, value in line.items() if name != "when"}, "time": line["when"]}

    monkeypatch.setattr(module, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    monkeypatch.setitem(module.UPGRADES, SCHEMA_VERSION, rename)
    assert Trajectory.load(tmp_path).start.time == EPOCH


# ---- screenshots


def test_a_missing_screenshot_is_named(tmp_path: Path) -> None:
    loaded = made_run(tmp_path)
    path = loaded.image_path(loaded.steps[0].observation)
    path.unlink()
    with pytest.raises(TrajectoryError) as caught:
        loaded.check()
    assert str(caught.value) == f"{path}: the screenshot of step 1 is unreadable: No such file or directory"


def test_a_changed_screenshot_is_noticed(tmp_path: Path) -> None:
    loaded = made_run(tmp_path)
    seen = loaded.steps[0].observation
    pixels = loaded.screenshot(seen).pixels.copy()
    pixels[5, 5, 0] ^= 1
    loaded.image_path(seen).write_bytes(Screenshot(pixels).png())
    with pytest.raises(TrajectoryError, match="step 1 was changed after recording"):
        loaded.check()


def test_a_changed_size_is_noticed(tmp_path: Path) -> None:
    made_run(tmp_path)
    lines = lines_of(tmp_path)
    lines[1]["size"] = [640, 400]
    rewrite(tmp_path, lines)
    with pytest.raises(TrajectoryError, match="step 1 was changed after recording"):
        Trajectory.load(tmp_path).check()


def test_a_damaged_screenshot_is_an_error_of_ours_wherever_it_is_damaged(tmp_path: Path) -> None:
    loaded = made_run(tmp_path, size=(40, 30))
    seen = loaded.steps[0].observation
    path = loaded.image_path(seen)
    whole = path.read_bytes()
    damaged = [whole[:length] for length in range(0, len(whole) - 12, 7)]
    damaged += [whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :] for at in range(0, len(whole) - 12, 3)]
    for data in damaged:
        path.write_bytes(data)
        try:
            shown = loaded.screenshot(seen)
        except TrajectoryError as error:
            assert "step 1" in str(error)  # noqa: PT017
        else:
            assert shown.digest == seen.screenshot


@pytest.mark.parametrize("digest", ["a\x00b", "x" * 300, "../../etc/passwd"])
def test_a_digest_that_is_none_is_an_error_of_ours(tmp_path: Path, digest: str) -> None:
    made_run(tmp_path)
    lines = lines_of(tmp_path)
    lines[1]["screenshot"] = digest
    rewrite(tmp_path, lines)
    with pytest.raises(TrajectoryError, match="step 1"):
        Trajectory.load(tmp_path).check()


# ---- writing


def test_a_folder_with_a_trajectory_is_refused_and_left_alone(tmp_path: Path) -> None:
    made_run(tmp_path)
    before = (tmp_path / FILE_NAME).read_bytes()
    with pytest.raises(TrajectoryError, match="already holds a trajectory; choose another folder"):
        TrajectoryWriter(tmp_path, start_event())
    assert (tmp_path / FILE_NAME).read_bytes() == before


def test_a_file_in_the_way_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TrajectoryError, match="cannot write"):
        TrajectoryWriter(tmp_path / "file", start_event())


def test_a_closed_writer_writes_nowhere(tmp_path: Path) -> None:
    writer = TrajectoryWriter(tmp_path / "run", start_event())
    writer.close()
    writer.close()
    with (tmp_path / "other").open("w") as other:  # it gets the freed descriptor
        other.flush()
        with pytest.raises(TrajectoryError, match="after it was closed"):
            writer.append(end_event(0))
    assert (tmp_path / "other").read_bytes() == b""


KILL_OFTEN = """
import os, signal, sys, time
from pathlib import Path
from made_runs import *

def write_forever(directory):
    with TrajectoryWriter(directory, start_event()) as writer:
        for step in range(1_000_000):
            writer.observe(step, observation(f"screen {step}"))
            writer.append(prediction(step, [Click(point=Point(1, 2))], raw="x" * (step % 7) * 3000))
            writer.append(executed(step, Click(point=Point(1, 2))))

for number in range(0, 24, int(sys.argv[2])):
    directory = Path(sys.argv[1]) / f"run {number}"
    child = os.fork()
    if child == 0:
        write_forever(directory)
    file, wanted = directory / "trajectory.jsonl", 10 * number**2
    while not file.exists() or file.stat().st_size < wanted * 100:
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
"""

FILL_THE_DISK = """
import resource, sys
from pathlib import Path
from made_runs import *
from saccade.actions.errors import TrajectoryError
with TrajectoryWriter(Path(sys.argv[1]), start_event()) as writer:
    writer.observe(0, observation("a"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
    writer.append(prediction(0, [], raw="short"))
    try:
        writer.append(prediction(0, [], raw="x" * 9000))
    except TrajectoryError as error:
        print(error)
    try:
        noise = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
        writer.observe(1, Observation(Screenshot(noise), 1.0))
    except TrajectoryError as error:
        print(error)
    writer.append(end_event(1, success=False, end="error"))
"""


def python(code: str, *arguments: object) -> str:
    paths = f"{ROOT / 'src'}:{ROOT / 'tests'}"
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": paths, "PATH": "/usr/bin:/bin"},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_kill_at_any_moment_leaves_a_trajectory_that_loads(tmp_path: Path, scale: int) -> None:
    apart = 3 if scale == 1 else 1
    python(KILL_OFTEN, tmp_path, apart)
    steps = []
    for number in range(0, 24, apart):
        loaded = Trajectory.load(tmp_path / f"run {number}")
        loaded.check()
        assert loaded.end is None
        steps.append(len(loaded.steps))
    assert max(steps) > 1


def test_a_full_disk_is_said_clearly_and_the_file_stays_whole(tmp_path: Path) -> None:
    said = python(FILL_THE_DISK, tmp_path / "run")
    file = tmp_path / "run" / FILE_NAME
    assert said.splitlines()[0] == (
        f"cannot write {file}: No space left on device; free some space or choose another folder (--out)"
    )
    assert said.splitlines()[1].startswith(f"cannot write {tmp_path / 'run' / 'screenshots'}")
    loaded = Trajectory.load(tmp_path / "run")
    loaded.check()
    assert len(list((tmp_path / "run" / "screenshots").iterdir())) == 1
    assert [step.prediction.raw for step in loaded.steps if step.prediction] == ["short"]
    assert loaded.end is not None


def test_a_device_without_space_is_said_clearly(tmp_path: Path) -> None:
    with TrajectoryWriter(tmp_path, start_event()) as writer, Path("/dev/full").open("wb") as full:
        kept, writer._descriptor = writer._descriptor, full.fileno()
        with pytest.raises(TrajectoryError, match=r"No space left on device; free some space"):
            writer.append(end_event(0))
        writer._descriptor = kept
    assert Trajectory.load(tmp_path).end is None


def test_an_observation_keeps_where_the_screen_was(tmp_path: Path) -> None:
    screenshot = Screenshot(np.zeros((4, 6, 3), np.uint8), 1.5, Point(-10.0, 20.0))
    with TrajectoryWriter(tmp_path, start_event()) as writer:
        writer.observe(0, Observation(screenshot, EPOCH, url="about:blank"))
    loaded = Trajectory.load(tmp_path)
    assert loaded.final is not None
    again = loaded.screenshot(loaded.final)
    assert (again.device_scale, again.origin, again.size) == (1.5, Point(-10.0, 20.0), (6, 4))


def test_a_change_by_hand_is_seen_unless_somebody_stands_by_it(tmp_path: Path) -> None:
    with TrajectoryWriter(tmp_path / "run", start_event()) as writer:
        writer.observe(0, observation("one"))
        writer.append(prediction(0, TWO_STEPS[0], thought="I see it."))
        writer.append(end_event(1))
    file = tmp_path / "run" / FILE_NAME
    Trajectory.load(file).check()
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("I see it.", "I saw it."), encoding="utf-8")
    with pytest.raises(TrajectoryError, match="was changed"):
        Trajectory.load(file).check()
    end = Trajectory.load(file).end
    assert end is not None
    file.write_text(file.read_text(encoding="utf-8").replace(end.sha256, ""), encoding="utf-8")
    Trajectory.load(file).check()
