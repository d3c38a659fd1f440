"""Finding the popup of a form control: the list of a ``<select>``, a date, time or colour picker.

Chromium shows such a popup as a small document of its own, outside of the page. No DevTools session is attached
to it and no DevTools event of the mouse reaches it; but its nodes are numbered like all nodes of its process, and
can be read by number. A page can make no document that looks the same: those of its frames can be resolved to
objects, and all others have no layout.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from typing import Any

from playwright.sync_api import CDPSession, Error, Frame, Page

from ...actions.geometry import Point

_WORLD = "saccade"
_MOST_NODES = 4000
"""So many new nodes are looked at; a node gets a number only when something asks for it."""
_FIRST_NODES = 200
"""So many in a new document: a popup needs a person's act, so none is open before the first look at a document."""
_NEW_NODE = {
    "expression": "document.createElement('i')",
    "serializationOptions": {"serialization": "deep", "maxDepth": 0},  # with its number
}
_ESCAPE = {"type": "rawKeyDown", "key": "Escape", "code": "Escape", "windowsVirtualKeyCode": 27}
_ARGUMENTS = re.compile(r"<script>\s*window\.dialogArguments\b")
_ANCHOR = re.compile(r"\banchorRectInScreen: \{x: (-?[\d.]+),\s*y: (-?[\d.]+)")


