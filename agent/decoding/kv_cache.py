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
    """One layer's keys and values, 1 x key heads x tokens x head size: views of larger buffers."""

    is_sliding = False
    is_croppable = True

    def __init__(self, **kwargs: Any) -> None:
        cast("Any", super()).__init__(**kwargs)
        self.length = 0
        self._wanted = 0
        self._buffers: tuple[Tensor, Tensor] | None = None

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Make room for what was asked for, or for the first tokens."""
        self.device = key_states.device
        self.is_initialized = True
        self._move_to(max(key_states.shape[2], self._wanted), key_states, value_states)

    def reserve(self, length: int) -> None:
        """Make room for so many tokens, at once or when the first ones come."""
        self._wanted = length
        if self._buffers is not None and length > self._buffers[0].shape[2]:
            self._move_to(length, *self._buffers)

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append tokens; returns all keys and values."""
        if self._buffers is None:
            self.lazy_initialization(key_states, value_states)
        assert self._buffers is not None
        end = self.length + key_states.shape[2]
        if end > self._buffers[0].shape[2]:
            self._move_to(max(end, int(self.length * _GROWTH)), *self._buffers)
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, self.length : end] = states
        return self._show(end)

    def move(self, places: Tensor, target: int) -> None:
        """Copy tokens to places from ``target`` on."""
        for buffer in self._buffers or ():
            buffer[:, :, target : target + len(places)] = buffer.index_select(2, places)

    def crop(self, tokens_to_remove: int) -> None:
        """Drop the last tokens; their number may be negative, as transformers passes it."""
        if self._buffers is not None:
            self._show(self.length - min(abs(tokens_to_remove), self.length))

    def reset(self) -> None:
        """Drop all tokens; the buffers stay."""
        self.crop(self.length)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """The number of keys with so many new tokens, and the first key's place."""
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        """The number of cached tokens."""
        return self.length

    def get_max_length(self) -> int:
        """-1: there is no limit."""
        return -1

    def _show(self, length: int) -> tuple[Tensor, Tensor]:
        """Let ``keys`` and ``values`` be the first tokens of the buffers."""
        assert self._buffers is not None
        self.length = length
        self.keys, self.values = (buffer[:, :, :length] for buffer in self._buffers)
        return self.keys, self.values

    def _move_to(self, length: int, *old: Tensor) -> None:
        """Copy what is cached to buffers for at least so many tokens."""
        capacity = -(-length // _STEP) * _STEP
        keys, values = (each.new_empty((*each.shape[:2], capacity, each.shape[3])) for each in old)
        for buffer, each in zip((keys, values), old, strict=True):
            buffer[:, :, : self.length] = each[:, :, : self.length]
        self._buffers = keys, values


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
