"""Random checkpoints in published shapes: the cost of a model's forwards does not depend on its weights.

The tokenizer has as many tokens as the published one. It is trained on the spot, on the given texts and on the
reference of the Python language, which is there wherever Python is; the rest of its tokens are fillers that no text
uses.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from ...actions.extras import need_package
from ...perception.resize import ImageSpec
from ..prompts.chatml import ChatFormat
from .checkpoint import Checkpoint, attention_names, without_progress_bars
from .loading import Quantization
from .model_card import CARD_FILE, ModelCard
from .processor import Tokenizer
from .shapes import ModelShape

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

_PATTERN: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen's tokenizers split texts before they merge: words with a space before them, single digits."""
_LEARNED: Final = 24_000
_PIXELS: Final = 16384 * 28 * 28
_POOL: Final = 1 << 22
_SPREAD: Final = 0.02


def random_checkpoint(
    shape: ModelShape, directory: str | Path, texts: Sequence[str] = (), *, dtype: str = "bfloat16", **card: Any
) -> Path:
    """Save a random model of a shape with its tokenizer; returns the directory.

    Args:
        shape: its numbers.
        directory: created if needed.
        texts: what its tokenizer learns from, besides English.
        dtype: of the saved weights.
        **card: content of the model card; none for no card.
    """
    import torch

    path = Path(directory)
    model = random_model(shape, getattr(torch, dtype))
    with without_progress_bars():
        model.save_pretrained(path, max_shard_size="2GB")
    sized_tokenizer(shape, texts).save_pretrained(path)
    vision = cast("Any", model.config).vision_config
    processor = {"patch_size": vision.patch_size, "merge_size": 2, "temporal_patch_size": 2}
    (path / "preprocessor_config.json").write_text(json.dumps(processor), encoding="utf-8")
    if card:
        (path / CARD_FILE).write_text(json.dumps(card), encoding="utf-8")
    return path


def random_in_memory(
    shape: ModelShape,
    name: str,
    texts: Sequence[str] = (),
    *,
    dtype: str = "bfloat16",
    device: str = "cpu",
    quantize: Quantization = "none",
) -> Checkpoint:
    """The checkpoint that ``random_checkpoint`` would save, without a file."""
    import torch

    model = random_model(shape, getattr(torch, dtype), device, quantize)
    vision = cast("Any", model.config).vision_config
    half = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)} if shape.family == "qwen3_vl" else {}
    spec = ImageSpec(patch_size=vision.patch_size, max_pixels=_PIXELS, **cast("Any", half))
    card = ModelCard(dialect="uitars-1.0")
    tokenizer = cast("Tokenizer", sized_tokenizer(shape, texts))
    return Checkpoint(model, tokenizer, spec, card, shape.family, name, ChatFormat())


def random_model(
    shape: ModelShape, dtype: torch.dtype, device: str = "cpu", quantize: Quantization = "none"
) -> PreTrainedModel:
    """A model with random weights in evaluation mode; it takes no more memory than its weights."""
    import torch
    from transformers import AutoModelForImageTextToText

    with torch.device("meta"):
        empty = cast("Any", AutoModelForImageTextToText).from_config(
            _config(shape), dtype=dtype, attn_implementation=attention_names("auto")
        )
    if quantize != "none":
        _quantize(empty, dtype, device, quantize)
    buffers = {name for name, _ in empty.named_buffers()}
    model = empty if quantize != "none" else empty.to_empty(device=device)
    if quantize != "none":
        _materialise(model, device)
    model.tie_weights()
    if device != "meta":
        pool = random_numbers().to(device, dtype)
        with torch.inference_mode():
            for name, weights in model.named_parameters():
                if weights.is_floating_point():
                    _fill(weights, pool, name)
    if buffers:
        _restore_buffers(model)
    return cast("PreTrainedModel", model.eval())


def random_numbers() -> torch.Tensor:
    """The numbers of which all weights are made."""
    import torch

    return torch.randn(_POOL, generator=torch.Generator().manual_seed(0)).mul_(_SPREAD)


