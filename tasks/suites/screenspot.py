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
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from ...actions.geometry import Point, Size
from .base import Answer, Sample, Score, Suite
from .rows import DataRow, Fault, read_rows
from .rules import BoundingBox, first_point, refuses, relative

_PLATFORMS = ("desktop", "mobile", "web")


@dataclass(frozen=True)
class GroundingTarget:
    """The element that is meant.

    Attributes:
        box: where it is; None where it is not on the screen.
        fractions: whether the box is in fractions of the picture instead of pixels.
    """

    box: BoundingBox | None
    fractions: bool = False

    def holds(self, point: Point, size: Size) -> bool:
        """Whether a screenshot point lies in the box."""
        return self.box is not None and self.box.holds(relative(point, size) if self.fractions else point)


class ScreenSpot(Suite[GroundingTarget]):
    """Version 1, and version 2 with its file names."""

    family = "grounding"

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
        """See ``Suite.sample``."""
        numbers = row.numbers("bbox", 4)
        fractions = max(numbers) <= 1
        platform = row.text("platform")
        return Sample(
            id=f"{platform}/{row.index}",
            instruction=row.text("instruction"),
            screens=(folder / self._images / row.text("img_filename"),),
            target=GroundingTarget(
                BoundingBox.corners(*numbers) if fractions else BoundingBox.xywh(*numbers), fractions
            ),
            labels=_labels(platform, row.text("data_type")),
        )

    def score(self, sample: Sample[GroundingTarget], answer: Answer) -> Score:
        """See ``Suite.score``."""
        return hit(sample.target, answer)


class ScreenSpotPro(Suite[GroundingTarget]):
    """Professional programs on large screens."""

    name = folder = "screenspot-pro"
    family = "grounding"
    source = "annotations/ and images/ of huggingface.co/datasets/likaixin/ScreenSpot-Pro"
    needs = ("annotations/*.json", "images/*")

    def rows(self, folder: Path, fault: Fault) -> Iterator[DataRow]:
        """See ``Suite.rows``."""
        files = sorted((folder / "annotations").glob("*.json"))
        return chain.from_iterable(read_rows(file, fault) for file in files)

    def sample(self, row: DataRow, folder: Path) -> Sample[GroundingTarget]:
        """See ``Suite.sample``."""
        absent = row.text("gt_type", "positive") == "negative"
        kinds = {"application": row.text("application"), "group": row.text("group", "other")}
        return Sample(
            id=row.text("id"),
            instruction=row.text("instruction"),
            screens=(folder / "images" / row.text("img_filename"),),
            target=GroundingTarget(None if absent else BoundingBox.corners(*row.numbers("bbox", 4))),
            labels=_labels(row.text("platform"), row.text("ui_type")) | kinds,
        )

    def score(self, sample: Sample[GroundingTarget], answer: Answer) -> Score:
        """See ``Suite.score``."""
        return hit(sample.target, answer)


def hit(target: GroundingTarget, answer: Answer) -> Score:
    """1 for a point in the box; where there is none to click, 1 for a refusal."""
    if target.box is None:
        return Score(float(refuses(answer.actions)))
    point = first_point(answer.actions)
    if point is None:
        return Score(0.0, error="no_point")
    return Score(float(target.holds(point, answer.size)))


def _labels(platform: str, kind: str) -> dict[str, str]:
    return {"platform": platform, "element": kind, "platform and element": f"{platform}, {kind}"}


SCREENSPOT_PRO = ScreenSpotPro()
SCREENSPOT = ScreenSpot(
    "screenspot",
    "screenspot_*.json and screenspot_imgs/ of SeeClick (github.com/njucckevin/SeeClick)",
    "",
    "screenspot_imgs",
)
SCREENSPOT_V2 = ScreenSpot(
    "screenspot-v2",
    "screenspot_*_v2.json and screenspotv2_image.zip, unpacked, of huggingface.co/datasets/OS-Copilot/ScreenSpot-v2",
    "_v2",
    "screenspotv2_image",
)
