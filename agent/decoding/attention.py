"""Attention of new tokens on a long cache, for models whose query heads share key heads (arXiv 2305.13245).

transformers copies the cached keys and values once per query head as soon as several tokens with a mask attend. Here
the query heads of a key head become rows of one product, so that nothing cached is copied. Registered as ``grouped``
in transformers' ``AttentionInterface``, for all model families.

A mask covers the newest tokens only: everything cached before them is seen by all. Attention on both parts is joined
by the logarithms of their sums (FlashAttention, arXiv 2205.14135, section 3.1).
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.weak import WeakTensorKeyDictionary

GROUPED: Final = "grouped"
"""The name in transformers' registry."""

WINDOWS: Final = "grouped_flash_windows"
"""The name for vision towers. To an implementation with "flash" in its name transformers hands all windows at once."""

Partial = tuple[Tensor, Tensor]
"""The result of attention on a part of the keys, and per row the logarithm of the sum of its weights."""


def register_grouped_attention() -> None:
    """Make ``grouped`` known to transformers; may be called again."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(GROUPED, grouped_attention)
    AttentionMaskInterface.register(GROUPED, sdpa_mask)
    AttentionInterface.register(WINDOWS, window_attention)


def grouped_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend; see transformers' ``AttentionInterface``.

    Args:
        module: the attention layer.
        query: 1 x query heads x new tokens x head size.
        key: 1 x key heads x (cached + new tokens) x head size.
        value: as ``key``.
        attention_mask: 1 x 1 x rows x columns, added to the scores. With fewer columns than keys it is the square mask
            of as many last tokens, which see everything before them; new tokens before these are in causal order. So
            one without columns means causal order. With as many columns as keys and ``groups`` times as many rows as
            new tokens it has the rows of ``pack``. Else it is what ``sdpa`` takes.
        scaling: factor on the scores.
        kwargs: for ``sdpa``.

    Returns:
        1 x new tokens x query heads x head size.
    """
    count, length = query.shape[2], key.shape[2]
    groups = query.shape[1] // key.shape[1]
    if attention_mask is None or attention_mask.shape[2:] == (count, length):
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    if attention_mask.shape[3] == length:
        rows = functional.scaled_dot_product_attention(
            pack(query, groups), key, value, attn_mask=attention_mask, scale=scaling
        )
        return unpack(rows, groups), None
    last = attention_mask.shape[3]
    ordered = count - last
    parts = []
    if ordered:
        before = length - last
        parts.append(_causal(query[:, :, :ordered], key[:, :, :before], value[:, :, :before], scaling))
    if last:
        parts.append(_tree(query[:, :, ordered:], key, value, attention_mask, scaling))
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1), None


