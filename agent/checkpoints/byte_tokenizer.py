"""A tokenizer of single bytes, for checkpoints saved without one and for tiny models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from ...actions.errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
"""What every Qwen-VL prompt needs, in the order in which free ids are given out."""


def byte_level_tokenizer(vocab_size: int, fixed: Mapping[str, int]) -> PreTrainedTokenizerFast:
    """A tokenizer with one token per byte and the special tokens of Qwen-VL.

    Args:
        vocab_size: ids below this may be used.
        fixed: ids that the model's configuration gives to special tokens; the others get free ids.

    Raises:
        UsageError: the vocabulary has no room for it.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocab = _vocabulary(vocab_size, fixed, sorted(pre_tokenizers.ByteLevel.alphabet()))
    core = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    core.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS])
    make = cast("Callable[..., PreTrainedTokenizerFast]", PreTrainedTokenizerFast)
    return make(
        tokenizer_object=core, eos_token="<|im_end|>", pad_token="<|endoftext|>", clean_up_tokenization_spaces=False
    )


def _vocabulary(vocab_size: int, fixed: Mapping[str, int], alphabet: list[str]) -> dict[str, int]:
    taken = {token: fixed[token] for token in SPECIAL_TOKENS if token in fixed}
    if len(set(taken.values())) < len(taken) or any(not 0 <= i < vocab_size for i in taken.values()):
        raise UsageError(f"the model's special token ids {taken} clash or lie outside its vocabulary of {vocab_size}")
    wanted = alphabet + [token for token in SPECIAL_TOKENS if token not in taken]
    free = [i for i in range(min(vocab_size, 2 * len(wanted) + len(taken))) if i not in taken.values()]
    if len(free) < len(wanted):
        raise UsageError(
            f"the checkpoint has no tokenizer files and its vocabulary of {vocab_size} is too small for "
            f"bytes (needs {len(wanted) + len(taken)}); save its tokenizer next to the weights"
        )
    return dict(zip(wanted, free, strict=False)) | taken
