"""Finds where secrets can be read on a page, so that screenshots have them black.

A field into which a secret was typed counts, unless it shows dots, and so does every other place where the text of
one stands: in fields, in the page's text and in open shadow roots, in every frame.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib import resources
from typing import Any

from playwright.sync_api import CDPSession, Error, Frame, Page

from ...actions.geometry import Point
from ...perception.screen import Region
from ..secrets import Secrets

_WORLD = "saccade-secrets"
_LEAST = 4
"""Characters of a secret that are looked for anywhere; a shorter one is hidden in the field it was typed into."""
_INSET = """element => {
  const { paddingLeft, paddingTop } = getComputedStyle(element);
  return [element.clientLeft + parseFloat(paddingLeft), element.clientTop + parseFloat(paddingTop)];
}"""


class SecretMarks:
    """Watches the pages of a profile for secrets."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._sessions: dict[Frame, CDPSession] = {}

    @contextmanager
    def typing(self, text: str, page: Page, devtools: CDPSession) -> Iterator[None]:
        """While the block runs, ``text`` is typed on the page; if a secret is in it, the fields that get it count."""
        if not any(each in text for each in self._secrets.texts if each):
            yield
            return
        self._call(page, devtools, "typing(true)")
        try:
            yield
        finally:
            self._call(page, devtools, "typing(false)")

    def boxes(self, page: Page, devtools: CDPSession) -> list[Region]:
        """Where secrets can be read, in CSS pixels of the page."""
        if not self._secrets:
            return []
        texts = json.dumps([text for text in self._secrets.texts if len(text) >= _LEAST])
        return [
            Region(round(origin.x + left) - 1, round(origin.y + top) - 1, round(width) + 2, round(height) + 2)
            for origin, found in self._call(page, devtools, f"boxes({texts})")
            for left, top, width, height in found or ()
        ]

    def _call(self, page: Page, devtools: CDPSession, call: str) -> list[tuple[Point, Any]]:
        """Call a function of the script in every frame; with each result, where the frame's content begins."""
        found: list[tuple[Point, Any]] = []
        for session, origin in [(devtools, Point(0.0, 0.0)), *self._other_processes(page)]:
            with suppress(Error):  # it is closing
                session.send("DOM.enable")
                for number, frame in enumerate(_frames(session.send("Page.getFrameTree")["frameTree"])):
                    with suppress(Error):  # it is being replaced
                        within = _content(session, frame) if number else Point(0.0, 0.0)
                        result = _evaluate(session, frame, f"{_script()}; saccadeSecrets.{call}")
                        found.append((Point(origin.x + within.x, origin.y + within.y), result))
        return found

    def _other_processes(self, page: Page) -> Iterator[tuple[CDPSession, Point]]:
        """A session for each frame that a process of its own draws, and where it is on the page."""
        for frame in page.frames[1:]:
            with suppress(Error):  # a frame of its page's process has no session of its own
                if frame not in self._sessions:
                    self._sessions[frame] = page.context.new_cdp_session(frame)
                element = frame.frame_element()
                box, inset = element.bounding_box(), element.evaluate(_INSET)
                if box is not None:
                    yield self._sessions[frame], Point(box["x"] + inset[0], box["y"] + inset[1])


@cache
def _script() -> str:
    return resources.files(__package__).joinpath("secret_marks.js").read_text(encoding="utf-8").strip().rstrip(";")


def _frames(tree: dict[str, Any]) -> Iterator[str]:
    """The ids of a frame and of those in it, the outermost first."""
    yield tree["frame"]["id"]
    for each in tree.get("childFrames", ()):
        yield from _frames(each)


def _content(session: CDPSession, frame: str) -> Point:
    """Where the content of an inner frame begins, from the corner of the outermost frame of its process."""
    owner = session.send("DOM.getFrameOwner", {"frameId": frame})["backendNodeId"]
    content = session.send("DOM.getBoxModel", {"backendNodeId": owner})["model"]["content"]
    return Point(content[0], content[1])


def _evaluate(session: CDPSession, frame: str, script: str) -> Any:
    world = session.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": _WORLD})["executionContextId"]
    done = session.send("Runtime.evaluate", {"expression": script, "contextId": world, "returnByValue": True})
    return done["result"].get("value")
