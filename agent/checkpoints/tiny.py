"""Tiny random Qwen-VL checkpoints: the fake behind the seam between policy and weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .byte_tokenizer import SPECIAL_TOKENS, byte_level_tokenizer
from .model_card import CARD_FILE, Family

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

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
    """Save a random model of a family with some ten thousand weights; every seed gives the same one again.

    Args:
        family: which architecture.
        directory: where to save it; made if need be.
        seed: of its weights.
        **card: what to write into its card; no card without.

    Returns:
        The directory.
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
    """A model whose initial weights are large enough for its logits to depend on everything it sees."""
    import transformers

    ids = {name: _IDS[f"<|{token}|>"] for name, token in _TOKEN_NAMES.items()}
    make_config, make_model = _CLASSES[family]
    config: PreTrainedConfig = getattr(transformers, make_config)(
        text_config=_TEXT | _TEXT_EXTRA[family] | {"initializer_range": 0.2},
        vision_config=_VISION[family] | {"initializer_range": 0.2},
        initializer_range=0.2,
        tie_word_embeddings=False,
        **ids,
    )
    model: PreTrainedModel = getattr(transformers, make_model)(config).eval()
    return model


_TOKEN_NAMES = {
    "image_token_id": "image_pad",
    "video_token_id": "video_pad",
    "vision_start_token_id": "vision_start",
    "vision_end_token_id": "vision_end",
}
_MROPE = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
_TEXT_EXTRA: dict[Family, dict[str, Any]] = {
    "qwen2_vl": {"rope_parameters": _MROPE},
    "qwen2_5_vl": {"rope_parameters": _MROPE},
    "qwen3_vl": {
        "rope_parameters": _MROPE | {"mrope_section": [2, 1, 1], "mrope_interleaved": True},
        "head_dim": 8,
    },
}
_VISION: dict[Family, dict[str, Any]] = {
    "qwen2_vl": {
        "depth": 2,
        "embed_dim": 32,
        "hidden_size": 32,
        "num_heads": 4,
        "mlp_ratio": 2,
        "patch_size": 14,
    },
    "qwen2_5_vl": {
        "depth": 2,
        "hidden_size": 32,
        "out_hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 4,
        "patch_size": 14,
        "window_size": 56,
        "fullatt_block_indexes": [1],
    },
    "qwen3_vl": {
        "depth": 3,
        "hidden_size": 32,
        "out_hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 4,
        "patch_size": 16,
        "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0, 1],
    },
}
_CLASSES: dict[Family, tuple[str, str]] = {
    "qwen2_vl": ("Qwen2VLConfig", "Qwen2VLForConditionalGeneration"),
    "qwen2_5_vl": ("Qwen2_5_VLConfig", "Qwen2_5_VLForConditionalGeneration"),
    "qwen3_vl": ("Qwen3VLConfig", "Qwen3VLForConditionalGeneration"),
}
