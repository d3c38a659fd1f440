"""Asks a page what a point, or the keyboard's focus, is about to hit.

A script describes it in a world of its own, in which no script of the page runs. It cannot look into frames of other
sites and closed shadow trees: there the browser itself says which node is under a point, as it does for a click.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from typing import Any

from playwright.sync_api import CDPSession, Error, Frame

from ....actions.geometry import Point
from ....perception.observation import Region
from ...guard.intent import UNKNOWN, Target
from ..tabs import Tab

_WORLD = "saccade-guard"
_INSET = """element => {
  const { paddingLeft, paddingTop } = getComputedStyle(element);
  return [element.clientLeft + parseFloat(paddingLeft), element.clientTop + parseFloat(paddingTop)];
}"""


class PageTargets:
    """What is hit on the page of a tab."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        self._world: tuple[int, int] | None = None
        self._sessions: dict[Frame, CDPSession] = {}

    def at(self, point: Point) -> Target:
        """What a click at a point, in CSS pixels, hits; ``UNKNOWN`` where the page cannot say."""
        try:
            found = self._evaluate(f"'point', null, {point.x!r}, {point.y!r}")
            if (scroll := found.get("scroll")) is None:
                return _target(found, framed=False)
            return self._inside(self._tab.devtools, point, scroll) or self._in_other_process(point)
        except (Error, KeyError, TypeError, ValueError):  # it is being replaced, or no such node is left
            return UNKNOWN

    def focused(self) -> Target:
        """What keys go to; ``UNKNOWN`` where the page cannot say."""
        try:
            found = self._evaluate("'focus'")
            framed = found.get("tag") in ("iframe", "frame")
            return _target(self._focused_within() if framed else found, framed=framed)
        except (Error, KeyError, TypeError, ValueError):
            return UNKNOWN

    def _evaluate(self, arguments: str) -> dict[str, Any]:
        """Run the script in the world of its own that the document in front has."""
        known = self._world
        for _ in range(2):
            if known is None or known[0] != self._tab.commits:
                commits, session = self._tab.commits, self._tab.devtools
                self._world = known = (commits, _world(session, _main(session)))
            try:
                return _run(self._tab.devtools, known[1], arguments)
            except Error:  # the document was replaced meanwhile
                known = None
        return {"known": False}

    def _inside(self, session: CDPSession, point: Point, scroll: Sequence[int] | None = None) -> Target | None:
        """What is at a point, asked of the browser itself; None for a frame of another process.

        It takes points of the document, while those of a click, and of ``scroll`` (0, 0), are points of the window.
        """
        main = _main(session)
        across, down = scroll or _run(session, _world(session, main), "'scroll'")["scroll"]
        session.send("DOM.enable")
        asked = {"x": round(point.x) + across, "y": round(point.y) + down, "ignorePointerEventsNone": False}
        hit = session.send("DOM.getNodeForLocation", asked)
        world = _world(session, hit["frameId"])
        node = session.send("DOM.resolveNode", {"backendNodeId": hit["backendNodeId"], "executionContextId": world})
        call = {
            "functionDeclaration": f"function () {{ return ({_script()})('node', this); }}",
            "objectId": node["object"]["objectId"],
            "returnByValue": True,
        }
        found = session.send("Runtime.callFunctionOn", call)["result"].get("value")
        if found and found.get("tag") in ("iframe", "frame"):
            return None
        return _target(found, framed=hit["frameId"] != main or session is not self._tab.devtools)

    def _focused_within(self) -> dict[str, Any]:
        """What has the focus in the frames that the page itself cannot look into."""
        sessions = [each for frame in self._tab.page.frames[1:] if (each := self._session(frame)) is not None]
        for session in (*reversed(sessions), self._tab.devtools):
            for frame in reversed([*_frames(session.send("Page.getFrameTree")["frameTree"])]):
                found = _run(session, _world(session, frame), "'focus'")
                if found.get("known") and found.get("role") != "document":
                    return {**found, "box": None}
        return {"known": False}

    def _in_other_process(self, point: Point) -> Target:
        """What is at a point in a frame that a process of its own draws; the innermost one counts."""
        for frame in reversed(self._tab.page.frames[1:]):
            session = self._session(frame)
            element = frame.frame_element() if session is not None else None
            box = element.bounding_box() if element is not None else None
            if session is None or element is None or box is None:
                continue
            if not (box["x"] <= point.x < box["x"] + box["width"] and box["y"] <= point.y < box["y"] + box["height"]):
                continue
            inset = element.evaluate(_INSET)
            within = Point(point.x - box["x"] - inset[0], point.y - box["y"] - inset[1])
            return self._inside(session, within) or UNKNOWN
        return UNKNOWN

    def _session(self, frame: Frame) -> CDPSession | None:
        """A session for a frame that has a process of its own; None for another."""
        if frame not in self._sessions:
            try:
                self._sessions[frame] = self._tab.page.context.new_cdp_session(frame)
            except Error:
                return None
        return self._sessions[frame]


def _frames(tree: dict[str, Any]) -> Iterator[str]:
    """The ids of a frame and of those in it, the outermost first."""
    yield tree["frame"]["id"]
    for each in tree.get("childFrames", ()):
        yield from _frames(each)


def _main(session: CDPSession) -> str:
    frame: str = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
    return frame


def _run(session: CDPSession, world: int, arguments: str) -> dict[str, Any]:
    """What the script says in a world."""
    asked = {"expression": f"({_script()})({arguments})", "contextId": world, "returnByValue": True}
    found = session.send("Runtime.evaluate", asked)["result"].get("value")
    return found if isinstance(found, dict) else {"known": False}


def _world(session: CDPSession, frame: str) -> int:
    made = session.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": _WORLD})
    context: int = made["executionContextId"]
    return context


def _target(found: Any, *, framed: bool) -> Target:
    """A target out of what the script says; in a frame, where it is on the page is not known."""
    if not isinstance(found, dict) or not found.get("known"):
        return UNKNOWN
    box = found.pop("box", None)
    region = None if box is None or framed else Region(*box)
    return Target.model_validate({**found, "box": region})


@cache
def _script() -> str:
    text = resources.files(__package__).joinpath("target.js").read_text(encoding="utf-8")
    return text.partition("\n")[2].strip()
