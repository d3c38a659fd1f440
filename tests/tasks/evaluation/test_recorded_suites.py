"""A run over recorded screens: what it asks, what it keeps, how it goes on, and what it comes to."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from made_evaluations import Told
from places import FIXTURES
from saccade.actions.dialects import get_dialect
from saccade.actions.dialects.base import Reply
from saccade.actions.errors import EnvironmentFailure, MissingPartError, ParseError, PolicyFailure, UsageError
from saccade.actions.geometry import Point
from saccade.actions.schema import Action, Click, Finished, Scroll, Type
from saccade.agent.checkpoints.tiny import tiny_checkpoint
from saccade.agent.local import LocalPolicy
from saccade.agent.policy import Context, Policy, Prediction, ScriptedPolicy
from saccade.tasks.evaluation.console import print_summary
from saccade.tasks.evaluation.evaluate import evaluate
from saccade.tasks.evaluation.recorded import PATIENCE, RecordedEvaluation
from saccade.tasks.evaluation.results import write_results
from saccade.tasks.evaluation.stats import wilson
from saccade.tasks.evaluation.summary import Summary
from saccade.tasks.models.source import ReadySource
from saccade.tasks.suites.registry import SUITES, get_suite


class Answering:
    """A policy that is a function, and counts what it is asked."""

    name = "answering"

    def __init__(self, answer: Callable[[Context], list[Action]]) -> None:
        self._answer = answer
        self.asked: list[Context] = []
        self.started = 0

    def start(self) -> None:
        self.started += 1

    def predict(self, context: Context) -> Prediction:
        self.asked.append(context)
        return Prediction(Reply("", tuple(self._answer(context))), "raw")


def centre(context: Context) -> list[Action]:
    width, height = context.screenshot.size
    return [Click(point=Point(width / 2, height / 2))]


def saving(context: Context) -> list[Action]:
    """Right on two of ScreenSpot's four samples."""
    return [Click(point=Point(165, 75))]


def evaluated(
    policy: Policy, out: Path, suite: str = "screenspot", watcher: Told | None = None, **options: Any
) -> Summary:
    evaluation = RecordedEvaluation(
        out, get_suite(suite), ReadySource(policy), options.pop("data", FIXTURES), **options
    )
    evaluate(evaluation, watcher or Told(), resume=True)
    return write_results(out)


def run(policy: Policy, out: Path, suite: str = "screenspot", **options: Any) -> dict[str, Any]:
    """The summary, without what depends on the clock."""
    return json.loads(evaluated(policy, out, suite, **options).model_dump_json(exclude={"latency"}))


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "episodes.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_run_keeps_a_record_per_sample_and_sums_up(tmp_path: Path) -> None:
    policy = Answering(saving)
    told = Told()
    summary = run(policy, tmp_path, watcher=told)
    assert policy.started == len(policy.asked) == 4
    assert [context.instruction for context in policy.asked] == [
        *("save the file", "open the bin", "send", "view the cart")
    ]
    assert (told.begun, len(told.records)) == ((4, 0), 4)
    assert [record["reward"] for record in lines(tmp_path)] == [0, 1, 0, 1]
    assert lines(tmp_path)[1]["actions"] == [{"kind": "click", "point": [165, 75]}]
    assert (summary["suite"], summary["samples"], summary["score"]) == ("screenspot", 4, 0.5)
    assert summary["interval"] == pytest.approx(wilson(2, 4), abs=1e-6)
    assert summary["errors"] == {}
    cells = {name: (cell["n"], cell["score"]) for name, cell in summary["by"]["element"].items()}
    assert cells == {"icon": (2, 1.0), "text": (2, 0.0)}
    assert summary["by"]["platform"]["desktop"]["n"] == 2


@pytest.mark.parametrize("suite", list(SUITES))
def test_every_suite_runs(suite: str, tmp_path: Path) -> None:
    summary = run(Answering(centre), tmp_path, suite)
    assert summary["samples"] == len(list(get_suite(suite).load(FIXTURES / get_suite(suite).folder)))
    assert 0 <= summary["score"] <= 1
    assert sum(cell["n"] for cell in next(iter(summary["by"].values())).values()) == summary["samples"]


