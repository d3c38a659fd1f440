"""Tiny random Qwen-VL checkpoints, for examples and tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .byte_tokenizer import SPECIAL_TOKENS, byte_level_tokenizer
from .model_card import CARD_FILE, Family

if TYPE_CHECKING:
    from transformers import PreTrainedModel

VOCABULARY = 320
_IDS = {token: 256 + i for i, token in enumerate(SPECIAL_TOKENS)}
_TEXT = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 32768,
    "bos_token_id": None,
    "eos_token_id": _IDS["<|im_end|>"],
    "pad_token_id": _IDS["<|endoftext|>"],
}


def tiny_checkpoint(family: Family, directory: str | Path, *, seed: int = 0, **card: Any) -> Path:
    """Save a random model with some ten thousand weights; returns the directory.

    Args:
        family: the architecture.
        directory: created if needed.
        seed: of the weights; the same seed gives the same model.
        **card: content of the model card; none for no card.
    """
    import torch

    path = Path(directory)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _model(family)
    model.save_pretrained(path)
    byte_level_tokenizer(VOCABULARY, _IDS).save_pretrained(path)
    size = {"shortest_edge": 56 * 56, "longest_edge": 112 * 112}
    patch = cast("Any", model.config).vision_config.patch_size
    processor = {"patch_size": patch, "merge_size": 2, "temporal_patch_size": 2, "size": size}
    (path / "preprocessor_config.json").write_text(json.dumps(processor), encoding="utf-8")
    if card:
        (path / CARD_FILE).write_text(json.dumps(card), encoding="utf-8")
    return path


def _model(family: Family) -> PreTrainedModel:
    """A model with initial weights so large that its logits depend on all of its input."""
    from transformers import AutoConfig, AutoModelForImageTextToText

    config = AutoConfig.for_model(
        family,
        text_config=_TEXT | _TEXT_EXTRA[family] | {"initializer_range": 0.2},
        vision_config=_VISION[family] | {"initializer_range": 0.2},
        initializer_range=0.2,
        tie_word_embeddings=False,
        **{f"{name}_token_id": _IDS[f"<|{token}|>"] for name, token in _TOKEN_NAMES.items()},
    )
    return cast("PreTrainedModel", cast("Any", AutoModelForImageTextToText).from_config(config).eval())


_TOKEN_NAMES = {"image": "image_pad", "video": "video_pad"} | {name: name for name in ("vision_start", "vision_end")}
_MROPE = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
_MROPE_3 = _MROPE | {"mrope_section": [2, 1, 1], "mrope_interleaved": True}
_TEXT_EXTRA: dict[Family, dict[str, Any]] = {
    "qwen2_vl": {"rope_parameters": _MROPE},
    "qwen2_5_vl": {"rope_parameters": _MROPE},
    "qwen3_vl": {"rope_parameters": _MROPE_3, "head_dim": 8},
}
_TOWER = {"depth": 2, "hidden_size": 32, "num_heads": 4}
_TOWER_OUT = {"out_hidden_size": 32, "intermediate_size": 64}
_VISION: dict[Family, dict[str, Any]] = {
    "qwen2_vl": _TOWER | {"embed_dim": 32, "mlp_ratio": 2, "patch_size": 14},
    "qwen2_5_vl": _TOWER | _TOWER_OUT | {"patch_size": 14, "window_size": 56, "fullatt_block_indexes": [1]},
    "qwen3_vl": _TOWER
    | _TOWER_OUT
    | {"depth": 3, "patch_size": 16, "num_position_embeddings": 64, "deepstack_visual_indexes": [0, 1]},
}
