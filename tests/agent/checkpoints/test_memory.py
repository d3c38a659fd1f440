"""What memory a checkpoint takes is said before it is loaded, and weights in fewer bits take less of it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

from saccade.actions.errors import UsageError
from saccade.agent.checkpoints.checkpoint import Checkpoint, load_checkpoint
from saccade.agent.checkpoints.memory import MemoryNeed, free_memory
from saccade.agent.checkpoints.random_checkpoint import random_checkpoint
from saccade.agent.checkpoints.shapes import ModelShape, shape_of
from saccade.agent.decoding.layout import TextSegment
from saccade.agent.decoding.network import Network
from saccade.agent.decoding.session import Session

MILLION = 1_000_000


def wider(shape: ModelShape) -> ModelShape:
    """A tiny shape whose matrices are as long as the blocks in which numbers share a scale."""
    from dataclasses import replace

    text = {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 4, "vocab_size": 1024}
    special = {token: 1000 + index for index, token in enumerate(shape.special)}
    rope = shape.text["rope_parameters"] | {"mrope_section": [4, 6, 6]}
    vision = {"hidden_size": 128}
    return replace(
        shape, text={**shape.text, **text, "rope_parameters": rope}, vision={**shape.vision, **vision}, special=special
    )


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_checkpoint(wider(shape_of("qwen2-vl-2b").tiny()), tmp_path_factory.mktemp("memory") / "made")


def weights_of(checkpoint: Checkpoint) -> int:
    return sum(each.numel() * each.element_size() for each in checkpoint.model.parameters())


def need_of(directory: Path) -> MemoryNeed:
    checkpoint = load_checkpoint(directory)
    return MemoryNeed.of(directory, cast("Any", checkpoint.model).config, checkpoint.card.max_images)


def logits(checkpoint: Checkpoint) -> torch.Tensor:
    session = Session(Network(checkpoint.model), checkpoint.image_spec)
    with torch.inference_mode():
        states = session.prefill([TextSegment(tuple(range(5, 60)))]).states
        return session.network.logits(states)[0]


def test_the_estimate_is_what_is_loaded(directory: Path) -> None:
    need = need_of(directory)
    for dtype, size in (("float32", 4), ("bfloat16", 2)):
        assert need.weights(size, "none") == weights_of(load_checkpoint(directory, dtype=dtype))


@pytest.mark.parametrize(("quantize", "most", "error"), [("8bit", 0.75, 0.1), ("4bit", 0.55, 0.6)])
def test_weights_in_fewer_bits_take_less_and_score_alike(
    directory: Path, quantize: str, most: float, error: float
) -> None:
    full = load_checkpoint(directory, dtype="bfloat16")
    small = load_checkpoint(directory, device="cpu", dtype="bfloat16", quantize=quantize)
    assert weights_of(small) < most * weights_of(full)
    estimate = need_of(directory).weights(2, cast("Any", quantize))
    assert weights_of(small) <= estimate * 1.02, "the scales may be counted, and nothing is forgotten"
    assert small.model.get_input_embeddings().weight.dtype == torch.bfloat16
    assert all(each.dtype == torch.bfloat16 for each in cast("Any", small.model).model.visual.parameters())
    one, other = logits(full), logits(small)
    assert bool(torch.isfinite(other).all())
    difference = float((one - other).norm() / one.norm())
    assert 0 < difference < error
    assert np.corrcoef(one.numpy(), other.numpy())[0, 1] > 0.8


@pytest.mark.parametrize(
    ("between", "options", "advice"),
    [
        ((4, "none", 2, "none"), {"dtype": "float32"}, "--dtype bfloat16"),
        ((2, "none", 2, "8bit"), {"dtype": "bfloat16"}, "--quantize 8bit"),
        ((2, "8bit", 2, "4bit"), {"dtype": "bfloat16"}, "--quantize 4bit"),
        ((2, "8bit", 2, "4bit"), {"dtype": "bfloat16", "quantize": "8bit"}, "--quantize 4bit"),
        ((2, "4bit", 0, "4bit"), {"dtype": "bfloat16"}, "openai:URL#NAME"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_makes_it_fit(
    directory: Path, between: Any, options: dict[str, str], advice: str
) -> None:
    need = need_of(directory)
    more, less = (need.weights(size, bits) + need.cache(size) for size, bits in (between[:2], between[2:]))
    limit = (more + less) // 2
    with pytest.raises(UsageError) as raised:
        load_checkpoint(directory, free_memory=lambda device: limit, **options)
    assert advice in str(raised.value)
    assert "made takes" in str(raised.value)
    if advice.startswith("--"):
        option, value = advice.split()
        load = options | {option.removeprefix("--"): value}
        assert load_checkpoint(directory, free_memory=lambda device: limit, **load) is not None, "the advice holds"


def test_a_large_one_is_announced(
    directory: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saccade.agent.checkpoints.memory._WORTH_SAYING", MILLION)
    with caplog.at_level(logging.INFO):
        load_checkpoint(directory)
    assert "made takes" in caplog.text
    assert "are free on cpu" in caplog.text


def test_an_unknown_quantization_names_those_that_there_are(directory: Path) -> None:
    with pytest.raises(UsageError, match="none, 8bit or 4bit"):
        load_checkpoint(directory, quantize="2bit")


def test_the_free_memory_is_plausible() -> None:
    found = free_memory(torch.device("cpu"))
    assert found is not None
    assert 10 * MILLION < found < 1 << 45
