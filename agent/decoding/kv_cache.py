"""The KV cache of one conversation: keys and values are written in place and never copied to grow by a token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

_STEP: Final = 256
_GROWTH: Final = 1.25


class InPlaceLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """One layer's keys and values, 1 x key heads x capacity x head size, of which the first ``length`` are used."""

    is_sliding = False
    is_croppable = True

    def __init__(self, **kwargs: Any) -> None:
        cast("Any", super()).__init__(**kwargs)
        self.length = 0
        self._wanted = 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Reserve memory for what was asked for, or for the first tokens."""
        self.keys = key_states.new_empty((*key_states.shape[:2], 0, key_states.shape[3]))
        self.values = value_states.new_empty((*value_states.shape[:2], 0, value_states.shape[3]))
        self.device = key_states.device
        self.is_initialized = True

    def reserve(self, length: int) -> None:
        """Make room for so many tokens, at once or when the first ones come."""
        self._wanted = length
        if self.is_initialized and length > self._buffers[0].shape[2]:
            self._grow(length)

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append tokens; returns all keys and values, as views."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self.length + key_states.shape[2]
        if end > self._buffers[0].shape[2]:
            self._grow(end)
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, self.length : end] = states
        self.length = end
        keys, values = self._buffers
        return keys[:, :, :end], values[:, :, :end]

    def move(self, places: Tensor, target: int) -> None:
        """Copy tokens to places from ``target`` on."""
        for buffer in self._buffers:
            buffer[:, :, target : target + len(places)] = buffer.index_select(2, places)

    def crop(self, tokens_to_remove: int) -> None:
        """Drop the last tokens; their number may be negative, as transformers passes it."""
        self.length -= min(abs(tokens_to_remove), self.length)

    def reset(self) -> None:
        """Drop all tokens; the memory stays."""
        self.length = 0

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """The number of keys with so many new tokens, and the first key's place."""
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        """The number of cached tokens."""
        return self.length

    def get_max_length(self) -> int:
        """-1: there is no limit."""
        return -1

    @property
    def _buffers(self) -> tuple[Tensor, Tensor]:
        return cast("Tensor", self.keys), cast("Tensor", self.values)

    def _grow(self, length: int) -> None:
        """Move to buffers for at least ``length`` tokens."""
        capacity = max(length, self._wanted, int(self.length * _GROWTH))
        capacity = -(-capacity // _STEP) * _STEP
        self.keys, self.values = (self._moved(buffer, capacity) for buffer in self._buffers)

    def _moved(self, buffer: Tensor, capacity: int) -> Tensor:
        larger = buffer.new_empty((*buffer.shape[:2], capacity, buffer.shape[3]))
        larger[:, :, : self.length] = buffer[:, :, : self.length]
        return larger


class KVCache(Cache):
    """Keys and values of all layers."""

    def __init__(self, layers: int) -> None:
        self._layers = [InPlaceLayer() for _ in range(layers)]
        super().__init__(layers=cast("Any", self._layers))

    def reserve(self, length: int) -> None:
        """Make room for so many tokens."""
        for layer in self._layers:
            layer.reserve(length)

    def move(self, places: Sequence[int], target: int, device: torch.device) -> None:
        """Copy tokens to places from ``target`` on, in all layers."""
        source = torch.tensor(places, device=device)
        for layer in self._layers:
            layer.move(source, target)
