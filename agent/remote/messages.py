"""A conversation as messages of OpenAI's chat completions; each request begins like the previous one."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from PIL import Image

from ...actions.characters import whole_text
from ...actions.geometry import ResizeLimits, Size, smart_resize
from ...perception.observation import Screenshot
from ..checkpoints.model_card import ModelCard
from ..context import Message, conversation
from ..policy import Context

Json = dict[str, Any]


class Messages:
    """Builds one episode's messages.

    A server's prefix cache needs identical text, so each screenshot is encoded only once.

    Args:
        task: makes the first message from the instruction.
        card: maximum number of images, and whether replies to dropped ones are dropped.
        max_replies: the maximum number of earlier replies; None for all.
        limits: screenshots are resized within these before they are sent, as the server would do. So the
            server leaves them unchanged, and points are in pixels of the sent image; None for no resizing.
    """

    def __init__(
        self, task: Callable[[str], str], card: ModelCard, max_replies: int | None, limits: ResizeLimits | None
    ) -> None:
        self._task = task
        self._card = card
        self._max_replies = max_replies
        self._limits = limits
        self._pictures: dict[str, Json] = {}

    def build(self, context: Context) -> list[Json]:
        """All messages, the newest screenshot last.

        Raises:
            ValueError: the aspect ratio of a screenshot is above 200.
        """
        messages: list[Json] = [{"role": "user", "content": whole_text(self._task(context.instruction))}]
        before, self._pictures = self._pictures, {}
        for said in self._conversation(context):
            content = said.content
            parts = [self._image(content, before)] if isinstance(content, Screenshot) else whole_text(content)
            messages.append({"role": said.role, "content": parts})
        return messages

    def size(self, screenshot: Screenshot) -> Size:
        """The size in which a screenshot is sent."""
        return smart_resize(screenshot.size, self._limits) if self._limits else screenshot.size

    def tokens(self, context: Context) -> int:
        """The minimum number of image tokens of a request; 0 if screenshots are not resized."""
        if self._limits is None:
            return 0
        sizes = [
            self.size(said.content) for said in self._conversation(context) if isinstance(said.content, Screenshot)
        ]
        return sum(size.width * size.height for size in sizes) // self._limits.factor**2

    def count(self, context: Context) -> tuple[int, int]:
        """The number of screenshots and of earlier replies in a request."""
        said = list(self._conversation(context))
        shown = sum(isinstance(each.content, Screenshot) for each in said)
        return shown, sum(each.role == "assistant" for each in said)

    def _conversation(self, context: Context) -> Iterator[Message]:
        return conversation(context, self._card, self._max_replies)

    def _image(self, screenshot: Screenshot, before: Mapping[str, Json]) -> Json:
        """A screenshot's part of a message, reused from the previous request if possible."""
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
