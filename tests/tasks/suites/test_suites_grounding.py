"""ScreenSpot and OSWorld-G: files in their published formats, and their rules case by case.

Expected values are worked out by hand from SeeClick's ``pretrain/screenspot_test.py`` (corners from x, y,
width, height; both borders count; no point is a wrong format), ScreenSpot-Pro's ``eval_screenspot_pro.py``
(``eval_sample_positive_gt``, ``eval_sample_negative_gt``) and OSWorld-G's ``_eval``.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from places import FIXTURES
from saccade.actions.errors import DataError, MissingPartError, UnknownTaskError
from saccade.actions.geometry import Point
from saccade.actions.schema import Action, CallUser, Click, Finished, Move, Wait
from saccade.tasks.suites.base import Answer, Sample, Score
from saccade.tasks.suites.registry import SUITES, get_suite


def samples(name: str) -> dict[str, Sample[Any]]:
    suite = get_suite(name)
    return {sample.id: sample for sample in suite.load(FIXTURES / suite.folder)}


def judged(name: str, sample: Sample[Any], *actions: Action) -> Score:
    return get_suite(name).score(sample, Answer(actions, sample.screenshot().size))


def click(x: float, y: float) -> Click:
    return Click(point=Point(x, y))


def test_screenspot_is_read_as_published() -> None:
    found = samples("screenspot")
    assert list(found) == ["desktop/0", "desktop/1", "mobile/0", "web/0"]
    first = found["desktop/0"]
    assert first.question == "save the file"
    assert first.labels == {"platform": "desktop", "element": "text", "platform and element": "desktop, text"}
    assert first.screenshot().size == (200, 100)


@pytest.mark.parametrize(
    ("x", "y", "value"), [(10, 20, 1), (40, 30, 1), (25, 25, 1), (41, 25, 0), (25, 31, 0), (9, 25, 0)]
)
def test_screenspot_boxes_are_xywh_with_their_borders(x: float, y: float, value: float) -> None:
    sample = samples("screenspot")["desktop/0"]  # 10, 20, 30 wide, 10 high
    assert judged("screenspot", sample, click(x, y)) == Score(value)
    assert judged("screenspot", sample, Move(point=Point(x, y))) == Score(value)


def test_an_answer_without_a_point_is_wrong() -> None:
    sample = samples("screenspot")["desktop/0"]
    for answer in ([], [Finished()], [CallUser()]):
        assert judged("screenspot", sample, *answer) == Score(0.0, error="no_point")


def test_screenspot_v2_in_pixels_and_in_fractions() -> None:
    found = samples("screenspot-v2")
    pixels, fractions = found["desktop/0"], found["mobile/0"]
    for x, y, value in ((10, 20, 1), (40, 30, 1), (41, 30, 0)):
        assert judged("screenspot-v2", pixels, click(x, y)).value == value
        assert judged("screenspot-v2", fractions, click(x, y)).value == value


def test_screenspot_pro_corners_may_be_swapped_and_absent_elements_want_a_refusal() -> None:
    found = samples("screenspot-pro")
    assert found["autocad_0"].labels["group"] == "CAD"
    for name in ("autocad_0", "autocad_1"):
        for x, y, value in ((300, 20, 1), (320, 40, 1), (321, 40, 0)):
            assert judged("screenspot-pro", found[name], click(x, y)).value == value
    absent = found["autocad_2"]
    assert judged("screenspot-pro", absent, CallUser(message="there is no song")) == Score(1.0)
    for answer in ([click(0, 0)], [Finished()], []):
        assert judged("screenspot-pro", absent, *answer).value == 0


def test_osworld_g_boxes_polygons_and_refusals() -> None:
    found = samples("osworld-g")
    box, polygon, absent = (found[f"a-{index}"] for index in range(3))
    assert box.labels == {"target": "bbox", "category": ("text_matching", "element_recognition")}
    assert samples("osworld-g-refined")["a-0"].instruction == "Open Files, please"
    cases = [
        (box, [click(10, 10)], 1),
        (box, [click(50, 30)], 1),
        (box, [click(51, 30)], 0),
        (polygon, [click(120, 20)], 1),
        (polygon, [click(120, 40)], 0),
        (polygon, [CallUser()], 0),
        (absent, [CallUser()], 1),
        (absent, [click(-1, -1)], 1),
        (absent, [click(-1, 1)], 0),
        (absent, [click(5, 5)], 0),
        (absent, [Wait()], 0),
    ]
    assert [judged("osworld-g", sample, *answer).value for sample, answer, _ in cases] == [value for *_, value in cases]


def test_pictures_are_opened_when_they_are_needed(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "screenspot", tmp_path / "screenspot")
    picture = tmp_path / "screenspot/screenspot_imgs/pc_1.png"
    picture.unlink()
    found = list(get_suite("screenspot").load(tmp_path / "screenspot"))
    assert len(found) == 4
    with pytest.raises(DataError, match=r"sample desktop/0: .*pc_1.png is missing"):
        found[0].screenshot()
    picture.write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"pc_1\.png is no picture"):
        found[0].screenshot()


@pytest.mark.parametrize("name", list(SUITES))
def test_a_missing_folder_is_named_with_what_to_get(name: str, tmp_path: Path) -> None:
    suite = get_suite(name)
    with pytest.raises(MissingPartError) as caught:
        next(suite.load(tmp_path / suite.folder))
    message = str(caught.value)
    assert message.startswith(f"{name} needs {suite.needs[0]}")
    assert str(tmp_path / suite.folder) in message
    assert "huggingface.co/datasets/" in message or "github.com/" in message


def test_an_unknown_suite_names_the_nearest() -> None:
    with pytest.raises(UnknownTaskError, match=r"nearest: .*screenspot-v2"):
        get_suite("screenspot2")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"bbox": [1, 2, 3]}, "bbox has 3 numbers, not 4"),
        ({"bbox": [1, 2, 3, "4"]}, "bbox is not a list of numbers"),
        ({"instruction": 5}, "instruction is a number, not a text"),
        ({"data_type": None}, "data_type is missing"),
    ],
)
def test_a_malformed_row_is_named_by_file_and_line(change: dict[str, object], reason: str, tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "screenspot", tmp_path / "screenspot")
    file = tmp_path / "screenspot/screenspot_desktop.json"
    rows = json.loads(file.read_text(encoding="utf-8"))
    rows[1].update(change)
    file.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    suite = get_suite("screenspot")
    with pytest.raises(DataError) as caught:
        list(suite.load(tmp_path / "screenspot"))
    line = next(i for i, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1) if text == " },")
    assert str(caught.value) == f"{file}:{line + 1}: [1]: {reason}"
    faults: list[DataError] = []
    assert len(list(suite.load(tmp_path / "screenspot", faults.append))) == 3
    assert len(faults) == 1


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('[\n {"a": 1},\n {"a": }\n]', ":3: not JSON"),
        ('{"a": 1}', ":1: not JSON: expected '[' of a list"),
        ('[{"a": 1}', ":1: not JSON: expected ',' of a list"),
    ],
)
def test_broken_json_is_named_by_file_and_line(text: str, place: str, tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "screenspot", tmp_path / "screenspot")
    file = tmp_path / "screenspot/screenspot_desktop.json"
    file.write_text(text, encoding="utf-8")
    faults: list[DataError] = []
    with pytest.raises(DataError) as caught:
        list(get_suite("screenspot").load(tmp_path / "screenspot", faults.append))
    assert f"{file}{place}" in str(caught.value)


def test_a_row_that_is_no_object_is_left_out(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "screenspot", tmp_path / "screenspot")
    file = tmp_path / "screenspot/screenspot_web.json"
    file.write_text("[\n 7]", encoding="utf-8")
    faults: list[DataError] = []
    assert len(list(get_suite("screenspot").load(tmp_path / "screenspot", faults.append))) == 3
    assert [str(fault) for fault in faults] == [f"{file}:2: [0] is a number, not an object"]


def test_a_list_may_be_written_on_one_line(tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURES / "screenspot", tmp_path / "screenspot")
    file = folder / "screenspot_desktop.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8"))), encoding="utf-8")
    assert [sample.id for sample in get_suite("screenspot").load(folder)] == list(samples("screenspot"))
