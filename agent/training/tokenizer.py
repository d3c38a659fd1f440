"""The embedded policy's tokenizer, lossless for any text.

A token per character, per coordinate, and per fixed part of a reply, so that a reply is some six tokens. Digits
elsewhere are single characters: as they are read and typed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

_SPECIAL_NAMES: Final = ("endoftext", "im_start", "im_end", "vision_start", "vision_end", "image_pad", "video_pad")
SPECIAL: Final = tuple(f"<|{name}|>" for name in _SPECIAL_NAMES)
NUMBERS: Final = 1000
THOUGHTS: Final[Mapping[str, str]] = {
    "click": "Click on it.",
    "drag": "Drag it.",
    "type": "Type the text.",
    "hotkey": "Press the key.",
    "scroll": "Scroll.",
    "wait": "Wait for the page.",
    "finished": "It is done.",
}
"""What is thought before each kind of action."""
_OPENINGS: Final = {
    "click": "click(start_box='(",
    "drag": "drag(start_box='(",
    "type": "type(content='",
    "hotkey": "hotkey(key='",
    "scroll": "scroll(start_box='(",
    "wait": "wait()",
    "finished": "finished()",
}
TEMPLATES: Final = (
    *(f"Thought: {THOUGHTS[kind]}\nAction: {opening}" for kind, opening in _OPENINGS.items()),
    ")', end_box='(",
    ")', direction='",
    ")')",
    "')",
    "user\n",
    "assistant\n",
)
"""The fixed parts of replies and messages; each is one token."""

_LETTERS: Final = "".join(
    ["\n\t", "".join(map(chr, range(32, 127))), "".join(map(chr, range(0xA1, 0x180))), "–—‘’“”•…€™←↑→↓✓✔✕✖×☰"]
)

# Without tools and videos this is the template of Qwen's chat models, so the same prompt code serves both.
CHAT_TEMPLATE: Final = resources.files(__package__).joinpath("chat_template.jinja").read_text(encoding="utf-8")


def vocabulary() -> dict[str, int]:
    """Every token and its id: specials, bytes, characters, numbers of two and three digits, parts of replies."""
    tokens = [*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256))]
    tokens += dict.fromkeys(_LETTERS)
    tokens += [str(number) for number in range(10, NUMBERS)]
    tokens += TEMPLATES
    return {token: index for index, token in enumerate(tokens)}


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The tokenizer; it has no learned part."""
    core = Tokenizer(models.BPE(vocab=vocabulary(), merges=[], byte_fallback=True, ignore_merges=True))
    parts = "|".join(re.escape(part) for part in sorted(TEMPLATES, key=len, reverse=True))
    coordinate = r"(?<=\()[1-9][0-9]{0,2}(?=,)|(?<=,)[1-9][0-9]{0,2}(?=\))"
    core.pre_tokenizer = pre_tokenizers.Split(Regex(rf"{parts}|{coordinate}|[\s\S]"), behavior="isolated")
    core.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    core.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    options: dict[str, Any] = {
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "additional_special_tokens": list(SPECIAL[1:]),
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
        "model_max_length": 8192,
    }
    build: Any = PreTrainedTokenizerFast
    tokenizer: PreTrainedTokenizerFast = build(tokenizer_object=core, **options)
    return tokenizer


def letter_ids(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """The token id of each visible character of ASCII, from "!" to "~"."""
    vocab = tokenizer.get_vocab()
    return [vocab[chr(code)] for code in range(33, 127)]


def number_ids(tokenizer: PreTrainedTokenizerFast) -> list[int]:
    """The token id of each number from 0 to 999."""
    vocab = tokenizer.get_vocab()
    return [vocab[str(number)] for number in range(NUMBERS)]
