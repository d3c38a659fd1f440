"""ScreenSpot, ScreenSpot-v2 and ScreenSpot-Pro: click the element that the instruction means.

A point is right when it lies in the element's box or on its border; a reply without a point is wrong. The
published files say boxes in pixels: as x, y, width, height in v1 and v2, as two corners in Pro. Copies of v1
and v2 that say corners as fractions of the picture are recognised by that: no number is above 1. Pro's
negative instructions (rows with ``gt_type`` negative) are right when the policy refuses.

Rules: SeeClick ``pretrain/screenspot_test.py`` (arXiv 2401.10935), ScreenSpot-Pro ``eval_screenspot_pro.py``
(arXiv 2504.07981); v2 is OS-Atlas's correction of v1 (arXiv 2410.23218).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .base import Answer, Sample, Score, Suite
from .rows import DataRow, Fault, read_rows
from .rules import BoundingBox, first_point, refuses, relative

_PLATFORMS = ("desktop", "mobile", "web")


class GroundingTarget(NamedTuple):
    """The element that is meant: its box, None where it is not on the screen.

    ``fractions`` says whether the box is in fractions of the picture instead of pixels.
    """

    box: BoundingBox | None
    fractions: bool = False


class _Grounding(Suite[GroundingTarget]):
    family = "grounding"

    def score(self, sample: Sample[GroundingTarget], answer: Answer) -> Score:
        """1 for a point in the box; where there is no box, 1 for a refusal."""
        box, fractions = sample.target
        if box is None:
            return Score(float(refuses(answer.actions)))
        point = first_point(answer.actions)
        if point is None:
            return Score(0.0, error="no_point")
        return Score(float(box.holds(relative(point, answer.size) if fractions else point)))


class _ScreenSpot(_Grounding):
    """Version 1, and version 2 with its file names."""

    def __init__(self, name: str, source: str, ending: str, images: str) -> None:
        self.name = self.folder = name
        self.source, self._images = source, images
        self._files = tuple(f"screenspot_{platform}{ending}.json" for platform in _PLATFORMS)
        self.needs = (*self._files, f"{images}/*")

    def rows(self, folder: Path, fault: Fault) -> Iterator[DataRow]:
        """The rows, each with its file's platform in ``platform``."""
        for platform, file in zip(_PLATFORMS, self._files, strict=True):
            for row in read_rows(folder / file, fault):
                yield DataRow(row.where, {**row.data, "platform": platform}, row.index)

    def sample(self, row: DataRow, folder: Path) -> Sample[GroundingTarget]:
        numbers = row.numbers("bbox", 4)
        fractions, platform = max(numbers) <= 1, row.text("platform")
        box = BoundingBox.corners(*numbers) if fractions else BoundingBox.xywh(*numbers)
        return Sample(
            id=f"{platform}/{row.index}",
            instruction=row.text("instruction"),
            screens=(row.picture(folder / self._images, "img_filename"),),
            target=GroundingTarget(box, fractions),
            labels=_labels(platform, row.text("data_type")),
        )


class _ScreenSpotPro(_Grounding):
    """Professional programs on large screens."""

    name = folder = "screenspot-pro"
    source = "annotations/ and images/ of huggingface.co/datasets/likaixin/ScreenSpot-Pro"
    needs = ("annotations/*.json", "images/*")

    def sample(self, row: DataRow, folder: Path) -> Sample[GroundingTarget]:
        absent = row.text("gt_type", "positive") == "negative"
        kinds = {"application": row.text("application"), "group": row.text("group", "other")}
        return Sample(
            id=row.text("id"),
            instruction=row.text("instruction"),
            screens=(row.picture(folder / "images", "img_filename"),),
            target=GroundingTarget(None if absent else BoundingBox.corners(*row.numbers("bbox", 4))),
            labels=_labels(row.text("platform"), row.text("ui_type")) | kinds,
        )


def _labels(platform: str, kind: str) -> dict[str, str]:
    return {"platform": platform, "element": kind, "platform and element": f"{platform}, {kind}"}


SUITES = (
    _ScreenSpot(
        "screenspot",
        "screenspot_*.json and screenspot_imgs/ of SeeClick (github.com/njucckevin/SeeClick)",
        "",
        "screenspot_imgs",
    ),
    _ScreenSpot(
        "screenspot-v2",
        "screenspot_*_v2.json and screenspotv2_image.zip, unpacked, "
        "of huggingface.co/datasets/OS-Copilot/ScreenSpot-v2",
        "_v2",
        "screenspotv2_image",
    ),
    _ScreenSpotPro(),
)
