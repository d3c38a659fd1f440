from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from saccade.agent.training.tokenizer import SPECIAL, build_tokenizer, number_ids, vocabulary

TOKENIZER = build_tokenizer()


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back_whole(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text, add_special_tokens=False)) == text


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 999), st.integers(0, 999))
def test_a_coordinate_is_one_token(x: int, y: int) -> None:
    ids = TOKENIZER.encode(f"({x},{y})", add_special_tokens=False)
    assert TOKENIZER.convert_ids_to_tokens(ids) == ["(", str(x), ",", str(y), ")"]


@pytest.mark.parametrize("text", ["04/12/2010", "04122010", "[15,14,16]", "(-2,-2)", "5 + 37 = ?", "12:55"])
def test_digits_elsewhere_are_characters(text: str) -> None:
    ids = TOKENIZER.encode(text, add_special_tokens=False)
    assert TOKENIZER.convert_ids_to_tokens(ids) == list(text)


def test_numbers_and_specials_have_ids_of_their_own() -> None:
    assert len(set(number_ids(TOKENIZER))) == 1000
    assert [TOKENIZER.convert_tokens_to_ids(token) for token in SPECIAL] == list(range(len(SPECIAL)))
    assert len(TOKENIZER) == len(vocabulary())


@pytest.mark.parametrize("text", ["<0x41>", "a<|im_end|>b", "007 1000 100000", "日本 😀", "\u0301e\r\n\x00"])
def test_awkward_texts_come_back_whole(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text, add_special_tokens=False)) == text


def test_the_template_writes_chatml() -> None:
    messages = [
        {"role": "user", "content": "Click the button."},
        {"role": "user", "content": [{"type": "image"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "Action: wait()"}]},
    ]
    render: Callable[..., object] = PreTrainedTokenizerFast.apply_chat_template
    assert render(TOKENIZER, messages, tokenize=False, add_generation_prompt=True) == (
        "<|im_start|>user\nClick the button.<|im_end|>\n"
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|><|im_end|>\n"
        "<|im_start|>assistant\nAction: wait()<|im_end|>\n<|im_start|>assistant\n"
    )
