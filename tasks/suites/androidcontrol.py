"""AndroidControl: the next action on a phone, told the goal alone (high) or also the step (low).

Files and headline are UGround's. A click, a long press or a typed text is right when its point lies in the
smallest box of the accessibility tree around the recorded point (and the text is the same); any other action
when all its fields are the same. A click also stands for opening the app, or for going back, whose name, or
whose word "back", the element under it has. ``grounding`` is over the answers that were judged by a point.
UGround also turns the two around, an ``open_app`` or ``navigate_back`` where a click was recorded; that needs
a point nobody gave, and is wrong here.

``type`` is how often the kind of action is right. ``atlas`` is OS-Atlas's step success on the same answers: a
point at most 140 of 1000 from the recorded one, texts that are the same or begin with the same word.

Rules: UGround ``offline_evaluation/AndroidControl/eval.py`` (arXiv 2410.05243), OS-Atlas
``eval/eval_scripts/android_control/evaluation_unify.py`` (arXiv 2410.23218).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...actions import schema
from ...actions.geometry import Point, Size
from ...actions.schema import Action
from .base import Answer, Sample, Score, Suite
from .rows import DataRow, Fault, read_rows
from .rules import BoundingBox, distance, relative, scrolled

POINTED = ("click", "long_press", "type_text")
_PLAIN: Mapping[type, tuple[str, dict[str, Any]]] = {
    schema.Finished: ("status", {"goal_status": "successful"}),
    schema.CallUser: ("status", {"goal_status": "infeasible"}),
    schema.PressBack: ("navigate_back", {}),
    schema.NavigateBack: ("navigate_back", {}),
    schema.PressHome: ("navigate_home", {}),
}
KINDS = (*POINTED, "scroll", "navigate_home", "navigate_back", "open_app", "wait", "status")


@dataclass(frozen=True)
class PhoneStep:
    """What was done, and on which elements it could have been done.

    Attributes:
        kind: one of ``KINDS``.
        fields: the others, without the point.
        point: in pixels.
        elements: boxes in pixels, with text and description in lower case, in the order of the file.
    """

    kind: str
    fields: Mapping[str, Any]
    point: Point | None
    elements: Sequence[tuple[BoundingBox, str, str]]

    def element(self, at: Point) -> tuple[BoundingBox, str, str] | None:
        """The smallest element around a point, of equal ones the first."""
        around = [element for element in self.elements if element[0].holds(at)]
        return min(around, key=lambda element: element[0].area, default=None)


class _AndroidControl(Suite[PhoneStep]):
    """At one level of instructions."""

    folder = "androidcontrol"
    family = "steps"
    source = (
        "AndroidControl_processed_test_steps.json, and AndroidControl_images.zip unpacked as images/, "
        "of huggingface.co/datasets/demisama/UGround-Offline-Evaluation"
    )
    needs = ("*steps*.json", "images/*")

    def __init__(self, level: str) -> None:
        self.name = f"androidcontrol-{level}"
        self._low = level == "low"

    def rows(self, folder: Path, fault: Fault) -> Iterator[DataRow]:
        return read_rows(sorted(folder.glob("*steps*.json"))[0], fault)

    def sample(self, row: DataRow, folder: Path) -> Sample[PhoneStep]:
        episode, step, goal = row.integer("episode_id"), row.integer("step"), row.text("goal")
        target = _target(row)
        return Sample(
            id=f"{episode}/{step}",
            instruction=f"{goal}\nThe next step: {row.text('step_instruction')}" if self._low else goal,
            screens=(row.picture(folder / "images", "screenshot"),),
            target=target,
            labels={"action": target.kind},
            history=() if self._low else row.texts("previous_actions"),
            task=str(episode),
        )

    def score(self, sample: Sample[PhoneStep], answer: Answer) -> Score:
        gold, (kind, fields, point) = sample.target, said(answer.actions)
        same = kind == gold.kind
        parts = {"type": float(same), "atlas": float(same and _atlas(gold, fields, point, answer.size))}
        if same and kind in POINTED:
            hit = point is not None and gold.point is not None and _hits(gold, point)
            right = hit and fields == gold.fields
            return Score(float(right), parts | {"grounding": float(right)})
        if kind == "click" and point is not None and gold.kind in ("open_app", "navigate_back"):
            word = "back" if gold.kind == "navigate_back" else str(gold.fields.get("app_name", "")).lower()
            stands = float(_named(gold, point, word))
            return Score(stands, parts | {"grounding": stands})
        return Score(float(same and fields == gold.fields), parts)


def said(actions: Sequence[Action]) -> tuple[str, dict[str, Any], Point | None]:
    """The policy's actions as one of AndroidControl's: kind, fields and point.

    A click right before typing says where; without one, typed text has no point. A swipe is a scroll.
    """
    match actions:
        case [schema.Click(point=point), schema.Type(text=text), *_]:
            return "type_text", {"text": text}, point
        case [schema.Type(text=text, point=point), *_]:
            return "type_text", {"text": text}, point
        case [schema.Click(point=point), *_]:
            return "click", {}, point
        case [schema.LongPress(point=point), *_]:
            return "long_press", {}, point
        case [schema.Scroll(direction=direction), *_]:
            return "scroll", {"direction": direction}, None
        case [schema.Drag() as drag, *_]:
            return "scroll", {"direction": scrolled(drag)}, None
        case [schema.OpenApp(name=name), *_]:
            return "open_app", {"app_name": name}, None
        case [first, *_]:
            return *_PLAIN.get(type(first), (first.kind, {})), None
    return "", {}, None


def _target(row: DataRow) -> PhoneStep:
    action = row.row("action")
    kind = action.text("action_type")
    if kind not in KINDS:
        raise action.fail(f"action_type is {kind!r}; known are {', '.join(KINDS)}")
    elements = tuple(_elements(row))
    if kind in POINTED:
        at = action.as_numbers("x and y", [action.data.get("x"), action.data.get("y")], 2)
        return PhoneStep(kind, {"text": action.text("text")} if kind == "type_text" else {}, Point(*at), elements)
    given = {key: value for key, value in action.data.items() if key != "action_type" and value is not None}
    return PhoneStep(kind, given, None, elements)


def _elements(row: DataRow) -> Iterator[tuple[BoundingBox, str, str]]:
    """Every element of the tree, whose lists may lie in lists."""
    waiting = list(reversed(row.items("accessibility_tree")))
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(reversed(node))
            continue
        element = row.as_row("accessibility_tree", node)
        box = element.row("bbox_pixels")
        edges = [box.data.get(side) for side in ("x_min", "y_min", "x_max", "y_max")]
        text, content = (str(element.data.get(key) or "").lower() for key in ("text", "content_description"))
        yield BoundingBox(*box.as_numbers("edges", edges, 4)), text, content


def _hits(gold: PhoneStep, point: Point) -> bool:
    wanted = gold.element(gold.point) if gold.point is not None else None
    return wanted is not None and wanted[0].holds(point)


def _named(gold: PhoneStep, point: Point, word: str) -> bool:
    under = gold.element(point)
    return under is not None and any(word in text for text in under[1:] if text)


def _atlas(gold: PhoneStep, fields: Mapping[str, Any], point: Point | None, size: Size) -> bool:
    """OS-Atlas's rule for an answer of the right kind."""
    if gold.kind in ("click", "long_press"):
        if point is None or gold.point is None:
            return False
        return distance(relative(point, size, 1000), relative(gold.point, size, 1000)) <= 140
    if gold.kind in ("type_text", "open_app"):
        key = "text" if gold.kind == "type_text" else "app_name"
        one, other = f"[{fields[key]}]", f"[{gold.fields.get(key, '')}]"
        return one == other or one.lower().split()[0] == other.lower().split()[0]
    return fields == gold.fields


SUITES = (_AndroidControl("high"), _AndroidControl("low"))
