"""The published shapes of Qwen-VL models, for measurements at their size without their weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ...actions.errors import UsageError
from .model_card import Family

SPECIAL_IDS: Final[Mapping[str, int]] = {
    "<|endoftext|>": 151643,
    "<|im_start|>": 151644,
    "<|im_end|>": 151645,
    "<|vision_start|>": 151652,
    "<|vision_end|>": 151653,
    "<|image_pad|>": 151655,
    "<|video_pad|>": 151656,
}
"""The special tokens that all families need, with their published ids."""


@dataclass(frozen=True)
class ModelShape:
    """The numbers of one published model.

    Attributes:
        family: the architecture.
        text: of the language model, as in its ``config.json``.
        vision: of the vision tower.
        tied: whether the output layer is the embedding.
        special: ids of the special tokens.
    """

    family: Family
    text: Mapping[str, Any]
    vision: Mapping[str, Any]
    tied: bool
    special: Mapping[str, int]

    def tiny(self) -> ModelShape:
        """The same architecture with some hundred thousand weights, for tests."""
        special = {token: 4000 + index for index, token in enumerate(self.special)}
        text = {"vocab_size": 4096, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
        text |= {"num_attention_heads": 4, "num_key_value_heads": 2}
        vision: dict[str, Any] = {"depth": 2, "num_heads": 4}
        if self.family == "qwen2_vl":
            vision |= {"embed_dim": 32, "hidden_size": 32}
        else:
            vision |= {"hidden_size": 32, "out_hidden_size": 32, "intermediate_size": 64}
        if self.family == "qwen2_5_vl":
            vision |= {"fullatt_block_indexes": [1]}
        sections: Any = [1, 1, 2]
        if self.family == "qwen3_vl":
            vision |= {"depth": 3, "deepstack_visual_indexes": [0, 1], "num_position_embeddings": 64}
            text |= {"head_dim": 8}
            sections = [2, 1, 1]
        rope = self.text["rope_parameters"] | {"mrope_section": sections}
        return replace(
            self, text={**self.text, **text, "rope_parameters": rope}, vision={**self.vision, **vision}, special=special
        )


def _text(hidden: int, inner: int, layers: int, heads: int, key_heads: int, vocabulary: int = 151936) -> dict[str, Any]:
    return {
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": key_heads,
        "max_position_embeddings": 128_000,
        "rope_parameters": {"rope_type": "default", "mrope_section": [16, 24, 24], "rope_theta": 1e6},
    }


def _qwen2(text: dict[str, Any], tied: bool) -> ModelShape:
    tower = {"depth": 32, "embed_dim": 1280, "num_heads": 16, "mlp_ratio": 4, "patch_size": 14}
    return ModelShape("qwen2_vl", text, tower | {"hidden_size": text["hidden_size"]}, tied, SPECIAL_IDS)


def _qwen2_5(text: dict[str, Any], tied: bool, inner: int = 3420) -> ModelShape:
    tower = {"depth": 32, "hidden_size": 1280, "intermediate_size": inner, "num_heads": 16, "patch_size": 14}
    tower |= {"window_size": 112, "out_hidden_size": text["hidden_size"]}
    return ModelShape("qwen2_5_vl", text, tower | {"fullatt_block_indexes": [7, 15, 23, 31]}, tied, SPECIAL_IDS)


def _qwen3(text: dict[str, Any], tied: bool, *, wide: bool = False) -> ModelShape:
    rope = {"rope_type": "default", "mrope_section": [24, 20, 20], "mrope_interleaved": True, "rope_theta": 5e6}
    depth, hidden, inner, deep = (27, 1152, 4304, [8, 16, 24]) if wide else (24, 1024, 4096, [5, 11, 17])
    tower = {"depth": depth, "hidden_size": hidden, "intermediate_size": inner, "num_heads": 16, "patch_size": 16}
    tower |= {"num_position_embeddings": 2304, "out_hidden_size": text["hidden_size"]}
    text = text | {"head_dim": 128, "rope_parameters": rope, "max_position_embeddings": 262_144}
    return ModelShape("qwen3_vl", text, tower | {"deepstack_visual_indexes": deep}, tied, SPECIAL_IDS)


SHAPES: Final[Mapping[str, ModelShape]] = {
    "qwen2-vl-2b": _qwen2(_text(1536, 8960, 28, 12, 2), tied=True),
    "qwen3-vl-2b": _qwen3(_text(2048, 6144, 28, 16, 8), tied=True),
    "qwen2.5-vl-3b": _qwen2_5(_text(2048, 11008, 36, 16, 2), tied=True),
    "qwen3-vl-4b": _qwen3(_text(2560, 9728, 36, 32, 8), tied=True),
    "qwen2-vl-7b": _qwen2(_text(3584, 18944, 28, 28, 4, 152064), tied=False),
    "qwen2.5-vl-7b": _qwen2_5(_text(3584, 18944, 28, 28, 4, 152064), tied=False),
    "qwen2.5-vl-32b": _qwen2_5(_text(5120, 27648, 64, 40, 8, 152064), tied=False, inner=3456),
    "qwen3-vl-32b": _qwen3(_text(5120, 25600, 64, 64, 8), tied=False, wide=True),
}
"""By the names of the published models."""


def shape_of(name: str) -> ModelShape:
    """The shape of this name.

    Raises:
        UsageError: there is none.
    """
    if name not in SHAPES:
        raise UsageError(f"unknown shape {name!r}; use some of {', '.join(SHAPES)}")
    return SHAPES[name]
