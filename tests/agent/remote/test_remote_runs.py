"""A model on a server in whole runs: the command line, a person's stop, replay, evaluation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from made_endpoint import Endpoint as Server
from made_endpoint import embedded, scripted, serving
from made_evaluations import SOLVES, MadeSuite, Told
from places import SOURCE
from saccade.actions.errors import UsageError
from saccade.agent.checkpoints.checkpoint import load_checkpoint
from saccade.agent.loop import Agent
from saccade.agent.remote.endpoint import Endpoint
from saccade.agent.remote.policy import RemotePolicy
from saccade.env.control import Control
from saccade.env.guard.guard import Guard
from saccade.env.memory import demo
from saccade.env.trajectory.events import EndEvent, StartEvent
from saccade.env.trajectory.trajectory import Trajectory, TrajectoryWriter
from saccade.tasks.evaluation.evaluate import Evaluation, evaluate
from saccade.tasks.evaluation.folder import read_evaluation
from saccade.tasks.evaluation.summary import summarise
from saccade.tasks.models.load import load_policy
from saccade.tasks.models.source import RemoteSource, policy_source


def saccade(*words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "saccade", *words],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(SOURCE), **variables},
        timeout=180,
        check=False,
    )


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(scripted(SOLVES)) as running:
        yield running


def test_a_run_and_its_replay(server: Server, tmp_path: Path) -> None:
    words = ("--model", server.address, "--dialect", "uitars-1.0", "--env", "memory", "--out", "first", "--json")
    ran = saccade("run", *words, cwd=tmp_path, SACCADE_API_KEY="sk-geheim")
    outcome = json.loads(ran.stdout.splitlines()[-1])
    assert (ran.returncode, outcome["steps"]) == (0 if outcome["success"] else 1, len(server.requests)), ran.stderr
    trajectory = Trajectory.load(tmp_path / "first")
    assert trajectory.start.policy == server.address
    stated = trajectory.start.policy_settings
    assert (stated.dialect, stated.fingerprint) == ("uitars-1.0", None)
    usages = [step.prediction.usage for step in trajectory.steps if step.prediction]
    assert all(usage.prompt_tokens > 0 and usage.reply_tokens > 0 for usage in usages)
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(b"geheim" in data for data in files)
    again = saccade("replay", "first", "--out", "second", "--json", cwd=tmp_path)
    replayed = json.loads(again.stdout.splitlines()[-1])
    assert again.returncode == ran.returncode, again.stderr
    assert (replayed["steps"], replayed["agreed"], replayed["healed"]) == (outcome["steps"], outcome["steps"], [])
    assert len(server.requests) == 2 * outcome["steps"], "the same model is found again, and asked once per step"


def test_a_server_that_is_down_ends_it_before_anything_is_done(tmp_path: Path) -> None:
    with serving(scripted([])) as server:
        address = server.address
    ran = saccade("run", "--model", address, "--dialect", "uitars-1.0", "--env", "memory", cwd=tmp_path)
    (line,) = [line for line in ran.stderr.splitlines() if line.startswith("saccade: ")]
    assert ran.returncode == 2
    assert "is the server running there?" in line
    assert "Traceback" not in ran.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def stopped_when(happened: Callable[[], object], policy: RemotePolicy, folder: Path) -> EndEvent:
    """How a run ends in which a person stops as soon as something has happened."""
    control, environment = Control(), demo(guard=Guard.of("open"))

    def stop() -> None:
        happened()
        control.stop("enough")

    person = threading.Thread(target=stop)
    person.start()
    first = environment.reset(0)
    start = StartEvent(saccade_version="0", instruction="Save it", environment="memory", policy=policy.name, time=0.0)
    with TrajectoryWriter(folder, start) as trajectory:
        end = Agent(policy, environment, control=control).run("Save it", first, trajectory)
    person.join()
    return end


def test_a_stop_breaks_into_waiting_for_a_server(server: Server, tmp_path: Path) -> None:
    policy = RemotePolicy(server.address, "uitars-1.0")
    server.endless = "hang"
    end = stopped_when(lambda: server.arrived.acquire(timeout=60), policy, tmp_path / "run")
    assert (end.end, end.message, end.steps) == ("interrupted", "enough", 0)
    assert len(server.requests) == 1


def test_a_stop_breaks_into_the_pause_between_two_tries(server: Server, tmp_path: Path) -> None:
    pausing, never = threading.Event(), threading.Event()

    def wait(seconds: float) -> None:
        pausing.set()
        while not never.wait(0.5):  # a signal that comes just before a wait is heard at its end
            pass

    policy = RemotePolicy(Endpoint(server.address, wait=wait), "uitars-1.0")
    server.endless = 429
    end = stopped_when(lambda: pausing.wait(60), policy, tmp_path / "run")
    assert (end.end, end.message, len(server.requests)) == ("interrupted", "enough", 1)


def test_what_only_a_local_model_can_do_is_refused(server: Server) -> None:
    for options in (
        {"decoding": "suffix", "constrained": False},
        {"decoding": "auto", "constrained": True},
        {"decoding": "auto", "constrained": False, "acceptance": "typical"},
    ):
        with pytest.raises(UsageError, match="for models that run here"):
            policy_source(server.address, None, **options)
        with pytest.raises(UsageError, match="decodes on its server"):
            load_policy(server.address, **options)
    assert server.asked == []
    assert policy_source(server.address, "uitars-1.0", "plain", False) == RemoteSource(server.address, "uitars-1.0")


def test_an_episode_that_the_server_breaks_is_an_error_of_the_policy(tmp_path: Path) -> None:
    def answer(messages: list[dict[str, Any]]) -> str | int | None:
        return 400 if "form-2:" in messages[0]["content"] else scripted(SOLVES)(messages)

    with serving(answer, root="/weights/one") as server:
        source = RemoteSource(server.address, "uitars-1.0")
        suite = MadeSuite(tmp_path)
        evaluation = Evaluation(tmp_path / "eval", suite, source, ("form", "form-2"), (0, 1), retries=1)
        told = Told()
        evaluate(evaluation, told)
    config, records = read_evaluation(evaluation.root)
    kinds = {(record.task, record.seed): record.error for record in records}
    assert kinds == {("form", 0): None, ("form", 1): None, ("form-2", 0): "policy", ("form-2", 1): "policy"}
    assert sorted(told.failures) == [("form-2", seed, "policy", again) for seed in (0, 1) for again in (False, True)]
    assert all("answered 400" in record.message for record in records if record.error)
    assert config.settings["served"] == "/weights/one"
    summary = summarise(config, records)
    assert summary.tokens["prompt"] == sum(record.prompt_tokens for record in records) > 0
    assert summary.tokens["reply"] > 0


def test_miniwob_is_evaluated_with_a_served_model(tmp_path: Path) -> None:
    """The embedded policy behind the server solves the task that it solves here."""
    with serving(embedded(load_checkpoint("embedded"))) as server:
        words = ("--model", server.address, "--dialect", "uitars-1.0", "--tasks", "click-test-2", "--seeds", "0-1")
        done = saccade("eval", "miniwob", *words, "--out", "eval", "--json", cwd=tmp_path)
    summary = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, summary["success"], summary["errors"]) == (0, 1.0, {}), done.stderr
    assert summary["tokens"]["prompt"] > 0
