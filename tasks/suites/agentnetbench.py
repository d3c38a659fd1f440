"""AgentNetBench: the next actions on a desktop, with partial credit.

Points are fractions of the screen. If the first action's type is none of the recorded types, the step scores
0. Else the recorded actions are compared one by one with those in the same place, a score of 0 to 1 each: a
point in one of the element's boxes, or by distance, 1 up to 0.0141 and exp(-120 (d - 0.0141)) beyond; a text
by edit distance without case and outer space, 1 from 0.8 on and similarity / 0.8 below; keys as a set; a
scroll by being one. Scores of one type are averaged, then the types. Text and the Enter after it are one
action. A recorded ``terminate`` is right with the same status and nothing else. Of the recorded actions and
their alternatives the best score counts.

Rule: OpenCUA ``evaluation/agentnetbench/{eval,run}.py`` (arXiv 2508.09123). Here keys are spelt alike before
they are compared; as there, Command also stands for Control.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from ...actions.errors import DataError, UnknownKeyError
from ...actions.geometry import Point, Size
from ...actions.keys import canonical_key
from ...actions.schema import Action, CallUser, Drag, Finished, Hotkey, Move, Press, Scroll, Type, points
from .base import Answer, Sample, Score, Suite
from .rows import DataRow, Fault, read_object
from .rules import BoundingBox, distance, relative, similarity

NEAR = 0.01 * math.sqrt(2)
STEEPNESS = 120.0
ALIKE = 0.8
_HISTORY = 10
_POINTED = frozenset(("click", "doubleclick", "rightclick", "tripleclick", "moveto", "dragto"))
_KEYS = frozenset(("press", "hotkey"))
_NAMES = {"click": "click", "double_click": "doubleclick", "right_click": "rightclick"}


@dataclass(frozen=True)
class Did:
    """One action, recorded or the policy's.

    Attributes:
        type: AgentNetBench's, in lower case.
        point: as fractions of the screen.
        text: typed, or the status of ``terminate``.
        keys: canonical names.
        boxes: of the element, as fractions; of recorded actions only.
    """

    type: str
    point: Point | None = None
    text: str = ""
    keys: frozenset[str] = frozenset()
    boxes: tuple[BoundingBox, ...] = ()


class _AgentNetBench(Suite[tuple[tuple[Did, ...], ...]]):
    """Its trajectories, one file each; a target is the recorded actions and their alternatives."""

    name = folder = "agentnetbench"
    family = "steps"
    source = (
        "the trajectories and their images/ of huggingface.co/datasets/xlangai/AgentNetBench, or a sample of "
        "github.com/xlang-ai/OpenCUA (evaluation/agentnetbench/sample_data)"
    )
    needs = ("*.json", "images/*")

    def rows(self, folder: Path, fault: Fault) -> Iterator[DataRow]:
        """The steps, each with its task in ``task`` and the words for those before it in ``before``."""
        for file in sorted(folder.glob("*.json")):
            try:
                task = read_object(file)
                steps = list(task.rows("steps"))
            except DataError as error:
                fault(error)
                continue
            for index, step in enumerate(steps):
                before = [_words(earlier) for earlier in steps[max(0, index - _HISTORY) : index]]
                known = {"task": task.data, "before": before, "index": index}
                yield DataRow(step.where, {**step.data, **known})

    def sample(self, row: DataRow, folder: Path) -> Sample[tuple[tuple[Did, ...], ...]]:
        task = row.row("task")
        recorded = _recorded(row, "ground_truth_actions", row.items("ground_truth_actions"))
        options = row.items("alternative_options") if "alternative_options" in row.data else []
        others = [_recorded(row, f"alternative_options[{i}]", option) for i, option in enumerate(options)]
        if not recorded:
            raise row.fail("ground_truth_actions is empty")
        return Sample(
            id=f"{task.text('task_id')}/{row.integer('index') + 1}",
            instruction=task.text("high_level_task_description"),
            screens=(row.picture(folder / "images", "image"),),
            target=(recorded, *others),
            labels={"action": recorded[0].type},
            history=row.texts("before"),
            task=task.text("task_id"),
            steps=len(task.items("steps")),
        )

    def score(self, sample: Sample[tuple[tuple[Did, ...], ...]], answer: Answer) -> Score:
        own = tuple(did for action in answer.actions for did in said(action, answer.size))
        if not own:
            return Score(0.0)
        scores = [compared(option, own) for option in sample.target]
        return max(scores, key=lambda score: score.value)  # the first of equals


def compared(recorded: Sequence[Did], own: Sequence[Did]) -> Score:
    """One of the recorded ways against the policy's actions; ``parts`` holds the score of each type."""
    recorded, own = merged(recorded, _KEYS), merged(own, frozenset(("press",)))
    if recorded[0].type == "terminate":
        right = float(own[0].type == "terminate" and own[0].text == recorded[0].text)
        return Score(right, {"terminate": right})
    types = [did.type for did in recorded]
    if own[0].type not in types:
        return Score(0.0, dict.fromkeys(types, 0.0))
    sums: dict[str, float] = {}
    for wanted, did in zip_longest(recorded, own[: len(recorded)]):
        value = alike(wanted, did) if did is not None and did.type == wanted.type else 0.0
        if value is not None:
            sums[wanted.type] = sums.get(wanted.type, 0.0) + value
    parts = {type_: total / types.count(type_) for type_, total in sums.items()}
    return Score(sum(parts.values()) / len(parts) if parts else 0.0, parts)


