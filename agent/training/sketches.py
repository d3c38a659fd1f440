"""What a synthetic page is before it is rendered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class PageSketch:
    """A page to be: its HTML and what its own request wants.

    Attributes:
        body: the HTML.
        task: what kind of page it is.
        utterance: what the page itself asks for.
        extra: what its record says besides: ``bare`` (no bar on top), ``native`` (the browser's own style),
            ``wanted`` (the button that it asks for), ``done``, ``loading``, ``over`` (the names in a dialog
            that lies over the page) and ``dismiss`` (the one of them that closes it).
    """

    body: str
    task: str
    utterance: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
