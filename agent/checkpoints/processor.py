"""The files next to a checkpoint's weights: image processor, tokenizer, chat template."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from ...actions.errors import UsageError
from ...actions.files import read_text_file
from ...perception.resize import ImageSpec
from .byte_tokenizer import byte_level_tokenizer
from .model_card import Family, first_line, read_json

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

_LOG = logging.getLogger(__name__)

_TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "tokenizer.model")
_PIXELS: dict[Family, tuple[int, int]] = {
    "qwen2_vl": (56 * 56, 16384 * 28 * 28),
    "qwen2_5_vl": (56 * 56, 16384 * 28 * 28),
    "qwen3_vl": (65536, 16777216),
}


class Tokenizer(Protocol):
    """The part of a transformers tokenizer that is used here."""

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        """Text to ids; special tokens in the text become themselves."""

    def decode(self, token_ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """Ids to text."""

    def get_vocab(self) -> dict[str, int]:
        """Every token it knows, special ones included."""


def read_image_spec(directory: Path, family: Family, config: PreTrainedConfig) -> ImageSpec:
    """How images are prepared: from ``preprocessor_config.json``, else the published values of the family.

    Raises:
        UsageError: the file is broken or does not fit the vision tower.
    """
    path, given = _processor(directory)
    vision = cast("Any", config).vision_config
    size = given.get("size") or {}
    low, high = _PIXELS[family]
    half = ImageSpec(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)) if family == "qwen3_vl" else ImageSpec()
    try:
        spec = ImageSpec(
            patch_size=int(given.get("patch_size") or vision.patch_size),
            merge_size=int(given.get("merge_size") or vision.spatial_merge_size),
            temporal_patch_size=int(given.get("temporal_patch_size") or vision.temporal_patch_size),
            min_pixels=int(given.get("min_pixels") or size.get("shortest_edge") or low),
            max_pixels=int(given.get("max_pixels") or size.get("longest_edge") or high),
            mean=_channels(given.get("image_mean") or half.mean),
            std=_channels(given.get("image_std") or half.std),
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path} cannot be used ({error}); download it again") from error
    tower = (vision.patch_size, vision.spatial_merge_size, vision.temporal_patch_size)
    if (spec.patch_size, spec.merge_size, spec.temporal_patch_size) != tower:
        raise UsageError(f"{path} cuts images in other patches than the vision tower in config.json takes {tower}")
    return spec


def _processor(directory: Path) -> tuple[Path, dict[str, Any]]:
    path = directory / "preprocessor_config.json"
    if path.is_file():
        return path, read_json(path)
    path = directory / "processor_config.json"
    return path, (read_json(path).get("image_processor") or {}) if path.is_file() else {}


def _channels(values: Sequence[float]) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue


def read_tokenizer(directory: Path, config: PreTrainedConfig) -> Tokenizer:
    """The checkpoint's tokenizer; without tokenizer files, one of single bytes, with a warning.

    Raises:
        UsageError: its files are broken, or there are none and the vocabulary is too small for bytes.
    """
    if not any((directory / name).is_file() for name in _TOKENIZER_FILES):
        tokenizer = byte_level_tokenizer(cast("Any", config).text_config.vocab_size, _special_ids(config))
        _LOG.warning("%s has no tokenizer files; using single bytes as tokens", directory)
        return cast("Tokenizer", tokenizer)
    from transformers import AutoTokenizer

    try:
        load = AutoTokenizer.from_pretrained
        return cast("Tokenizer", load(directory, local_files_only=True, trust_remote_code=False))
    except Exception as error:
        reason = first_line(error)
        raise UsageError(f"the tokenizer in {directory} cannot be loaded ({reason}); download it again") from error


def _special_ids(config: PreTrainedConfig) -> dict[str, int]:
    model = cast("Any", config)
    text = model.text_config
    stop = text.eos_token_id if getattr(text, "eos_token_id", None) is not None else model.eos_token_id
    known = {
        "<|im_end|>": stop[0] if isinstance(stop, list) else stop,
        "<|endoftext|>": getattr(text, "pad_token_id", None),
        "<|vision_start|>": model.vision_start_token_id,
        "<|vision_end|>": model.vision_end_token_id,
        "<|image_pad|>": model.image_token_id,
        "<|video_pad|>": model.video_token_id,
    }
    return {token: i for token, i in known.items() if isinstance(i, int) and i < text.vocab_size}


def _text(path: Path) -> str:
    try:
        return read_text_file(path, limit=1 << 20)
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read ({error}); download it again") from error


def read_template(directory: Path, tokenizer: Tokenizer) -> str | None:
    """The chat template, from any of the places where checkpoints store it; None if there is none."""
    template = getattr(tokenizer, "chat_template", None)
    if template is None and (path := directory / "chat_template.jinja").is_file():
        template = _text(path)
    if template is None and (path := directory / "chat_template.json").is_file():
        template = read_json(path).get("chat_template")
    return template if isinstance(template, str) else None
