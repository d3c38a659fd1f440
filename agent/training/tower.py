"""Forward passes for training: the stock model's arithmetic and weights, written so that they are fast on a CPU.

What lies between two attentions is one compiled function; attention keeps its scores in the working precision, in
which two passes over them do where the stock one takes ten; sequences are padded to the longest of a few that are
about as long, not of all. A test compares both passes with the stock forward.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, cast

import torch
from torch import Tensor
from torch.nn import functional
from transformers.vision_utils import get_vision_interpolation_indices_and_weights, get_vision_position_ids

_BLOCKS: Final = 6
_LENGTHS: Final = 32
"""Blocks of sequences are padded to multiples of this: each new shape costs the kernels a compilation."""
Heads = tuple[Tensor, Tensor, Tensor]


class BatchedTower:
    """Runs a stock ``Qwen3VLVisionModel`` over (pictures, patches, values)."""

    def __init__(self, visual: Any) -> None:
        self.visual = visual
        self._grids: dict[tuple[int, int], tuple[Tensor, ...]] = {}
        self._heads: Callable[..., Heads] = _vision_heads
        self._rest: Callable[..., Tensor] = _vision_rest

    def __call__(self, patches: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return per patch the last hidden state, and per visual token the merged feature."""
        indices, weights, cos, sin = self._grid(grid, patches.device)
        visual = self.visual
        projection = visual.patch_embed.proj
        hidden = functional.linear(patches, projection.weight.flatten(1), projection.bias)
        hidden = hidden.float() + (visual.pos_embed(indices) * weights[:, :, None]).sum(1)
        for block in visual.blocks:
            norms = (block.norm1.weight, block.norm1.bias, block.norm2.weight, block.norm2.bias)
            into = (block.attn.qkv.weight, block.attn.qkv.bias)
            out = (block.attn.proj, block.mlp.linear_fc1, block.mlp.linear_fc2)
            dtype = working_dtype(hidden)
            query, key, value = self._heads(hidden, *norms[:2], *into, cos, sin, block.attn.num_heads, dtype)
            mixed = attend(query, key, value)
            hidden = self._rest(hidden, mixed, *norms[2:], *(t for layer in out for t in (layer.weight, layer.bias)))
        merged = visual.merger(hidden.flatten(0, 1)).unflatten(0, (hidden.shape[0], -1))
        return hidden, merged

    def compile(self) -> None:
        """Compile what lies between the attentions, once per picture size."""
        self._heads = torch.compile(_vision_heads, dynamic=False)
        self._rest = torch.compile(_vision_rest, dynamic=False)

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