def _quantize(model: Any, dtype: torch.dtype, device: str, quantize: Quantization) -> None:
    """Give each matrix of the text layers random weights in fewer bits, one after the other."""
    import torch

    quantized = need_package("bitsandbytes").nn
    pool = random_numbers().to(dtype)
    layers, place = model.model.language_model.layers, "model.language_model.layers"
    for name, linear in [each for each in layers.named_modules() if type(each[1]) is torch.nn.Linear]:
        weights = torch.empty(linear.out_features, linear.in_features, dtype=dtype)
        _fill(weights, pool, f"{place}.{name}.weight")
        shape = (linear.in_features, linear.out_features, linear.bias is not None)
        if quantize == "8bit":
            made = quantized.Linear8bitLt(*shape, has_fp16_weights=False)
            made.weight = quantized.Int8Params(weights, requires_grad=False, has_fp16_weights=False)
        else:
            made = quantized.Linear4bit(*shape, compute_dtype=dtype, quant_type="nf4")
            made.weight = quantized.Params4bit(weights, requires_grad=False, quant_type="nf4")
        if linear.bias is not None:
            made.bias = torch.nn.Parameter(torch.zeros(linear.out_features, dtype=dtype), requires_grad=False)
        layers.set_submodule(name, made.to(device))


def _materialise(model: Any, device: str) -> None:
    """Make room for what has none yet."""
    import torch

    for module in model.modules():
        for name, each in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            if each.is_meta:
                room = torch.empty_like(each, device=device)
                if isinstance(each, torch.nn.Parameter):
                    setattr(module, name, torch.nn.Parameter(room, requires_grad=False))
                else:
                    module.register_buffer(name, room, persistent=name not in module._non_persistent_buffers_set)


def _fill(weights: torch.Tensor, pool: torch.Tensor, name: str) -> None:
    """Weights of a norm are 1; others repeat a pool of random numbers from a place of their own, known by name."""
    flat = weights.data.view(-1)
    if weights.dim() == 1:
        flat.fill_(1.0 if len(flat) else 0.0)
        return
    start = zlib.crc32(name.encode()) % len(pool)
    for begin in range(0, len(flat), len(pool)):
        part = flat[begin : begin + len(pool)]
        first = pool[start : start + len(part)]
        part[: len(first)] = first
        part[len(first) :] = pool[: len(part) - len(first)]


def _restore_buffers(model: Any) -> None:
    """Compute what is not stored in checkpoints, such as the frequencies of positions."""
    for module in model.modules():
        if any(True for _ in module.buffers(recurse=False)):
            model._init_weights(module)


def _config(shape: ModelShape) -> Any:
    from transformers import AutoConfig

    names = ("image_pad", "video_pad", "vision_start", "vision_end")
    ids = {f"{name.removesuffix('_pad')}_token_id": shape.special[f"<|{name}|>"] for name in names}
    ends = {"eos_token_id": shape.special["<|im_end|>"], "bos_token_id": None}
    return AutoConfig.for_model(
        shape.family,
        text_config={**shape.text, **ends, "tie_word_embeddings": shape.tied},
        vision_config=dict(shape.vision),
        tie_word_embeddings=shape.tied,
        **ids,
    )


def sized_tokenizer(shape: ModelShape, texts: Sequence[str] = ()) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of the shape's size, trained on English and the given texts."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    split = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = split
    size = min(_LEARNED, min(shape.special.values()))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    learner.train_from_iterator(_corpus(texts), trainer)
    learned = json.loads(learner.to_str())["model"]
    merges = [tuple(pair) for pair in learned["merges"]]
    core = Tokenizer(models.BPE(vocab=_padded(learned["vocab"], shape.special), merges=merges))
    core.pre_tokenizer = split
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in shape.special])
    make: Any = PreTrainedTokenizerFast
    tokenizer: PreTrainedTokenizerFast = make(
        tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>", clean_up_tokenization_spaces=False
    )
    return tokenizer


def _corpus(texts: Sequence[str]) -> Iterator[str]:
    from pydoc_data.topics import topics

    yield from topics.values()
    for _ in range(20):  # what models of screens write weighs more than the reference of a language
        yield from texts


def _padded(learned: Mapping[str, int], special: Mapping[str, int]) -> dict[str, int]:
    """The vocabulary with fillers up to the special tokens."""
    fillers = {f"Ġ<unused{number}>": number for number in range(len(learned), min(special.values()))}
    return {**learned, **fillers, **special}
