"""The forward pass of training: from sequences to the log probability of each token that is learned."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

from .batches import SequenceBatch


class ReplyScorer(nn.Module):
    """A Qwen-VL model with one forward: the log probabilities of the tokens that a batch learns.

    Positions are those of decoding (``decoding.layout``), and the model's parts are called as decoding calls them, so
    that a reply scores in training as it does when the policy runs.

    Args:
        model: the network; its attention is one of transformers' own, such as ``sdpa``.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        core = model.model
        self._sees = any(weights.requires_grad for weights in core.visual.parameters())

    def forward(self, batch: SequenceBatch) -> Tensor:
        """One number per learned token, in the order of the batch, in float32."""
        core, more = self.model.model, dict[str, Any]()
        embedded = self.model.get_input_embeddings()(batch.ids)
        tokens, deep = self._images(batch)
        embedded = embedded.masked_scatter(batch.visual[..., None], tokens.to(embedded.dtype))
        if deep:
            layers = [layer.to(embedded.dtype) for layer in deep]
            more = {"visual_pos_masks": batch.visual, "deepstack_visual_embeds": layers}
        output = core.language_model(
            inputs_embeds=embedded, position_ids=batch.positions, attention_mask=None, use_cache=False, **more
        )
        states = output.last_hidden_state[batch.rows, batch.places - 1]
        scores = self.model.lm_head(states).float()
        found: Tensor = scores.log_softmax(-1).gather(-1, batch.truth[:, None]).squeeze(-1)
        return found

    def _images(self, batch: SequenceBatch) -> tuple[Tensor, list[Tensor]]:
        """The features of every place that shows an image, and those of DeepStack's layers."""
        visual = self.model.model.visual
        with torch.set_grad_enabled(torch.is_grad_enabled() and self._sees):
            values = batch.values.to(visual.dtype)
            output = self.model.model.get_image_features(values, batch.grid, return_dict=True)
        layers = getattr(output, "deepstack_features", None) or ()
        parts = [cast("tuple[Tensor, ...]", each) for each in (output.pooler_output, *layers)]
        tokens, *deep = (torch.cat([part[index] for index in batch.shown]) for part in parts)
        return tokens, deep
