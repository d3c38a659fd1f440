"""The offline steps: files in their published formats, and their rules case by case.

Expected values are worked out by hand from the published code that each suite's module names; where the code
does something surprising (an empty text is contained in every text, say) there is a case for it.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from places import FIXTURES
from saccade.actions.errors import DataError
from saccade.actions.geometry import Point
from saccade.actions.schema import (
    Action,
    CallUser,
    Click,
    DoubleClick,
    Drag,
    Finished,
    Hotkey,
    LongPress,
    Move,
    NavigateBack,
    OpenApp,
    Press,
    PressBack,
    PressHome,
    Scroll,
    Type,
    Wait,
)
from saccade.tasks.suites.agentnetbench import Did, merged
from saccade.tasks.suites.base import Answer, Sample, Score
from saccade.tasks.suites.gui_odyssey import alike
from saccade.tasks.suites.mind2web import operation_f1
from saccade.tasks.suites.registry import get_suite


def samples(name: str) -> list[Sample[Any]]:
    suite = get_suite(name)
    return list(suite.load(FIXTURES / suite.folder))


def judged(name: str, index: int, *actions: Action, screen: int = 0) -> Score:
    sample = samples(name)[index]
    return get_suite(name).score(sample, Answer(actions, sample.screenshot().size, screen))


def click(x: float, y: float) -> Click:
    return Click(point=Point(x, y))


# ---------------------------------------------------------------- AndroidControl (screens of 100 x 200)


def test_androidcontrol_is_read_as_published() -> None:
    high, low = samples("androidcontrol-high"), samples("androidcontrol-low")
    assert [sample.labels["action"] for sample in high] == [
        *("open_app", "click", "type_text", "scroll", "navigate_back", "wait", "status")
    ]
    assert high[2].question == ("Find Rome on the map\n\nPrevious actions:\n1. Open the Maps app\n2. Click the icon")
    assert low[2].question == "Find Rome on the map\nThe next step: Type Rome Italy"
    assert {sample.task for sample in high} == {"7"}


OPEN, CLICK, TYPE, SCROLL, BACK, WAIT, STATUS = range(7)
TYPED = Type(text="Rome Italy")


@pytest.mark.parametrize(
    ("step", "actions", "value", "parts"),
    [
        # The smallest element around the recorded point (20, 30) is 10..30 x 20..40.
        (CLICK, [click(30, 40)], 1, {"type": 1, "grounding": 1, "atlas": 1}),
        (CLICK, [click(31, 30)], 0, {"type": 1, "grounding": 0, "atlas": 1}),
        (CLICK, [click(35, 30)], 0, {"type": 1, "grounding": 0, "atlas": 0}),  # 150 of 1000 away
        (CLICK, [LongPress(point=Point(20, 30))], 0, {"type": 0, "atlas": 0}),
        (CLICK, [], 0, {"type": 0, "atlas": 0}),
        (CLICK, [PressBack()], 0, {"type": 0, "atlas": 0}),
        # A text needs its point, in 10..60 x 20..40, and every letter.
        (TYPE, [click(60, 40), TYPED], 1, {"type": 1, "grounding": 1, "atlas": 1}),
        (TYPE, [Type(text="Rome Italy", point=Point(10, 20))], 1, {"type": 1, "grounding": 1, "atlas": 1}),
        (TYPE, [click(61, 40), TYPED], 0, {"type": 1, "grounding": 0, "atlas": 1}),
        (TYPE, [TYPED], 0, {"type": 1, "grounding": 0, "atlas": 1}),
        (TYPE, [click(50, 30), Type(text="rome italy")], 0, {"type": 1, "grounding": 0, "atlas": 1}),  # first word
        (TYPE, [click(50, 30), Type(text="Italy")], 0, {"type": 1, "grounding": 0, "atlas": 0}),
        (TYPE, [click(50, 30), Type(text="")], 0, {"type": 1, "grounding": 0, "atlas": 0}),
        (SCROLL, [Scroll(direction="down")], 1, {"type": 1, "atlas": 1}),
        (SCROLL, [Scroll(direction="up")], 0, {"type": 1, "atlas": 0}),
        (SCROLL, [Drag(start=Point(50, 150), end=Point(50, 50))], 1, {"type": 1, "atlas": 1}),
        (OPEN, [OpenApp(name="Maps")], 1, {"type": 1, "atlas": 1}),
        (OPEN, [OpenApp(name="maps")], 0, {"type": 1, "atlas": 1}),
        # A click on what is called like the app (smallest element there: "Open Maps") opens it.
        (OPEN, [click(50, 30)], 1, {"type": 0, "grounding": 1, "atlas": 0}),
        (OPEN, [click(20, 30)], 0, {"type": 0, "grounding": 0, "atlas": 0}),
        (BACK, [PressBack()], 1, {"type": 1, "atlas": 1}),
        (BACK, [NavigateBack()], 1, {"type": 1, "atlas": 1}),
        (BACK, [click(80, 10)], 1, {"type": 0, "grounding": 1, "atlas": 0}),
        (BACK, [click(5, 190)], 0, {"type": 0, "grounding": 0, "atlas": 0}),
        (WAIT, [Wait()], 1, {"type": 1, "atlas": 1}),
        (WAIT, [PressHome()], 0, {"type": 0, "atlas": 0}),
        (STATUS, [Finished(answer="done")], 1, {"type": 1, "atlas": 1}),
        (STATUS, [CallUser()], 0, {"type": 1, "atlas": 0}),
    ],
)
def test_androidcontrol(step: int, actions: list[Action], value: float, parts: dict[str, float]) -> None:
    assert judged("androidcontrol-high", step, *actions) == Score(value, parts)


# ---------------------------------------------------------------- Multimodal-Mind2Web (blocks of 128 x 100)


def test_mind2web_is_read_as_published() -> None:
    first, second, third = samples("mind2web-task")
    assert (first.task, first.steps, third.task, third.steps) == ("t1", 2, "t2", 3)
    assert second.question == "Rent a truck\n\nPrevious actions:\n1. [link]  Trucks -> CLICK"
    # The element is in block 1, so the policy may scroll to block 2, and not to block 3.
    assert [path.name for path in second.screens] == ["0.png", "1.png", "2.png"]
    assert [path.name for path in first.screens] == ["0.png"]


def test_an_element_that_is_in_no_block_is_asked_for_and_never_found(tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURES / "mind2web", tmp_path / "mind2web")
    file = folder / "cross_task_blocks.jsonl"
    text = file.read_text(encoding="utf-8").replace('{"1": [[50, 60, 40, 20]]}', "{}")
    file.write_text(text, encoding="utf-8")
    suite = get_suite("mind2web-task")
    sample = list(suite.load(folder))[1]
    assert [path.name for path in sample.screens] == ["0.png"]
    answer = Answer([click(60, 70), Type(text="08817, NJ")], sample.screenshot().size)
    assert suite.score(sample, answer) == Score(0.0, {"element": 0.0, "operation f1": 1.0})


@pytest.mark.parametrize(
    ("one", "other", "value"),
    [
        ("click", "CLICK ", 1),
        ("type 08817, NJ", "TYPE 08817, NJ", 1),
        ("type 08817", "TYPE 08817, NJ", 0.4),  # 08817 and "08817," differ; 1 of 2 and 1 of 3 words
        ("type NJ 08817, type", "TYPE 08817, NJ", 1),  # sets of words
        ("click", "TYPE 08817", 0),
        ("type .", "TYPE", 1),  # a single punctuation mark is no word
        ("", "", 1),
        ("", "CLICK ", 0),
    ],
)
def test_operation_f1(one: str, other: str, value: float) -> None:
    assert operation_f1(one, other) == pytest.approx(value)


@pytest.mark.parametrize(
    ("step", "actions", "screen", "value", "element", "operation"),
    [
        (0, [click(40, 30)], 0, 1, 1, 1),
        (0, [click(41, 30)], 0, 0, 0, 1),
        (0, [Scroll(direction="down", point=Point(20, 25))], 0, 0, 1, 0),
        (0, [], 0, 0, 0, 0),
        (1, [click(90, 80), Type(text="08817, NJ")], 1, 1, 1, 1),
        (1, [Type(text="08817, NJ", point=Point(50, 60))], 1, 1, 1, 1),
        (1, [click(90, 80), Type(text="08817, NJ")], 0, 0, 0, 1),  # the block without the element
        (1, [click(90, 80)], 1, 0, 1, 0),
        (1, [Type(text="08817, NJ")], 1, 0, 0, 1),
        (2, [click(90, 30)], 0, 0, 1, 0),  # the second of its boxes, but no select
        (2, [click(90, 30), Type(text="2 pm")], 0, 0, 1, 2 * 2 / 6),
    ],
)
def test_mind2web(
    step: int, actions: list[Action], screen: int, value: float, element: float, operation: float
) -> None:
    score = judged("mind2web-task", step, *actions, screen=screen)
    assert score.value == value
    assert score.parts == {"element": element, "operation f1": pytest.approx(operation)}


# ---------------------------------------------------------------- GUI-Odyssey (screens of 100 x 200)


def test_gui_odyssey_is_read_as_published() -> None:
    found = samples("gui-odyssey-random")
    assert [str(sample.target) for sample in found] == [
        *("CLICK: (500, 500)", "TYPE: hello world", "SCROLL: UP", "PRESS_HOME"),
        *("LONG_PRESS: (200, 200)", "COMPLETE", "IMPOSSIBLE"),
    ]
    assert found[5].history == ("TYPE: hello world", "SCROLL: UP", "PRESS_HOME", "LONG_PRESS: (200, 200)")
    assert found[0].instruction == "Buy a lamp and tell a friend"
    assert found[6].labels == {"action": "IMPOSSIBLE", "category": "General_Tool"}
    assert get_suite("gui-odyssey-random").average == "category"
    assert get_suite("gui-odyssey-app").average == "samples"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("hello world", "hello", True),
        ("hello", " hello world ", True),
        ("hello world", "", True),  # an empty text is contained in every text
        ("abcd", "abxy", True),  # half of it is the same
        ("abcd", "axyz", False),
        ("Hello", "hELLO", False),  # case counts: no letter is the same
    ],
)
def test_gui_odyssey_texts(one: str, other: str, same: bool) -> None:
    assert alike(one, other) is same


@pytest.mark.parametrize(
    ("step", "actions", "value", "parts"),
    [
        (0, [click(90, 110)], 1, {"type": 1, "grounding": 1}),  # (900, 550): a corner of the box
        (0, [click(91, 110)], 0, {"type": 1, "grounding": 0}),
        (0, [click(50, 128)], 1, {"type": 1, "grounding": 1}),  # (500, 640): outside, 140 away
        (0, [click(50, 128.2)], 0, {"type": 1, "grounding": 0}),
        (0, [LongPress(point=Point(50, 100))], 0, {"type": 0}),
        (0, [], 0, {"type": 0}),
        (1, [Type(text="hello word\n")], 1, {"type": 1}),
        (1, [Type(text="goodbye")], 0, {"type": 1}),
        (2, [Scroll(direction="down")], 1, {"type": 1}),  # content below comes as the finger goes up
        (2, [Scroll(direction="up")], 0, {"type": 1}),
        (2, [Drag(start=Point(50, 150), end=Point(60, 50))], 1, {"type": 1}),
        (3, [PressHome()], 1, {"type": 1}),
        (3, [PressBack()], 0, {"type": 0}),
        (4, [LongPress(point=Point(20, 40))], 1, {"type": 1, "grounding": 1}),
        (5, [Finished()], 1, {"type": 1}),
        (6, [CallUser()], 1, {"type": 1}),
        (6, [Finished()], 0, {"type": 0}),
    ],
)
def test_gui_odyssey(step: int, actions: list[Action], value: float, parts: dict[str, float]) -> None:
    assert judged("gui-odyssey-app", step, *actions) == Score(value, parts)


# ---------------------------------------------------------------- AgentNetBench (screens of 200 x 100)


def test_agentnetbench_is_read_as_published() -> None:
    found = samples("agentnetbench")
    assert [sample.id for sample in found] == [f"s_1/{number}" for number in range(1, 6)]
    assert found[2].question == "Search for cats\n\nPrevious actions:\n1. do step 1\n2. do step 2"
    assert len(found[0].target) == 2, "the recorded way and one alternative"


CATS = Type(text="cats\n")


def far(distance: float) -> float:
    return math.exp(-120 * (distance - 0.01 * math.sqrt(2)))


@pytest.mark.parametrize(
    ("step", "actions", "value", "parts"),
    [
        (0, [click(120, 55)], 1, {"click": 1}),  # (0.6, 0.55): a corner of the box
        (0, [click(100, 57)], far(0.07), {"click": far(0.07)}),  # below the box
        (0, [click(122, 50)], far(0.11), {"click": far(0.11)}),
        (0, [DoubleClick(point=Point(100, 50))], 0, {"click": 0}),
        (0, [Hotkey(keys=("l", "ctrl"))], 1, {"hotkey": 1}),  # the alternative; order and case are alike
        (0, [Hotkey(keys=("cmd", "l"))], 1, {"hotkey": 1}),
        (0, [Hotkey(keys=("ctrl", "k"))], 0, {"click": 0}),
        (0, [], 0, {}),
        (1, [CATS], 1, {"write": 1}),
        (1, [Type(text=" CATS"), Press(key="enter")], 1, {"write": 1}),
        (1, [Type(text="cats")], 1, {"write": 1}),
        (1, [Type(text="cat")], 0.75 / 0.8, {"write": 0.75 / 0.8}),
        (1, [Type(text="catss")], 1, {"write": 1}),  # 0.8 is alike
        (1, [Type(text="")], 0, {"write": 0}),
        (1, [Type(text="cats", point=Point(1, 1))], 0, {"write": 0}),  # a click comes first
        (2, [Drag(start=Point(20, 10), end=Point(60, 30))], 1, {"moveto": 1, "dragto": 1}),
        (2, [Move(point=Point(20, 10))], 0.5, {"moveto": 1, "dragto": 0}),
        (2, [Drag(start=Point(20, 10), end=Point(60, 33))], (1 + far(0.03)) / 2, {"moveto": 1, "dragto": far(0.03)}),
        (3, [Scroll(direction="up")], 1, {"scroll": 1}),
        (3, [Press(key="pagedown")], 0, {"scroll": 0}),
        (4, [Finished()], 1, {"terminate": 1}),
        (4, [CallUser()], 0, {"terminate": 0}),
        (4, [click(1, 1), Finished()], 0, {"terminate": 0}),
    ],
)
def test_agentnetbench(step: int, actions: list[Action], value: float, parts: dict[str, float]) -> None:
    score = judged("agentnetbench", step, *actions)
    assert score.value == pytest.approx(value)
    assert score.parts == pytest.approx(parts)


def test_a_text_takes_one_enter() -> None:
    write, enter = Did("write", text="a"), Did("press", keys=frozenset({"enter"}))
    both = merged([write, enter, enter], frozenset({"press"}))
    assert [(did.type, did.text) for did in both] == [("write", "a\n"), ("press", "")]
    assert merged([write, Did("hotkey", keys=frozenset({"enter"}))], frozenset({"press"}))[0] == write


# ---------------------------------------------------------------- what is malformed


@pytest.mark.parametrize(
    ("name", "file", "old", "new", "message"),
    [
        ("androidcontrol-high", "AndroidControl_processed_test_steps.json", '"click"', '"tap"', "action_type is 'tap'"),
        (
            "mind2web-task",
            "cross_task_blocks.jsonl",
            "[[50, 60, 40, 20]]",
            "[[50, 60]]",
            "blocks.jsonl:2: target_blocks: 1 has 2",
        ),
        (
            "mind2web-task",
            "cross_task_blocks.jsonl",
            '{"annotation_id": "t2"',
            '{"annotation_id": "t2',
            "blocks.jsonl:3: not JSON",
        ),
        ("gui-odyssey-app", "annotations/E1.json", '"KEY_HOME"', '"KEY_X"', "steps[3]: info is 'KEY_X'"),
        ("gui-odyssey-app", "splits/app_split.json", '"E2.json"', '"E9.json"', "E9.json"),
        ("agentnetbench", "s_1.json", '"status": "success"', '"status": 3', "[0]: params: status is a number"),
    ],
)
def test_what_is_malformed_is_named_and_left_out(
    name: str, file: str, old: str, new: str, message: str, tmp_path: Path
) -> None:
    suite = get_suite(name)
    folder = shutil.copytree(FIXTURES / suite.folder, tmp_path / suite.folder)
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    faults: list[DataError] = []
    left = list(suite.load(folder, faults.append))
    assert len(left) == len(samples(name)) - 1 or name == "gui-odyssey-app"
    assert message in str(faults[0])
    assert str(folder) in str(faults[0])
    with pytest.raises(DataError):
        list(suite.load(folder))


def test_a_sample_is_there_once(tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURES / "osworld-g", tmp_path / "osworld-g")
    rows = json.loads((folder / "OSWorld-G.json").read_text(encoding="utf-8"))
    (folder / "OSWorld-G.json").write_text(json.dumps([*rows, rows[0]]), encoding="utf-8")
    faults: list[DataError] = []
    assert len(list(get_suite("osworld-g").load(folder, faults.append))) == 3
    assert "there is a sample 'a-0' already" in str(faults[0])
