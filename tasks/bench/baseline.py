"""The baseline: transformers' ``generate`` on the whole prompt at every step, with no cache across steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from ...agent.decoding.layout import ImageSegment, Segment, layout_prompt
from ...perception.resize import to_patches
from .screens import TimedReply

if TYPE_CHECKING:
    from ...agent.checkpoints.checkpoint import Checkpoint
    from ...agent.decoding.sampling import GenerationLimits


class TransformersBaseline:
    """Greedy generation by transformers, with a KV cache within a reply, and the runtime's limits."""

    def __init__(
        self, checkpoint: Checkpoint, limits: GenerationLimits, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._clock = clock
        self._checkpoint = checkpoint
        self._model = cast("Any", checkpoint.model)
        self._limits = limits

    def reply(self, prompt: Sequence[Segment]) -> TimedReply:
        """Encode all images, read the prompt, write the reply."""
        started = self._clock()
        inputs = self._inputs(prompt)
        prefilled: list[float] = []

        def note_time(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
            prefilled.append(self._clock())
            return scores

        with torch.inference_mode():
            output = self._model.generate(
                **inputs,
                max_new_tokens=self._limits.max_new_tokens,
                do_sample=False,
                suppress_tokens=sorted(self._limits.banned_ids),
                eos_token_id=sorted(self._limits.stop_ids),
                pad_token_id=min(self._limits.stop_ids),
                logits_processor=[note_time],
            )
        ended = self._clock()
        ids = output[0, inputs["input_ids"].shape[1] :].tolist()
        forwards = len(ids) - 1
        ids = ids[:-1] if ids[-1] in self._limits.stop_ids else ids
        text = self._checkpoint.tokenizer.decode(ids)
        return TimedReply(text, forwards, 0, ended - prefilled[0], ended - started)

    def _inputs(self, prompt: Sequence[Segment]) -> dict[str, torch.Tensor]:
        image = self._model.config.image_token_id
        ids = torch.tensor([layout_prompt(prompt, image).ids])
        shots = [segment.screenshot for segment in prompt if isinstance(segment, ImageSegment)]
        patches = [to_patches(shot, self._checkpoint.image_spec) for shot in shots]
        inputs = {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "mm_token_type_ids": (ids == image).int(),
            "pixel_values": torch.from_numpy(np.concatenate([patch.values for patch in patches])),
            "image_grid_thw": torch.tensor([patch.grid for patch in patches]),
        }
        return {name: tensor.to(self._model.device) for name, tensor in inputs.items()}
