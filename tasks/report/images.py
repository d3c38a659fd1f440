"""Screenshots for the page: exact while the page stays small, else compressed; or why one is missing."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from PIL import Image

from ...actions.errors import TrajectoryError
from ...env.trajectory.events import ObservationEvent
from ...env.trajectory.trajectory import Trajectory

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
WEBP_LIMIT = 16383  # pixels on a side, fixed by the format
PLACEHOLDER_TYPE = "text/plain"
_LOSSY_LEVELS = (*((quality, 1) for quality in (85, 70, 50, 30, 15)), (70, 2), (40, 2), (40, 4))
"""Quality, and how many times smaller each side is."""
_LOSSLESS_GAIN = 4  # lossless WebP never makes a screen's PNG this many times smaller


class Shown(NamedTuple):
    """A screenshot that the page needs, and its run."""

    trajectory: Trajectory
    observation: ObservationEvent


class Embedded(NamedTuple):
    """One screenshot as it is embedded in the page.

    Attributes:
        digest: as the events name it.
        mime: ``image/...``, or ``text/plain`` where the body says why there is no image.
        body: the image in base64, or the reason.
        exact: whether its pixels are the recorded ones.
    """

    digest: str
    mime: str
    body: str
    exact: bool = True


def embedded_images(shown: Iterable[Shown], budget: int) -> Iterator[Embedded]:
    """Each distinct screenshot once, in the order of first use, encoded on all cores.

    Encoders release Python's lock, so threads are enough; only a few images are in memory at a time.

    Args:
        shown: what the page needs; equal screens are embedded once.
        budget: bytes for all of them together. If they need more, the largest are compressed with loss.
    """
    distinct: dict[str, Shown] = {}
    for picture in shown:
        distinct.setdefault(picture.observation.screenshot, picture)
    ordered = list(distinct.values())
    share = size_limit([_bytes_on_disk(picture) for picture in ordered], budget)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from _in_order(pool, iter(ordered), share, ahead=2 * (os.cpu_count() or 1))


def size_limit(sizes: Sequence[int], budget: int) -> int | None:
    """The most bytes that one image may have so that all fit; None if they fit as they are.

    Large images get what small ones do not use.
    """
    ordered = sorted(sizes)
    for position, size in enumerate(ordered):
        share = budget // (len(ordered) - position)
        if size > share:
            return share
        budget -= size
    return None


def _bytes_on_disk(shown: Shown) -> int:
    try:
        return shown.trajectory.image_path(shown.observation).stat().st_size
    except OSError:
        return 0


def _in_order(pool: ThreadPoolExecutor, rest: Iterator[Shown], share: int | None, ahead: int) -> Iterator[Embedded]:
    waiting: list[Future[Embedded]] = [pool.submit(embed, *shown, share) for shown in islice(rest, ahead)]
    while waiting:
        yield waiting.pop(0).result()
        waiting += [pool.submit(embed, *shown, share) for shown in islice(rest, 1)]


def embed(trajectory: Trajectory, observation: ObservationEvent, share: int | None) -> Embedded:
    """One screenshot, checked against its digest; for an unreadable one the reason is embedded."""
    digest = observation.screenshot
    try:
        image = trajectory.screenshot(observation).image()
        recorded = trajectory.image_bytes(observation)
    except (TrajectoryError, OSError) as error:
        reason = str(error).replace(f"{trajectory.directory}{os.sep}", "")  # pages are shared, paths are not
        return Embedded(digest, PLACEHOLDER_TYPE, reason)
    exact = share is None or len(recorded) < _LOSSLESS_GAIN * share
    mime, data = encode_lossless(image, recorded) if exact else ("", b"")
    if share is not None and (not exact or len(data) > share):
        exact, mime, data = False, "image/webp", encode_lossy(image, share)
    return Embedded(digest, mime, base64.b64encode(data).decode(), exact)


def encode_lossless(image: Image.Image, recorded: bytes) -> tuple[str, bytes]:
    """The media type and bytes: lossless WebP, or the recorded PNG where that is smaller.

    The encoder's effort is the lowest with most of the gain: more takes 3 times as long and saves a quarter.
    """
    png = recorded if recorded.startswith(PNG_SIGNATURE) else _encode(image, "PNG")
    if max(image.size) > WEBP_LIMIT:
        return "image/png", png
    webp = _encode(image, "WEBP", lossless=True, exact=True, method=1, quality=20)
    return ("image/webp", webp) if len(webp) < len(png) else ("image/png", png)


def encode_lossy(image: Image.Image, share: int) -> bytes:
    """Lossy WebP of the best quality that fits ``share`` bytes; of the lowest if none fits."""
    image = image.copy()
    image.thumbnail((WEBP_LIMIT, WEBP_LIMIT))
    data = b""
    for quality, times in _LOSSY_LEVELS:
        smaller = image.reduce(times) if times > 1 else image
        data = _encode(smaller, "WEBP", quality=quality, method=2)
        if len(data) <= share:
            break
    return data


def _encode(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()
