"""GUI-Odyssey: the next action in a task that goes through several apps of a phone.

Points and boxes are 0 to 1000 over the screen. A click or long press is right inside the box that SAM 2 drew
around the element, or at most 0.14 of the screen from the recorded point; a text when one contains the other
or they are at least half alike by edit distance; a scroll in the recorded direction, which is the finger's;
any other action when it is of the same kind. The headline, AMS, is the share of right steps; on the random
split the mean of that over the six categories. ``tasks`` counts the episodes with every step right.

What no action of ours says is wrong: the list of recent apps (``KEY_APPSELECT``).

Rule: ``src/eval_mm/GUIOdyssey_action_matching.py`` and ``data/format_converter.py`` (arXiv 2406.08451).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ...actions import schema
from ...actions.errors import DataError
from ...actions.geometry import Point
from .base import Answer, Sample, Score, Suite
from .rows import DataRow, Fault, read_object
from .rules import OPPOSITE, BoundingBox, distance, finger, relative, similarity

_KEYS = {"KEY_HOME": "PRESS_HOME", "KEY_BACK": "PRESS_BACK", "KEY_APPSELECT": "PRESS_RECENT"}
_PLAIN: Mapping[type, str] = {
    schema.Finished: "COMPLETE",
    schema.CallUser: "IMPOSSIBLE",
    schema.PressHome: "PRESS_HOME",
    schema.PressBack: "PRESS_BACK",
    schema.NavigateBack: "PRESS_BACK",
}
_HISTORY = 4
FAR = 140.0
"""The largest distance that still counts as the same place, 0.14 of 1000."""
ALIKE = 0.5


@dataclass(frozen=True)
class OdysseyStep:
    """What was done.

    Attributes:
        kind: CLICK, LONG_PRESS, SCROLL, TYPE, COMPLETE, IMPOSSIBLE, PRESS_HOME, PRESS_BACK or PRESS_RECENT.
        point: 0 to 1000, of clicks and long presses.
        box: around the element, 0 to 1000, where there is one.
        text: what is typed, or the finger's direction.
    """

    kind: str
    point: Point | None = None
    box: BoundingBox | None = None
    text: str = ""

    def __str__(self) -> str:
        if self.point is not None:
            return f"{self.kind}: ({self.point.x:g}, {self.point.y:g})"
        return f"{self.kind}: {self.text}" if self.text else self.kind


class _GuiOdyssey(Suite[OdysseyStep]):
    """The test half of one of its splits."""

    folder = "gui-odyssey"
    family = "steps"
    source = "data/ (annotations/, screenshots/ and splits/) of huggingface.co/datasets/hflqf88888/GUIOdyssey"

    def __init__(self, split: str) -> None:
        self.name = f"gui-odyssey-{split}"
        self.average = "category" if split == "random" else "samples"
        self._split = f"splits/{split}_split.json"
        self.needs = (self._split, "annotations/*.json", "screenshots/*")

    def rows(self, folder: Path, fault: Fault) -> Iterator[DataRow]:
        """The steps, each with its episode in ``episode`` and those before it in ``before``."""
        listed = read_object(folder / self._split)
        for name in listed.texts("test"):
            try:
                episode = read_object(listed.inside(folder / "annotations", name))
                steps = list(episode.rows("steps"))
            except (DataError, FileNotFoundError) as error:
                fault(DataError(f"{folder / self._split}: {error}"))
                continue
            for index, step in enumerate(steps):
                before = [earlier.data for earlier in steps[max(0, index - _HISTORY) : index]]
                yield DataRow(step.where, {**step.data, "episode": episode.data, "before": before})

    def sample(self, row: DataRow, folder: Path) -> Sample[OdysseyStep]:
        episode = row.row("episode")
        info, name = episode.row("task_info"), episode.text("episode_id")
        target = _target(row)
        return Sample(
            id=f"{name}/{row.integer('step')}",
            instruction=info.text("instruction"),
            screens=(row.picture(folder / "screenshots", "screenshot"),),
            target=target,
            labels={"action": target.kind, "category": info.text("category")},
            history=tuple(str(_target(earlier)) for earlier in row.rows("before")),
            task=name,
            steps=episode.integer("step_length"),
        )

    def score(self, sample: Sample[OdysseyStep], answer: Answer) -> Score:
        gold, own = sample.target, said(answer)
        if own.kind != gold.kind:
            return Score(0.0, {"type": 0.0})
        if gold.kind == "TYPE":
            right = alike(gold.text, own.text)
        elif gold.kind == "SCROLL":
            right = gold.text == own.text
        elif gold.point is not None and own.point is not None:
            inside = gold.box is not None and gold.box.holds(own.point)
            right = inside or distance(gold.point, own.point) <= FAR
            return Score(float(right), {"type": 1.0, "grounding": float(right)})
        else:
            right = True
        return Score(float(right), {"type": 1.0})


def said(answer: Answer) -> OdysseyStep:
    """The policy's first action as one of GUI-Odyssey's; typing after a click is the click."""

    def pointed(kind: str, point: Point) -> OdysseyStep:
        return OdysseyStep(kind, relative(point, answer.size, 1000))

    match answer.actions:
        case [schema.Click(point=point), *_]:
            return pointed("CLICK", point)
        case [schema.LongPress(point=point), *_]:
            return pointed("LONG_PRESS", point)
        case [schema.Scroll(direction=direction), *_]:
            return OdysseyStep("SCROLL", text=OPPOSITE[direction].upper())
        case [schema.Drag(start=start, end=end), *_]:
            return OdysseyStep("SCROLL", text=finger(start, end).upper())
        case [schema.Type(text=text), *_]:
            return OdysseyStep("TYPE", text=text)
        case [first, *_]:
            return OdysseyStep(_PLAIN.get(type(first), first.kind))
    return OdysseyStep("")


def alike(one: str, other: str) -> bool:
    """Whether one text contains the other, or they are half alike; without the space around them."""
    one, other = one.strip(), other.strip()
    return one in other or other in one or similarity(one, other) >= ALIKE


def _target(row: DataRow) -> OdysseyStep:
    kind, info = row.text("action"), row.data.get("info")
    if kind in ("CLICK", "LONG_PRESS"):
        if isinstance(info, str):
            if info not in _KEYS:
                raise row.fail(f"info is {info!r}; known are {', '.join(_KEYS)} or a point")
            return OdysseyStep(_KEYS[info])
        point = Point(*_points(row, 1)[0])
        box = row.data.get("sam2_bbox")
        return OdysseyStep(kind, point, BoundingBox.corners(*row.numbers("sam2_bbox", 4)) if box else None)
    if kind == "SCROLL":
        start, end = _points(row, 2)
        return OdysseyStep(kind, text=finger(start, end).upper())
    if kind in ("TEXT", "TYPE"):
        return OdysseyStep("TYPE", text=row.text("info"))
    if kind in ("COMPLETE", "INCOMPLETE"):
        return OdysseyStep("COMPLETE" if kind == "COMPLETE" else "IMPOSSIBLE")
    raise row.fail(f"action is {kind!r}; known are CLICK, LONG_PRESS, SCROLL, TEXT, COMPLETE and INCOMPLETE")


def _points(row: DataRow, count: int) -> list[Point]:
    found = [Point(*row.as_numbers("info", pair, 2)) for pair in row.items("info")]
    if len(found) < count:
        raise row.fail(f"info has {len(found)} points, not {count}")
    return found


SUITES = tuple(_GuiOdyssey(split) for split in ("random", "app", "device", "task"))
