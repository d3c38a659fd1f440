"""A question about one act, and who answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from PIL import ImageDraw

from ...actions.geometry import Point
from ...actions.schema import Drag, points
from ...perception.observation import Region, Screenshot
from ..notes import excerpt
from .intent import ActionIntent, Ruling

Answer = Literal["once", "run", "always", "no", "stop"]
"""Yes for this act; yes for the same consequences in this run, or always, at this place; no; end the run."""
OnAsk = Literal["deny", "allow", "exit"]
_RING: Final = 22
_COLOURS: Final = (("white", 7), ("#d62728", 3))


@dataclass(frozen=True)
class Question:
    """One act that a person is asked about.

    Attributes:
        intent: the act.
        ruling: why it is asked about.
        place: where a lasting answer holds: a site, or the program whose window it is; empty where it is unknown.
        screenshot: the screen just now.
        again: whether the screen changed since it was asked before.
    """

    intent: ActionIntent
    ruling: Ruling
    place: str
    screenshot: Screenshot
    again: bool = False

    def __str__(self) -> str:
        """The question in words; texts of the page are quoted."""
        where = f" on {excerpt(self.place, 100)}" if self.place else ""
        changed = " The screen has changed since you were asked." if self.again else ""
        return f"The agent wants to {_act(self.intent)}{where}. This {self.ruling.reason}.{changed}"

    def png(self) -> bytes:
        """The screenshot with a ring around what is acted on."""
        image = self.screenshot.image()
        pen = ImageDraw.Draw(image)
        for box in self._rings():
            for colour, width in _COLOURS:
                pen.ellipse(box, outline=colour, width=width)
        return Screenshot(np.asarray(image)).png()

    def _rings(self) -> list[tuple[float, float, float, float]]:
        spots = points(self.intent.action) if self.intent.action is not None else ()
        if spots:
            return [(x - _RING, y - _RING, x + _RING, y + _RING) for x, y in spots]
        boxes = (target.box for target in self.intent.targets)
        return [_around(each, self.screenshot) for each in boxes if each is not None]


Asker = Callable[[Question], Answer]


def unattended(answer: OnAsk) -> Asker:
    """An asker for where nobody is there: it denies, allows, or ends the run."""
    answers: dict[OnAsk, Answer] = {"deny": "no", "allow": "once", "exit": "stop"}
    return lambda question: answers[answer]


def _act(intent: ActionIntent) -> str:
    names = [excerpt(each.name or each.shown or each.submits, 80) for each in intent.targets]
    quoted = " to ".join(f'"{name}"' for name in names if name)
    if isinstance(intent.action, Drag):
        return f"drag {quoted or 'something'}"
    said = f" {excerpt(intent.text, 120)!r}" if intent.text else ""
    return f"{intent.kind.replace('_', ' ')}{said}{' at ' + quoted if quoted else ''}"


def _around(box: Region, screenshot: Screenshot) -> tuple[float, float, float, float]:
    """The pixels around a box that is in input points."""
    frame = screenshot.screen_frame
    left, top = frame.to_pixels(Point(box.left, box.top))
    right, bottom = frame.to_pixels(Point(box.right, box.bottom))
    return (left - 6, top - 6, right + 6, bottom + 6)
