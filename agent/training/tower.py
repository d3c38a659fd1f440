"""Forward passes for training: the stock model's arithmetic and weights, written so that it compiles well.

The stock vision tower runs attention picture by picture, and the stock language model carries caches and
masks that training has no use for. A test compares both with the stock forward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
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
            hidden = hidden + self._attend(block.attn, block.norm1(hidden), cos, sin)
            hidden = hidden + block.mlp(block.norm2(hidden))
        merged = visual.merger(hidden.flatten(0, 1)).unflatten(0, (hidden.shape[0], -1))
        return hidden, merged

    def _grid(self, grid: tuple[int, int], device: torch.device) -> tuple[Tensor, ...]:
        if grid not in self._grids:
            visual = self.visual
            shape = torch.tensor([[1, *grid]])
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

    @staticmethod
    def _attend(attention: Any, hidden: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, _ = hidden.shape
        joint = attention.qkv(hidden).view(batch, length, 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
        query, key, value = joint.unbind(0)
        out = functional.scaled_dot_product_attention(_turn(query, cos, sin), _turn(key, cos, sin), value)
        merged: Tensor = attention.proj(out.transpose(1, 2).reshape(batch, length, -1))
        return merged


def _turn(states: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = states.chunk(2, dim=-1)
    return states * cos.to(states.dtype) + torch.cat([-second, first], dim=-1) * sin.to(states.dtype)


class BatchedLanguage:
    """Runs a stock ``Qwen3VLTextModel`` over embedded sequences that need no mask but the causal one."""

    def __init__(self, language: Any) -> None:
        self.language = language
        self._run: Callable[..., tuple[Tensor, Tensor]] = self._forward

    def __call__(self, hidden: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """The last hidden states, normed, and those before the last two layers."""
        cos, sin = self.language.rotary_emb(hidden, positions)
        return self._run(hidden, cos[:, None], sin[:, None])

    def compile(self) -> None:
        """Compile the pass, once for all lengths."""
        self._run = torch.compile(self._forward, dynamic=True)

    def _forward(self, hidden: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
        layers = self.language.layers
        middle = hidden
        for number, layer in enumerate(layers):
            if number == len(layers) - 2:
                middle = hidden
            hidden = hidden + self._attend(layer.self_attn, _rms(layer.input_layernorm, hidden), cos, sin)
            normed = _rms(layer.post_attention_layernorm, hidden)
            mlp = layer.mlp
            hidden = hidden + mlp.down_proj(functional.silu(mlp.gate_proj(normed)) * mlp.up_proj(normed))
        return _rms(self.language.norm, hidden), middle

    @staticmethod
    def _attend(attention: Any, hidden: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, _ = hidden.shape
        shape = (batch, length, -1, attention.head_dim)
        query = _rms(attention.q_norm, attention.q_proj(hidden).view(shape)).transpose(1, 2)
        key = _rms(attention.k_norm, attention.k_proj(hidden).view(shape)).transpose(1, 2)
        value = attention.v_proj(hidden).view(shape).transpose(1, 2)
        groups = attention.num_key_value_groups
        out = functional.scaled_dot_product_attention(
            _turn(query, cos, sin),
            _turn(key, cos, sin).repeat_interleave(groups, dim=1),
            value.repeat_interleave(groups, dim=1),
            is_causal=True,
        )
        merged: Tensor = attention.o_proj(out.transpose(1, 2).reshape(batch, length, -1))
        return merged


def _rms(norm: Any, hidden: Tensor) -> Tensor:
    wide = hidden.float()
    scale = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + norm.variance_epsilon)
    scaled: Tensor = norm.weight * (wide * scale).to(hidden.dtype)
    return scaled
