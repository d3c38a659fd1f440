"""The target model as decoding uses it: embed tokens, encode images, run the layers, score tokens.

Positions and masks are always passed to the layers of transformers, never inferred: the models store one
``rope_deltas`` for all callers, so they would infer positions for whoever called last.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...perception.resize import Patches
from .attention import GROUPED, pack_mask

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from .kv_cache import KVCache

_DENSE_BYTES = 1 << 18
"""Up to this size a mask over all keys is faster than attention in two parts (measured at 5 M parameters)."""


@dataclass(frozen=True)
class Features:
    """A screenshot as the language model reads it.

    Attributes:
        tokens: image tokens x hidden size.
        deep: DeepStack features, which Qwen3-VL adds to the first layers' states, one per layer; else empty.
    """

    tokens: Tensor
    deep: tuple[Tensor, ...] = ()

    def __getitem__(self, part: slice) -> Features:
        return Features(self.tokens[part], tuple(layer[part] for layer in self.deep))

    def at(self, places: Sequence[int]) -> Features:
        """Those of some tokens."""
        chosen = torch.tensor(places, device=self.tokens.device)
        return Features(self.tokens[chosen], tuple(layer[chosen] for layer in self.deep))

    @classmethod
    def join(cls, parts: Sequence[Features]) -> Features:
        """The features of several images, concatenated."""
        layers = zip(*(part.deep for part in parts), strict=True)
        return cls(torch.cat([part.tokens for part in parts]), tuple(torch.cat(layer) for layer in layers))


class Network:
    """A loaded Qwen-VL model; stateless, so any number of sessions may share one.

    Args:
        model: the model.
        dense_bytes: masks over all keys up to this size are made; larger ones cover the newest tokens only.
    """

    def __init__(self, model: PreTrainedModel, dense_bytes: int = _DENSE_BYTES) -> None:
        loose = cast("Any", model)
        self._core = loose.model
        self._head = loose.lm_head
        self._embedding = loose.get_input_embeddings()
        self.image_token: int = loose.config.image_token_id
        self.vocabulary: int = self._head.out_features
        known = inspect.signature(self._core.language_model.forward).parameters
        # transformers 5.24 renamed the argument; the old name warns there, the new one fails before.
        self.cache_name = "cache" if "cache" in known else "past_key_values"
        text = loose.config.get_text_config()
        self._layers: int = text.num_hidden_layers
        self._groups: int = text.num_attention_heads // text.num_key_value_heads
        self._dense_bytes = dense_bytes
        self._grouped: bool = text._attn_implementation == GROUPED
        sizes = [text.hidden_size, text.intermediate_size, text.num_attention_heads, text.num_key_value_heads]
        self._shape = f"{text.model_type} {self._layers} x {sizes} + {self.vocabulary}, {text._attn_implementation}"

    @property
    def device(self) -> torch.device:
        """The device of its weights."""
        return cast("torch.device", self._embedding.weight.device)

    @property
    def dtype(self) -> torch.dtype:
        """The number format of its weights."""
        return cast("torch.dtype", self._embedding.weight.dtype)

    @property
    def shape(self) -> str:
        """What its forwards over text cost depends on, besides the device, in words."""
        return f"{self._shape}, {self.dtype}"

    def new_cache(self) -> KVCache:
        """An empty KV cache."""
        from .kv_cache import KVCache

        return KVCache(self._layers)

    def encode(self, patches: Patches) -> Features:
        """One forward of the vision tower."""
        values = self._normalised(patches)
        grid = torch.tensor([patches.grid], device=self.device)
        output = self._core.get_image_features(values, grid, return_dict=True)
        deep = getattr(output, "deepstack_features", None) or ()
        return Features(output.pooler_output[0].to(self.dtype), tuple(layer[0].to(self.dtype) for layer in deep))

    def _normalised(self, patches: Patches) -> Tensor:
        """The values of patches on the device; another one than the CPU gets bytes, an eighth of the values' size."""
        if self.device.type == "cpu":
            return torch.from_numpy(patches.values)
        levels, table = (torch.from_numpy(each).to(self.device) for each in (patches.levels, patches.table))
        places = levels.int() + 256 * torch.arange(3, dtype=torch.int32, device=self.device)[:, None]
        values = table.flatten()[places][:, :, None]
        return values.expand(-1, -1, patches.frames, -1).flatten(1)

    def embed(self, ids: Sequence[int]) -> Tensor:
        """Token embeddings, tokens x hidden size."""
        return cast("Tensor", self._embedding(torch.tensor(ids, dtype=torch.long, device=self.device)))

    def attend(
        self,
        embeddings: Tensor,
        positions: Tensor,
        visible: NDArray[np.bool_] | None,
        cache: KVCache,
        visual: tuple[Tensor, Features] | None = None,
    ) -> Tensor:
        """Run new tokens through all layers; the cache grows by them.

        Args:
            embeddings: tokens x hidden size.
            positions: 3 x tokens.
            visible: for the last tokens, which of them (row) sees which of them; they see all tokens before. The tokens
                before these are in causal order; None: all are.
            cache: keys and values of all earlier tokens.
            visual: which of the tokens are image tokens, and their features.

        Returns:
            The last hidden states, tokens x hidden size, after the final norm.
        """
        more: dict[str, Any] = {self.cache_name: cache}
        mask = self._mask(cache.get_seq_length(), len(embeddings), visible)
        if visual is not None and visual[1].deep:
            more |= {"visual_pos_masks": visual[0][None], "deepstack_visual_embeds": list(visual[1].deep)}
        output = self._core.language_model(
            inputs_embeds=embeddings[None],
            position_ids=positions[:, None].to(self.device),
            attention_mask=mask,
            use_cache=True,
            **more,
        )
        return cast("Tensor", output.last_hidden_state[0])

    def logits(self, hidden: Tensor) -> Tensor:
        """Next-token logits of any number of states, in float32."""
        return self.scores(hidden).float()

    def scores(self, hidden: Tensor, banned: Tensor | None = None) -> Tensor:
        """Next-token logits in the format of the weights; -inf for the ``banned`` ids."""
        found = cast("Tensor", self._head(hidden))
        return found if banned is None else found.index_fill_(-1, banned, float("-inf"))

    def _mask(self, past: int, count: int, visible: NDArray[np.bool_] | None) -> Tensor:
        """The mask of a forward over ``count`` tokens, as ``grouped_attention`` takes it, or over all keys."""
        last = 0 if visible is None else len(visible)
        length = past + count
        if self._grouped and (count == 1 or not self._dense(count, length)):
            shown = np.ones((1, 1), dtype=np.bool_) if count == 1 else visible
            return self._additive(np.zeros((0, 0), dtype=np.bool_) if shown is None else shown)[None, None]
        seen = np.tri(count, length, past, dtype=np.bool_)
        if visible is not None:
            seen[count - last :, length - last :] = visible
        mask = self._additive(seen)
        return pack_mask(mask, self._groups) if self._grouped else mask[None, None]

    def _dense(self, count: int, length: int) -> bool:
        return count * self._groups * length * self.dtype.itemsize <= self._dense_bytes

    def _additive(self, seen: NDArray[np.bool_]) -> Tensor:
        """0 where a token is seen, else the lowest number; boolean masks give wrong results with eager attention."""
        mask = torch.full(seen.shape, torch.finfo(self.dtype).min, dtype=self.dtype, device=self.device)
        return mask.masked_fill_(torch.from_numpy(seen).to(self.device), 0)
