"""The desktop suite: real programs on private displays, solved by scripts and scored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from desktop_oracle import SCRIPTS, Sight, script_actions
from made_desktop_evaluations import table
from made_desktops import eventually
from places import TESTS
from saccade.actions.errors import EnvironmentFailure, UnknownTaskError, UsageError
from saccade.actions.schema import CallUser, Finished, Hotkey, OpenApp, Type, Wait
from saccade.env.base import SupportsVerdict
from saccade.env.check import check_environment
from saccade.env.control import Control
from saccade.env.guard.guard import Guard
from saccade.tasks.osworld.environment import OsWorldEnvironment
from saccade.tasks.osworld.task import read_task
from saccade.tasks.osworld.windows import windows_of
from saccade.tasks.suites.desktop import SIZE, DesktopProvider, desktop_tasks
from saccade.tasks.suites.registry import interactive_suite


def opened(task: str) -> OsWorldEnvironment:
    environment = DesktopProvider(Control(), Guard.of("open")).environment(task)
    assert isinstance(environment, OsWorldEnvironment)
    return environment


def test_there_are_enough_tasks_of_every_program() -> None:
    suite = interactive_suite("desktop")
    assert len(suite.tasks()) >= 12
    for program in ("mousepad", "galculator", "gnumeric", "pcmanfm", "xterm"):
        assert suite.tasks(program), program
    assert set(SCRIPTS) == set(suite.tasks())
    suite.check(suite.tasks())
    with pytest.raises(UnknownTaskError, match="nearest: write-note"):
        suite.check(["write-notes"])
    with pytest.raises(UsageError, match="choose one of galculator, gnumeric"):
        suite.tasks("vim")


def test_a_seed_decides_the_words_and_nothing_is_left_open() -> None:
    for task in desktop_tasks().values():
        first, again, other = (task.seeded(seed) for seed in (1, 1, 2))
        assert first == again
        assert first != other, task.id
        assert "{" not in first.instruction, task.id
        assert not any("{" + name + "}" in first.model_dump_json() for name in task.variables), task.id


def test_tasks_are_in_the_published_form() -> None:
    for task in desktop_tasks().values():
        assert (task.snapshot, task.source) == (task.related_apps[0], "saccade")
        assert task.infeasible or all(result for _, result, _, _ in task.evaluator.metrics)


def solve_after_nothing(number: int) -> tuple[str, float, float]:
    """What a task is worth untouched, and what it is worth once a script has solved it."""
    name = list(SCRIPTS)[number]
    with closing(opened(name)) as environment:
        environment.reset(number)
        untouched = environment.judge(Finished())
        last = script_actions(environment, Sight(environment))
        solved = environment.judge(last)
    assert (untouched.success, solved.success) == (False, True), name
    return name, untouched.reward, solved.reward


def test_empty_hands_earn_nothing_and_scripts_earn_everything() -> None:
    with ThreadPoolExecutor(2) as pool:
        worth = list(pool.map(solve_after_nothing, range(len(SCRIPTS))))
    assert worth == [(name, 0.0, 1.0) for name in SCRIPTS]


def test_giving_up_is_right_only_where_nothing_can_be_done() -> None:
    with closing(opened("make-tree")) as environment:
        environment.reset(0)
        environment.step(Type(text="mkdir -p projects/{alpha,beta,gamma}/{10..99} projects/{omega,sigma,theta}\n"))
        assert environment.judge(CallUser())[:2] == (0.0, False)


def test_it_keeps_the_contract() -> None:
    assert check_environment(opened("make-tree")) == []
    assert isinstance(opened("make-tree"), SupportsVerdict)


def test_programs_see_nothing_of_this_machine(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("nobody reads this", encoding="utf-8")
    with closing(opened("make-tree")) as environment:
        environment.reset(0)
        assert environment._episode is not None
        box = environment._episode.sandbox
        box.run(["ln", "-s", str(secret), "link"])
        assert box.read("link") is None, "a link out of the home leads nowhere"
        assert box.run(["cat", str(secret)]).status != 0
        box.write("/tmp/made", b"inside")
        assert not Path("/tmp/made").exists()
        assert box.read("/tmp/made") == b"inside"
        interfaces = box.run("ls /sys/class/net 2>/dev/null; cat /proc/net/dev", shell=True).output
        assert "eth0" not in interfaces
        assert box.run(["id", "-u"]).output == box.run("id -u").output == "1000\n"
        assert box.run(["ls", "-d", "~/Desktop"]).output == "/home/user/Desktop\n"
        with pytest.raises(EnvironmentFailure, match="still running after"):
            box.run(["sleep", "600"], limit=0.2)
        home = Path(box.home)
        assert home.is_dir()
    assert not home.exists()


def test_the_keys_of_a_terminal_and_open_app_start_programs() -> None:
    with closing(opened("write-note")) as environment:
        environment.reset(0)
        assert environment.step(Hotkey(keys=("ctrl", "alt", "t"))).error is None
        assert environment.step(OpenApp(name="galculator")).error is None
        assert environment.display is not None
        titles = " ".join(window.title for window in windows_of(environment.display))
        assert "Terminal" in titles
        assert "galculator" in titles
        assert environment.step(OpenApp(name="no-such-program")).error == "no program is called 'no-such-program'"
        assert environment.step(OpenApp(name="/bin/sh")).error is not None


def test_an_episode_that_lost_its_display_says_so_and_the_next_has_another() -> None:
    with closing(opened("write-note")) as environment:
        environment.reset(0)
        assert environment._episode is not None
        environment._episode._display.close()
        with pytest.raises(EnvironmentFailure):
            environment.step(Wait(seconds=0))
        with pytest.raises(EnvironmentFailure):
            environment.judge(None)
        assert environment.reset(0).screenshot.size == SIZE
        assert environment.judge(None).reward == 0.0


def test_what_cannot_be_prepared_fails_the_reset(tmp_path: Path) -> None:
    file = tmp_path / "broken.json"
    file.write_text(
        '{"id": "broken", "instruction": "-", "evaluator": {"func": "infeasible"},'
        ' "config": [{"type": "launch", "parameters": {"command": ["false"]}}]}',
        encoding="utf-8",
    )
    with (
        closing(OsWorldEnvironment(read_task(file), size=SIZE, guard=Guard.of("open"))) as environment,
        pytest.raises(EnvironmentFailure, match="false exited with status 1 and showed no window"),
    ):
        environment.reset(0)


def marked(mark: str) -> list[int]:
    """The processes that have a mark among their variables."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if mark.encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found


