"""Sequences as tensors, and which of them a step takes: a function of seed and step alone, so that training resumes."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ....perception.resize import ImageSpec, to_patches
from .sequences import TrainingSequence


@dataclass(frozen=True)
class SequenceBatch:
    """Some sequences, padded on the right; no token sees the padding, which is behind it.

    Attributes:
        ids: sequences x tokens.
        positions: 3 x sequences x tokens.
        visual: sequences x tokens; which are image tokens.
        values: patches x their values, of all different images.
        grid: images x 3: time, height, width in patches.
        shown: the image of each place that shows one, in the order of the image tokens.
        rows: the sequence of each token that is learned.
        places: its index in the sequence.
    """

    ids: Tensor
    positions: Tensor
    visual: Tensor
    values: Tensor
    grid: Tensor
    shown: tuple[int, ...]
    rows: Tensor
    places: Tensor

    @property
    def truth(self) -> Tensor:
        """The tokens that are learned."""
        return self.ids[self.rows, self.places]

    def to(self, device: torch.device) -> Self:
        """The same on a device."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        moved: dict[str, Any] = {n: each.to(device) for n, each in values.items() if isinstance(each, Tensor)}
        return replace(self, **moved)


class Collator:
    """Makes batches of sequences; the patches of the newest images are kept.

    Args:
        spec: how screenshots are cut.
        padding: the id of padding, any.
    """

    def __init__(self, spec: ImageSpec, padding: int = 0) -> None:
        self._spec = spec
        self._padding = padding

    def __call__(self, sequences: Sequence[TrainingSequence]) -> SequenceBatch:
        """The batch of some sequences."""
        width = max(map(len, sequences))
        ids = torch.full((len(sequences), width), self._padding)
        positions = torch.zeros(3, len(sequences), width, dtype=torch.long)
        visual = torch.zeros(len(sequences), width, dtype=torch.bool)
        images: dict[str, int] = {}
        shown, values, grids = [], [], []
        for row, sequence in enumerate(sequences):
            ids[row, : len(sequence)] = torch.tensor(sequence.ids)
            positions[:, row, : len(sequence)] = torch.from_numpy(sequence.positions)
            for start, image in sorted(sequence.images.items()):
                if image.kept is not None:
                    raise ValueError("a screenshot that is shown in part cannot be learned from")
                visual[row, start : start + len(image)] = True
                digest = image.screenshot.digest
                if digest not in images:
                    patches = to_patches(image.screenshot, self._spec)
                    images[digest] = len(images)
                    values.append(torch.from_numpy(patches.values))
                    grids.append(patches.grid)
                shown.append(images[digest])
        learned = [each.learned for each in sequences]
        rows = np.repeat(np.arange(len(sequences)), [len(each) for each in learned])
        return SequenceBatch(
            ids,
            positions,
            visual,
            torch.cat(values),
            torch.tensor(grids),
            tuple(shown),
            torch.from_numpy(rows),
            torch.from_numpy(np.concatenate(learned)),
        )


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> tuple[int, ...]:
    order = list(range(count))
    random.Random(f"{seed} {epoch} {count}").shuffle(order)
    return tuple(order)


def drawn(seed: int, step: int, batch: int, count: int) -> list[int]:
    """Which of ``count`` items a step learns from: all once, in another order, before any comes again."""
    places = range(step * batch, (step + 1) * batch)
    return [_order(seed, place // count, count)[place % count] for place in places]


def within_budget(lengths: Sequence[int], tokens: int) -> Iterator[list[int]]:
    """Groups of items of similar length, by index, that stay within so many tokens with their padding, or alone."""
    group: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda each: (-lengths[each], each)):
        if group and lengths[group[0]] * (len(group) + 1) > tokens:
            yield group
            group = []
        group.append(index)
    if group:
        yield group
