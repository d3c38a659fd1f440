"""Random checkpoints in published shapes: the cost of a model's forwards does not depend on its weights.

The tokenizer has as many tokens as the published one. It is trained on the spot, on the given texts and on the
reference of the Python language, which is there wherever Python is; the rest of its tokens are fillers that no text
uses.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from .checkpoint import without_progress_bars
from .model_card import CARD_FILE
from .shapes import ModelShape

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

_PATTERN: Final = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen's tokenizers split texts before they merge: words with a space before them, single digits."""
_LEARNED: Final = 24_000
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


def random_model(shape: ModelShape, dtype: torch.dtype, device: str = "cpu") -> PreTrainedModel:
    """A model with random weights in evaluation mode; it takes no more memory than its weights."""
    import torch
    from transformers import AutoModelForImageTextToText

    with torch.device("meta"):
        empty = cast("Any", AutoModelForImageTextToText).from_config(_config(shape), dtype=dtype)
    buffers = {name for name, _ in empty.named_buffers()}
    model = empty.to_empty(device=device)
    model.tie_weights()
    pool = torch.randn(_POOL, generator=torch.Generator().manual_seed(0)).mul_(_SPREAD).to(device, dtype)
    with torch.inference_mode():
        for place, weights in enumerate(model.parameters()):
            _fill(weights, pool, place)
    if buffers:
        _restore_buffers(model)
    return cast("PreTrainedModel", model.eval())


def _fill(weights: torch.Tensor, pool: torch.Tensor, place: int) -> None:
    """Weights of a norm are 1; others repeat a pool of random numbers from a place of their own."""
    flat = weights.data.view(-1)
    if weights.dim() == 1:
        flat.fill_(1.0 if len(flat) else 0.0)
        return
    start = (place * 7_919) % len(pool)
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
