"""Multimodal-Mind2Web: the next action on a web page, seen in blocks of a screen's height.

The policy sees the first block; where it scrolls down it is shown the next one, at most one beyond the last
that has the element. Element accuracy: its point lies in one of the element's boxes (x, y, width, height in
pixels of the block). Operation F1: over the words of "click", "type TEXT" or "select OPTION". A step succeeds
when the point is right and the F1 is 1. The headline is the mean over tasks of their share of successful
steps, and a step the files leave out is a failed one; so is one whose element is in no block (5 % of them).

None of our actions is "select": such a step (4 % of them) can have a right element, never a right operation.

Rule and files: UGround ``offline_evaluation/Multimodal-Mind2Web`` (arXiv 2410.05243), metrics of Mind2Web
(arXiv 2306.06070).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...actions.schema import Action, Scroll, Type
from .base import Answer, Sample, Score, Suite
from .rows import DataRow
from .rules import BoundingBox, f1, first_point, tokens

_LONGEST_BLOCK = 3
"""Digits of a block's number."""


@dataclass(frozen=True)
class PageStep:
    """What was done.

    Attributes:
        operation: CLICK, TYPE or SELECT with its text.
        boxes: of the element, in pixels, by block.
    """

    operation: str
    boxes: Mapping[int, Sequence[BoundingBox]]


class _Mind2Web(Suite[PageStep]):
    """One of its three test splits: other tasks, websites or domains than in training."""

    folder = "mind2web"
    family = "steps"
    average = "task"
    absent_is_wrong = True

    def __init__(self, split: str) -> None:
        file = f"cross_{split}_blocks.jsonl"
        self.name, self.needs = f"mind2web-{split}", (file, "blocks/*")
        self.source = (
            f"{file} of github.com/OSU-NLP-Group/UGround (offline_evaluation/Multimodal-Mind2Web/data/"
            "samples), and Multimodal-Mind2Web_blocks_images.zip unpacked as blocks/, of "
            "huggingface.co/datasets/demisama/UGround-Offline-Evaluation"
        )

    def sample(self, row: DataRow, folder: Path) -> Sample[PageStep]:
        task, operation = row.text("annotation_id"), row.text("operation")
        boxes = _boxes(row.row("target_blocks"))
        blocks = row.picture(folder / "blocks", "blocks_path")
        wanted = range(1, max(boxes, default=-1) + 2)
        further = (row.inside(blocks, f"{index}.png") for index in wanted)
        return Sample(
            id=f"{task}/{row.text('action_uid')}",
            instruction=row.text("task"),
            screens=(row.inside(blocks, "0.png"), *(block for block in further if block.is_file())),
            target=PageStep(f"{operation} {row.text('value', '')}", boxes),
            labels={"operation": operation, "website": row.text("website"), "domain": row.text("domain")},
            history=row.texts("previous_actions"),
            task=task,
            steps=row.integer("total_steps"),
        )

    def score(self, sample: Sample[PageStep], answer: Answer) -> Score:
        point = first_point(answer.actions)
        boxes = sample.target.boxes.get(answer.screen, ())
        element = point is not None and any(box.holds(point) for box in boxes)
        operation = operation_f1(said(answer.actions), sample.target.operation)
        success = float(element and operation == 1)
        return Score(success, {"element": float(element), "operation f1": operation})


def said(actions: Sequence[Action]) -> str:
    """The policy's actions as Mind2Web writes them; a click right before typing says where."""
    typed = next((action for action in actions[:2] if isinstance(action, Type)), None)
    if typed is not None:
        return f"type {typed.text}"
    if actions and isinstance(actions[0], Scroll):
        return f"scroll {actions[0].direction}"
    return actions[0].kind.replace("_", " ") if actions else ""


def operation_f1(one: str, other: str) -> float:
    """F1 over the words of two operations, single punctuation marks left out; 1 for two empty ones."""
    words = tokens(one, punctuation=False), tokens(other, punctuation=False)
    return f1(*words) if any(words) else 1.0


def _boxes(row: DataRow) -> dict[int, list[BoundingBox]]:
    found: dict[int, list[BoundingBox]] = {}
    for block in row.data:
        if not (block.isdecimal() and len(block) <= _LONGEST_BLOCK):
            raise row.fail(f"{block[:20]!r} is no number of a block")
        found[int(block)] = [BoundingBox.xywh(*row.as_numbers(block, box, 4)) for box in row.items(block)]
    return found


SUITES = tuple(_Mind2Web(split) for split in ("task", "website", "domain"))