def test_a_run_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = run(Answering(saving), tmp_path / "whole")

    def twice_then_gone(context: Context) -> list[Action]:
        if context.instruction == "send":
            raise KeyboardInterrupt
        return saving(context)

    with pytest.raises(KeyboardInterrupt):
        run(Answering(twice_then_gone), tmp_path / "cut")
    file = tmp_path / "cut" / "episodes.jsonl"
    file.write_bytes(file.read_bytes()[:-7])  # the second record is torn
    policy = Answering(saving)
    told = Told()
    assert run(policy, tmp_path / "cut", watcher=told) == whole
    assert [context.instruction for context in policy.asked] == ["open the bin", "send", "view the cart"]
    assert (told.begun, len(told.records)) == ((4, 1), 3)
    assert len(lines(tmp_path / "cut")) == 4
    again = Answering(saving)
    assert run(again, tmp_path / "cut") == whole
    assert again.asked == []


def test_a_limit_can_be_raised_later(tmp_path: Path) -> None:
    assert run(Answering(saving), tmp_path, limit=1)["samples"] == 1
    rest = Answering(saving)
    assert run(rest, tmp_path, limit=3)["samples"] == 3
    assert len(rest.asked) == 2
    assert run(rest, tmp_path, limit=2)["samples"] == 2


def test_a_folder_is_of_one_suite_and_one_policy(tmp_path: Path) -> None:
    run(Answering(saving), tmp_path)
    with pytest.raises(UsageError, match='suite: "screenspot" then, "osworld-g" now'):
        run(Answering(saving), tmp_path, "osworld-g")
    with pytest.raises(UsageError, match='policy: "answering" then, "scripted" now'):
        run(ScriptedPolicy([]), tmp_path)
    with (tmp_path / "episodes.jsonl").open("a", encoding="utf-8") as stream:
        stream.write("{}\n")
    assert run(Answering(saving), tmp_path)["samples"] == 4, "a line that is no record does not hide the others"
    assert (tmp_path / "episodes.damaged.1.jsonl").read_text(encoding="utf-8").endswith("\n{}\n")
    assert "{}" not in (tmp_path / "episodes.jsonl").read_text(encoding="utf-8").splitlines()


def test_unreadable_replies_are_wrong_and_counted(tmp_path: Path) -> None:
    replies = ["Action: click(start_box='(825,750)')", "no idea", "Action: finished()", "Action: hm()"]
    policy = ScriptedPolicy(replies)
    policy_start = iter(range(1))

    class Going:
        """The script's next reply for each sample, though each is an episode of its own."""

        name = "going"

        def start(self) -> None:
            next(policy_start, None)

        def predict(self, context: Context) -> Prediction:
            return policy.predict(context)

    summary = run(Going(), tmp_path)
    assert summary["errors"] == {"no_point": 1, "unreadable": 2}
    assert (summary["samples"], summary["score"]) == (4, 0.0)
    unreadable = lines(tmp_path)[1]
    assert (unreadable["error"], unreadable["reply"], unreadable["reward"]) == ("unreadable", "no idea", 0)
    assert unreadable["message"]


def test_an_unreadable_reply_is_no_refusal(tmp_path: Path) -> None:
    def confused(context: Context) -> list[Action]:
        raise ParseError("nothing in it", "??")

    summary = run(Answering(confused), tmp_path, "osworld-g")
    assert (summary["score"], summary["errors"]) == (0.0, {"unreadable": 3})


def test_where_the_policy_breaks_is_asked_again_and_in_no_score(tmp_path: Path) -> None:
    def flaky(context: Context) -> list[Action]:
        if context.instruction == "send":
            raise EnvironmentFailure("the endpoint answered 500")
        return saving(context)

    summary = run(Answering(flaky), tmp_path)
    assert (summary["samples"], summary["errors"]) == (3, {"policy": 1})
    later = Answering(saving)
    summary = run(later, tmp_path)
    assert len(later.asked) == 1
    assert (summary["samples"], summary["score"], summary["errors"]) == (4, 0.5, {})


def test_a_policy_that_is_gone_ends_the_run(tmp_path: Path) -> None:
    def gone(context: Context) -> list[Action]:
        raise EnvironmentFailure("the endpoint answered 500")

    policy = Answering(gone)
    with pytest.raises(PolicyFailure, match="failed on 5 samples in a row, last with: the endpoint"):
        run(policy, tmp_path, "gui-odyssey-app")
    assert len(policy.asked) == PATIENCE


def test_what_is_malformed_is_said_and_the_run_goes_on(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "screenspot", tmp_path / "data/screenspot")
    file = tmp_path / "data/screenspot/screenspot_web.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"bbox"', '"box"'), encoding="utf-8")
    (tmp_path / "data/screenspot/screenspot_imgs/mobile_1.png").unlink()
    told = Told()
    summary = run(Answering(saving), tmp_path / "out", data=tmp_path / "data", watcher=told)
    assert (summary["samples"], summary["errors"]) == (2, {"malformed": 2})
    assert told.faults[0] == f"{file}:2: [0]: bbox is missing"
    assert "mobile_1.png is missing" in told.faults[1]


