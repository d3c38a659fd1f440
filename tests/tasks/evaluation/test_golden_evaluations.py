"""Evaluation folders that earlier versions wrote: they load, sum up, compare, resume and are viewed as then.

The folders in ``golden/`` are of the version before both kinds of suite shared one form: ``acting*`` with
``eval.json``, ``recorded*`` with ``suite.json`` and ``records.jsonl``. ``summary.json`` in them, and
``*-compared.json`` beside them, are what that version said.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from made_evaluations import MadeSource, MadeSuite, Told
from places import FIXTURES
from saccade import __version__
from saccade.actions.dialects.base import Reply
from saccade.actions.errors import NewerSchemaError, UsageError
from saccade.actions.geometry import Point
from saccade.actions.schema import Click
from saccade.agent.policy import Context, PolicySettings, Prediction
from saccade.env.browser.chromium import Chromium
from saccade.tasks.cli.app import app
from saccade.tasks.evaluation.compare import compare
from saccade.tasks.evaluation.evaluate import Evaluation, evaluate
from saccade.tasks.evaluation.folder import SCHEMA_VERSION, read_config, read_evaluation
from saccade.tasks.evaluation.recorded import RecordedEvaluation
from saccade.tasks.evaluation.results import write_results
from saccade.tasks.models.source import ReadySource
from saccade.tasks.suites.registry import get_suite

GOLDEN = Path(__file__).parent / "golden"
RECORDED = sorted(folder.name for folder in GOLDEN.glob("recorded*") if folder.is_dir())
SAME = ("success", "interval", "samples", "score", "average", "by", "episodes", "tokens")


class Knowing:
    """What the golden folders of recorded screens were made with."""

    name = "made"

    def __init__(self) -> None:
        self.settings = PolicySettings(dialect="uitars-1.0", fingerprint="abc")
        self.asked: list[str] = []

    def start(self) -> None:
        pass

    def predict(self, context: Context) -> Prediction:
        self.asked.append(context.instruction)
        return Prediction(Reply("", (Click(point=Point(165, 75)),)), "Action: made")


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    """Copies that may be written; of this version, since another version is refused on purpose."""
    folder = shutil.copytree(GOLDEN, tmp_path / "golden")
    for name in ("eval.json", "suite.json"):
        for file in folder.glob(f"*/{name}"):
            file.write_text(file.read_text(encoding="utf-8").replace("0.1.0", __version__), encoding="utf-8")
    return folder


def summary(root: Path) -> Any:
    return json.loads((root / "summary.json").read_text(encoding="utf-8"))


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_episodes_that_act_sum_up_as_before(golden: Path) -> None:
    before = summary(golden / "acting")
    found = json.loads(write_results(golden / "acting").model_dump_json())
    # Written after one of the four episodes was cut off; versions are compared elsewhere.
    assert {name: found[name] for name in before} == before
    assert (found["planned"], found["episodes"], found["errors"]) == (4, 3, {"policy": 2})


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_screens_sum_up_as_before(name: str, golden: Path) -> None:
    before = summary(golden / name)
    found = json.loads(write_results(golden / name).model_dump_json())
    for label in before["by"]:
        assert found["by"][label] == before["by"][label]
    assert {key: found[key] for key in SAME} == {key: before[key] for key in SAME}
    assert {key: (part["n"], part["score"]) for key, part in found["parts"].items()} == {
        key: (part["n"], part["score"]) for key, part in before["parts"].items()
    }
    tasks = before["tasks"]
    assert found["tasks"] == (tasks and {"n": tasks["n"], "score": tasks["success"], "interval": tasks["interval"]})
    for task, values in before["per_task"].items():
        assert {key: found["per_task"][task][key] for key in values} == values
    renamed = {"policy" if kind == "failed" else kind: count for kind, count in before["errors"].items()}
    assert found["errors"] == renamed


def test_reading_an_evaluation_writes_nothing() -> None:
    before = tree(GOLDEN)
    for folder in GOLDEN.iterdir():
        if folder.is_dir():
            read_evaluation(folder)
    compare(GOLDEN / "recorded", GOLDEN / "recorded-right")
    assert tree(GOLDEN) == before


@pytest.mark.parametrize(
    ("name", "a", "b"), [("acting", "acting", "acting-short"), ("recorded", "recorded-right", "recorded")]
)
def test_comparisons_say_what_they_said(name: str, a: str, b: str, golden: Path) -> None:
    before = json.loads((GOLDEN / f"{name}-compared.json").read_text(encoding="utf-8"))
    found = json.loads(compare(golden / a, golden / b).model_dump_json())
    flips = ("regressions", "improvements")
    before["interval"] = None  # two pairs, of which nothing is concluded any more
    assert {key: value for key, value in found.items() if key not in flips} == {
        key: value for key, value in before.items() if key not in flips
    }
    for key in flips:
        assert [(flip["task"], flip["seed"]) for flip in found[key]] == [
            (flip["task"], flip["seed"]) for flip in before[key]
        ]


def test_episodes_that_act_resume(golden: Path, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    suite = MadeSuite(marks)
    evaluation = Evaluation(golden / "acting", suite, MadeSource(), ("form", "confusing"), (0, 1), retries=0)
    whole = (golden / "acting/form/0/trajectory.jsonl").read_bytes()
    told = Told()
    evaluate(evaluation, told, resume=True)
    assert told.begun == (4, 1)
    assert {(record.task, record.seed) for record in told.records} == {
        *(("form", 1), ("confusing", 0), ("confusing", 1))
    }
    assert (golden / "acting/form/0/trajectory.jsonl").read_bytes() == whole
    assert (golden / "acting/form/1/attempts/1/trajectory.jsonl").is_file()
    config, records = read_evaluation(golden / "acting")
    assert (config.schema_version, len(records)) == (SCHEMA_VERSION, 4)
    with pytest.raises(UsageError, match="max_steps: 10 then, 3 now"):
        evaluate(
            Evaluation(golden / "acting", suite, MadeSource(), ("form", "confusing"), (0, 1), max_steps=3),
            told,
            resume=True,
        )


def test_another_version_is_refused_and_named(golden: Path, tmp_path: Path) -> None:
    file = golden / "acting" / "eval.json"
    file.write_text(file.read_text(encoding="utf-8").replace(__version__, "0.0.9"), encoding="utf-8")
    evaluation = Evaluation(golden / "acting", MadeSuite(tmp_path), MadeSource(), ("form", "confusing"), (0, 1))
    with pytest.raises(UsageError, match=r'"0\.0\.9" then, .*install saccade 0\.0\.9; .*another folder \(--out\)'):
        evaluate(evaluation, Told(), resume=True)


def test_recorded_screens_resume(golden: Path) -> None:
    root, policy, told = golden / "recorded", Knowing(), Told()
    before = tree(root)
    evaluation = RecordedEvaluation(root, get_suite("screenspot"), ReadySource(policy), FIXTURES)

    other = Knowing()
    other.settings = PolicySettings(dialect="other", fingerprint="abc")
    with pytest.raises(UsageError, match=r'dialect: "uitars-1\.0" then, "other" now'):
        evaluate(replace(evaluation, source=ReadySource(other)), told, resume=True)
    evaluate(evaluation, told, resume=True)
    assert policy.asked == ["send", "view the cart"], "what failed, and what has no whole line"
    config = read_config(root)
    assert config is not None
    assert (config.schema_version, config.asked["suite"], len(config.samples or [])) == (2, "screenspot", 4)
    assert write_results(root).scored == 4
    kept = {"suite.json", "records.jsonl"}
    assert {name: tree(root)[name] for name in kept} == {name: before[name] for name in kept}


@pytest.mark.parametrize("name", ["acting", "recorded"])
def test_view_writes_the_page(name: str, golden: Path) -> None:
    (golden / name / "index.html").unlink(missing_ok=True)
    result = CliRunner().invoke(app, ["view", str(golden / name), "--no-open"])
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(golden / name / "index.html")
    page = (golden / name / "index.html").read_text(encoding="utf-8")
    assert "jsonl" not in page
    if name == "acting":
        assert 'href="form/0/report.html"' in page
        assert (golden / name / "form/0/report.html").stat().st_size > 10_000
    else:
        assert "<pre>Action: made</pre>" in page


@pytest.mark.parametrize("name", ["acting", "recorded-odyssey"])
def test_the_page_fits_a_phone_and_follows_the_colour_scheme(name: str, golden: Path, chromium: Chromium) -> None:
    write_results(golden / name)
    for width in (390, 1200):
        colours = set()
        for scheme in ("light", "dark"):
            context = chromium.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
            page = context.new_page()
            page.goto((golden / name / "index.html").as_uri())
            page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            context.close()
        assert len(colours) == 2


def test_a_newer_evaluation_is_refused(golden: Path) -> None:
    file = golden / "acting" / "eval.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"schema_version": 1', '"schema_version": 99'))
    with pytest.raises(NewerSchemaError, match="newer version"):
        read_evaluation(golden / "acting")


def test_what_is_no_evaluation_is_refused(golden: Path) -> None:
    file = golden / "recorded" / "suite.json"
    file.write_text("{")
    with pytest.raises(UsageError, match=r"suite\.json is not an evaluation's"):
        read_evaluation(golden / "recorded")
    file.unlink()
    with pytest.raises(UsageError, match="holds no evaluation"):
        read_evaluation(golden / "recorded")