class BatchedLanguage:
    """Runs a stock ``Qwen3VLTextModel`` over embedded sequences that need no mask but the causal one."""

    def __init__(self, language: Any) -> None:
        self.language = language
        self._heads: Callable[..., Heads] = _text_heads
        self._rest: Callable[..., Tensor] = _text_rest

    def __call__(self, embedded: Tensor, positions: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Run it.

        Args:
            embedded: sequences x tokens x width; zeros come back where a sequence has ended.
            positions: 3 x sequences x tokens.
            lengths: of the sequences.

        Returns:
            The last hidden states, normed, and those before the last two layers.
        """
        language = self.language
        blocks = list(_alike(lengths, embedded.shape[1]))
        shapes = [(len(rows), length) for rows, length in blocks]
        hidden = torch.cat([embedded[rows, :length].flatten(0, 1) for rows, length in blocks]).float()
        places = torch.cat([positions[:, rows, :length].flatten(1) for rows, length in blocks], dim=1)
        cos, sin = (wave[0] for wave in language.rotary_emb(hidden, places[:, None]))
        middle = hidden
        for number, layer in enumerate(language.layers):
            if number == len(language.layers) - 2:
                middle = hidden
            hidden = self._layer(layer, hidden, cos, sin, shapes)
        last = language.norm(hidden)
        return _apart(last, embedded, blocks), _apart(middle, embedded, blocks)

    def _layer(self, layer: Any, hidden: Tensor, cos: Tensor, sin: Tensor, shapes: list[tuple[int, int]]) -> Tensor:
        own, mlp, dtype = layer.self_attn, layer.mlp, working_dtype(hidden)
        into = (own.q_proj.weight, own.k_proj.weight, own.v_proj.weight, own.q_norm.weight, own.k_norm.weight)
        size = (own.head_dim, layer.input_layernorm.variance_epsilon)
        found = self._heads(hidden, layer.input_layernorm.weight, *into, cos, sin, *size, dtype)
        cut = [torch.split(part, [rows * length for rows, length in shapes]) for part in found]
        mixed = []
        for query, key, value, shape in zip(*cut, shapes, strict=True):
            query, key, value = (torch.unflatten(part, 0, shape) for part in (query, key, value))
            mixed.append(attend(query, key, value, causal=True).flatten(0, 1))
        out = (own.o_proj.weight, mlp.gate_proj.weight, mlp.up_proj.weight, mlp.down_proj.weight)
        return self._rest(hidden, torch.cat(mixed), layer.post_attention_layernorm.weight, *out, size[1])

    def compile(self) -> None:
        """Compile what lies between the attentions."""
        self._heads = torch.compile(_text_heads, dynamic=True)
        self._rest = torch.compile(_text_rest, dynamic=True)


def working_dtype(hidden: Tensor) -> torch.dtype:
    """What is multiplied in: autocast's type where it is on."""
    kind = hidden.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else hidden.dtype


def attend(query: Tensor, key: Tensor, value: Tensor, causal: bool = False) -> Tensor:
    """Attention over sequences x tokens x heads x head size; queries come scaled.

    Returns:
        Sequences x tokens x (heads x head size).
    """
    group = query.shape[2] // key.shape[2]
    if group > 1:
        key, value = (part.repeat_interleave(group, dim=2) for part in (key, value))
    mixed: Tensor = cast("Any", _Attention).apply(*(part.transpose(1, 2) for part in (query, key, value)), causal)
    return mixed.transpose(1, 2).flatten(2)


class _Attention(torch.autograd.Function):
    """Softmax attention, written out: PyTorch's fused one is several times slower backwards on a CPU."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, causal: bool) -> Tensor:
        with torch.autocast(query.device.type, enabled=False):
            scores = query @ key.transpose(-1, -2)
            if causal:
                scores += scores.new_full(scores.shape[-2:], float("-inf")).triu(1)
            shares = scores.softmax(-1)
            ctx.save_for_backward(query, key, value, shares)
            return shares @ value

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        query, key, value, shares = ctx.saved_tensors
        grad = grads[0].contiguous()
        for_shares = grad @ value.transpose(-1, -2)
        for_scores = torch._softmax_backward_data(for_shares, shares, -1, shares.dtype)
        for_value = shares.transpose(-1, -2) @ grad
        return for_scores @ key, for_scores.transpose(-1, -2) @ query, for_value, None


def _alike(lengths: Tensor, longest: int) -> Iterator[tuple[Tensor, int]]:
    """Sequences in a few blocks of similar length: their numbers, and what they are cut or padded to."""
    for rows in lengths.argsort().chunk(_BLOCKS):
        length = _LENGTHS * -(-int(lengths[rows[-1]]) // _LENGTHS)
        yield rows, min(length, longest)


def _apart(flat: Tensor, like: Tensor, blocks: list[tuple[Tensor, int]]) -> Tensor:
    """The tokens of blocks as sequences x tokens x width again."""
    out = flat.new_zeros(like.shape)
    start = 0
    for rows, length in blocks:
        count = len(rows) * length
        out[rows, :length] = torch.unflatten(flat[start : start + count], 0, (len(rows), length))
        start += count
    return out


# ---- what lies between two attentions, as functions of tensors, so that one compilation serves all layers


def _linear(hidden: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    kind = hidden.dtype
    return functional.linear(hidden, weight.to(kind), None if bias is None else bias.to(kind))


def _turned(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions: both halves of each head's numbers, turned against each other."""
    first, second = heads.chunk(2, dim=-1)
    return heads * cos[..., None, :] + torch.cat((-second, first), dim=-1) * sin[..., None, :]


def _vision_heads(
    hidden: Tensor,
    norm: Tensor,
    shift: Tensor,
    weight: Tensor,
    bias: Tensor,
    cos: Tensor,
    sin: Tensor,
    heads: int,
    dtype: torch.dtype,
) -> Heads:
    normed = functional.layer_norm(hidden, norm.shape, norm, shift, 1e-6).to(dtype)
    query, key, value = torch.unflatten(_linear(normed, weight, bias), -1, (3, heads, -1)).unbind(-3)
    query, key = (_turned(part.float(), cos, sin) for part in (query, key))
    return (query * query.shape[-1] ** -0.5).to(dtype), key.to(dtype), value.contiguous()


def _vision_rest(
    hidden: Tensor,
    mixed: Tensor,
    norm: Tensor,
    shift: Tensor,
    out: Tensor,
    out_bias: Tensor,
    up: Tensor,
    up_bias: Tensor,
    down: Tensor,
    down_bias: Tensor,
) -> Tensor:
    hidden = hidden + _linear(mixed, out, out_bias)
    normed = functional.layer_norm(hidden, norm.shape, norm, shift, 1e-6).to(mixed.dtype)
    inner = functional.gelu(_linear(normed, up, up_bias), approximate="tanh")
    return hidden + _linear(inner, down, down_bias)


def _root_mean_square(hidden: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    hidden = hidden.float()
    return weight * (hidden * torch.rsqrt(hidden.pow(2).mean(-1, keepdim=True) + epsilon))


def _text_heads(
    hidden: Tensor,
    norm: Tensor,
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    query_norm: Tensor,
    key_norm: Tensor,
    cos: Tensor,
    sin: Tensor,
    size: int,
    epsilon: float,
    dtype: torch.dtype,
) -> Heads:
    normed = _root_mean_square(hidden, norm, epsilon).to(dtype)
    query, key, value = (torch.unflatten(_linear(normed, each), -1, (-1, size)) for each in (queries, keys, values))
    query = _turned(_root_mean_square(query, query_norm, epsilon), cos, sin) * size**-0.5
    key = _turned(_root_mean_square(key, key_norm, epsilon), cos, sin)
    return query.to(dtype), key.to(dtype), value


def _text_rest(
    hidden: Tensor, mixed: Tensor, norm: Tensor, out: Tensor, gate: Tensor, up: Tensor, down: Tensor, epsilon: float
) -> Tensor:
    hidden = hidden + _linear(mixed, out)
    normed = _root_mean_square(hidden, norm, epsilon).to(mixed.dtype)
    return hidden + _linear(functional.silu(_linear(normed, gate)) * _linear(normed, up), down)
