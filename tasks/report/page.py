"""The page of one run: its data and its screenshots."""

from __future__ import annotations

import html
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from ...actions.errors import UsageError
from ...actions.untrusted import unturned
from ...env.private_files import private_folder
from ...env.trajectory.trajectory import Trajectory
from .data import report_data
from .html_page import content_policy, fill, json_block, part, script_of, write_atomically
from .images import Embedded, Shown, embedded_images
from .pairing import pairing

FILE_NAME = "report.html"
PAGE_BYTES = 57_000_000
_SCRIPTS = ("elements.js", "marks.js", "details.js", "pairs.js", "report.js")


def write_report(trajectory: Trajectory, target: Path | None = None, limit: int = PAGE_BYTES) -> Path:
    """Write one run as one self-contained HTML file; a replay with its recording beside it.

    Args:
        trajectory: a run, finished or not.
        target: the file to write; ``report.html`` in the run's folder by default.
        limit: bytes of the file. If exact screenshots do not fit, the largest are compressed until they do.

    Returns:
        The file, which is written atomically.

    Raises:
        UsageError: the file cannot be written.
    """
    path = target or trajectory.directory / FILE_NAME
    try:
        private_folder(path.parent)
        write_atomically(path, page(trajectory, limit))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; name another file") from error
    return path


@cache
def page_beginning() -> bytes:
    """The first bytes of every page of this version, up to and with its content security policy.

    A report that begins otherwise may hold scripts of others, or is of another version.
    """
    head = part("report.html").partition("{{policy}}")[0] + "{{policy}}"
    policy = content_policy(part("report.css"), script_of(_SCRIPTS))
    return fill(head, {"policy": policy}).encode()


def page(trajectory: Trajectory, limit: int = PAGE_BYTES) -> Iterator[str]:
    """The page in pieces, so that hundreds of screenshots are never in memory together."""
    style, script = part("report.css"), script_of(_SCRIPTS)
    pairs = pairing(trajectory)
    values = {
        "policy": content_policy(style, script),
        "title": html.escape(unturned(f"{trajectory.start.instruction or trajectory.start.environment} · Saccade")),
        "style": style,
        "script": script,
        "data": json_block(report_data(trajectory, pairs)),
    }
    head, tail = part("report.html").split("{{images}}")
    yield fill(head, values)
    shown = [Shown(trajectory, event) for event in trajectory.observations()]
    shown += pairs.shown(trajectory) if pairs else []
    left = max(limit - len(values["data"]), limit // 4)
    for image in embedded_images(shown, left * 3 // 4):  # base64 makes 4 bytes of 3
        yield image_block(image)
    yield fill(tail, values)


def image_block(image: Embedded) -> str:
    """One screenshot as a data block, found by its digest."""
    body = json_block(image.body) if image.mime == "text/plain" else image.body
    note = "" if image.exact else " data-reduced"
    return f'<script type="{image.mime}" data-image="{html.escape(image.digest)}"{note}>{body}</script>\n'