def test_killed_in_the_middle_it_goes_on_and_leaves_nothing(tmp_path: Path) -> None:
    mark = f"SACCADE_MARK={uuid.uuid4()}"
    name, _, value = mark.partition("=")
    command = [sys.executable, str(TESTS / "made_desktop_evaluations.py"), str(tmp_path)]
    path = os.pathsep.join([str(TESTS.parent / "src"), str(TESTS)])
    runner = subprocess.Popen(command, env={**os.environ, name: value, "PYTHONPATH": path})
    try:
        assert eventually(lambda: sum(map(is_display, marked(mark))) >= 2, 120), "two displays at once"
        assert eventually(lambda: len(list(tmp_path.rglob("trajectory.jsonl"))) >= 2, 120)
    finally:
        runner.send_signal(signal.SIGKILL)
        runner.wait()
    assert eventually(lambda: marked(mark) == [], 60), "no display, window manager or program is left"
    subprocess.run(command, env={**os.environ, name: value, "PYTHONPATH": path}, check=True, timeout=300)
    assert eventually(lambda: marked(mark) == [], 60)
    summary = table(tmp_path / "eval")
    assert (summary.episodes, summary.errors) == (4, {})
    assert {task: each.success for task, each in summary.per_task.items()} == {"make-tree": 0.0, "print-in-colour": 1.0}


def is_display(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/comm").read_text(encoding="utf-8") == "Xvfb\n"
    except OSError:
        return False
