"""Replies collected from the peers' test suites, issues and templates, read as they were meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from saccade.actions.dialects import get_dialect
from saccade.actions.dialects.uitars import UITARS_15_LIMITS
from saccade.actions.errors import ParseError
from saccade.actions.geometry import Frame, Size, smart_resize
from saccade.actions.keys import parse_chord
from saccade.actions.schema import Action, points

SCREEN = Size(1920, 1080)
KINDS = {
    "left_double": "double_click",
    "right_single": "right_click",
    "select": "click",
    "press": "key_down",
    "release": "key_up",
    "open_computer": "wait",
}
CASES = [json.loads(line) for line in (Path(__file__).parent / "parse_cases.jsonl").read_text("utf-8").splitlines()]


def frame_of(family: str) -> Frame:
    if family in ("uitars-1.5", "opencua"):
        return Frame.resized(SCREEN, smart_resize(SCREEN, UITARS_15_LIMITS))
    return Frame.relative(SCREEN)


def described(action: Action, frame: Frame) -> dict[str, Any]:
    """An action in the words of the cases, to compare as plain data."""
    kind = "drag" if action.kind == "drag" else action.kind
    return {"action": kind, "points": [tuple(round(n) for n in frame.to_frame(p)) for p in points(action)]}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['model_family']}-{case['id']}")
def test_a_collected_reply_is_read_as_meant(case: dict[str, Any]) -> None:
    dialect = get_dialect(case["model_family"])
    if case["intended"] == "ERROR":
        with pytest.raises(ParseError) as error:
            dialect.parse(case["raw"], SCREEN)
        assert error.value.raw == case["raw"]
        assert error.value.reason
        return
    frame = frame_of(case["model_family"])
    actions = dialect.parse(case["raw"], SCREEN).actions
    assert len(actions) == len(case["intended"])
    for action, meant in zip(actions, case["intended"], strict=True):
        kind = KINDS.get(meant["action"], meant["action"])
        wanted = [tuple(meant[name]) for name in ("p", "q") if name in meant]
        assert described(action, frame) == {"action": kind, "points": wanted}
        check_values(action, meant)


def check_values(action: Action, meant: dict[str, Any]) -> None:
    fields = action.model_dump()
    if "content" in meant:
        assert fields.get("text", fields.get("answer")) == meant["content"]
    if "direction" in meant:
        assert fields["direction"] == meant["direction"]
    if "key" in meant:
        keys = fields.get("keys") or (fields["key"],)
        assert tuple(keys) == parse_chord(meant["key"])
    if "time" in meant:
        assert fields["seconds"] == float(meant["time"])
