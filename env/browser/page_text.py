"""What a page says of itself at the end of an episode: its text, address and title."""

from __future__ import annotations

from contextlib import suppress
from importlib import resources

from playwright.sync_api import Error, Page

from ..expect import EvidenceKind

_TEXT_SCRIPT = resources.files(__package__).joinpath("page_text.js").read_text(encoding="utf-8")


def page_evidence(page: Page, kind: EvidenceKind) -> list[str]:
    """The page's address, its title, or the texts of all its frames that a person can read."""
    if kind == "url":
        return [page.url]
    if kind == "title":
        return [page.title()]
    texts: list[str] = [page.main_frame.evaluate(_TEXT_SCRIPT)]
    for frame in page.frames:
        with suppress(Error):  # a frame may be gone by now
            if frame is not page.main_frame and frame.frame_element().is_visible():
                texts.append(frame.evaluate(_TEXT_SCRIPT))
    return texts
