"""A prompt as segments of text and pictures, and where each of its tokens stands.

Qwen-VL models turn by three positions per token (multimodal RoPE). A text token has the same position on
the temporal, vertical and horizontal axis. The tokens of a picture share one temporal position and count
rows and columns from there. What follows a picture starts after its longer side, so the next position is
smaller than the number of tokens before it.
"""

from __future__ import annotations

from collections.abc import Sequence
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
        screenshot: its pixels; two of the same digest are the same picture.
        rows: visual tokens from top to bottom.
        columns: visual tokens from left to right.
    """

    screenshot: Screenshot
    rows: int
    columns: int

    @classmethod
    def of(cls, screenshot: Screenshot, spec: ImageSpec) -> ImageSegment:
        """The picture as an image processor of this specification cuts it."""
        resized = smart_resize(screenshot.size, spec.limits)
        return cls(screenshot, resized.height // spec.limits.factor, resized.width // spec.limits.factor)

    def __len__(self) -> int:
        return self.rows * self.columns


Segment = TextSegment | ImageSegment


@dataclass(frozen=True)
class PlacedImage:
    """A picture and the index of its first token."""

    picture: ImageSegment
    start: int


@dataclass(frozen=True)
class PromptLayout:
    """A prompt, token by token.

    Attributes:
        ids: one id per token; a picture's tokens are all the image token.
        positions: 3 x tokens: temporal, vertical, horizontal.
        next_position: where the first token after the prompt stands, on all axes.
        pictures: in order.
    """

    ids: tuple[int, ...]
    positions: Positions
    next_position: int
    pictures: tuple[PlacedImage, ...]


def layout_prompt(prompt: Sequence[Segment], image_token: int) -> PromptLayout:
    """Place every token of a prompt."""
    ids: list[int] = []
    blocks: list[Positions] = []
    pictures: list[PlacedImage] = []
    position = 0
    for segment in prompt:
        if isinstance(segment, TextSegment):
            ids += segment.ids
            blocks.append(text_positions(position, len(segment.ids)))
            position += len(segment.ids)
        else:
            pictures.append(PlacedImage(segment, len(ids)))
            ids += [image_token] * len(segment)
            blocks.append(picture_positions(position, segment))
            position += max(segment.rows, segment.columns)
    joined = np.concatenate(blocks, axis=1) if blocks else np.zeros((3, 0), dtype=np.int64)
    return PromptLayout(tuple(ids), joined, position, tuple(pictures))


def text_positions(start: int, count: int) -> Positions:
    """Positions of ``count`` tokens of text that begin at ``start``."""
    return np.tile(np.arange(start, start + count, dtype=np.int64), (3, 1))


def picture_positions(start: int, picture: ImageSegment) -> Positions:
    """Positions of a picture's tokens, row by row."""
    rows, columns = np.divmod(np.arange(len(picture), dtype=np.int64), picture.columns)
    return start + np.stack([np.zeros_like(rows), rows, columns])
