"""Numbers, tables and the page that are made of an evaluation's records."""

from __future__ import annotations

import csv
import io
import json
import math
from contextlib import nullcontext
from pathlib import Path

import pytest
from rich.console import Console

from made_evaluations import Told, made_evaluation
from saccade.actions.errors import UsageError
from saccade.tasks.commands.eval import EvalRequest, parse_seeds, plan, resume_line
from saccade.tasks.evaluation.compare import compare, compare_and_print
from saccade.tasks.evaluation.console import EvalProgress, duration, print_summary
from saccade.tasks.evaluation.evaluate import evaluate
from saccade.tasks.evaluation.folder import EVAL_NAME, EvaluationConfig, append_record, read_evaluation, write_file
from saccade.tasks.evaluation.page import write_page
from saccade.tasks.evaluation.price import Cost, Price, cost_line, parse_price
from saccade.tasks.evaluation.records import EpisodeRecord, Key
from saccade.tasks.evaluation.repeats import mean_scores, repeat, repeats_of, spread
from saccade.tasks.evaluation.results import write_results
from saccade.tasks.evaluation.stats import difference_interval, sign_test, student, wilson
from saccade.tasks.evaluation.summary import Summary, as_csv, rate_interval, summarise
from saccade.tasks.evaluation.workers.worker import EpisodeFailed

CONFIG = EvaluationConfig(
    asked={"suite": "made", "tasks": ["a", "b<i>"], "seeds": [0, 1], "model": "m"}, settings={"policy": "<b>"}
)


def record(task: str, seed: int, success: bool, **changes: object) -> EpisodeRecord:
    values: dict[str, object] = {
        "success": success,
        "reward": 1.0 if success else -1.0,
        "end": "terminated",
        "steps": 2,
        "seconds": 1.0,
        "forwards": 6,
        "timings": {"predict": [0.1, 0.3], "act": [0.01, 0.02]},
    }
    return EpisodeRecord(task=task, seed=seed, **{**values, **changes})


def failed(task: str, seed: int) -> EpisodeRecord:
    return EpisodeRecord(task=task, seed=seed, error="worker", message='died "<script>"')


RECORDS = [record("a", 0, True), record("a", 1, False), record("b<i>", 0, True), failed("b<i>", 1)]


def test_repeats_are_taken_together_and_their_spread_is_shown(tmp_path: Path) -> None:
    """A solves two of four, then three; B all of them, each time."""
    times = {"a": [(True, True, False, False), (True, True, True, False)], "b": [(True,) * 4, (True,) * 4]}
    keys = [("a", 0), ("a", 1), ("b<i>", 0), ("b<i>", 1)]
    sides = {
        name: [[record(*key, won) for key, won in zip(keys, one, strict=True)] for one in all_times]
        for name, all_times in times.items()
    }
    assert mean_scores(sides["a"])[Key("b<i>", 0)] == 0.5
    found = spread(sides["a"], [Key(*key) for key in keys])
    assert found.rates == [0.5, 0.75]
    assert found.deviation == pytest.approx(0.1768, abs=1e-4)
    assert spread(sides["b"], [Key("a", 0)]).rates == [1.0, 1.0]
    write_file(tmp_path / EVAL_NAME, CONFIG.model_dump_json())
    for number in (2, 10, 3):
        (tmp_path / "repeats" / str(number)).mkdir(parents=True)
        write_file(tmp_path / "repeats" / str(number) / EVAL_NAME, CONFIG.model_dump_json())
    (tmp_path / "repeats" / "4").mkdir()  # nothing was planned in it yet
    assert [path.name for path in repeats_of(tmp_path)[1:]] == ["2", "3", "10"]
    with pytest.raises(UsageError, match="no interactive suite is called 'made'"):
        repeat(tmp_path, 4, lambda: nullcontext(Told()))