def test_the_folder_of_the_data_is_found_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SACCADE_DATA", str(FIXTURES))
    assert run(Answering(saving), tmp_path / "out", data=None)["samples"] == 4
    monkeypatch.delenv("SACCADE_DATA")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingPartError, match=r"in data/screenspot: get .*\(--data or SACCADE_DATA"):
        run(Answering(saving), tmp_path / "out", data=None)


# ---------------------------------------------------------------- what suites sum up in their own way


def test_mind2web_shows_the_next_block_and_counts_what_the_files_leave_out(tmp_path: Path) -> None:
    """t1 has both its steps and both are right; t2 has one of three, and select cannot be said."""

    def knowing(context: Context) -> list[Action]:
        if context.instruction.endswith("CLICK"):
            shown = context.screenshot
            if tuple(shown.pixels[22, 10]) == tuple(shown.pixels[0, 0]):  # drawn one further in each block
                return [Type(text="08817, NJ", point=Point(60, 70))]
            return [Scroll(direction="down")]
        return [Click(point=Point(20, 25))]

    policy = Answering(knowing)
    summary = run(policy, tmp_path, "mind2web-task")
    assert len(policy.asked) == 4
    assert (summary["score"], summary["average"]) == (0.5, "task")
    assert summary["parts"]["element"] == {"n": 3, "score": round((1 + 1 / 3) / 2, 6), "interval": None}
    assert summary["tasks"]["n"] == 1
    assert summary["tasks"]["score"] == 1


def test_a_step_the_files_leave_out_is_a_failed_one(tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURES / "mind2web", tmp_path / "data/mind2web")
    file = folder / "cross_task_blocks.jsonl"
    file.write_text(file.read_text(encoding="utf-8").splitlines()[0], encoding="utf-8")
    policy = Answering(lambda context: [Click(point=Point(20, 25))])
    whole = run(policy, tmp_path / "whole", "mind2web-task", data=tmp_path / "data")
    assert (whole["samples"], whole["score"]) == (1, 0.5), "one of the task's two steps"
    limited = run(policy, tmp_path / "limited", "mind2web-task", data=tmp_path / "data", limit=9)
    assert limited["score"] == 1, "with a limit nothing is known to be left out"


def test_a_policy_is_not_shown_more_blocks_than_published(tmp_path: Path) -> None:
    policy = Answering(lambda context: [Scroll(direction="down")])
    assert run(policy, tmp_path, "mind2web-task")["score"] == 0
    assert len(policy.asked) == 1 + 3 + 1


def test_gui_odyssey_averages_over_categories_on_its_random_split(tmp_path: Path) -> None:
    """Right on one of six steps of one category, and on none of one of the other."""
    summary = run(Answering(lambda context: [Finished()]), tmp_path / "random", "gui-odyssey-random")
    assert summary["score"] == round((1 / 6 + 0) / 2, 6)
    assert summary["parts"]["type"] == {"n": 7, "score": round(1 / 7, 6), "interval": None}
    assert summary["tasks"]["n"] == 2
    assert summary["tasks"]["score"] == 0
    plain = run(Answering(lambda context: [Finished()]), tmp_path / "app", "gui-odyssey-app")
    assert plain["score"] == round(1 / 7, 6)


def test_grounding_has_its_own_denominator(tmp_path: Path) -> None:
    summary = run(Answering(lambda context: [Click(point=Point(20, 30))]), tmp_path, "androidcontrol-high")
    # Right on the recorded click, and judged by a point on opening and on going back as well.
    assert summary["parts"]["grounding"] == {"n": 3, "score": round(1 / 3, 6), "interval": None}
    assert summary["parts"]["type"]["n"] == 7


# ---------------------------------------------------------------- for people, and with a model


def test_the_table_and_the_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(Answering(saving), tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert {"suite", "samples", "score", "by", "errors"} <= set(summary)
    print_summary(found, "there")
    shown = capsys.readouterr().out
    assert "platform and element: desktop, icon" in shown
    assert "mean over samples" in shown


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return tiny_checkpoint("qwen3_vl", tmp_path / "tiny")


def test_a_model_is_asked_like_any_policy(tiny: Path, tmp_path: Path) -> None:
    policy = LocalPolicy(tiny, get_dialect("uitars-1.0"), max_new_tokens=8)
    summary = run(policy, tmp_path / "out", limit=1)
    assert (summary["samples"], summary["errors"]) == (1, {"unreadable": 1}), "it babbles"
    assert lines(tmp_path / "out")[0]["reply"]
