"""Where the time of a run went: phases add up to steps, steps to the run, and all places say the same."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from made_runs import EPOCH, end_event, executed, observation, prediction, start_event
from saccade.actions.geometry import Point
from saccade.actions.schema import Click, Finished
from saccade.env.trajectory.events import Usage
from saccade.env.trajectory.trajectory import Trajectory, TrajectoryWriter
from saccade.tasks.episode import RunResult
from saccade.tasks.report.data import outcome, report_data
from saccade.tasks.report.overview import row
from saccade.tasks.report.times import duration, seconds_in_words, step_times, total
from saccade.tasks.terminal.narrator import Narrator

CLICK = Click(point=Point(90, 98))


@pytest.fixture
def run(tmp_path: Path) -> Trajectory:
    """A click, a reply that cannot be read, and the end; every screen has the timings of how it was taken."""
    settled = {"settle": 0.2, "capture": 0.05}
    with TrajectoryWriter(tmp_path / "run", start_event()) as writer:
        writer.observe(0, observation("a", EPOCH - 0.5))  # before the start: while the environment was reset
        usage = Usage(timings={"encode": 0.1, "prefill": 0.2, "decode": 0.3, "ahead": 0.25})
        writer.append(prediction(0, [CLICK], usage=usage, seconds=0.65, time=EPOCH + 0.7))
        writer.append(executed(0, CLICK, timings={"act": 0.05, **settled}, time=EPOCH + 1.1))
        for step in (1, 2):  # the same screen is observed twice
            writer.observe(step, observation("b", EPOCH + 1.0))
            said = {"error": "no action in it", "raw": "?"} if step == 1 else {}
            actions = [] if step == 1 else [Finished()]
            writer.append(prediction(step, actions, usage=Usage(), seconds=0.4, time=EPOCH + 1.1 + step * 0.5, **said))
        writer.append(executed(2, Finished(), timings={}, time=EPOCH + 2.2))
        writer.append(end_event(3, end="finished", reward=None, time=EPOCH + 2.5))
    return Trajectory.load(tmp_path / "run")


def test_the_phases_of_a_step_add_up_to_it_and_the_steps_to_the_run(run: Trajectory) -> None:
    times = step_times(run)
    assert [each.seconds for each in times] == pytest.approx([1.1, 0.5, 0.6, 0.3])
    for each in [*times, total(times)]:
        assert sum(each.phases.values()) == pytest.approx(each.seconds)
    assert total(times).seconds == pytest.approx(duration(run)) == pytest.approx(2.5)
    assert times[0].phases == pytest.approx(
        {"encode": 0.1, "prefill": 0.2, "decode": 0.3, "act": 0.05, "settle": 0.2, "capture": 0.05, "other": 0.2}
    )
    assert times[0].ahead == 0.25


def test_an_unreadable_step_has_its_own_time_and_none_of_the_step_before(run: Trajectory) -> None:
    unreadable = step_times(run)[1]
    assert unreadable.phases == pytest.approx({"predict": 0.4, "other": 0.1})


def test_console_report_overview_and_json_say_the_same_seconds(run: Trajectory, tmp_path: Path) -> None:
    assert run.end is not None
    result = RunResult(run.end, run, None)
    said = io.StringIO()
    Narrator(said).verdict(run.end, outcome(run.end), f", {seconds_in_words(result.seconds)}")
    assert said.getvalue() == "Finished (claimed)  finished after 3 steps, 2.50 s\n"
    assert json.loads(result.as_json())["seconds"] == 2.5
    assert report_data(run)["duration"] == pytest.approx(2.5)
    assert row(run.directory, tmp_path).seconds == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0012, "1.2 ms"),
        (0.85, "850 ms"),
        (0.9996, "1.00 s"),
        (9.996, "10.0 s"),
        (99.96, "1 min 40 s"),
        (3700, "1 h 1 min"),
    ],
)
def test_seconds_are_written_as_in_the_report(seconds: float, words: str) -> None:
    assert seconds_in_words(seconds) == words


def test_what_was_imported_without_times_takes_none(tmp_path: Path) -> None:
    with TrajectoryWriter(tmp_path / "run", start_event(time=0.0)) as writer:
        writer.observe(0, observation("a", 0.0))
        writer.append(prediction(0, [CLICK], usage=Usage(), seconds=0.0, time=0.0))
        writer.append(executed(0, CLICK, timings={}, time=0.0))
    assert [(each.seconds, each.phases) for each in step_times(Trajectory.load(tmp_path / "run"))] == [(0, {}), (0, {})]
