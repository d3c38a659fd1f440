"""Renders training pages and reads their labels from the DOM. The policy sees pixels only."""

from __future__ import annotations

import io
import itertools
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...env.browser.chromium import Chromium
from ...env.private_files import private_folder, private_part, write_private

if TYPE_CHECKING:
    from playwright.sync_api import Page

log = logging.getLogger(__name__)
Picture = NDArray[np.uint8]
SHARD_PAGES = 2000


class DomElement(TypedDict):
    """One thing that can be clicked, in pixels of the page's own picture."""

    role: str
    text: str
    box: list[float]
    point: list[float]


def spot(x: float, y: float, role: str = "", text: str = "") -> DomElement:
    """An element that is one point."""
    return DomElement(role=role, text=text, box=[x, y, x, y], point=[x, y])


class PageRecord(TypedDict):
    """What is known about one picture: its elements and the centre of every visible character."""

    task: str
    utterance: str
    elements: list[DomElement]
    chars: list[tuple[str, float, float]]
    extra: dict[str, Any]


Pages = tuple[list[Picture], list[PageRecord]]


def labels(task: str, utterance: str = "", **extra: Any) -> dict[str, Any]:
    """The part of a page's record that its maker knows.

    Args:
        task: the kind of page.
        utterance: what the page itself asks for.
        extra: ``bare`` (no bar on top), ``wanted`` (the button that it asks for), ``done``, ``loading``,
            ``over`` (the names in a dialog that lies over the page) and ``dismiss`` (the one that closes it).
    """
    return {"task": task, "utterance": utterance, "extra": extra}


@dataclass(frozen=True)
class Sheet:
    """A grid of pages of one size, in pixels, so that one screenshot yields them all."""

    columns: int = 10
    rows: int = 5
    width: int = 160
    height: int = 210

    @property
    def places(self) -> list[tuple[int, int]]:
        """The top left corner of each page, row by row."""
        return [(x * self.width, y * self.height) for y in range(self.rows) for x in range(self.columns)]

    def html(self, cells: Iterable[tuple[str, str]]) -> str:
        """The sheet's page; each cell is a style and HTML."""
        boxes = [
            f'<div class="cell" style="position:absolute;overflow:clip;left:{x}px;top:{y}px;'
            f'width:{self.width}px;height:{self.height}px;{style}">{content}</div>'
            for (x, y), (style, content) in zip(self.places, cells, strict=True)
        ]
        return f"<!DOCTYPE html><body style='margin:0'>{''.join(boxes)}</body>"

    def read(self, page: Page, scan: str, known: Sequence[dict[str, Any]]) -> Pages:
        """Take one screenshot and cut it into pages; ``scan`` is the function of scan.js that labels them."""
        found = cast("list[dict[str, Any]]", page.evaluate(f"{scan}()"))
        records = [cast("PageRecord", maker | dom) for maker, dom in zip(known, found, strict=True)]
        whole = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
        return [whole[y : y + self.height, x : x + self.width] for x, y in self.places], records


def add_scripts(page: Page) -> None:
    """Define the functions of scan.js in a page."""
    page.add_script_tag(content=resources.files(__package__).joinpath("scan.js").read_text(encoding="utf-8"))


@contextmanager
def open_page(width: int, height: int) -> Iterator[Page]:
    """Open one browser page of the given viewport."""
    with Chromium() as chromium, chromium.new_context(viewport={"width": width, "height": height}) as context:
        yield context.new_page()


def save_shard(folder: Path, name: str, pictures: list[Picture], records: list[PageRecord]) -> None:
    """Write pictures of one size and their labels; the labels come last and mark the shard complete."""
    private_folder(folder)
    with private_part(folder / f"{name}.npy") as part:
        np.save(part, np.stack(pictures))
    write_private(folder / f"{name}.json", json.dumps(records))
    log.info("%d pages in %s", len(records), name)


def save_shards(folder: Path, series: str, seed: int, sheets: Iterable[Pages]) -> None:
    """Write shards of about 2000 pages of one size, named SERIES-WIDTHxHEIGHT-SEED-NUMBER."""
    numbers = itertools.count()
    waiting: dict[str, Pages] = {}
    for new_pictures, new_records in sheets:
        height, width = new_pictures[0].shape[:2]
        size = f"{width}x{height}"
        pictures, records = waiting.setdefault(size, ([], []))
        pictures += new_pictures
        records += new_records
        if len(records) >= SHARD_PAGES:
            save_shard(folder, f"{series}-{size}-{seed}-{next(numbers):03}", *waiting.pop(size))
    for size, pages in waiting.items():
        save_shard(folder, f"{series}-{size}-{seed}-{next(numbers):03}", *pages)
