"""Forward passes for training: the stock model's arithmetic and weights, written so that it compiles well.

The stock vision tower runs attention picture by picture, and the stock language model carries caches that training
has no use for. A test compares both with the stock forward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb_vision
from transformers.vision_utils import get_vision_interpolation_indices_and_weights, get_vision_position_ids


class BatchedTower:
    """Runs a stock ``Qwen3VLVisionModel`` over (pictures, patches, values)."""

    def __init__(self, visual: Any) -> None:
        self.visual = visual
        self._grids: dict[tuple[int, int], tuple[Tensor, ...]] = {}
        self._run: Callable[..., tuple[Tensor, Tensor]] = self._forward

    def __call__(self, patches: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return per patch the last hidden state, and per visual token the merged feature."""
        return self._run(patches, *self._grid(grid, patches.device))

    def compile(self) -> None:
        """Compile the pass, once per picture size."""
        self._run = torch.compile(self._forward, dynamic=False)

    def _forward(
        self, patches: Tensor, indices: Tensor, weights: Tensor, cos: Tensor, sin: Tensor
    ) -> tuple[Tensor, Tensor]:
        visual = self.visual
        projection = visual.patch_embed.proj
        hidden = functional.linear(patches, projection.weight.flatten(1), projection.bias)
        hidden = hidden + (visual.pos_embed(indices) * weights[:, :, None]).sum(1).to(hidden.dtype)
        for block in visual.blocks:
            hidden = hidden + _attend(block.attn, block.norm1(hidden), cos, sin)
            hidden = hidden + block.mlp(block.norm2(hidden))
        merged = visual.merger(hidden.flatten(0, 1)).unflatten(0, (hidden.shape[0], -1))
        return hidden, merged

    def _grid(self, grid: tuple[int, int], device: torch.device) -> tuple[Tensor, ...]:
        if grid not in self._grids:
            visual, shape = self.visual, torch.tensor([[1, *grid]])
            merge = visual.config.spatial_merge_size
            indices, weights = get_vision_interpolation_indices_and_weights(
                shape,
                num_grid_per_side=visual.num_grid_per_side,
                mode=visual.interpolation_mode,
                align_corners=visual.interpolation_align_corners,
                spatial_merge_size=merge,
                kwargs={},
            )
            cos, sin = visual.rotary_pos_emb(weights.to(device), get_vision_position_ids(shape, merge).to(device))
            self._grids[grid] = tuple(t.to(device) for t in (indices, weights, cos, sin))
        return self._grids[grid]


def _attend(attention: Any, hidden: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    query, key, value = attention.qkv(hidden).unflatten(-1, (3, attention.num_heads, -1)).unbind(2)
    query, key = apply_rotary_pos_emb_vision(query, key, cos, sin)
    query, key, value = (each.transpose(1, 2) for each in (query, key, value))
    # Written out: PyTorch's fused attention is several times slower backwards on a CPU.
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    out = scores.softmax(-1).to(value.dtype) @ value
    merged: Tensor = attention.proj(out.transpose(1, 2).flatten(2))
    return merged


def causal_mask(length: int) -> Tensor:
    """What is added to the scores (1, 1, length, length), so that nothing looks ahead."""
    return torch.full((length, length), float("-inf")).triu(1)[None, None]


def run_language(language: Any, hidden: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Run a stock ``Qwen3VLTextModel`` over embedded sequences that need no mask but the causal one.

    Returns:
        The last hidden states, normed, and those before the last two layers.
    """
    middle = hidden
    for number, layer in enumerate(language.layers):
        if number == len(language.layers) - 2:
            middle = hidden
        hidden = layer(hidden, position_embeddings=(cos, sin), attention_mask=mask)
    return language.norm(hidden), middle
