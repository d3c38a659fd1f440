"""Screenshots as small lossless files, or the reason why there is none."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

from PIL import Image

from ...actions.errors import TrajectoryError
from ...env.events import ObservationEvent
from ...env.trajectory import Trajectory

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
WEBP_LIMIT = 16383  # pixels on a side, fixed by the format
PLACEHOLDER_TYPE = "text/plain"


class Embedded(NamedTuple):
    """What the page holds for one digest.

    Attributes:
        digest: as the events name it.
        mime: ``image/...``, or ``text/plain`` where the body says why there is no picture.
        body: the base64 of the picture, or the reason.
    """

    digest: str
    mime: str
    body: str


def embedded_images(trajectory: Trajectory) -> Iterator[Embedded]:
    """Each distinct screenshot once, in the order of first use, encoded on all cores.

    Encoders leave Python's lock, so threads do; only a few pictures are held at a time.
    """
    distinct = {event.screenshot: event for event in trajectory.observations()}
    ordered = iter(distinct.values())
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from _in_order(pool, trajectory, ordered, ahead=2 * (os.cpu_count() or 1))


def _in_order(
    pool: ThreadPoolExecutor, trajectory: Trajectory, events: Iterable[ObservationEvent], ahead: int
) -> Iterator[Embedded]:
    rest = iter(events)
    waiting: list[Future[Embedded]] = [pool.submit(embed, trajectory, event) for event in islice(rest, ahead)]
    while waiting:
        yield waiting.pop(0).result()
        waiting += [pool.submit(embed, trajectory, event) for event in islice(rest, 1)]


def embed(trajectory: Trajectory, observation: ObservationEvent) -> Embedded:
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
    mime, data = smallest(image, recorded)
    return Embedded(digest, mime, base64.b64encode(data).decode())


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


def _encode(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()
