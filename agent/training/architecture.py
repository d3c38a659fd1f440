"""Shape and starting weights of the embedded policy: a stock Qwen3-VL, made small."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3VLConfig, Qwen3VLForConditionalGeneration

from ...perception.resize import ImageSpec
from .tokenizer import number_ids

_HALF: Final = (0.5, 0.5, 0.5)
IMAGE_SPEC: Final = ImageSpec(patch_size=10, min_pixels=64 * 64, max_pixels=480 * 480, mean=_HALF, std=_HALF)
SACCADE_JSON: Final[dict[str, Any]] = {
    "dialect": "uitars-1.0",
    "prompt": "instruction-only",
    "max_images": 1,
    "max_replies": 3,
    "viewport": [160, 210],
    "max_new_tokens": 64,
}


# The waves of number embeddings: so many frequencies, in cycles over 0-999; up to COARSE they are slow enough
# for the tower to learn.
COUNT, LOWEST, HIGHEST, COARSE = 48, 0.5, 100.0, 34


@dataclass(frozen=True)
class Shape:
    """The numbers that set the model's size."""

    vision_depth: int = 6
    vision_width: int = 192
    vision_heads: int = 4
    vision_inner: int = 576
    position_side: int = 24
    depth: int = 6
    width: int = 256
    heads: int = 4
    key_heads: int = 2
    inner: int = 768


def build_config(tokenizer: PreTrainedTokenizerFast, shape: Shape | None = None) -> Qwen3VLConfig:
    """The model's configuration."""
    shape = shape or Shape()
    vocab = tokenizer.get_vocab()
    head = shape.width // shape.heads
    third = head // 6
    return Qwen3VLConfig(
        text_config={
            "vocab_size": len(vocab),
            "hidden_size": shape.width,
            "intermediate_size": shape.inner,
            "num_hidden_layers": shape.depth,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.key_heads,
            "head_dim": head,
            "max_position_embeddings": 8192,
            "tie_word_embeddings": True,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10000.0,
                "mrope_section": [head // 2 - 2 * third, third, third],
                "mrope_interleaved": True,
            },
        },
        vision_config={
            "depth": shape.vision_depth,
            "hidden_size": shape.vision_width,
            "intermediate_size": shape.vision_inner,
            "num_heads": shape.vision_heads,
            "out_hidden_size": shape.width,
            "patch_size": IMAGE_SPEC.patch_size,
            "spatial_merge_size": IMAGE_SPEC.merge_size,
            "temporal_patch_size": IMAGE_SPEC.temporal_patch_size,
            "num_position_embeddings": shape.position_side**2,
            "deepstack_visual_indexes": [],
        },
        image_token_id=vocab["<|image_pad|>"],
        video_token_id=vocab["<|video_pad|>"],
        vision_start_token_id=vocab["<|vision_start|>"],
        vision_end_token_id=vocab["<|vision_end|>"],
        tie_word_embeddings=True,
    )


def build_model(tokenizer: PreTrainedTokenizerFast, shape: Shape | None = None) -> Qwen3VLForConditionalGeneration:
    """A model with starting weights: loud 2-D positions, numbers that lie near their neighbours."""
    model = Qwen3VLForConditionalGeneration(build_config(tokenizer, shape))
    visual: Any = model.model.visual
    side = visual.num_grid_per_side
    with torch.no_grad():
        visual.patch_embed.proj.weight.mul_(2.0)
        visual.pos_embed.weight.copy_(0.5 * grid_waves(side, visual.pos_embed.weight.shape[1]))
        embedding: Tensor = cast("Any", model.get_input_embeddings()).weight
        embedding.normal_(std=0.05)
        numbers = torch.arange(1000) / 1000
        waves = waves_of(numbers, 2 * COUNT, LOWEST, HIGHEST)
        width = min(waves.shape[1], embedding.shape[1])
        embedding[number_ids(tokenizer), :width] = 0.07 * waves[:, :width]
    cast("Any", model).tie_weights()
    return model


def waves_of(values: Tensor, width: int, lowest: float, highest: float) -> Tensor:
    """Sines and cosines of ``values`` (0-1) at frequencies from ``lowest`` to ``highest`` cycles."""
    count = width // 2
    steps = torch.arange(count, device=values.device) / max(1, count - 1)
    frequencies = lowest * (highest / lowest) ** steps
    angles = 2 * math.pi * values[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def number_waves(values: Tensor) -> Tensor:
    """The slower of the waves that number embeddings start with, for values from 0 to 1."""
    highest = LOWEST * (HIGHEST / LOWEST) ** (COARSE / (COUNT - 1))
    return waves_of(values, 2 * (COARSE + 1), LOWEST, highest)


def grid_waves(side: int, width: int) -> Tensor:
    """2-D sinusoids for a square grid, row by row."""
    line = waves_of((torch.arange(side) + 0.5) / side, width // 2, 0.5, side / 4)
    rows = line[:, None, :].expand(side, side, -1)
    columns = line[None, :, :].expand(side, side, -1)
    return torch.cat([rows, columns], dim=2).reshape(side * side, -1)


def save_checkpoint(model: Qwen3VLForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write an ordinary Hugging Face folder in half precision, plus ``saccade.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    generation: Any = GenerationConfig
    model.generation_config = generation(do_sample=False, eos_token_id=end, pad_token_id=pad)
    half = {name: value.detach().to("cpu", torch.float16) for name, value in model.state_dict().items()}
    half.pop("lm_head.weight", None)
    model.save_pretrained(folder, state_dict=half)
    tokenizer.save_pretrained(folder)
    for name, content in (("preprocessor_config", preprocessor(IMAGE_SPEC)), ("saccade", SACCADE_JSON)):
        (folder / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    for file in folder.iterdir():
        file.chmod(0o644)


def preprocessor(spec: ImageSpec) -> dict[str, Any]:
    """What ``preprocessor_config.json`` says about images."""
    known = asdict(spec)
    mean, std = known.pop("mean"), known.pop("std")
    return {
        "image_processor_type": "Qwen2VLImageProcessorFast",
        **known,
        "size": {"shortest_edge": spec.min_pixels, "longest_edge": spec.max_pixels},
        "image_mean": mean,
        "image_std": std,
        **dict.fromkeys(("do_resize", "do_rescale", "do_normalize", "do_convert_rgb"), True),
        "resample": 3,
        "rescale_factor": 1 / 255,
    }
