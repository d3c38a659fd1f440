"""The public API: its names, one call for a run, and the same inside an event loop."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest

import saccade
from places import ROOT, SOURCE
from saccade.agent.policy import Context, Prediction
from saccade.env.browser.chromium import Chromium
from saccade.env.trajectory.events import Event
from saccade.tasks.commands.run import RunRequest
from saccade.tasks.evaluation.records import EpisodeRecord
from saccade.tasks.models.source import ScriptedSource

TASK = "Click button ONE."
WORLD = "miniwob:click-test-2"
T = TypeVar("T")
DONE = ["Thought: I wait.\nAction: wait()", "Action: finished(content='seen enough')"]


def python(code: str, folder: Path) -> str:
    """What a program prints; it may print nothing on stderr."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin", "HOME": str(Path.home())},
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


class Blocking(saccade.ScriptedPolicy):
    """Decides once it is let."""

    def __init__(self) -> None:
        super().__init__(DONE)
        self.asked, self.go_on = threading.Event(), threading.Event()

    def predict(self, context: Context) -> Prediction:
        self.asked.set()
        assert self.go_on.wait(60)
        return super().predict(context)


# ---------------------------------------------------------------- names


def test_the_public_names_are_exactly_these() -> None:
    assert sorted(dir(saccade)) == sorted(["__version__", *saccade.__all__])
    assert len(set(saccade.__all__)) == len(saccade.__all__)
    for name in saccade.__all__:
        assert getattr(saccade, name) is not None
    homes = [name for names in saccade._HOMES.values() for name in names.split()]
    assert sorted(homes) == sorted(saccade.__all__)
    with pytest.raises(AttributeError, match="no attribute 'walk'"):
        _ = saccade.walk  # type: ignore[attr-defined]


def test_type_checkers_find_each_name_where_it_is() -> None:
    tree = ast.parse((ROOT / "src" / "saccade" / "__init__.py").read_text(encoding="utf-8"))
    seen = {(node.module, a.name) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for a in node.names}
    homes = {(module, name) for module, names in saccade._HOMES.items() for name in names.split()}
    assert seen - {("importlib", "import_module")} == homes


def test_all_errors_and_actions_are_public() -> None:
    from saccade.actions import errors, schema

    raised = {name for name, value in vars(errors).items() if isinstance(value, type)}
    kinds = {kind.__name__ for kind in schema.Action.__origin__.__args__}  # type: ignore[attr-defined]
    assert raised | kinds <= set(saccade.__all__)


def test_importing_it_is_fast_and_light(tmp_path: Path) -> None:
    code = "import sys, time\nstart = time.perf_counter()\nimport saccade\nprint(time.perf_counter() - start)\n"
    code += "print(len({'torch', 'numpy', 'pydantic', 'typing', 'playwright'} & set(sys.modules)))"
    found = [python(code, tmp_path).split() for _ in range(3)]
    assert min(float(seconds) for seconds, _ in found) < 0.1
    assert {loaded for _, loaded in found} == {"0"}


# ---------------------------------------------------------------- run


def test_the_first_example_prints_true_and_nothing_else(tmp_path: Path) -> None:
    code = f"import saccade; print(saccade.run({TASK!r}, env={WORLD!r}).success)"
    assert python(code, tmp_path) == "True\n"
    (folder,) = (tmp_path / "runs").iterdir()
    assert {"trajectory.jsonl", "report.html"} <= {file.name for file in folder.iterdir()}


def test_a_run_with_a_policy_of_ones_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    events: list[Event] = []
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    policy = saccade.ScriptedPolicy(DONE)
    result = saccade.run(
        "Look at {{what}}", env="memory", model=policy, values={"what": "it"}, out=tmp_path, on_event=events.append
    )
    assert isinstance(result, saccade.RunResult)
    assert (result.answer, result.steps) == ("seen enough", 2)
    assert result.trajectory.start.instruction == "Look at it"
    assert [step.prediction for step in result.trajectory.steps] == [e for e in events if e.event == "prediction"]
    assert result.report == tmp_path / "report.html"
    assert result.report.exists()
    assert capfd.readouterr() == ("", "")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_what_was_not_finished_has_no_answer(tmp_path: Path) -> None:
    policy = saccade.ScriptedPolicy(["Action: wait()"] * 3)
    result = saccade.run(env="memory", model=policy, max_steps=2, out=tmp_path)
    assert (result.success, result.answer, result.end.end) == (False, None, "step_limit")


