"""HTML pages made of a template, a style, a script, and data that is never trusted.

Recorded data is in blocks that no browser runs, with every ``<`` escaped; the script only writes text; and
the content security policy lets nothing run but that one script.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...actions.untrusted import unturned
from ...env.private_files import open_private, private_part

_PARTS = Path(__file__).parent


def content_policy(style: str, script: str) -> str:
    """A content security policy that allows this style, this script, embedded pictures and nothing else."""
    return (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_source_hash(style)}'; script-src '{_source_hash(script)}'"
    )


def json_block(data: Any) -> str:
    """JSON that is safe inside a script element: pure ASCII, and nothing that could end or open a tag."""
    text = json.dumps(_shown(data), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _shown(data: Any) -> Any:
    """Data for a page: texts with what would turn them around made unturned, and numbers that JSON has."""
    match data:
        case str():
            return unturned(data)
        case float():
            return data if math.isfinite(data) else None
        case dict():
            return {_shown(name): _shown(value) for name, value in data.items()}
        case list() | tuple():
            return [_shown(value) for value in data]
    return data


def fill(template: str, values: dict[str, str]) -> str:
    """Replace each ``{{name}}`` once; inserted text is not expanded again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], template)


def part(name: str) -> str:
    """The text of a file in this folder."""
    return (_PARTS / name).read_text(encoding="utf-8")


def script_of(names: Iterable[str]) -> str:
    """Scripts in one function, so that they define no global names."""
    return '(() => {\n"use strict";\n' + "\n".join(map(part, names)) + "})();\n"


def write_atomically(path: Path, pieces: Iterable[str]) -> None:
    """Write a file atomically; raises ``OSError`` where it cannot be written."""
    with (
        private_part(path) as part,
        open_private(part, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as stream,
    ):
        stream.writelines(pieces)


def _source_hash(source: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"
