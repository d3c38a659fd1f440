"""Decoding pictures that others made: known formats only, and none that would fill the memory."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

MOST_PIXELS: Final = 1 << 26
"""Of one picture: more than two 8K screens, and 200 MB in memory. A file of some kB can claim a thousand times that."""
_KINDS: Final[Mapping[bytes, Any]] = {
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"\xff\xd8\xff": JpegImageFile,
    b"RIFF": WebPImageFile,
}


def decode_picture(data: bytes) -> Image.Image:
    """A PNG, JPEG or WebP file as a picture in mode RGB.

    No other format is tried: some start programs, and some read other files.

    Raises:
        OSError: it is none of these, damaged, or larger than ``MOST_PIXELS``.
    """
    kind = next((kind for begin, kind in _KINDS.items() if data.startswith(begin)), None)
    if kind is None:
        raise OSError("no picture in PNG, JPEG or WebP")
    try:
        with kind(io.BytesIO(data), "") as picture:
            width, height = picture.size
            if not 0 < width * height <= MOST_PIXELS:
                raise OSError(f"it has {width} x {height} pixels; a picture may have 1 to {MOST_PIXELS}")
            picture.info.pop("transparency", None)  # it is drawn as if it were opaque, without a warning
            drawn: Image.Image = picture.convert("RGB")
            return drawn
    except (OSError, MemoryError) as error:
        raise OSError(str(error) or "not enough memory for it") from error
    except Exception as error:  # PIL raises a dozen kinds for damaged files
        raise OSError(f"damaged: {error}") from error
