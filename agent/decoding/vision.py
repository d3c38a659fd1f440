"""Features of screenshots, computed once per image."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...perception.observation import Screenshot


@dataclass(frozen=True)
class Features:
    """An image as the language model reads it.

    Attributes:
        tokens: image tokens x hidden size.
        deep: DeepStack features, which Qwen3-VL adds to the first layers' states, one per layer; else empty.
    """

    tokens: Tensor
    deep: tuple[Tensor, ...] = ()

    def __getitem__(self, part: slice) -> Features:
        return Features(self.tokens[part], tuple(layer[part] for layer in self.deep))

    @classmethod
    def join(cls, parts: Sequence[Features]) -> Features:
        """The features of several images, concatenated."""
        layers = zip(*(part.deep for part in parts), strict=True)
        return cls(torch.cat([part.tokens for part in parts]), tuple(torch.cat(layer) for layer in layers))


class FeatureStore:
    """An LRU cache of screenshot features, by digest.

    Args:
        capacity: how many to keep; what one prompt needs is kept even if it is more.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[str, Features] = OrderedDict()

    def __getitem__(self, digest: str) -> Features:
        return self._kept[digest]

    def ensure(self, needed: Mapping[str, Screenshot], encode: Callable[[Screenshot], Features]) -> int:
        """Encode the missing screenshots; returns how many there were."""
        missing = [digest for digest in needed if digest not in self._kept]
        for digest in missing:
            self._kept[digest] = encode(needed[digest])
        for digest in needed:
            self._kept.move_to_end(digest)
        while len(self._kept) > max(self._capacity, len(needed)):
            self._kept.popitem(last=False)
        return len(missing)
