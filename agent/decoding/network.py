"""The model as decoding uses it: embed tokens, encode pictures, attend, predict.

transformers is used for its layers only. Positions and masks are always given, never inferred: the models
keep one ``rope_deltas`` for all callers, so what they would infer belongs to whoever called last.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...perception.resize import Patches
from .vision import Features

if TYPE_CHECKING:
    from transformers import DynamicCache, PreTrainedModel


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
        # transformers 5.24 gave the argument its new name; the old one warns there, the new one fails before
        self._cache_name = "cache" if "cache" in known else "past_key_values"

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return cast("torch.device", self._embedding.weight.device)

    @property
    def dtype(self) -> torch.dtype:
        """What its weights are."""
        return cast("torch.dtype", self._embedding.weight.dtype)

    def new_cache(self) -> DynamicCache:
        """An empty key-value cache."""
        from transformers import DynamicCache

        return DynamicCache()

    def encode(self, patches: Patches) -> Features:
        """One forward of the vision tower."""
        values = torch.from_numpy(patches.values).to(self.device)
        grid = torch.tensor([patches.grid], device=self.device)
        output = self._core.get_image_features(values, grid, return_dict=True)
        deep = getattr(output, "deepstack_features", None) or ()
        return Features(
            output.pooler_output[0].to(self.dtype), tuple(layer[0].to(self.dtype) for layer in deep)
        )

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
            mask: tokens x (cached + tokens), added to the attention scores. Boolean masks are silently
                wrong with eager attention.
            cache: keys and values of all tokens before.
            visual: which of the tokens are visual, and their features.

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
        """Next-token scores in float32, of any number of states."""
        return cast("Tensor", self._head(hidden)).float()

    def causal_mask(self, past: int, new: int) -> Tensor:
        """Each of ``new`` tokens sees all of the past, those before it and itself."""
        hidden = torch.full((new, new), torch.finfo(self.dtype).min, dtype=self.dtype, device=self.device)
        return torch.cat([hidden.new_zeros(new, past), hidden.triu(1)], dim=1)

    def tree_mask(self, past: int, sees: NDArray[np.bool_]) -> Tensor:
        """Each new token sees all of the past and the new tokens that ``sees`` names, new x new."""
        hidden = torch.full(sees.shape, torch.finfo(self.dtype).min, dtype=self.dtype, device=self.device)
        hidden[torch.from_numpy(sees).to(self.device)] = 0
        return torch.cat([hidden.new_zeros(len(sees), past), hidden], dim=1)