def test_errors_are_neither_successes_nor_failures() -> None:
    found = summarise(CONFIG, RECORDS)
    assert (found.planned, found.episodes, found.scored) == (4, 4, 3)
    assert found.success == pytest.approx(2 / 3, abs=1e-6)
    assert found.success_if_errors_fail == 0.5
    assert found.errors == {"worker": 1}
    assert found.ends == {"terminated": 3}
    assert found.mean_reward == pytest.approx(1 / 3, abs=1e-6)
    assert found.per_task["b<i>"].success == 1.0
    assert (found.per_task["b<i>"].episodes, found.per_task["b<i>"].errors) == (2, 1)
    assert found.per_step["forwards"] == 3.0
    assert found.latency["predict"].steps == 6
    assert (found.latency["predict"].p50, found.latency["predict"].p90) == (300.0, 300.0)


def test_the_order_of_records_does_not_matter() -> None:
    assert summarise(CONFIG, RECORDS[::-1]) == summarise(CONFIG, RECORDS)


def test_tokens_cost_what_was_said_they_do(tmp_path: Path) -> None:
    records = [record("a", seed, seed == 0, prompt_tokens=500_000, reply_tokens=1_000) for seed in (0, 1)]
    cost = summarise(CONFIG, records, parse_price("0.2,10")).cost
    assert cost == Cost(total=0.22, per_episode=0.11, per_success=0.22)
    assert summarise(CONFIG, records).cost is None
    assert summarise(CONFIG, [], Price(1, 1)).cost == Cost(total=0, per_episode=None, per_success=None)
    shown = write_page(tmp_path, summarise(CONFIG, records, Price(0.2, 10)), records).read_text()
    assert "<dt>cost, per success</dt><dd>0.22</dd>" in shown
    assert cost_line(cost) == "cost     0.22 (0.11 per episode, 0.22 per success)"


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "a,b", "-1,2", "nan,1", "inf,0"])
def test_a_price_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="READ,WRITTEN"):
        parse_price(text)


def test_nothing_has_no_rate() -> None:
    found = summarise(CONFIG, [])
    assert (found.success, found.interval, found.per_task["a"].success) == (None, None, None)
    assert json.loads(found.model_dump_json())["success"] is None


def test_a_single_task_gets_wilsons_interval_and_several_a_wider_one() -> None:
    verdicts = [True] * 30 + [False] * 20
    alone = rate_interval({"a": verdicts})
    assert alone == pytest.approx(wilson(30, 50), abs=1e-6)
    apart = rate_interval({"a": [True] * 30, "b": [False] * 20})
    assert alone is not None
    assert apart is not None
    assert apart.high - apart.low > 2 * (alone.high - alone.low), "two tasks tell less than fifty episodes"


def test_differences_have_the_t_interval_of_their_clusters() -> None:
    # Four tasks with one pair each are a plain paired t-test: mean 0.5, s = 1, t(3) = 3.182.
    clusters = {"a": [1.0], "b": [1.0], "c": [1.0], "d": [-1.0]}
    found = difference_interval(clusters)
    assert found is not None
    assert found.low == pytest.approx(0.5 - 3.182 * 1.0 / 2, abs=5e-3)
    assert found.high == pytest.approx(0.5 + 3.182 * 1.0 / 2, abs=5e-3)
    assert difference_interval({"a": [1.0]}) is None
    even = difference_interval({"a": [1.0, 0.0], "b": [0.0, 1.0]})
    assert even is not None
    assert even.high - even.low > 0.5, "clusters that agree by chance hide no spread within them"
    assert difference_interval({"a": [0.0, 1.0]}) == difference_interval({"a": [0.0], "b": [1.0]})


def test_students_quantiles() -> None:
    for freedom, quantile in ((1, 12.706), (2, 4.303), (3, 3.182), (10, 2.228), (124, 1.979)):
        assert student(freedom) == pytest.approx(quantile, abs=5e-3)


