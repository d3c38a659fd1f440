"""One function runs an episode, from the reset to the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from saccade.actions.errors import UsageError
from saccade.agent.limits import Limits
from saccade.agent.policy import ScriptedPolicy
from saccade.env.guard.guard import Guard
from saccade.env.memory import MemoryEnvironment, MemoryScreen, demo
from saccade.env.trajectory.events import EnvironmentSettings
from saccade.env.trajectory.trajectory import Trajectory
from saccade.tasks.episode import Replayed, run_episode

FINISH = ScriptedPolicy(["Action: finished(content='42')"])


def test_an_episode_leaves_a_trajectory_with_its_settings_and_a_report(tmp_path: Path) -> None:
    limits = Limits(steps=3, seconds=60.0)
    settings = EnvironmentSettings(url="http://made.up/")
    result = run_episode(
        FINISH,
        demo(guard=Guard.of("open")),
        "Say 42",
        tmp_path,
        name="memory",
        seed=5,
        limits=limits,
        environment_settings=settings,
    )
    assert (result.answer, result.steps, result.exit_status) == ("42", 1, 1)
    assert result.report == tmp_path / "report.html"
    start = Trajectory.load(tmp_path).start
    assert (start.instruction, start.environment, start.policy, start.seed) == ("Say 42", "memory", "scripted", 5)
    assert (start.policy_settings.dialect, start.max_steps, start.max_seconds) == ("uitars-1.0", 3, 60.0)
    screen = demo(guard=Guard.of("open")).reset().screenshot.size
    assert start.environment_settings == EnvironmentSettings(url="http://made.up/", screen=screen)


def test_the_environments_own_task_is_taken_where_none_is_given_or_it_comes_first(tmp_path: Path) -> None:
    own = run_episode(FINISH, demo(guard=Guard.of("open")), None, tmp_path / "own", report=False)
    first = run_episode(
        FINISH, demo(guard=Guard.of("open")), "Other", tmp_path / "first", own_task_first=True, report=False
    )
    given = run_episode(FINISH, demo(guard=Guard.of("open")), "Other", tmp_path / "given", report=False)
    assert [each.trajectory.start.instruction for each in (own, first, given)] == [
        "Save the name Ada.",
        "Save the name Ada.",
        "Other",
    ]
    assert own.report is None


def test_without_any_task_nothing_is_recorded(tmp_path: Path) -> None:
    environment = MemoryEnvironment({"only": MemoryScreen("No task.")}, "only", guard=Guard.of("open"))
    with pytest.raises(UsageError, match="memory sets no task of its own"):
        run_episode(FINISH, environment, None, tmp_path / "run", name="memory")
    assert not (tmp_path / "run").exists()


def test_a_replay_names_its_recording(tmp_path: Path) -> None:
    run_episode(FINISH, demo(guard=Guard.of("open")), "x", tmp_path, replayed=Replayed("made", "exact"), report=False)
    start = Trajectory.load(tmp_path).start
    assert (start.replay_of, start.replay_mode) == ("made", "exact")
