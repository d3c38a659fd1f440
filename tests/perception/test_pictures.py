"""Pictures of others: three formats, bounded before they are decoded."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from saccade.perception.observation import Screenshot
from saccade.perception.pictures import decode_picture


def png(width: int, height: int, rows: bytes = b"") -> bytes:
    """A PNG that claims to be so large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def encoded(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (5, 3), (10, 200, 30)).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("data", [encoded("PNG"), encoded("JPEG"), encoded("WEBP", lossless=True)])
def test_three_formats_are_read(data: bytes) -> None:
    found = Screenshot.from_png(data)
    assert found.size == (5, 3)
    assert abs(found.pixels.astype(int) - np.array([10, 200, 30])).max() < 4


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [(20_000, 20_000), (1 << 31, 1 << 31), (0, 5), (1, (1 << 26) + 1)])
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(size: tuple[int, int]) -> None:
    data = png(*size)
    tracemalloc.start()
    try:
        with pytest.raises(OSError, match=r"pixels; a picture may have|damaged"):
            decode_picture(data)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["EPS", "GIF", "BMP", "TIFF", "PDF", "ICO"])
def test_other_formats_are_not_tried(kind: str) -> None:
    """Some start programs: PostScript runs ghostscript."""
    with pytest.raises(OSError, match="no picture in PNG, JPEG or WebP"):
        decode_picture(encoded(kind))


@pytest.mark.filterwarnings("error")
def test_damaged_pictures_are_one_kind_of_error() -> None:
    whole = encoded("PNG")
    for data in (b"", b"RIFF", b"\xff\xd8\xff", *(whole[:length] for length in range(0, len(whole) - 30, 3))):
        with pytest.raises(OSError, match=r"."):
            decode_picture(data)


@pytest.mark.filterwarnings("error")
def test_a_palette_with_transparency_is_drawn_without_a_warning() -> None:
    buffer = io.BytesIO()
    picture = Image.new("P", (2, 2))
    picture.putpalette([9, 8, 7] * 256)
    picture.save(buffer, "PNG", transparency=b"\x00\x80")
    assert decode_picture(buffer.getvalue()).getpixel((0, 0)) == (9, 8, 7)
