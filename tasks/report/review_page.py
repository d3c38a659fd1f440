"""The page of a review: episodes of a dataset, to keep, reject, cut or correct; it saves decisions as a file."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from ...actions.errors import DataError, UsageError
from ...actions.untrusted import unturned
from ...agent.training.dataset.folder import Dataset
from ...agent.training.dataset.records import DatasetEpisode
from .html_page import content_policy, fill, json_block, part, script_of, write_atomically
from .images import PLACEHOLDER_TYPE, Embedded, encode_lossless, encode_lossy, size_limit
from .page import PAGE_BYTES, image_block

FILE_NAME: Final = "review.html"
_SCRIPTS: Final = ("elements.js", "marks.js", "review.js")


def write_review(dataset: Dataset, episodes: Sequence[DatasetEpisode], limit: int = PAGE_BYTES) -> Path:
    """Write the page of some episodes in the dataset's folder; pictures are compressed if it gets too large.

    Raises:
        UsageError: the file cannot be written.
    """
    path = dataset.folder / FILE_NAME
    try:
        write_atomically(path, review_page(dataset, episodes, limit))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; free some space") from error
    return path


def review_page(dataset: Dataset, episodes: Sequence[DatasetEpisode], limit: int) -> Iterator[str]:
    """The page in pieces."""
    style, script = part("report.css") + part("review.css"), script_of(_SCRIPTS)
    name = dataset.folder.resolve().name
    values = {
        "policy": content_policy(style, script),
        "title": html.escape(unturned(f"Review of {name} · Saccade")),
        "style": style,
        "script": script,
        "data": json_block({"name": name, "episodes": [_data(dataset, each) for each in episodes]}),
    }
    head, tail = part("review.html").split("{{images}}")
    head = fill(head, values)
    yield head
    digests = list(dict.fromkeys(step.picture for episode in episodes for step in episode.steps))
    left = max(limit - len(head), limit // 4) * 3 // 4  # base64 makes 4 bytes of 3
    share = size_limit([_size(dataset, digest) for digest in digests], left)
    for digest in digests:
        yield image_block(_embedded(dataset, digest, share))
    yield fill(tail, values)


def _data(dataset: Dataset, episode: DatasetEpisode) -> dict[str, Any]:
    return {**episode.model_dump(mode="json"), "held_out": dataset.held_out(episode)}


def _size(dataset: Dataset, digest: str) -> int:
    try:
        return len(dataset.png(digest))
    except DataError:
        return 0


def _embedded(dataset: Dataset, digest: str, share: int | None) -> Embedded:
    try:
        image, file = dataset.picture(digest).image(), dataset.png(digest)
    except DataError:
        return Embedded(digest, PLACEHOLDER_TYPE, "This picture cannot be read.")
    if share is not None and len(file) > share:
        return Embedded(digest, "image/webp", base64.b64encode(encode_lossy(image, share)).decode(), exact=False)
    mime, data = encode_lossless(image, file)
    return Embedded(digest, mime, base64.b64encode(data).decode())
