"""The recorder's script in the frames of a page, in a JavaScript world of its own.

The world shares the document with the page's scripts and nothing else: they can neither call its binding nor
replace what it uses (DevTools, ``Page.addScriptToEvaluateOnNewDocument`` with a world's name).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import resources
from typing import Any, NamedTuple

from playwright.sync_api import Error, Frame, Page

from ...actions.geometry import Point

_WORLD = "saccade recorder"
_BINDING = "saccadeReport"
_LOOK = "globalThis.saccadeLook?.()"


class PageReport(NamedTuple):
    """What the script said, not yet read, and in which frame."""

    payload: str
    world: FrameWorld
    frame: str


class FrameWorld:
    """The script in all frames that one renderer shows: those of a page, or of a frame of another site.

    Args:
        devtools: a session attached to them.
        outer: finds the world around the frame; None for a page.
    """

    def __init__(
        self, devtools: Any, outer: Callable[[], FrameWorld | None], take: Callable[[PageReport], None]
    ) -> None:
        self._devtools = devtools
        self._outer = outer
        self._take = take
        self._contexts: dict[int, str] = {}
        self._corners: dict[str, Point] = {}
        self._root = ""
        devtools.on("Runtime.executionContextCreated", self._created)
        devtools.on("Runtime.executionContextDestroyed", self._destroyed)
        devtools.on("Runtime.executionContextsCleared", lambda _: self._contexts.clear())
        devtools.on("Runtime.bindingCalled", self._called)
        for domain in ("Page", "DOM", "Runtime"):
            devtools.send(f"{domain}.enable")
        self._root = str(devtools.send("Page.getFrameTree")["frameTree"]["frame"]["id"])
        devtools.send("Runtime.addBinding", {"name": _BINDING, "executionContextName": _WORLD})
        source = resources.files(__package__).joinpath("browser_listener.js").read_text(encoding="utf-8")
        what = {"source": source, "worldName": _WORLD, "runImmediately": True}
        devtools.send("Page.addScriptToEvaluateOnNewDocument", what)

    def look(self) -> Iterator[tuple[Point, Any]]:
        """What the script sees in each frame, with the frame's corner on the page."""
        for context, frame in list(self._contexts.items()):
            with suppress(Error):  # the document went away meanwhile
                question = {"expression": _LOOK, "contextId": context, "returnByValue": True, "silent": True}
                seen = self._devtools.send("Runtime.evaluate", question)["result"].get("value")
                if isinstance(seen, dict):
                    yield self.corner(frame), seen

    def corner(self, frame: str) -> Point:
        """Where a frame's content begins on its page; for a removed frame, where it was last."""
        outer = self._outer()
        if frame == self._root:
            return Point(0.0, 0.0) if outer is None else outer.corner(frame)
        with suppress(Error):
            owner = self._devtools.send("DOM.getFrameOwner", {"frameId": frame})["backendNodeId"]
            box = self._devtools.send("DOM.getBoxModel", {"backendNodeId": owner})["model"]["content"]
            around = Point(0.0, 0.0) if outer is None else outer.corner(self._root)
            self._corners[frame] = Point(around.x + box[0], around.y + box[1])
        return self._corners.get(frame, Point(0.0, 0.0))

    def _created(self, event: dict[str, Any]) -> None:
        context = event["context"]
        if context["name"] == _WORLD:
            self._contexts[context["id"]] = context["auxData"]["frameId"]

    def _destroyed(self, event: dict[str, Any]) -> None:
        self._contexts.pop(event["executionContextId"], None)

    def _called(self, event: dict[str, Any]) -> None:
        frame = self._contexts.get(event["executionContextId"])
        if frame is not None and event["name"] == _BINDING:
            self._take(PageReport(str(event["payload"]), self, frame))


class PageWorlds:
    """The script in all frames of a page; ``devtools`` is a session attached to it."""

    def __init__(self, page: Page, devtools: Any, take: Callable[[PageReport], None]) -> None:
        self._page = page
        self._take = take
        self._worlds: dict[Frame, FrameWorld] = {page.main_frame: FrameWorld(devtools, lambda: None, take)}
        page.on("framenavigated", self._enter)
        page.on("framedetached", self._leave)
        for frame in page.frames:
            self._enter(frame)

    def look(self) -> list[tuple[Point, Any]]:
        """What the script sees in each frame; see ``FrameWorld.look``."""
        return [seen for world in list(self._worlds.values()) for seen in world.look()]

    def _enter(self, frame: Frame) -> None:
        """Follow a frame into a renderer of its own, where its site has one."""
        if frame.parent_frame is None:
            return
        with suppress(Error):  # it shares its parent's, or went away
            devtools = self._page.context.new_cdp_session(frame)
            self._worlds[frame] = FrameWorld(devtools, lambda: self._around(frame), self._take)

    def _leave(self, frame: Frame) -> None:
        self._worlds.pop(frame, None)

    def _around(self, frame: Frame) -> FrameWorld | None:
        outer = frame.parent_frame
        while outer is not None and outer not in self._worlds:
            outer = outer.parent_frame
        return None if outer is None else self._worlds[outer]
