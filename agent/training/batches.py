"""Training pictures and examples as tensors."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ...actions.geometry import Size
from ...actions.schema import points
from ...perception.observation import Screenshot
from ...perception.resize import ImageSpec, to_patches
from ..decoding.layout import image_positions, text_positions
from ..prompts.chatml import END, PICTURE_AFTER, PICTURE_BEFORE, ChatFormat, message
from .architecture import IMAGE_SPEC, SACCADE_JSON
from .examples import POINT, Example, reply_text, target_box
from .rendering import DomElement, PageRecord, Picture

CHARS_PER_PATCH = 2
LETTERS = 96
"""Classes of the character loss: none, the 94 visible characters of ASCII, and others."""
IGNORED = -100
Place = tuple[int, int]
ROLES = ("", "button", "textbox", "link", "close", "tab", "checkbox")


@dataclass(frozen=True)
class Labelled:
    """A picture with its labels."""

    picture: Picture
    record: PageRecord


@dataclass
class Batch:
    """Tensors of one step. Sequences share the pictures; ``pictures`` says which one, for those that have one."""

    patches: Tensor
    grid: tuple[int, int]
    chars: Tensor
    roles: Tensor
    centres: Tensor
    ids: Tensor
    positions: Tensor
    labels: Tensor
    pictures: Tensor
    queries: Tensor
    targets: Tensor
    inside: Tensor

    def to(self, device: torch.device) -> Batch:
        """The batch on another device."""
        moved: dict[str, Any] = {k: v.to(device) for k, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **moved)


class Shards:
    """A folder's complete shards that match a pattern; pictures stay on disk until they are used.

    ``shares`` says how often to draw a task's pages, relative to 1.
    """

    def __init__(self, folder: Path, *patterns: str, shares: Mapping[str, float] | None = None) -> None:
        self.arrays: list[NDArray[np.uint8]] = []
        self.records: list[list[PageRecord]] = []
        found = {path for pattern in patterns or ("*",) for path in folder.glob(f"{pattern}.json")}
        for labels in sorted(found):
            self.arrays.append(np.load(labels.with_suffix(".npy"), mmap_mode="r"))
            self.records.append(cast("list[PageRecord]", json.loads(labels.read_text(encoding="utf-8"))))
        if not self.arrays:
            raise FileNotFoundError(f"no training pages match {patterns} in {folder}; render some first")
        self.by_size: dict[tuple[int, ...], tuple[list[Place], list[float]]] = {}
        for shard, records in enumerate(self.records):
            places, totals = self.by_size.setdefault(self.arrays[shard].shape[1:], ([], []))
            for index, record in enumerate(records):
                places.append((shard, index))
                totals.append((totals[-1] if totals else 0.0) + (shares or {}).get(record["task"], 1.0))

    def __len__(self) -> int:
        return sum(map(len, self.records))

    def page(self, place: Place) -> Labelled:
        """One page."""
        shard, index = place
        return Labelled(np.array(self.arrays[shard][index]), self.records[shard][index])

    def draw(self, rng: random.Random, count: int) -> list[Labelled]:
        """Random pages of one size."""
        sizes = list(self.by_size.values())
        places, totals = rng.choices(sizes, weights=[totals[-1] for _, totals in sizes])[0]
        return [self.page(place) for place in rng.choices(places, cum_weights=totals, k=count)]


class Encoder:
    """Builds batches for one tokenizer and image specification."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, spec: ImageSpec = IMAGE_SPEC) -> None:
        self.tokenizer = tokenizer
        self.spec = spec
        vocab = tokenizer.get_vocab()
        self.image_id = vocab["<|image_pad|>"]
        self.pad_id = vocab["<|endoftext|>"]

    def encode(self, pages: Sequence[Labelled], examples: Sequence[Example]) -> Batch:
        """The batch of examples over pages of one size."""
        cut = [to_patches(Screenshot(np.ascontiguousarray(p.picture)), self.spec) for p in pages]
        grid = (cut[0].grid[1], cut[0].grid[2])
        roles, centres = zip(*(self.element_labels(p, grid) for p in pages), strict=True)
        rows = [self._sequence(example, pages, grid) for example in examples]
        length = max((len(row.ids) for row in rows), default=0)
        places = [row.padded_positions(length) for row in rows]
        queries = [[number, *query] for number, row in enumerate(rows) for query in row.queries]
        return Batch(
            patches=torch.from_numpy(np.stack([p.values for p in cut])),
            grid=grid,
            chars=torch.from_numpy(np.stack([self.char_labels(p, grid) for p in pages])),
            roles=torch.from_numpy(np.stack(roles)),
            centres=torch.from_numpy(np.stack(centres)),
            ids=_pad([row.ids for row in rows], length, self.pad_id),
            labels=_pad([row.labels for row in rows], length, IGNORED),
            positions=torch.stack(places, 1) if places else torch.zeros(3, 0, 0, dtype=torch.long),
            pictures=torch.tensor([example.picture for example in examples if example.picture >= 0], dtype=torch.long),
            queries=torch.tensor(queries, dtype=torch.long).reshape(-1, 3),
            targets=torch.tensor([t for row in rows for t in row.targets], dtype=torch.long),
            inside=torch.from_numpy(np.array([i for row in rows for i in row.inside], dtype=np.float32)),
        )

    def char_labels(self, page: Labelled, grid: tuple[int, int]) -> NDArray[np.int64]:
        """Return for each patch, in merge order, the characters whose centres lie in it."""
        height, width = page.picture.shape[:2]
        labels = np.zeros((grid[0], grid[1], CHARS_PER_PATCH), dtype=np.int64)
        for letter, x, y in page.record["chars"]:
            row, column = int(y / height * grid[0]), int(x / width * grid[1])
            free = np.flatnonzero(labels[row, column] == 0)
            if len(free):
                labels[row, column, free[0]] = ord(letter) - 32 if "!" <= letter <= "~" else LETTERS - 1
        return self._merge_order(labels)

    def element_labels(self, page: Labelled, grid: tuple[int, int]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return for each patch, in merge order, the role and the centre (0-1) of the element it lies in."""
        height, width = page.picture.shape[:2]
        roles = np.zeros((*grid, 1), dtype=np.int64)
        centres = np.zeros((*grid, 2), dtype=np.float32)
        rows, columns = (np.arange(grid[0]) + 0.5) / grid[0], (np.arange(grid[1]) + 0.5) / grid[1]
        for element in sorted(page.record["elements"], key=_area, reverse=True):
            left, top, right, bottom = element["box"]
            down = (rows >= top / height) & (rows <= bottom / height)
            across = (columns >= left / width) & (columns <= right / width)
            where = np.ix_(down, across)
            roles[where] = ROLES.index(element["role"]) if element["role"] in ROLES else len(ROLES)
            centres[where] = element["point"][0] / width, element["point"][1] / height
        return self._merge_order(roles)[:, 0], self._merge_order(centres)

    def _merge_order(self, labels: NDArray[Any]) -> NDArray[Any]:
        """A grid of labels as rows, in the order in which patches are merged into visual tokens."""
        merge, (height, width, depth) = self.spec.merge_size, labels.shape
        tiles = labels.reshape(height // merge, merge, width // merge, merge, depth).transpose(0, 2, 1, 3, 4)
        return np.ascontiguousarray(tiles).reshape(-1, depth)

    def _sequence(self, example: Example, pages: Sequence[Labelled], grid: tuple[int, int]) -> _Row:
        if example.picture < 0:
            return self._unseeing(example)
        rows, columns = (side // self.spec.merge_size for side in grid)
        page = pages[example.picture]
        height, width = page.picture.shape[:2]
        size = Size(width, height)
        row = self._before(example, size)
        row.add(self._ids(PICTURE_BEFORE), learn=False)
        start = len(row.ids)
        row.add([self.image_id] * (rows * columns), learn=False, image=(rows, columns))
        row.add(self._ids(PICTURE_AFTER + ChatFormat.opening), learn=False)
        text = reply_text(example.action, size)
        for found, point in zip(POINT.finditer(text), points(example.action), strict=False):
            row.queries.append((len(row.ids) + len(self._ids(text[: found.start(1)])) - 1, start))
            down, across = min(int(point.y / height * rows), rows - 1), min(int(point.x / width * columns), columns - 1)
            row.targets.append(max(down, 0) * columns + max(across, 0))
            row.inside.append(_cover(target_box(point, page.record), (width, height), rows, columns))
        row.add(self._ids(text + "<|im_end|>"), learn=True)
        row.add(self._ids("\n"), learn=False)
        return row

    def _before(self, example: Example, size: Size) -> _Row:
        row = _Row()
        row.add(self._ids(message("user", example.instruction)), learn=False)
        for earlier in example.history:
            row.add(self._ids(ChatFormat.opening + reply_text(earlier, size) + END), learn=False)
        return row

    def _unseeing(self, example: Example) -> _Row:
        """An example without a picture; points of its history are on a page of the usual size."""
        size = Size(*SACCADE_JSON["viewport"])
        row = self._before(example, size)
        row.add(self._ids(ChatFormat.opening), learn=False)
        row.add(self._ids(reply_text(example.action, size) + "<|im_end|>"), learn=True)
        return row

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False))


@dataclass
class _Row:
    """One example: tokens, what is learned of them, and their 3-D positions (multimodal RoPE)."""

    ids: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    positions: list[NDArray[np.int64]] = field(default_factory=list)
    next_position: int = 0
    queries: list[tuple[int, int]] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    inside: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, ids: list[int], learn: bool, image: tuple[int, int] | None = None) -> None:
        self.ids += ids
        self.labels += ids if learn else [IGNORED] * len(ids)
        start = self.next_position
        self.positions.append(image_positions(start, *image) if image else text_positions(start, len(ids)))
        self.next_position += max(image) if image else len(ids)

    def padded_positions(self, length: int) -> Tensor:
        padding = text_positions(self.next_position, length - len(self.ids))
        return torch.from_numpy(np.concatenate([*self.positions, padding], axis=1))


def _area(element: DomElement) -> float:
    left, top, right, bottom = element["box"]
    return (right - left) * (bottom - top)


def _cover(box: list[float], size: tuple[int, int], rows: int, columns: int) -> NDArray[np.float32]:
    """Return per visual token how much of it the box covers."""
    width, height = size
    left, right = (np.clip(v / width * columns, 0, columns) for v in (box[0], box[2]))
    top, bottom = (np.clip(v / height * rows, 0, rows) for v in (box[1], box[3]))
    across = np.clip(np.minimum(np.arange(columns) + 1, right) - np.maximum(np.arange(columns), left), 0, 1)
    down = np.clip(np.minimum(np.arange(rows) + 1, bottom) - np.maximum(np.arange(rows), top), 0, 1)
    return np.outer(down, across).reshape(-1).astype(np.float32)


def _pad(rows: list[list[int]], length: int, value: int) -> Tensor:
    return torch.tensor([row + [value] * (length - len(row)) for row in rows])


def blank_like(page: Labelled, rng: random.Random) -> Labelled:
    """An empty picture of a page's size: black, white, grey or any one colour."""
    grey = rng.choice((0, 255, 255, rng.randrange(256)))
    colour = [grey] * 3 if rng.random() < 0.8 else [rng.randrange(256) for _ in range(3)]
    picture = np.broadcast_to(np.array(colour, dtype=np.uint8), page.picture.shape)
    record = PageRecord(task="blank", utterance="", elements=[], chars=[], extra={})
    return Labelled(np.array(picture), record)