def alike(wanted: Did, did: Did) -> float | None:
    """How well an action of the recorded type does what was recorded; None for a type without a rule."""
    if wanted.type in _POINTED:
        if did.point is None or wanted.point is None:
            return 0.0
        if any(box.holds(did.point) for box in wanted.boxes):
            return 1.0
        far = distance(did.point, wanted.point)
        return 1.0 if far <= NEAR else math.exp(-STEEPNESS * (far - NEAR))
    if wanted.type == "write":
        likeness = similarity(did.text.lower().strip(), wanted.text.lower().strip())
        return 1.0 if likeness >= ALIKE else likeness / ALIKE
    if wanted.type in _KEYS:
        control = frozenset("ctrl" if key == "meta" else key for key in did.keys)
        return float(wanted.keys in (did.keys, control))
    return 1.0 if wanted.type == "scroll" else None


def merged(actions: Sequence[Did], closing: frozenset[str]) -> list[Did]:
    """The actions with each text and the Enter right after it, pressed by a type in ``closing``, as one."""
    found: list[Did] = []
    open_text = False
    for did in actions:
        if open_text and did.type in closing and did.keys == {"enter"}:
            found[-1] = Did("write", text=found[-1].text + "\n")
            open_text = False
        else:
            found.append(did)
            open_text = did.type == "write"
    return found


def said(action: Action, size: Size) -> list[Did]:
    """One of our actions as AgentNetBench's; one key alone is pressed, a drag moves there first."""
    at = [relative(point, size) for point in points(action)]
    match action:
        case Drag():
            return [Did("moveto", at[0]), Did("dragto", at[1])]
        case Type(text=text):
            return [*(Did("click", point) for point in at), Did("write", text=text)]
        case Hotkey(keys=keys):
            return [Did("hotkey" if len(keys) > 1 else "press", keys=frozenset(keys))]
        case Press(key=key):
            return [Did("press", keys=frozenset((key,)))]
        case Finished():
            return [Did("terminate", text="success")]
        case CallUser():
            return [Did("terminate", text="failure")]
        case Move():
            return [Did("moveto", at[0])]
        case Scroll():
            return [Did("scroll")]
    return [Did(_NAMES.get(action.kind, action.kind), at[0] if at else None)]


def _recorded(row: DataRow, name: str, actions: object) -> tuple[Did, ...]:
    if not isinstance(actions, list):
        raise row.fail(f"{name} is not a list")
    return tuple(_did(row.as_row(f"{name}[{index}]", action)) for index, action in enumerate(actions))


def _did(row: DataRow) -> Did:
    params, kind = row.row("params"), row.text("type").lower()
    if kind in _POINTED:
        at = params.row("position").data
        point = Point(*params.as_numbers("position", [at.get("x"), at.get("y")], 2))
        boxes = row.row("metadata").rows("bboxes") if _has_boxes(row.data) else ()
        return Did(kind, point, boxes=tuple(BoundingBox.xywh(*box.numbers("rel_bbox", 4)) for box in boxes))
    if kind == "write":
        return Did(kind, text=params.text("content", "") or params.text("text", ""))
    if kind in _KEYS:
        return Did(kind, keys=frozenset(_key(key) for key in params.texts("keys")))
    return Did(kind, text=params.text("status") if kind == "terminate" else "")


def _has_boxes(data: Mapping[str, object]) -> bool:
    metadata = data.get("metadata")
    return isinstance(metadata, dict) and "bboxes" in metadata


def _key(name: str) -> str:
    try:
        return canonical_key(name.lower())
    except UnknownKeyError:
        return name.lower()


def _words(step: DataRow) -> str:
    """What a step did, in words; its code where nobody said it."""
    monologue = step.data.get("inner_monologue")
    said_so = monologue.get("low_level_instruction") if isinstance(monologue, dict) else None
    return str(said_so or step.data.get("action") or "")


SUITE = _AgentNetBench()
