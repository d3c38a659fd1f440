"""Keys in the terminal while a run goes on: a real terminal, with a person at its other end."""

import json
import os
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from places import SOURCE
from saccade.env.control import Control
from saccade.tasks.terminal.keys import KEYS, terminal_keys

PROGRAM = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from pathlib import Path
from saccade.agent.limits import Limits
from saccade.agent.loop import Agent
from saccade.agent.policy import ScriptedPolicy
from saccade.env.control import Control
from saccade.env.trajectory.events import StartEvent
from saccade.env.guard.guard import Guard
from saccade.env.memory import demo
from saccade.env.trajectory.trajectory import TrajectoryWriter
from saccade.tasks.terminal.keys import terminal_keys

class Slow:
    instruction = None
    def step(self, action):
        control.wait(0.01)
        return env.step(action)

def note(words, style):
    sys.stdout.write(words + "\\n")
    sys.stdout.flush()

env, control = demo(Guard.of("open")), Control()
start = StartEvent(saccade_version="0", instruction="x", environment="memory", policy="scripted", time=0.0)
policy = ScriptedPolicy(REPLIES)
with terminal_keys(control, note), TrajectoryWriter(Path("run"), start) as writer:
    agent = Agent(policy, Slow(), Limits(steps=10**6, repeats=10**6), control=control)
    end = agent.run("x", env.reset(0), writer)
note(f"END {end.end} {end.message}", "")
"""
GUARDED = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from pathlib import Path
from saccade.agent.policy import ScriptedPolicy
from saccade.env.control import Control
from saccade.env.guard.policy import profile
from saccade.env.memory import Button, MemoryEnvironment, MemoryScreen, Rectangle
from saccade.tasks.episode import run_episode
from saccade.tasks.terminal.guard_questions import make_guard
from saccade.tasks.terminal.keys import terminal_keys

def note(words, style):
    sys.stdout.write(words + "\\n")
    sys.stdout.flush()

control, folder = Control(), Path("run")
guard = make_guard(profile("standard"), None, control, folder)
screens = {"one": MemoryScreen("Mail", (Button("Send", Rectangle(0, 20, 320, 240), reward=1.0),))}
env = MemoryEnvironment(screens, "one", guard=guard, instruction="Send it.")
with terminal_keys(control, note):
    result = run_episode(ScriptedPolicy(REPLIES), env, None, folder, control=control, report=False)
errors = [event.error for step in result.trajectory.steps for event in step.actions]
note(f"END {result.end.end} {[bool(error) for error in errors]}", "")
"""
CLICKS = "['Action: click(start_box=\\'(5,990)\\')'] * 100000"
QUESTION = "['Action: call_user(content=\\'Which one?\\')', 'Action: wait()']"


class Terminal:
    """The person's end of a terminal, and the program at the other."""

    def __init__(self, folder: Path, replies: str, program: str = PROGRAM) -> None:
        self.mine, theirs = os.openpty()
        self.before = termios.tcgetattr(self.mine)
        self.folder = folder
        self.shown = ""
        self.process = subprocess.Popen(
            [sys.executable, "-c", program.replace("REPLIES", replies)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )
        os.close(theirs)

    def read_until(self, words: str) -> str:
        """What is shown from now on, up to some words (a regular expression)."""
        seen = len(self.shown)
        deadline = time.monotonic() + 60
        while not re.search(words, self.shown[seen:]):
            assert time.monotonic() < deadline, self.shown
            if select.select([self.mine], [], [], 0.1)[0]:
                self.shown += os.read(self.mine, 65536).decode()
        return self.shown[seen:]

    def press(self, keys: str) -> None:
        os.write(self.mine, keys.encode())

    @property
    def key_by_key(self) -> bool:
        return not termios.tcgetattr(self.mine)[3] & termios.ICANON

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.folder / "run" / "trajectory.jsonl").read_text().splitlines()]

    def clicks(self) -> int:
        return sum(line["event"] == "action" for line in self.lines())

    def resting_clicks(self, least: int = 0) -> int:
        """How many there are once no more come."""
        count = -1
        for _ in range(200):
            before, count = count, self.clicks()
            if before == count >= least:
                break
            time.sleep(0.4)
        return count


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_(replies: str, program: str = PROGRAM) -> Terminal:
        opened.append(Terminal(tmp_path, replies, program))
        return opened[-1]

    yield open_
    for each in opened:
        each.process.kill()
        each.process.wait()
        os.close(each.mine)


