"""Drafters to measure: those of a policy, untrained heads, a small model that is often right, and one that never is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

import torch

from ....agent.checkpoints.random_checkpoint import random_model
from ....agent.checkpoints.shapes import ModelShape
from ....agent.decoding.adaptive import AdaptiveDrafter
from ....agent.decoding.draft import Drafter, DraftState
from ....agent.decoding.drafters.draft_model import DraftModel
from ....agent.decoding.drafters.medusa import MedusaDrafter, MedusaHeads
from ....agent.decoding.drafters.mtp import MtpDrafter
from ....agent.decoding.drafters.output import DraftOutput, draft_vocabulary
from ....agent.decoding.heads.checkpoint import Method, build_heads, output_weight
from ....agent.decoding.network import Network
from ....agent.decoding.policy_drafters import PolicyDrafters
from ....agent.decoding.target import TargetModel
from ....agent.decoding.tree import DraftTree
from .forced import ForcedReply, forced

if TYPE_CHECKING:
    from transformers import PreTrainedModel

WAYS: Final = ("plain", "auto", "suffix", "grammar", "medusa", "mtp", "draft", "useless")
"""Ways of decoding, in the order in which they take turns."""
DEPTH: Final = 4
MISTAKES: Final = 4
"""The draft model is wrong in one of so many tokens."""
_ACCURACY: Final = 0.8
"""What the untrained heads claim, so that they are asked."""


class WrongDrafter:
    """A useless drafter: sure of itself and never right."""

    name = "useless"

    def __init__(self, vocabulary: int) -> None:
        self._vocabulary = vocabulary

    def start(self, prompt: Sequence[int], instruction: Sequence[int] = ()) -> None:
        """Nothing to do."""

    def observe(self, ids: Sequence[int], hidden: torch.Tensor | None = None) -> None:
        """Nothing to do."""

    def propose(self, state: DraftState, budget: int) -> DraftTree:
        """A chain of tokens that no reply has."""
        tree = state.tree()
        allowed = (token for token in range(self._vocabulary - 1, 0, -1) if token not in state.banned)
        chain = [next(allowed)] * budget
        tree.add_chain(chain, [0.9] * budget, self.name)
        return tree


def untrained(method: Method, target: TargetModel) -> Drafter:
    """Heads as they are before training: they cost what trained ones cost."""
    weight = output_weight(target.checkpoint)
    output = DraftOutput(weight, draft_vocabulary([], len(weight)))
    own = len(output) if output.ids is None and method == "medusa" else 0
    text = cast("Any", target.checkpoint.model).config.text_config
    dtype = torch.float32 if target.network.device.type == "cpu" else target.network.dtype
    heads = build_heads(method, text, DEPTH, own).to(target.network.device, dtype)
    if isinstance(heads, MedusaHeads):
        return MedusaDrafter(heads, output, [[_ACCURACY] * 10] * DEPTH)
    return MtpDrafter(heads, output, target.network.embed)


def small_shape(shape: ModelShape) -> ModelShape:
    """A shape of half a billion parameters with the same tokenizer, for draft models."""
    if shape.text["num_hidden_layers"] < 8:
        return shape
    text = {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24}
    text |= {"num_attention_heads": 14, "num_key_value_heads": 2, "head_dim": 64}
    rope = shape.text["rope_parameters"] | {"mrope_section": [8, 12, 12]}
    key = "hidden_size" if shape.family == "qwen2_vl" else "out_hidden_size"
    vision: dict[str, Any] = {**shape.vision, "depth": 4, key: 896}
    vision |= {"deepstack_visual_indexes": [0, 1, 2]} if shape.family == "qwen3_vl" else {}
    vision |= {"fullatt_block_indexes": [3]} if shape.family == "qwen2_5_vl" else {}
    return replace(shape, text={**shape.text, **text, "rope_parameters": rope}, vision=vision, tied=True)


@contextmanager
def small_model(shape: ModelShape, target: TargetModel) -> Iterator[tuple[PreTrainedModel, ForcedReply]]:
    """A draft model, forced to be right in most tokens."""
    model = random_model(small_shape(shape), target.network.dtype, str(target.network.device))
    with forced(model, min(target.limits.stop_ids), MISTAKES) as reply:
        yield model, reply


def made_drafters(
    target: TargetModel, names: Collection[str], small: PreTrainedModel | None
) -> dict[str, PolicyDrafters]:
    """These ways of drafting, by name; each has its own memory."""
    alone: dict[str, Callable[[], Drafter]] = {
        "medusa": lambda: untrained("medusa", target),
        "mtp": lambda: untrained("mtp", target),
        "useless": lambda: WrongDrafter(target.network.vocabulary),
    }
    if small is not None:
        network = Network(small)
        alone["draft"] = lambda: DraftModel(network, target.checkpoint.image_spec, target.network.vocabulary)
    made: dict[str, PolicyDrafters] = {}
    for name in (each for each in WAYS if each in names):
        made[name] = PolicyDrafters(target, "plain" if name in alone else name)
        if name in alone:
            made[name].drafter = AdaptiveDrafter([alone[name]()], made[name].costs, made[name].clock)
    return made
