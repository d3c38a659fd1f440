"""Which weights of a loaded checkpoint are trained: those of a new adapter, or all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any, Final

import torch
from torch import nn

from ...checkpoints.adapter import AdapterConfig, with_adapter
from ...checkpoints.checkpoint import Checkpoint
from .network import ReplyScorer
from .plan import TuningPlan

_LANGUAGE: Final = "language_model.layers."
_VISION: Final = "visual.blocks."


class TunedModel:
    """A checkpoint whose weights are in training, and the model that it was before.

    Attributes:
        checkpoint: with the network in training; policies may run it.
        scorer: the forward pass.
        reference: of the model as it was; with an adapter it shares the weights.
        adapter: its configuration; None where all weights are trained.

    Args:
        checkpoint: loaded with an attention of transformers; it belongs to this object from now on.
        plan: which weights are trained.
        keep_reference: whether the model as it was is needed.
    """

    def __init__(self, checkpoint: Checkpoint, plan: TuningPlan, *, keep_reference: bool = False) -> None:
        network: Any = checkpoint.model
        network.requires_grad_(False)
        self.adapter: AdapterConfig | None = None
        self._adapted: Any = None
        before = None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(plan.seed)
            if plan.weights == "lora":
                self.adapter = adapter_config(network, plan)
                self._adapted = with_adapter(network, self.adapter)
            else:
                before = deepcopy(network) if keep_reference else None
                network.float().requires_grad_(True)
        if plan.checkpointing:
            # transformers 5.24 renamed it; the old name warns there, the new one fails before.
            enable = getattr(network, "activation_checkpointing_enable", None) or network.gradient_checkpointing_enable
            enable({"use_reentrant": False})
        self.checkpoint = replace(checkpoint, model=network)
        self.scorer = ReplyScorer(network)
        self.reference: nn.Module = self.scorer if before is None else ReplyScorer(before)

    @property
    def adapted(self) -> Any:
        """What peft controls the adapter by; None where all weights are trained."""
        return self._adapted

    def learning(self, learns: bool) -> None:
        """Let layers behave as in training (dropout, layers that are computed again), or as in use."""
        network: Any = self.checkpoint.model
        # On a CPU bitsandbytes packs weights for use, from which nothing can be learned any more.
        network.train(learns or getattr(network, "is_quantized", False))

    @contextmanager
    def as_before(self) -> Iterator[None]:
        """Within this, ``reference`` scores as the model did before training."""
        if self._adapted is not None:
            self._adapted.disable_adapter_layers()
        try:
            with torch.no_grad():
                yield
        finally:
            if self._adapted is not None:
                self._adapted.enable_adapter_layers()

    @property
    def trained(self) -> dict[str, nn.Parameter]:
        """The weights in training, by name."""
        return {name: each for name, each in self.scorer.named_parameters() if each.requires_grad}


def adapter_config(network: Any, plan: TuningPlan) -> AdapterConfig:
    """The configuration of the adapter that a plan trains in a network: on every matrix of the layers."""
    places = [_LANGUAGE, _VISION] if plan.vision else [_LANGUAGE]
    layers = (name for name, module in network.named_modules() if isinstance(module, nn.Linear))
    return AdapterConfig(
        peft_type="LORA",
        base_model_name_or_path=plan.model,
        r=plan.rank,
        lora_alpha=plan.alpha,
        target_modules=[name for name in layers if any(place in name for place in places)],
    )
