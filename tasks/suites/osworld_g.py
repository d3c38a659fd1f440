"""OSWorld-G: click the element that the instruction means, on screens of a Linux desktop.

A target is a box (x, y, width, height in pixels; its border belongs to it), a polygon (a flat list of
corners; a ray decides, see ``rules.in_polygon``), or nothing at all, and then the policy has to refuse: it
hands over to the user, or clicks at negative coordinates as the published code writes a refusal. A sample may
belong to several of the paper's categories, and counts in each.

Rule: ``_eval`` of OSWorld-G's evaluation as kept in VLMEvalKit (arXiv 2505.13227).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from .base import Answer, Sample, Score, Suite
from .rows import DataRow, read_object
from .rules import BoundingBox, first_point, in_polygon, refuses

Region = BoundingBox | tuple[float, ...] | None
"""A box, a polygon as a flat list of corners, or nothing."""
_CATEGORIES = "classification_result.json"


class _OSWorldG(Suite[Region]):
    """With the original or the refined instructions."""

    folder = "osworld-g"
    family = "grounding"
    source = "benchmark/ of github.com/xlang-ai/OSWorld-G"

    def __init__(self, name: str, file: str) -> None:
        self.name, self.needs = name, (file, "images/*")

    def sample(self, row: DataRow, folder: Path) -> Sample[Region]:
        name, kind = row.text("id"), row.text("box_type")
        categories = _categories(folder / _CATEGORIES).get(name, ("unclassified",))
        return Sample(
            id=name,
            instruction=row.text("instruction"),
            screens=(row.picture(folder / "images", "image_path"),),
            target=_region(row, kind),
            labels={"target": kind, "category": categories},
        )

    def score(self, sample: Sample[Region], answer: Answer) -> Score:
        point = first_point(answer.actions)
        if sample.target is None:
            negative = point is not None and point.x < 0 and point.y < 0
            return Score(float(negative or refuses(answer.actions)))
        if point is None:
            return Score(0.0, error="no_point")
        if isinstance(sample.target, BoundingBox):
            return Score(float(sample.target.holds(point)))
        return Score(float(in_polygon(point, sample.target)))


def _region(row: DataRow, kind: str) -> Region:
    if kind == "refusal":
        return None
    if kind == "bbox":
        return BoundingBox.xywh(*row.numbers("box_coordinates", 4))
    if kind != "polygon":
        raise row.fail(f"box_type is {kind!r}; known are bbox, polygon and refusal")
    count = len(row.items("box_coordinates"))
    if count < 6 or count % 2:
        raise row.fail(f"box_coordinates has {count} numbers; a polygon has three corners or more")
    return row.numbers("box_coordinates", count)


@lru_cache(maxsize=4)
def _categories(file: Path) -> dict[str, tuple[str, ...]]:
    """The paper's categories of each sample; none where the file is not there."""
    found: dict[str, tuple[str, ...]] = {}
    if file.is_file():
        classified = read_object(file).row("classified")
        for category in classified.data:
            for entry in classified.rows(category):
                found[entry.text("id")] = (*found.get(entry.text("id"), ()), category)
    return found


SUITES = (_OSWorldG("osworld-g", "OSWorld-G.json"), _OSWorldG("osworld-g-refined", "OSWorld-G_refined.json"))