def test_keys_pause_step_resume_and_stop_and_the_terminal_is_put_back(terminal) -> None:
    person = terminal(CLICKS)
    person.read_until(KEYS)
    while not (person.folder / "run" / "trajectory.jsonl").exists():
        time.sleep(0.02)
    person.press("p")
    person.read_until("paused")
    assert person.key_by_key
    count = person.resting_clicks()
    for extra in (1, 2):
        person.press("s")
        person.read_until("one step")
        assert person.resting_clicks(count + extra) == count + extra
    person.press("xyz")
    assert person.resting_clicks() == count + 2
    person.press("r")
    person.read_until("resumed")
    person.press("q")
    assert "END interrupted stopped in the terminal" in person.read_until("END.*\n")
    assert person.process.wait(30) == 0
    assert termios.tcgetattr(person.mine)[3] == person.before[3]
    assert person.lines()[-1]["end"] == "interrupted"


@pytest.mark.parametrize(("typed", "told"), [("the quick one\n", "answered: the quick one"), ("\n", "has acted")])
def test_a_question_is_shown_and_answered_by_a_line(terminal, typed: str, told: str) -> None:
    person = terminal(QUESTION)
    person.read_until("Enter to continue")
    assert "the agent asks you: Which one?" in person.shown
    for _ in range(100):
        if not person.key_by_key:
            break
        time.sleep(0.05)
    assert not person.key_by_key, "the answer is typed in a line that one sees and can edit"
    person.press(typed)
    person.read_until("END finished.*\n")
    person.process.wait(30)
    (asked,) = [line for line in person.lines() if line["event"] == "action" and "call_user" in str(line)]
    assert told in str(asked["error"])


def test_ctrl_c_puts_the_terminal_back(terminal) -> None:
    person = terminal(CLICKS)
    person.read_until(KEYS)
    file = person.folder / "run" / "trajectory.jsonl"
    while not (person.key_by_key and file.exists() and person.clicks()):
        time.sleep(0.02)
    person.press("\x03")
    assert "END interrupted stopped by Ctrl-C" in person.read_until("END.*\n")
    person.process.wait(30)
    assert termios.tcgetattr(person.mine)[3] == person.before[3]


def test_without_a_terminal_no_key_counts_and_nobody_is_there(tmp_path: Path) -> None:
    control, notes = Control(), list[str]()
    (tmp_path / "keys").write_text("q\n" * 10)
    with (tmp_path / "keys").open() as stream, terminal_keys(control, lambda words, style: notes.append(words), stream):
        time.sleep(0.1)
        assert not control.attended
        control.pause()
    assert not control.stopped
    assert notes == ["paused"]


def test_the_guard_asks_once_in_this_run_or_not_at_all(terminal) -> None:
    click = "'Action: click(start_box=\\'(500,500)\\')'"
    person = terminal(f"[{click}] * 4 + ['Action: finished()']", GUARDED)
    for answer in ("n", "perhaps", "y", "r"):
        shown = person.read_until("n no")
        assert 'The agent wants to click at "Send"' in shown
        assert "This sends something." in shown
        assert (person.folder / "run" / "question-1.png").read_bytes().startswith(b"\x89PNG")
        time.sleep(0.05)
        person.press(f"{answer}\n")
    person.read_until(r"END finished \[True, False, False, False, False\]")
    assert person.process.wait(30) == 0
    audit = [json.loads(line) for line in (person.folder / "run" / "audit.jsonl").read_text().splitlines()]
    assert [line["answer"] for line in audit if line["entry"] == "answer"] == ["no", "once", "run"]