def window_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    *,
    cu_seq_lens_q: Tensor,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend within windows: those of equal length in one product, of which a screenshot has three or four kinds.

    Args:
        module: the attention layer.
        query: 1 x heads x patches x head size.
        key: as ``query``.
        value: as ``query``.
        attention_mask: none.
        scaling: factor on the scores.
        cu_seq_lens_q: where the windows begin, and the number of patches.
        kwargs: the same of the keys, and the longest window.

    Returns:
        1 x patches x heads x head size.
    """
    if cu_seq_lens_q not in _places:
        _places[cu_seq_lens_q] = _windows(cu_seq_lens_q.tolist(), query.device)
    kinds = _places[cu_seq_lens_q]
    if len(kinds) == 1 and len(kinds[0]) == 1:
        return functional.scaled_dot_product_attention(query, key, value, scale=scaling).transpose(1, 2), None
    out = torch.empty_like(query[0].transpose(0, 1))
    for places in kinds:
        one, other, third = (each[0][:, places].transpose(0, 1) for each in (query, key, value))
        seen = functional.scaled_dot_product_attention(one, other, third, scale=scaling)
        out[places] = seen.transpose(1, 2)
    return out[None], None


_places: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
"""The windows of a forward: all layers get the same tensor, which is read once."""


def _windows(bounds: list[int], device: torch.device) -> list[Tensor]:
    """For each length of a window, the places of the patches in each such window: windows x length."""
    starts: dict[int, list[int]] = {}
    for start, end in pairwise(bounds):
        if end > start:
            starts.setdefault(end - start, []).append(start)
    return [
        torch.tensor(found, device=device)[:, None] + torch.arange(length, device=device)[None]
        for length, found in starts.items()
    ]


def pack(query: Tensor, groups: int) -> Tensor:
    """Make the query heads of a key head rows: 1 x key heads x (tokens x groups) x head size."""
    _, heads, count, size = query.shape
    rows = query.view(1, heads // groups, groups, count, size).transpose(2, 3)
    return rows.reshape(1, heads // groups, count * groups, size)


def unpack(rows: Tensor, groups: int) -> Tensor:
    """The inverse of ``pack``, as 1 x tokens x query heads x head size."""
    _, key_heads, count, size = rows.shape
    tokens = rows.view(1, key_heads, count // groups, groups, size).transpose(1, 2)
    return tokens.reshape(1, count // groups, key_heads * groups, size)


def pack_mask(mask: Tensor, groups: int) -> Tensor:
    """Repeat a mask's rows for the rows of ``pack``: 1 x 1 x (tokens x groups) x columns."""
    return mask.repeat_interleave(groups, dim=0)[None, None]


def _causal(query: Tensor, key: Tensor, value: Tensor, scaling: float | None) -> Tensor:
    """Attention of the last tokens in causal order; 1 x tokens x query heads x head size."""
    count, length = query.shape[2], key.shape[2]
    groups = query.shape[1] // key.shape[1]
    past = length - count
    if past and query.device.type != "cpu":
        from torch.nn.attention.bias import causal_lower_right

        mask: Any = causal_lower_right(count, length)
        rows = functional.scaled_dot_product_attention(query, key, value, mask, scale=scaling, enable_gqa=groups > 1)
        return rows.transpose(1, 2)
    own_key, own_value = (each[:, :, past:].repeat_interleave(groups, dim=1) for each in (key, value))
    if not past:
        rows = functional.scaled_dot_product_attention(query, own_key, own_value, is_causal=True, scale=scaling)
        return rows.transpose(1, 2)
    own = _partial(query, own_key, own_value, None, scaling, causal=True)
    seen = _partial(pack(query, groups), key[:, :, :past], value[:, :, :past], None, scaling)
    out, total = (unpack(each, groups).transpose(1, 2) for each in (seen[0], seen[1][..., None]))
    return join((out, total[..., 0]), own).transpose(1, 2)


def _tree(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scaling: float | None) -> Tensor:
    """Attention of the last tokens, which see each other by ``mask``; 1 x tokens x query heads x head size."""
    count, length = query.shape[2], key.shape[2]
    groups = query.shape[1] // key.shape[1]
    rows = pack(query, groups)
    if count == 1:
        return unpack(functional.scaled_dot_product_attention(rows, key, value, scale=scaling), groups)
    own_mask = pack_mask(mask[0, 0], groups)
    past = length - count
    own = _partial(rows, key[:, :, past:], value[:, :, past:], own_mask, scaling)
    if past:
        own = join(_partial(rows, key[:, :, :past], value[:, :, :past], None, scaling), own), own[1]
    return unpack(own[0], groups)


def _partial(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float | None, *, causal: bool = False
) -> Partial:
    """Attention on a part of the keys, by the kernel that ``scaled_dot_product_attention`` runs on a CPU."""
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    out, total = kernel(query, key, value, 0.0, causal, attn_mask=mask, scale=scaling)
    return out, total


def join(one: Partial, other: Partial) -> Tensor:
    """Attention on two disjoint parts of the keys together."""
    share = torch.sigmoid(one[1] - other[1])[..., None]
    return torch.lerp(other[0].float(), one[0].float(), share).to(one[0].dtype)