def _script(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


_FIND_OWNER = _script("popup_owner.js")
_CHOOSE = _script("popup_choose.js")
_STATE = (
    "function() { return this.isConnected && !this.disabled && this.getClientRects().length > 0"
    " ? (this.options || []).length : -1; }"
)


class PopupOwner:
    """The form control that a popup belongs to, wherever it is: in a frame, in a shadow root."""

    def __init__(self, devtools: CDPSession, object_id: str, frame: Frame | None) -> None:
        self._devtools = devtools
        self._object = object_id
        self._frame = frame
        self._made_for = self._call(_STATE)

    def corner(self) -> Point | None:
        """Its top left corner on the page, in CSS pixels; None when it has no box."""
        try:
            x, y = self._devtools.send("DOM.getBoxModel", {"objectId": self._object})["model"]["border"][:2]
            around = self._frame.frame_element().bounding_box() if self._frame else {"x": 0.0, "y": 0.0}
        except Error:
            return None
        return Point(x + around["x"], y + around["y"]) if around else None

    def lasts(self) -> bool:
        """Whether it is still what its popup was made for: shown, enabled, with as many choices."""
        with suppress(Error):
            return bool(self._made_for >= 0 and self._call(_STATE) == self._made_for)
        return False

    def take(self, change: str, value: str | int) -> None:
        """Take a value as from its popup; what then happens to the page is the page's matter."""
        with suppress(Error):
            self._call(_CHOOSE, change, value)

    def _call(self, function: str, *arguments: str | int) -> Any:
        what = {"functionDeclaration": function, "objectId": self._object, "returnByValue": True, "userGesture": True}
        answer = self._devtools.send(
            "Runtime.callFunctionOn", {**what, "arguments": [{"value": argument} for argument in arguments]}
        )
        return answer["result"].get("value")


@dataclass(frozen=True)
class NativePopup:
    """A popup that Chromium has opened.

    Attributes:
        html: its document as it was before its script ran.
        anchor: the corner of its control on the computer's screen, in CSS pixels.
        owner: its control.
    """

    html: str
    anchor: Point
    owner: PopupOwner


class _Process:
    """The nodes of one renderer process, seen through the session of a page or of a frame of another origin."""

    def __init__(self, devtools: CDPSession, frame: Frame | None) -> None:
        self.devtools = devtools
        self.frame = frame
        self._context = 0
        self._known = 0

    def popup(self) -> tuple[int, str] | None:
        """Number and HTML of the document of an open popup that was not passed before."""
        newest = self._newest()
        first = max(self._known + 1, newest - (_MOST_NODES if self._known else _FIRST_NODES))
        for number in range(newest - 1, first - 1, -1):
            with suppress(Error):
                node = self.devtools.send("DOM.describeNode", {"backendNodeId": number, "depth": 0})["node"]
                if node["nodeName"] == "#document" and not node["documentURL"] and self.open(number):
                    html = str(self.devtools.send("DOM.getOuterHTML", {"backendNodeId": number})["outerHTML"])
                    if _ARGUMENTS.search(html):
                        return number, html
        self._known = newest
        return None

    def pass_by(self, number: int) -> None:
        """Look no further at the document of a popup."""
        self._known = number

    def open(self, number: int) -> bool:
        """Whether a document that belongs to no frame is laid out."""
        with suppress(Error):
            self.devtools.send("DOM.resolveNode", {"backendNodeId": number})
            return False
        try:
            return bool(self.devtools.send("DOM.getContentQuads", {"backendNodeId": number})["quads"])
        except Error:
            return False

    def owner(self) -> PopupOwner | None:
        """The control whose popup is open."""
        for frame in _frames(self.devtools.send("Page.getFrameTree")["frameTree"]):
            with suppress(Error):
                context = self._world(frame)
                found = self.devtools.send("Runtime.evaluate", {"expression": _FIND_OWNER, "contextId": context})
                if owner := self._opened(found["result"], context):
                    return PopupOwner(self.devtools, owner, self.frame)
        return None

    def _opened(self, found: dict[str, Any], context: int) -> str | None:
        """The control itself, or the one inside of an element that keeps its shadow root to itself."""
        if "objectId" not in found:
            return None
        if re.match("(select|input)\\b", found["description"]):
            return str(found["objectId"])
        whole = {"objectId": found["objectId"], "depth": -1, "pierce": True}
        node = self.devtools.send("DOM.describeNode", whole)["node"]
        for number in _controls(node):
            inside = self.devtools.send("DOM.resolveNode", {"backendNodeId": number, "executionContextId": context})
            asked = {"functionDeclaration": "function() { return this.matches(':open'); }", "returnByValue": True}
            answer = self.devtools.send("Runtime.callFunctionOn", {**asked, "objectId": inside["object"]["objectId"]})
            if answer["result"].get("value"):
                return str(inside["object"]["objectId"])
        return None

    def _newest(self) -> int:
        """The number of a node made now: nodes are numbered upwards, from 1 in each process."""
        try:
            made = self.devtools.send("Runtime.evaluate", {**_NEW_NODE, "contextId": self._context})
        except Error:  # another document, maybe in another process
            root = self.devtools.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
            self._context, self._known = self._world(root), 0
            made = self.devtools.send("Runtime.evaluate", {**_NEW_NODE, "contextId": self._context})
        return int(made["result"]["deepSerializedValue"]["value"]["backendNodeId"])

    def _world(self, frame: str) -> int:
        world = {"frameId": frame, "worldName": _WORLD}
        return int(self.devtools.send("Page.createIsolatedWorld", world)["executionContextId"])


class PopupFinder:
    """Finds the popups that Chromium opens over one page, in all its frames.

    Args:
        page: the page.
        devtools: its DevTools session.
    """

    def __init__(self, page: Page, devtools: CDPSession) -> None:
        self._page = page
        self._main = _Process(devtools, None)
        self._others: dict[Frame, tuple[str, _Process | None]] = {}
        self._stuck: tuple[_Process, int] | None = None
        self._read: tuple[_Process, int, NativePopup | None] | None = None

    @property
    def stuck(self) -> bool:
        """Whether a popup is open that could not be closed."""
        if self._stuck is not None and not self._stuck[0].open(self._stuck[1]):
            self._stuck = None
        return self._stuck is not None

    def take(self) -> NativePopup | None:
        """The popup that was opened since the last time: it is read, and closed before the page can tell.

        None where there is none, where its control is not found, and where it does not close: see ``stuck``.
        """
        self._read = self._read or self._found()  # where time was up while it closed, the next look goes on
        if self._read is None:
            return None
        process, number, popup = self._read
        closed = False
        with suppress(Error):
            closed = self._closed(process, number)
        self._read = None
        process.pass_by(number)
        return popup if closed else None

    def _found(self) -> tuple[_Process, int, NativePopup | None] | None:
        """An open popup, read; where its control is not found, only where it is."""
        for process in self._processes():
            with suppress(Error):
                if (found := process.popup()) is not None:
                    number, html = found
                    owner, anchor = process.owner(), _ANCHOR.search(html)
                    if owner is None or anchor is None:
                        return process, number, None
                    place = Point(float(anchor[1]), float(anchor[2]))
                    return process, number, NativePopup(_before_its_script(html), place, owner)
        return None

    def _closed(self, process: _Process, number: int) -> bool:
        """Close a popup; whether it did."""
        for _ in range(3):
            if not process.open(number):
                return True
            self._main.devtools.send("Input.dispatchKeyEvent", _ESCAPE)
        self._stuck = process, number
        return False

    def _processes(self) -> Iterator[_Process]:
        yield self._main
        frames = self._page.frames[1:]
        self._others = {frame: self._others[frame] for frame in frames if frame in self._others}
        for frame in frames:
            known, process = self._others.get(frame, (None, None))
            if known != frame.url:
                process = self._attached(frame)
                self._others[frame] = (frame.url, process)
            if process is not None:
                yield process

    def _attached(self, frame: Frame) -> _Process | None:
        with suppress(Error):  # a frame of the same process has no session of its own
            return _Process(self._page.context.new_cdp_session(frame), frame)
        return None


def _before_its_script(html: str) -> str:
    """The document with what its script is about to build taken out."""
    script = _ARGUMENTS.search(html)
    assert script is not None
    head = html[: html.index("</head>")]
    return f'{head}</head><body><div id="main"></div>{html[script.start() :]}'


def _frames(tree: dict[str, Any]) -> Iterator[str]:
    yield str(tree["frame"]["id"])
    for child in tree.get("childFrames", ()):
        yield from _frames(child)


def _controls(node: dict[str, Any]) -> Iterator[int]:
    if node["localName"] in ("select", "input"):
        yield int(node["backendNodeId"])
    for child in (*node.get("shadowRoots", ()), *node.get("children", ())):
        yield from _controls(child)
