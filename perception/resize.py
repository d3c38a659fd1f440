"""From a screenshot to the patches a Qwen-VL vision tower takes, without torchvision."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..actions.geometry import ResizeLimits, Size, smart_resize
from .observation import Screenshot

__all__ = ["ImageSpec", "Patches", "ResizeLimits", "smart_resize", "to_patches"]


@dataclass(frozen=True)
class ImageSpec:
    """What a checkpoint's ``preprocessor_config.json`` says about images.

    Attributes:
        patch_size: side of a patch, in pixels of the resized image.
        merge_size: patches per visual token along each side.
        temporal_patch_size: frames per patch; a still image is repeated.
        min_pixels: see ``ResizeLimits``.
        max_pixels: see ``ResizeLimits``.
        mean: per channel, after scaling to 0-1.
        std: per channel, after scaling to 0-1.
    """

    patch_size: int = 14
    merge_size: int = 2
    temporal_patch_size: int = 2
    min_pixels: int = 56 * 56
    max_pixels: int = 28 * 28 * 1280
    mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)

    @property
    def limits(self) -> ResizeLimits:
        """The bounds for ``smart_resize``."""
        return ResizeLimits(self.patch_size * self.merge_size, self.min_pixels, self.max_pixels)


@dataclass(frozen=True)
class Patches:
    """Input of the vision tower for one image.

    Attributes:
        levels: (grid_height * grid_width) x 3 x (patch * patch) uint8, in merge order.
        table: 3 x 256 float32; the normalised value of each level of each channel.
        frames: how often a patch is repeated, as a still image has no time.
        grid: (time, height, width) in patches; time is 1 for a still image.
        resized: size of the image after ``smart_resize``, in pixels.
    """

    levels: NDArray[np.uint8]
    table: NDArray[np.float32]
    frames: int
    grid: tuple[int, int, int]
    resized: Size

    @property
    def values(self) -> NDArray[np.float32]:
        """(grid_height * grid_width) x (3 * frames * patch * patch) float32, as the vision tower takes them."""
        count, channels, area = self.levels.shape
        values = np.empty((count, channels, self.frames, area), dtype=np.float32)
        for channel in range(channels):
            values[:, channel] = self.table[channel][self.levels[:, channel]][:, None]
        return values.reshape(count, -1)


def to_patches(screenshot: Screenshot, spec: ImageSpec) -> Patches:
    """Resize (bicubic), scale, normalise and cut as ``Qwen2VLImageProcessor`` does.

    Raises:
        ValueError: the screenshot's sides are beyond a ratio of 200.
    """
    resized = smart_resize(screenshot.size, spec.limits)
    image = screenshot.image()
    if resized != screenshot.size:
        image = image.resize(resized, resample=Image.Resampling.BICUBIC)
    levels = _cut(np.asarray(image), spec)
    return Patches(levels, _table(spec), spec.temporal_patch_size, _grid(resized, spec), resized)


def _grid(resized: Size, spec: ImageSpec) -> tuple[int, int, int]:
    return (1, resized.height // spec.patch_size, resized.width // spec.patch_size)


def _table(spec: ImageSpec) -> NDArray[np.float32]:
    """Scale and normalise all levels at once: the same operations as on an image, so the same bits."""
    mean, std = (np.array(channels, dtype=np.float32)[:, None] for channels in (spec.mean, spec.std))
    levels = np.arange(256, dtype=np.float32)[None]
    table: NDArray[np.float32] = (levels / np.float32(255) - mean) / std
    return table


def _cut(image: NDArray[np.uint8], spec: ImageSpec) -> NDArray[np.uint8]:
    """Height x width x 3 to one row per patch; the patches of one visual token lie side by side."""
    patch, merge = spec.patch_size, spec.merge_size
    rows, columns = image.shape[0] // (patch * merge), image.shape[1] // (patch * merge)
    tiles = image.reshape(rows, merge, patch, columns, merge, patch, 3).transpose(0, 3, 1, 4, 6, 2, 5)
    return np.ascontiguousarray(tiles.reshape(rows * columns * merge * merge, 3, patch * patch))
