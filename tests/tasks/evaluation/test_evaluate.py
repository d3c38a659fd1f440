"""An evaluation with real worker processes, over tasks that break in every way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from made_evaluations import Told, made_evaluation, table
from places import TESTS
from saccade.actions.errors import EnvironmentFailure, UnknownTaskError, UsageError
from saccade.env.desktop.supervisor import descendants
from saccade.env.trajectory.trajectory import FILE_NAME, Trajectory
from saccade.tasks.evaluation.evaluate import evaluate
from saccade.tasks.evaluation.folder import EVAL_NAME, lock_folder, read_evaluation


def trajectories(root: Path) -> list[Path]:
    """All that were ever written, those set aside included."""
    return sorted(root.rglob(FILE_NAME))


def test_every_episode_is_a_folder_and_a_line(tmp_path: Path) -> None:
    told = Told()
    evaluate(made_evaluation(tmp_path, "form", "form-2"), told)
    root = tmp_path / "eval"
    assert told.begun == (6, 0)
    assert {path.parent.relative_to(root).as_posix() for path in trajectories(root)} == {
        f"{task}/{seed}" for task in ("form", "form-2") for seed in range(3)
    }
    lines = [json.loads(line) for line in (root / "episodes.jsonl").read_text().splitlines()]
    assert sorted((line["task"], line["seed"]) for line in lines) == sorted(
        (record.task, record.seed) for record in told.records
    )
    assert {line["success"] for line in lines} == {True, False}, "the seeds deal the buttons differently"
    assert all(len(line["timings"]["predict"]) == line["steps"] for line in lines)
    assert all(line["versions"]["made"] == "1" for line in lines)
    assert list((tmp_path / "marks").glob("closed-*")), "the worker closed its place"


def test_results_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    for workers in (1, 2):
        evaluate(made_evaluation(tmp_path / str(workers), "form", "form-2", workers=workers), Told())
    assert table(tmp_path / "1" / "eval") == table(tmp_path / "2" / "eval")
    closed = [path.name for path in (tmp_path / "2" / "marks").iterdir()]
    assert len(closed) == 2


def test_a_cut_off_episode_is_set_aside_and_run_again(tmp_path: Path) -> None:
    evaluation = made_evaluation(tmp_path, "form", "form-2")
    evaluate(evaluation, Told())
    before = table(evaluation.root)
    cut = evaluation.root / "form" / "1"
    lines = (cut / FILE_NAME).read_bytes().splitlines(keepends=True)
    (cut / FILE_NAME).write_bytes(b"".join(lines[:-1]) + lines[-1][:20])
    assert table(evaluation.root) != before
    told = Told()
    evaluate(evaluation, told, resume=True)
    assert told.begun == (6, 5)
    assert [(record.task, record.seed, record.attempts) for record in told.records] == [("form", 1, 1)]
    assert table(evaluation.root) == before
    aside = Trajectory.load(cut / "attempts" / "1")
    assert aside.end is None
    aside.screenshot(aside.steps[0].observation)


def test_resuming_what_is_done_starts_no_worker(tmp_path: Path) -> None:
    evaluation = made_evaluation(tmp_path)
    evaluate(evaluation, Told())
    told = Told()
    evaluate(made_evaluation(tmp_path, version="deadly"), told, resume=True)
    assert told.begun == (3, 3)
    assert told.records == []


def test_only_what_was_begun_is_resumed(tmp_path: Path) -> None:
    evaluate(made_evaluation(tmp_path, seeds=[0]), Told())
    with pytest.raises(UsageError, match="--resume"):
        evaluate(made_evaluation(tmp_path, seeds=[0]), Told())
    with pytest.raises(UsageError, match=r"max_steps: 10 then, 3 now") as caught:
        evaluate(made_evaluation(tmp_path, "form", "form-2", seeds=[0], max_steps=3), Told(), resume=True)
    assert 'tasks: ["form"] then, ["form", "form-2"] now' in str(caught.value)
    (tmp_path / "eval" / "form" / "0" / FILE_NAME).unlink()
    with pytest.raises(UsageError, match=r'made: "1" then, "2" now'):
        evaluate(made_evaluation(tmp_path, seeds=[0], version="2"), Told(), resume=True)


def test_what_broke_once_is_tried_again(tmp_path: Path) -> None:
    told = Told()
    evaluate(made_evaluation(tmp_path, "form", "crash-once", "broken-once", seeds=[0], workers=2), told)
    assert sorted(told.failures) == [("broken-once", 0, "environment", True), ("crash-once", 0, "worker", True)]
    found = table(tmp_path / "eval")
    assert (found["scored"], found["errors"]) == (3, {})
    assert len({record["success"] for record in found["records"]}) == 1, "all three are the same form"
    for task in ("crash-once", "broken-once"):
        assert len(trajectories(tmp_path / "eval" / task)) == 2


def test_what_stays_broken_is_an_error_of_its_kind_and_no_zero(tmp_path: Path) -> None:
    told = Told()
    tasks = ("form", "crash", "broken", "no-start", "confusing")
    evaluation = made_evaluation(tmp_path, *tasks, seeds=[0], retries=1, workers=2)
    evaluate(evaluation, told)
    found = table(evaluation.root)
    kinds = {record["task"]: record["error"] for record in found["records"]}
    assert kinds == {
        "form": None,
        "crash": "worker",
        "broken": "environment",
        "no-start": "environment",
        "confusing": "policy",
    }
    assert found["errors"] == {"environment": 2, "policy": 1, "worker": 1}
    assert (found["episodes"], found["scored"]) == (5, 1)
    assert found["per_task"]["broken"]["success"] is None
    assert len(told.failures) == 8
    messages = {record["task"]: record["message"] for record in found["records"]}
    assert "RuntimeError: no idea" in messages["confusing"]
    assert messages["no-start"] == "it does not start; make a new one"
    assert len(trajectories(evaluation.root / "crash")) == 2
    again = Told()
    evaluate(evaluation, again, resume=True)
    assert again.begun == (5, 1), "errors are tried anew, results are kept"
    assert table(evaluation.root) == found


def test_a_hung_episode_is_given_up_with_its_worker(tmp_path: Path) -> None:
    told = Told()
    evaluate(made_evaluation(tmp_path, "hang", "form", seeds=[0], retries=0, timeout=2.0), told)
    assert told.failures == [("hang", 0, "timeout", False)]
    assert {record.task: record.error for record in told.records} == {"hang": "timeout", "form": None}


def test_a_worker_that_lost_its_browser_is_replaced(tmp_path: Path) -> None:
    told = Told()
    evaluate(made_evaluation(tmp_path, "lost", seeds=[0], retries=0), told)
    assert told.failures == [("lost", 0, "environment", False)]
    assert "driver" in told.records[0].message


def test_what_cannot_start_ends_the_evaluation_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the made suite is missing; make it"):
        evaluate(made_evaluation(tmp_path / "a", version="missing"), Told())
    with pytest.raises(EnvironmentFailure, match=r"died before they were ready .*-9"):
        evaluate(made_evaluation(tmp_path / "b", version="deadly"), Told())
    with pytest.raises(UnknownTaskError, match="nonsense"):
        evaluate(made_evaluation(tmp_path / "c", "nonsense"), Told())
    assert not (tmp_path / "c" / "eval").exists()


def test_two_evaluations_cannot_share_a_folder(tmp_path: Path) -> None:
    evaluation = made_evaluation(tmp_path)
    with lock_folder(evaluation.root), pytest.raises(UsageError, match="running in"):
        evaluate(evaluation, Told())


def runner(folder: Path) -> subprocess.Popen[bytes]:
    code = "import sys, made_evaluations; made_evaluations.main(*sys.argv[1:])"
    path = os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)])
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder), "form", "slow", "crash-once"],
        env={**os.environ, "PYTHONPATH": path},
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def test_a_runner_killed_over_and_over_ends_with_the_same_table(tmp_path: Path) -> None:
    undisturbed = runner(tmp_path / "whole")
    assert undisturbed.wait(120) == 0
    kills = 0
    for wanted in (1, 6, 12):
        process = runner(tmp_path / "killed")
        while process.poll() is None and len(trajectories(tmp_path / "killed")) < wanted:
            signal.sigtimedwait([], 0.02)
        process.send_signal(signal.SIGKILL)
        kills += process.wait(60) == -signal.SIGKILL
        process.stderr.close()
    assert kills == 3
    last = runner(tmp_path / "killed")
    assert last.wait(120) == 0
    for process in (undisturbed, last):
        process.stderr.close()
    assert table(tmp_path / "killed" / "eval") == table(tmp_path / "whole" / "eval")
    assert len(read_evaluation(tmp_path / "killed" / "eval")[1]) == 18
    assert (tmp_path / "killed" / "eval" / EVAL_NAME).is_file()


def program(process: int) -> str:
    """What a process runs; nothing once it has ended."""
    command = Path(f"/proc/{process}/cmdline")
    return command.read_text() if command.exists() else ""


def test_ctrl_c_leaves_it_tidy_and_says_how_to_go_on(tmp_path: Path) -> None:
    """The real command with a real browser; interrupted as soon as an episode is under way, then resumed."""
    words = ["eval", "miniwob", "--tasks", "click-test", "--seeds", "0-1", "--out", str(tmp_path / "x")]
    command = [sys.executable, "-m", "saccade", *words]
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent / "src")}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, start_new_session=True)
    while process.poll() is None and not trajectories(tmp_path):
        signal.sigtimedwait([], 0.02)
    started = descendants(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=120)[1].decode()
    assert process.returncode == 130, said
    assert f"saccade {' '.join(words)} --resume" in said
    assert "Traceback" not in said
    assert len(started) >= 3, "a worker, the browser's driver and the browser"
    assert [name for number in started if (name := program(number))] == []
    resumed = subprocess.run(
        [*command, "--resume", "--json"], env=environment, capture_output=True, timeout=120, check=True
    )
    found = json.loads(resumed.stdout.splitlines()[-1])
    assert (found["episodes"], found["planned"], found["errors"]) == (2, 2, {})
    assert set(found["per_task"]) == {"click-test"}
    assert 0 <= found["interval"][0] <= found["success"] <= found["interval"][1] <= 1
    assert {"summary.json", "summary.csv", "index.html"} < {path.name for path in (tmp_path / "x").iterdir()}