def test_the_sign_test_is_exact() -> None:
    assert sign_test(0, 0) == 1.0
    assert sign_test(5, 5) == 1.0
    assert sign_test(1, 9) == pytest.approx(2 * 11 / 1024)
    assert sign_test(9, 1) == sign_test(1, 9)
    assert math.isclose(sign_test(0, 600), 2**-599)


def test_the_page_shows_all_and_runs_nothing(tmp_path: Path) -> None:
    for each in RECORDS[:3]:
        each.key.folder(tmp_path).mkdir(parents=True)
        (each.key.folder(tmp_path) / "report.html").touch()
    page = write_page(tmp_path, summarise(CONFIG, RECORDS), RECORDS).read_text()
    assert "<script" not in page
    assert "<b></h1>" not in page
    assert "trajectory.jsonl" not in page
    assert "default-src 'none'" in page
    assert 'href="b%3Ci%3E/0/report.html"' in page
    assert page.count('<line class="dot"') == 2
    assert page.count('<a class="good"') == 2
    assert page.count('<a class="bad"') == 1
    assert page.count('<span class="open"') == 1, "an episode without a report leads nowhere"
    assert "success 66.7 %" in page


def test_the_table_has_a_row_per_episode() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(RECORDS))))
    assert [(row["task"], row["seed"], row["success"], row["error"]) for row in rows] == [
        ("a", "0", "True", ""),
        ("a", "1", "False", ""),
        ("b<i>", "0", "True", ""),
        ("b<i>", "1", "", "worker"),
    ]
    assert rows[3]["message"] == 'died "<script>"'


def made_run(root: Path, *records: EpisodeRecord, **asked: object) -> Path:
    root.mkdir()
    config = EvaluationConfig(asked={**CONFIG.asked, **asked}, settings={})
    write_file(root / "eval.json", config.model_dump_json())
    for each in records:
        append_record(root, each)
    return root


def test_runs_are_paired_by_task_and_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seeds = range(6)
    before = made_evaluation(tmp_path / "a", "form", "form-2", seeds=seeds, max_steps=10)
    after = made_evaluation(tmp_path / "b", "form", "form-2", seeds=seeds, max_steps=2)
    for evaluation in (before, after):
        evaluate(evaluation, Told())
    found = compare(before.root, after.root)
    solved = sum(record.success is True for record in read_evaluation(before.root)[1])
    assert 0 < solved < 12
    assert (found.pairs, found.won, found.lost, found.both, found.neither) == (12, 0, solved, 0, 12 - solved)
    assert found.difference == pytest.approx(-solved / 12)
    assert found.interval is None or found.interval.low <= found.difference <= found.interval.high
    assert len(found.regressions) == solved
    assert found.differs == ["max_steps: 10 then, 2 now"]
    turned = compare(after.root, before.root)
    assert (turned.won, turned.lost, turned.difference) == (solved, 0, -found.difference)
    compare_and_print(before.root, after.root, json_output=False)
    shown = capsys.readouterr().out
    assert f"lost {solved}" in shown
    assert shown.count("report.html") == 2 * solved
    for flip in (*found.regressions, *turned.improvements):
        assert all(report.stat().st_size > 10_000 for report in map(Path, (flip.a, flip.b)))
    compare_and_print(before.root, after.root, json_output=True)
    assert json.loads(capsys.readouterr().out)["pairs"] == 12


def test_what_cannot_be_paired_is_refused(tmp_path: Path) -> None:
    made_run(tmp_path / "a", suite="made")
    with pytest.raises(UsageError, match="in common"):
        compare(tmp_path / "a", tmp_path / "a")
    with pytest.raises(UsageError, match="holds no evaluation"):
        compare(tmp_path / "a", tmp_path)


