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

if TYPE_CHECKING:
    from transformers import DynamicCache, PreTrainedModel


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

    @classmethod
    def join(cls, parts: Sequence[Features]) -> Features:
        """The features of several images, concatenated."""
        layers = zip(*(part.deep for part in parts), strict=True)
        return cls(torch.cat([part.tokens for part in parts]), tuple(torch.cat(layer) for layer in layers))


class Network:
    """A loaded Qwen-VL model; stateless, so any number of sessions may share one."""

    def __init__(self, model: PreTrainedModel) -> None:
        loose = cast("Any", model)
        self._core = loose.model
        self._head = loose.lm_head
        self._embedding = loose.get_input_embeddings()
        self.image_token: int = loose.config.image_token_id
        self.vocabulary: int = self._head.out_features
        known = inspect.signature(self._core.language_model.forward).parameters
        # transformers 5.24 renamed the argument; the old name warns there, the new one fails before.
        self._cache_name = "cache" if "cache" in known else "past_key_values"

    @property
    def device(self) -> torch.device:
        """The device of its weights."""
        return cast("torch.device", self._embedding.weight.device)

    @property
    def dtype(self) -> torch.dtype:
        """The number format of its weights."""
        return cast("torch.dtype", self._embedding.weight.dtype)

    def new_cache(self) -> DynamicCache:
        """An empty KV cache."""
        from transformers import DynamicCache

        return DynamicCache()

    def encode(self, patches: Patches) -> Features:
        """One forward of the vision tower."""
        values = torch.from_numpy(patches.values).to(self.device)
        grid = torch.tensor([patches.grid], device=self.device)
        output = self._core.get_image_features(values, grid, return_dict=True)
        deep = getattr(output, "deepstack_features", None) or ()
        return Features(output.pooler_output[0].to(self.dtype), tuple(layer[0].to(self.dtype) for layer in deep))

    def embed(self, ids: Sequence[int]) -> Tensor:
        """Token embeddings, tokens x hidden size."""
        return cast("Tensor", self._embedding(torch.tensor(ids, dtype=torch.long, device=self.device)))

    def attend(
        self,
        embeddings: Tensor,
        positions: Tensor,
        mask: Tensor,
        cache: DynamicCache,
        visual: tuple[Tensor, Features] | None = None,
    ) -> Tensor:
        """Run new tokens through all layers; the cache grows by them.

        Args:
            embeddings: tokens x hidden size.
            positions: 3 x tokens.
            mask: tokens x (cached + tokens), added to the scores. Boolean ones give wrong results with eager attention.
            cache: keys and values of all earlier tokens.
            visual: which of the tokens are image tokens, and their features.

        Returns:
            The last hidden states, tokens x hidden size, after the final norm.
        """
        more: dict[str, Any] = {self._cache_name: cache}
        if visual is not None and visual[1].deep:
            more |= {"visual_pos_masks": visual[0][None], "deepstack_visual_embeds": list(visual[1].deep)}
        output = self._core.language_model(
            inputs_embeds=embeddings[None],
            position_ids=positions[:, None].to(self.device),
            attention_mask=mask[None, None],
            use_cache=True,
            **more,
        )
        return cast("Tensor", output.last_hidden_state[0])

    def logits(self, hidden: Tensor) -> Tensor:
        """Next-token logits of any number of states, in float32."""
        return cast("Tensor", self._head(hidden)).float()

    def attention_mask(self, past: int, visible: NDArray[np.bool_]) -> Tensor:
        """An additive mask: new tokens see the whole past, and each other as ``visible`` (new x new) says."""
        mask = torch.full(visible.shape, torch.finfo(self.dtype).min, dtype=self.dtype, device=self.device)
        mask[torch.from_numpy(visible).to(self.device)] = 0
        return torch.cat([mask.new_zeros(len(visible), past), mask], dim=1)
