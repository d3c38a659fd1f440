from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from saccade.agent.checkpoints.checkpoint import Checkpoint
from saccade.agent.decoding.layout import ImageSegment, PromptLayout, Segment, TextSegment, layout_prompt
from saccade.perception.observation import Screenshot
from saccade.perception.resize import to_patches

IMAGE, BEFORE, AFTER = 261, 259, 260


def by_transformers(checkpoint: Checkpoint, prompt: list[Segment], layout: PromptLayout) -> tuple[Any, int]:
    ids = torch.tensor([layout.ids])
    shots = [segment.screenshot for segment in prompt if isinstance(segment, ImageSegment)]
    grids = torch.tensor([to_patches(shot, checkpoint.image_spec).grid for shot in shots])
    model = cast("Any", checkpoint.model).model
    positions, deltas = model.get_rope_index(
        ids, mm_token_type_ids=(ids == IMAGE).int(), image_grid_thw=grids if shots else None
    )
    return positions[:, 0].numpy(), int(deltas[0]) + len(layout.ids)


def prompt_of(checkpoint: Checkpoint, shots: list[Screenshot], texts: list[int]) -> list[Segment]:
    prompt: list[Segment] = [TextSegment(tuple(range(texts[0])))]
    for shot, count in zip(shots, texts[1:], strict=True):
        prompt += [
            TextSegment((BEFORE,)),
            ImageSegment.of(shot, checkpoint.image_spec),
            TextSegment((AFTER, *range(count))),
        ]
    return prompt


def test_positions_are_those_of_transformers(checkpoint: Checkpoint, shoot: Callable[[int], Screenshot]) -> None:
    for pictures in range(5):
        shots = [shoot(number) for number in range(pictures)]
        prompt = prompt_of(checkpoint, shots, list(range(3, 4 + pictures)))
        layout = layout_prompt(prompt, IMAGE)
        positions, following = by_transformers(checkpoint, prompt, layout)
        assert np.array_equal(layout.positions, positions)
        assert layout.next_position == following
        assert [layout.ids[start] for start in layout.images] == [IMAGE] * pictures


def test_an_empty_prompt_has_no_tokens() -> None:
    assert layout_prompt([], IMAGE).positions.shape == (3, 0)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(0, 5)), max_size=6))
def test_every_position_is_below_the_next_one(pictures: list[tuple[int, int, int]]) -> None:
    shot = Screenshot(np.zeros((1, 1, 3), dtype=np.uint8))
    prompt: list[Segment] = []
    for rows, columns, text in pictures:
        prompt += [ImageSegment(shot, rows, columns), TextSegment(tuple(range(text)))]
    layout = layout_prompt(prompt, IMAGE)
    assert layout.positions.max(initial=-1) + 1 == layout.next_position
    assert layout.positions.shape == (3, len(layout.ids))