@pytest.mark.parametrize(
    ("asked", "error", "reason"),
    [
        ({"task": "x"}, saccade.UsageError, "where to act"),
        ({"env": "miniwob:clik-test"}, saccade.UnknownTaskError, "click-test"),
        ({"env": "memory", "model": "no/such/model"}, saccade.MissingPartError, "no checkpoint"),
        ({"task": "x", "desktop": saccade.DesktopOptions(display=":4711")}, saccade.UsageError, "yes=True"),
    ],
)
def test_what_cannot_be_done_is_an_error(
    asked: dict[str, object], error: type[Exception], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = {"model": saccade.ScriptedPolicy(DONE), **asked}
    with pytest.raises(error, match=reason):
        saccade.run(**asked)  # type: ignore[arg-type]
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]


def test_ctrl_c_is_recorded_and_raised(tmp_path: Path) -> None:
    class Interrupted(saccade.ScriptedPolicy):
        def predict(self, context: Context) -> Prediction:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        saccade.run(env="memory", model=Interrupted([]), out=tmp_path)
    end = saccade.Trajectory.load(tmp_path).end
    assert end is not None
    assert end.end == "interrupted"
    assert (tmp_path / "report.html").exists()


def test_a_run_leaves_the_policy_as_it_was(tmp_path: Path) -> None:
    policy = saccade.ScriptedPolicy(DONE)
    before = set(vars(policy))
    saccade.run(env="memory", model=policy, out=tmp_path)
    assert set(vars(policy)) == before


def test_models_are_loaded_once() -> None:
    one, other = saccade.load_policy("embedded"), saccade.load_policy("embedded", decoding="plain")
    assert one is not other
    assert one._checkpoint is other._checkpoint  # type: ignore[attr-defined]


# ---------------------------------------------------------------- replay


