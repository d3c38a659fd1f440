"""A conversation as OpenAI's chat completions take it, so that each request begins like the last one."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PIL import Image

from ...actions.geometry import ResizeLimits, Size, smart_resize
from ...perception.observation import Screenshot
from ..checkpoints.model_card import ModelCard
from ..context import conversation
from ..policy import Context

Json = dict[str, Any]


class Messages:
    """Writes one episode's messages.

    A server finds what it has computed before by the beginning of a request, so a screenshot is encoded once
    and repeated letter by letter.

    Args:
        task: the text of the first message, from the instruction.
        card: how many images, and what goes with those that are left out.
        limits: screenshots are resized within these before they are sent, so that the server, which does
            the same, leaves them as they are and points are in pixels of what was sent; None sends them as
            they are.
    """

    def __init__(self, task: Callable[[str], str], card: ModelCard, limits: ResizeLimits | None) -> None:
        self._task = task
        self._card = card
        self._limits = limits
        self._pictures: dict[str, Json] = {}

    def build(self, context: Context) -> list[Json]:
        """All messages, the newest screenshot last.

        Raises:
            ValueError: a screenshot's sides are beyond a ratio of 200.
        """
        messages: list[Json] = [{"role": "user", "content": self._task(context.instruction)}]
        before, self._pictures = self._pictures, {}
        for said in conversation(context, self._card):
            content: str | list[Json]
            if isinstance(said.content, Screenshot):
                content = [self._picture(said.content, before)]
            else:
                content = said.content
            messages.append({"role": said.role, "content": content})
        return messages

    def size(self, screenshot: Screenshot) -> Size:
        """In which size a screenshot is sent."""
        return smart_resize(screenshot.size, self._limits) if self._limits else screenshot.size

    def tokens(self, context: Context) -> int:
        """How many visual tokens the screenshots of a request are at least; 0 where the size is left open."""
        if self._limits is None:
            return 0
        shown = [said.content for said in conversation(context, self._card)]
        sizes = [self.size(content) for content in shown if isinstance(content, Screenshot)]
        return sum(size.width * size.height for size in sizes) // self._limits.factor**2

    def _picture(self, screenshot: Screenshot, before: Mapping[str, Json]) -> Json:
        """A screenshot's part of a message, written anew only if the last request did not hold it."""
        name = screenshot.digest
        if name not in self._pictures:
            self._pictures[name] = before.get(name) or _encoded(screenshot, self.size(screenshot))
        return self._pictures[name]


def _encoded(screenshot: Screenshot, size: Size) -> Json:
    if size != screenshot.size:
        resized = screenshot.image().resize(size, resample=Image.Resampling.BICUBIC)
        screenshot = Screenshot(np.asarray(resized))
    url = "data:image/png;base64," + base64.b64encode(screenshot.png()).decode()
    return {"type": "image_url", "image_url": {"url": url}}