def test_results_are_written_from_the_episodes(tmp_path: Path) -> None:
    evaluation = made_evaluation(tmp_path, "form", seeds=[0, 1])
    evaluate(evaluation, Told())
    (evaluation.root / "episodes.jsonl").unlink()
    summary = write_results(evaluation.root)
    assert Summary.model_validate_json((evaluation.root / "summary.json").read_bytes()) == summary
    assert len((evaluation.root / "episodes.jsonl").read_text().splitlines()) == 2
    assert len((evaluation.root / "summary.csv").read_text().splitlines()) == 3
    assert (evaluation.root / "index.html").stat().st_size > 2000


def test_seeds_are_ranges_and_lists() -> None:
    assert parse_seeds("0-3,7") == [0, 1, 2, 3, 7]
    assert parse_seeds(" 5 ") == [5]
    for text in ("", "3-1", "a", "1,,2", "1,1", "-1", "0-9999999"):
        with pytest.raises(UsageError, match="seed"):
            parse_seeds(text)


def test_a_plan_is_checked_before_anything_starts(tmp_path: Path) -> None:
    chosen = plan(EvalRequest("miniwob", tasks="click-test, click-test-2,click-test", out=tmp_path / "x"))
    assert list(chosen.tasks) == ["click-test", "click-test-2"]
    assert not (tmp_path / "x").exists()
    for request, hint in (
        (EvalRequest("miniwob", tasks="a", subset="gym"), "not both"),
        (EvalRequest("miniwob", tasks=" , "), "no task"),
        (EvalRequest("miniwob", tasks="click-tset"), "click-test"),
        (EvalRequest("miniwob", resume=True), "--out"),
        (EvalRequest("nonsense"), "miniwob"),
    ):
        with pytest.raises(UsageError, match=hint):
            plan(request)


def test_how_to_go_on_is_a_whole_command(tmp_path: Path) -> None:
    words = ["eval", "miniwob", "--tasks", "a b"]
    assert resume_line(words, tmp_path) == f"saccade eval miniwob --tasks 'a b' --out {tmp_path} --resume"
    again = [*words, "--out=there", "--resume"]
    assert resume_line(again, tmp_path) == "saccade eval miniwob --tasks 'a b' --out=there --resume"


def test_progress_tells_rate_errors_and_time_left() -> None:
    stream, now = io.StringIO(), [0.0]
    console = Console(file=stream, width=120, force_terminal=False)
    with EvalProgress(console, lambda: now[0]) as progress:
        progress.begin(10, [record("a", 0, True)])
        now[0] = 30.0
        progress.finished(record("a", 1, False))
        progress.failed(EpisodeFailed(Key("b", 3), "worker", "it died"), again=True)
        progress.finished(failed("b", 0))
        progress.tick({Key("b", 1): 4.0})
        progress.tick({})
    shown = stream.getvalue()
    assert "10 episodes, 1 of them already done" in shown
    assert "b seed 3: worker: it died; it is tried again" in shown
    assert shown.count("3/10 episodes") == 1, "one line per while where nobody watches live"
    assert "success 50.0 %" in shown
    assert "1 errors" in shown
    assert "4.0 a minute   1:45 left" in shown


def test_a_terminal_shows_what_is_under_way() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=120, force_terminal=True, color_system=None)
    with EvalProgress(console) as progress:
        progress.begin(2, [])
        progress.finished(record("a", 0, True))
        progress.tick({Key("slow-task", 1): 4.0})
    assert "slow-task" in stream.getvalue()


def test_the_summary_for_people_has_every_denominator() -> None:
    stream = io.StringIO()
    print_summary(summarise(CONFIG, RECORDS[1:]), "there", Console(file=stream, width=120))
    shown = stream.getvalue()
    assert "of 2 episodes of 2 tasks; 1 of 4 have yet to be run" in shown
    assert "errors: worker 1; counted as failures, success is 33.3 %" in shown


def test_durations_read_as_clocks_do() -> None:
    assert [duration(seconds) for seconds in (5, 75, 3675)] == ["0:05", "1:15", "1:01:15"]