def test_a_run_is_repeated(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    events: list[Event] = []
    policy = saccade.ScriptedPolicy(["Action: click(start_box='(500,300)')", *DONE])
    recording = saccade.run(env="memory", model=policy, out=tmp_path / "a").trajectory.directory
    result = saccade.replay(recording, mode="exact", out=tmp_path / "b", on_event=events.append)
    assert isinstance(result, saccade.ReplayResult)
    assert (result.end.end, result.success) == ("finished", False)
    assert result.drift is None
    again = saccade.Trajectory.load(result.directory)
    assert again.start.replay_mode == "exact"
    assert len(again.steps) == 3
    assert events[-1] == again.end
    assert capfd.readouterr() == ("", "")
    with pytest.raises(saccade.UsageError, match="heals nothing"):
        saccade.replay(recording, mode="exact", update=True)
    with pytest.raises(saccade.TrajectoryError, match="cannot be read"):
        saccade.replay(tmp_path / "c")


# ---------------------------------------------------------------- evaluate


def test_an_evaluation_of_one_task(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    records: list[EpisodeRecord] = []
    source = ScriptedSource(("Action: wait()",))
    folder = tmp_path / "e"
    result = saccade.evaluate(
        "miniwob", model=source, tasks=["click-test"], seeds=[3], out=folder, on_record=records.append
    )
    assert isinstance(result, saccade.EvaluationResult)
    assert (result.folder, result.summary.success, result.summary.episodes) == (folder, 0.0, 1)
    assert list(result.records) == records
    assert [(record.task, record.seed, record.end) for record in records] == [("click-test", 3, "finished")]
    assert (folder / "index.html").exists()
    assert capfd.readouterr() == ("", "")
    with pytest.raises(saccade.UsageError, match="already holds an evaluation"):
        saccade.evaluate("miniwob", model=source, tasks=["click-test"], seeds=[3], out=folder)
    again = saccade.evaluate("miniwob", model=source, tasks=["click-test"], seeds=[3], out=folder, resume=True)
    assert again.records == result.records
    with pytest.raises(saccade.UnknownTaskError, match="nosuch"):
        saccade.evaluate("nosuch")


# ---------------------------------------------------------------- arun


def test_four_at_once_in_an_event_loop(tmp_path: Path) -> None:
    code = f"""
import asyncio, saccade
async def main():
    runs = [saccade.arun({TASK!r}, env={WORLD!r}, seed=seed) for seed in (0, 0, 1, 2)]
    return await asyncio.gather(*runs)
print([result.success for result in asyncio.run(main())])
"""
    assert python(code, tmp_path) == "[True, True, True, True]\n"
    assert len(list((tmp_path / "runs").iterdir())) == 4


def in_event_loop(main: Coroutine[Any, Any, T]) -> T:
    """Run it in a thread of its own: in this one, browsers of other tests keep Playwright's loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, main).result()


def test_beside_a_browser_of_playwright(tmp_path: Path) -> None:
    with Chromium():
        assert asyncio.get_running_loop().is_running()
        result = saccade.run(env="memory", model=saccade.ScriptedPolicy(DONE), out=tmp_path)
    assert result.end.end == "finished"


def test_the_event_loop_goes_on_during_a_run(tmp_path: Path) -> None:
    policy = Blocking()

    async def main() -> saccade.RunResult:
        running = asyncio.ensure_future(saccade.arun(env="memory", model=policy, out=tmp_path))
        await asyncio.to_thread(policy.asked.wait, 60)
        policy.go_on.set()
        return await running

    assert in_event_loop(main()).answer == "seen enough"


def test_cancelling_stops_the_run_tidily(tmp_path: Path) -> None:
    policy = Blocking()

    async def main() -> None:
        running = asyncio.ensure_future(saccade.arun(env="memory", model=policy, out=tmp_path))
        await asyncio.to_thread(policy.asked.wait, 60)
        asyncio.get_running_loop().call_later(0.1, policy.go_on.set)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    in_event_loop(main())
    trajectory = saccade.Trajectory.load(tmp_path)
    assert trajectory.end is not None
    assert (trajectory.end.end, trajectory.end.message) == ("interrupted", "cancelled")


def test_a_policy_runs_one_episode_at_a_time(tmp_path: Path) -> None:
    policy, control = Blocking(), saccade.Control()

    async def main() -> tuple[saccade.RunResult, saccade.RunResult]:
        first = asyncio.ensure_future(saccade.arun(env="memory", model=policy, out=tmp_path / "a"))
        await asyncio.to_thread(policy.asked.wait, 60)
        second = asyncio.ensure_future(saccade.arun(env="memory", model=policy, out=tmp_path / "b"))
        third = asyncio.ensure_future(saccade.arun(env="memory", model=policy, control=control))
        await asyncio.sleep(0.3)
        assert not (tmp_path / "b").exists()
        control.stop("no longer wanted")
        with pytest.raises(saccade.Stopped, match="no longer wanted"):
            await third
        policy.go_on.set()
        return await first, await second

    assert [result.answer for result in in_event_loop(main())] == ["seen enough", "seen enough"]


def test_inside_an_event_loop_run_says_what_to_call() -> None:
    async def main() -> None:
        saccade.run(env="memory")

    with pytest.raises(saccade.UsageError, match=r"await saccade\.arun"):
        in_event_loop(main())


def test_run_has_the_defaults_of_the_command_line() -> None:
    request = RunRequest()
    known = {name: found.default for name, found in inspect.signature(saccade.run).parameters.items()}
    for name in ("model", "seed", "max_steps", "max_seconds", "headed", "allow_file", "har", "yes"):
        assert known[name] == getattr(request, name)


def test_the_page_explains_every_name() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    rows = [row.split("|")[1] for row in page.partition("## Every name")[2].splitlines() if row.startswith("| `")]
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(named) == sorted(saccade.__all__)
