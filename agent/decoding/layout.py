"""A prompt as segments of text and images, and the position of each token.

Qwen-VL models have three positions per token (multimodal RoPE). A text token has the same position on the temporal,
vertical and horizontal axis. The tokens of an image share one temporal position and count rows and columns from there.
Text after an image starts after its longer side, so the next position is smaller than the number of tokens before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...actions.geometry import smart_resize
from ...perception.observation import Screenshot
from ...perception.resize import ImageSpec

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class TextSegment:
    """Tokens of text."""

    ids: tuple[int, ...]


@dataclass(frozen=True)
class ImageSegment:
    """A screenshot.

    Attributes:
        screenshot: its pixels; two with the same digest are the same image.
        rows: visual tokens from top to bottom.
        columns: visual tokens from left to right.
        kept: the tokens that the prompt has, by their places row by row; None for all.
    """

    screenshot: Screenshot
    rows: int
    columns: int
    kept: tuple[int, ...] | None = None

    @classmethod
    def of(cls, screenshot: Screenshot, spec: ImageSpec) -> ImageSegment:
        """The screenshot as an image processor of this specification cuts it."""
        resized = smart_resize(screenshot.size, spec.limits)
        return cls(screenshot, resized.height // spec.limits.factor, resized.width // spec.limits.factor)

    def __len__(self) -> int:
        return self.rows * self.columns if self.kept is None else len(self.kept)


Segment = TextSegment | ImageSegment


@dataclass(frozen=True)
class PromptLayout:
    """A prompt, token by token.

    Attributes:
        ids: one id per token; an image's tokens all have the image token's id.
        positions: 3 x tokens: temporal, vertical, horizontal.
        next_position: of the first token after the prompt, on all axes.
        images: by the index of their first token, in order.
    """

    ids: tuple[int, ...]
    positions: Positions
    next_position: int
    images: Mapping[int, ImageSegment]


def layout_prompt(prompt: Sequence[Segment], image_token: int) -> PromptLayout:
    """The tokens of a prompt and their positions."""
    ids: list[int] = []
    blocks: list[Positions] = []
    images: dict[int, ImageSegment] = {}
    position = 0
    for segment in prompt:
        if isinstance(segment, TextSegment):
            ids += segment.ids
            blocks.append(text_positions(position, len(segment.ids)))
            position += len(segment.ids)
        else:
            images[len(ids)] = segment
            ids += [image_token] * len(segment)
            places = image_positions(position, segment.rows, segment.columns)
            blocks.append(places if segment.kept is None else places[:, list(segment.kept)])
            position += max(segment.rows, segment.columns)
    joined = np.concatenate(blocks, axis=1) if blocks else np.zeros((3, 0), dtype=np.int64)
    return PromptLayout(tuple(ids), joined, position, images)


def text_positions(start: int, count: int) -> Positions:
    """Positions of ``count`` tokens of text that begin at ``start``."""
    return np.tile(np.arange(start, start + count, dtype=np.int64), (3, 1))


def image_positions(start: int, rows: int, columns: int) -> Positions:
    """Positions of an image's tokens, row by row."""
    row, column = np.divmod(np.arange(rows * columns, dtype=np.int64), columns)
    return start + np.stack([np.zeros_like(row), row, column])


def common_prefix(left: Sequence[object], right: Sequence[object]) -> int:
    """The number of first items that two sequences share."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(left), len(right)))
