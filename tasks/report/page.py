"""The page itself: a template, a style and a script, filled with one run's data.

What a run recorded is never trusted: it stands in data blocks that no browser runs, every ``<`` escaped;
the script only ever writes text; and the policy in the head lets nothing run but that one script.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...actions.errors import UsageError
from ...env.trajectory import Trajectory
from .data import report_data
from .images import Embedded, embedded_images

FILE_NAME = "report.html"
_PARTS = Path(__file__).parent
_SCRIPTS = ("words.js", "marks.js", "details.js", "report.js")


def write_report(trajectory: Trajectory, target: Path | None = None) -> Path:
    """Write one run as one HTML file that needs nothing else.

    Args:
        trajectory: a run, finished or not.
        target: the file to write; ``report.html`` in the run's folder by default.

    Returns:
        The file that was written. It appears whole or not at all.

    Raises:
        UsageError: the file cannot be written.
    """
    path = target or trajectory.directory / FILE_NAME
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_whole(path, page(trajectory))
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; name another file") from error
    return path


def page(trajectory: Trajectory) -> Iterator[str]:
    """The page in pieces, so that hundreds of pictures never stand in memory together."""
    style, script = _part("report.css"), _script()
    values = {
        "policy": content_policy(style, script),
        "title": html.escape(f"{trajectory.start.instruction or trajectory.start.environment} · Saccade"),
        "style": style,
        "script": script,
        "data": json_block(report_data(trajectory)),
    }
    template = _part("report.html")
    head, tail = template.split("{{images}}")
    yield fill(head, values)
    for image in embedded_images(trajectory):
        yield image_block(image)
    yield fill(tail, values)


def content_policy(style: str, script: str) -> str:
    """A content security policy that allows this style, this script, embedded pictures and nothing else."""
    return (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_source_hash(style)}'; script-src '{_source_hash(script)}'"
    )


def json_block(data: Any) -> str:
    """JSON that is safe inside a script element: pure ASCII, and nothing that could end or open a tag."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def image_block(image: Embedded) -> str:
    """One picture as a data block, found by its digest."""
    body = json_block(image.body) if image.mime == "text/plain" else image.body
    return f'<script type="{image.mime}" data-image="{html.escape(image.digest)}">{body}</script>\n'


def fill(template: str, values: dict[str, str]) -> str:
    """Replace each ``{{name}}`` once; what is put in is not looked at again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], template)


def _source_hash(source: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"


def _script() -> str:
    """The parts in one function, so that the page gets no global names."""
    return '(() => {\n"use strict";\n' + "\n".join(_part(name) for name in _SCRIPTS) + "})();\n"


def _part(name: str) -> str:
    return (_PARTS / name).read_text(encoding="utf-8")


def _write_whole(path: Path, pieces: Iterator[str]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as stream:
            stream.writelines(pieces)
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
