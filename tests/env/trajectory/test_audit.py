"""The audit of a run: any changed byte and any missing line is found; a kill leaves what can be checked."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from places import SOURCE
from saccade.actions.errors import TrajectoryError
from saccade.agent.policy import ScriptedPolicy
from saccade.env.guard.asking import unattended
from saccade.env.guard.guard import Guard
from saccade.env.guard.policy import profile
from saccade.env.memory import demo
from saccade.env.secrets import Secrets
from saccade.env.trajectory.audit import AUDIT_NAME, verify_audit
from saccade.tasks.episode import run_episode

REPLIES = [
    "Thought: a\nAction: click(start_box='(250,250)')",
    "Thought: b\nAction: type(content='Ada {{pin}}')",
    "Thought: c\nAction: click(start_box='(250,700)')",
    "Action: finished()",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit")
    guard = Guard(profile("standard"), ask=unattended("deny"))
    run_episode(
        ScriptedPolicy(REPLIES, "uitars-1.5"),
        demo(guard),
        None,
        folder / "run",
        name="memory",
        secrets=Secrets({"pin": "493817"}),
        anchor=folder / "anchor",
        report=False,
    )
    return folder / "run"


def copied(run: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir()
    for name in (AUDIT_NAME, "trajectory.jsonl"):
        shutil.copy(run / name, to / name)
    return to


def state(folder: Path, anchor: Path | None = None) -> str:
    try:
        return verify_audit(folder, anchor).state
    except TrajectoryError:
        return "changed"


def test_a_run_is_chained_and_tells_what_the_guard_did(run: Path) -> None:
    found = verify_audit(run, run.parent / "anchor")
    assert found.state == "intact"
    assert found.events == len((run / "trajectory.jsonl").read_bytes().splitlines())
    lines = [json.loads(line) for line in (run / AUDIT_NAME).read_text(encoding="utf-8").splitlines()]
    assert {"begin", "guard", "line", "intent"} <= {line["entry"] for line in lines}
    intents = [number for number, line in enumerate(lines) if line["entry"] == "intent"]
    assert intents
    assert all(lines[number + 1]["entry"] in ("line", "question") for number in intents), "the outcome comes after"
    assert b"493817" not in (run / AUDIT_NAME).read_bytes()
    assert "{{pin}}" in (run / AUDIT_NAME).read_text(encoding="utf-8")


def test_every_changed_byte_is_found(run: Path, tmp_path: Path, scale: int) -> None:
    chance = random.Random(1)
    for name in (AUDIT_NAME, "trajectory.jsonl"):
        whole = (run / name).read_bytes()
        for _ in range(60 * scale):
            folder = copied(run, tmp_path / "copy")
            place = chance.randrange(len(whole))
            other = bytes([chance.choice([each for each in range(256) if each != whole[place]])])
            (folder / name).write_bytes(whole[:place] + other + whole[place + 1 :])
            assert state(folder) != "intact", f"{name}, byte {place}: {whole[place : place + 1]!r} became {other!r}"


def test_every_removed_line_is_found(run: Path, tmp_path: Path) -> None:
    for name in (AUDIT_NAME, "trajectory.jsonl"):
        lines = (run / name).read_bytes().splitlines(keepends=True)
        for number in range(len(lines)):
            folder = copied(run, tmp_path / "copy")
            (folder / name).write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
            assert state(folder) != "intact", f"{name}: line {number + 1} was taken out"
            (folder / name).write_bytes(b"".join([*lines[: number + 1], lines[number], *lines[number + 1 :]]))
            assert state(folder) == "changed", f"{name}: line {number + 1} was doubled"


def test_an_anchor_finds_another_chain_and_missing_ends(run: Path, tmp_path: Path) -> None:
    anchor = run.parent / "anchor"
    folder = copied(run, tmp_path / "copy")
    audit = (run / AUDIT_NAME).read_bytes().splitlines(keepends=True)
    events = (run / "trajectory.jsonl").read_bytes().splitlines(keepends=True)
    kinds = [json.loads(line)["entry"] for line in audit]
    cut = max(number for number, kind in enumerate(kinds) if kind == "line")
    (folder / AUDIT_NAME).write_bytes(b"".join(audit[:cut]))
    (folder / "trajectory.jsonl").write_bytes(b"".join(events[:-1]))
    assert state(folder) == "cut off", "as a kill leaves it"
    assert state(folder, anchor) == "changed", "but there was more"
    run_episode(ScriptedPolicy(["Action: finished()"]), demo(Guard.of("open")), "x", tmp_path / "other", report=False)
    assert state(tmp_path / "other") == "intact"
    assert state(tmp_path / "other", anchor) == "changed"


KILLED = """
import sys
from pathlib import Path
from saccade.agent.limits import Limits
from saccade.agent.policy import ScriptedPolicy
from saccade.env.guard.guard import Guard
from saccade.env.memory import demo
from saccade.tasks.episode import run_episode
print("ready", flush=True)
policy = ScriptedPolicy(["Action: wait()", "Action: click(start_box='(900,900)')"] * 5000)
limits = Limits(steps=10000, repeats=10000)
run_episode(policy, demo(Guard.of("open")), "x", Path(sys.argv[1]), limits=limits, report=False)
"""


def test_a_kill_leaves_what_can_be_checked(tmp_path: Path, scale: int) -> None:
    chance = random.Random(2)
    for number in range(2 * scale):
        folder = tmp_path / str(number)
        environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
        words = [sys.executable, "-P", "-c", KILLED, str(folder)]
        program = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"
        while not (folder / "trajectory.jsonl").exists():
            time.sleep(0.005)
        time.sleep(chance.random() * 0.3)
        program.send_signal(signal.SIGKILL)
        program.communicate()
        found = verify_audit(folder)
        assert found.state == "cut off"
        assert found.lines >= found.events >= 1
