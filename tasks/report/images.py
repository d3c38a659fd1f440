"""Screenshots as small files, exact as long as the page stays small, or the reason why there is none."""

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
_LADDER = ((85, 1), (70, 1), (50, 1), (30, 1), (15, 1), (70, 2), (40, 2), (40, 4))  # quality, times smaller
_HOPELESS = 4  # lossless WebP makes a screen's PNG smaller, but not so many times


class Shown(NamedTuple):
    """A picture the page needs, and whose it is."""

    trajectory: Trajectory
    observation: ObservationEvent


class Embedded(NamedTuple):
    """What the page holds for one digest.

    Attributes:
        digest: as the events name it.
        mime: ``image/...``, or ``text/plain`` where the body says why there is no picture.
        body: the base64 of the picture, or the reason.
        exact: whether its pixels are those that were recorded.
    """

    digest: str
    mime: str
    body: str
    exact: bool = True


def embedded_images(shown: Iterable[Shown], budget: int) -> Iterator[Embedded]:
    """Each distinct screenshot once, in the order of first use, encoded on all cores.

    Encoders leave Python's lock, so threads do; only a few pictures are held at a time.

    Args:
        shown: what the page needs; equal screens of two runs are one.
        budget: bytes for all of them together. Where they need more, the largest lose pixels' exactness.
    """
    distinct: dict[str, Shown] = {}
    for picture in shown:
        distinct.setdefault(picture.observation.screenshot, picture)
    ordered = list(distinct.values())
    share = fair_share([_bytes_on_disk(picture) for picture in ordered], budget)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from _in_order(pool, iter(ordered), share, ahead=2 * (os.cpu_count() or 1))


def fair_share(sizes: Sequence[int], budget: int) -> int | None:
    """The size that none may exceed so that all fit; None if they do as they are.

    What small ones leave is for the large.
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


def _in_order(
    pool: ThreadPoolExecutor, rest: Iterator[Shown], share: int | None, ahead: int
) -> Iterator[Embedded]:
    waiting: list[Future[Embedded]] = [pool.submit(embed, *shown, share) for shown in islice(rest, ahead)]
    while waiting:
        yield waiting.pop(0).result()
        waiting += [pool.submit(embed, *shown, share) for shown in islice(rest, 1)]


def embed(trajectory: Trajectory, observation: ObservationEvent, share: int | None) -> Embedded:
    """One screenshot, checked against its digest; an unreadable one becomes the reason why."""
    digest = observation.screenshot
    try:
        image = trajectory.screenshot(observation).image()
        recorded = trajectory.image_path(observation).read_bytes()
    except (TrajectoryError, OSError) as error:
        reason = str(error).replace(
            f"{trajectory.directory}{os.sep}", ""
        )  # pages are passed on, paths are not
        return Embedded(digest, PLACEHOLDER_TYPE, reason)
    exact = share is None or len(recorded) < _HOPELESS * share
    mime, data = smallest(image, recorded) if exact else ("", b"")
    if share is not None and (not exact or len(data) > share):
        exact, mime, data = False, "image/webp", squeezed(image, share)
    return Embedded(digest, mime, base64.b64encode(data).decode(), exact)


def smallest(image: Image.Image, recorded: bytes) -> tuple[str, bytes]:
    """The picture's media type and bytes: lossless WebP, or the recorded PNG where that is smaller.

    The effort is the cheapest that brings most of the gain: more effort costs three times the time
    for a quarter of the size.
    """
    png = recorded if recorded.startswith(PNG_SIGNATURE) else _encode(image, "PNG")
    if max(image.size) > WEBP_LIMIT:
        return "image/png", png
    webp = _encode(image, "WEBP", lossless=True, exact=True, method=1, quality=20)
    return ("image/webp", webp) if len(webp) < len(png) else ("image/png", png)


def squeezed(image: Image.Image, share: int) -> bytes:
    """The picture as lossy WebP, as good as ``share`` bytes allow; the smallest there is if none fits."""
    image = image.copy()
    image.thumbnail((WEBP_LIMIT, WEBP_LIMIT))
    data = b""
    for quality, times in _LADDER:
        smaller = image.reduce(times) if times > 1 else image
        data = _encode(smaller, "WEBP", quality=quality, method=2)
        if len(data) <= share:
            break
    return data


def _encode(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()
