"""Experts, and policies that learn from them, at work in the frames of one page.

Many frames are one screenshot. Tasks that depend on the keyboard focus, which only one frame can have, are played
on pages of one frame.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from PIL import Image

from ....actions.geometry import Point
from ....actions.schema import Action, action_adapter
from ....env.browser.input import PageInput
from ....env.control import Control
from ....env.guard.guard import Guard, UnknownScene
from ....env.input import perform
from ....perception.observation import Screenshot
from ..demonstrations import ORIGIN, serve
from ..rendering import Sheet, add_scripts
from .expert import expert_script
from .shards import ExpertEpisode, ExpertStep

if TYPE_CHECKING:
    from playwright.sync_api import Page

log = logging.getLogger(__name__)
Act = Callable[[ExpertEpisode], Action | None]
"""What to do at the last step of an episode, which is not done yet, instead of the expert's action; None for that."""
MAX_STEPS: Final = 30
_SETTLE_MS: Final = 700

_FREE: Final = Guard.of("open")
_UNSEEN: Final = UnknownScene(Screenshot(np.zeros((1, 1, 3), np.uint8)))


class ExpertFrames:
    """Frames of one page, in each of which an expert plays one episode after the other.

    Args:
        page: an open page of the sheet's size.
        tasks: take turns on the frames.
        seeds: of the episodes, each taken once.
        act: what is done at a step, which may be something else than the expert does.
        sheet: how the frames are laid out.
    """

    def __init__(
        self, page: Page, tasks: Sequence[str], seeds: Iterator[int], act: Act, sheet: Sheet = Sheet()
    ) -> None:
        self._page = page
        self._sheet = sheet
        self._act = act
        self._seeds = seeds
        self._tasks = [tasks[index % len(tasks)] for index in range(len(sheet.places))]
        frame = '<iframe src="/miniwob/{}.html" style="border:0;width:500px;height:320px"></iframe>'
        serve(page, sheet.html(("", frame.format(task)) for task in self._tasks))
        page.goto(f"{ORIGIN}/sheet")
        add_scripts(page)
        script = resources.files(__package__).joinpath("sheet.js").read_text(encoding="utf-8")
        page.add_script_tag(content=f"{expert_script()}\n{script}")
        devtools = page.context.new_cdp_session(page)
        self._input = PageInput(page, devtools, Point(0.0, 0.0), lambda seconds: None, Control())
        self._episodes = [self._start(index) for index in range(len(self._tasks))]

    def round(self) -> Iterator[ExpertEpisode]:
        """Take a step in each frame; yields the episodes that were over."""
        self._page.evaluate("framesSettled", _SETTLE_MS)
        answers = cast("list[dict[str, Any]]", self._page.evaluate("askExperts", self._tasks))
        whole = Image.open(io.BytesIO(self._page.screenshot())).convert("RGB")
        for index, (answer, episode) in enumerate(zip(answers, self._episodes, strict=True)):
            if problem := answer.get("problem"):
                log.warning("the expert of %s fails at seed %d: %s", episode.task, episode.seed, problem)
            if answer["done"] or answer["action"] is None or len(episode.steps) >= MAX_STEPS:
                episode.reward = answer.get("reward", 0.0)
                yield episode
                self._episodes[index] = self._start(index)
            else:
                self._step(index, episode, answer, whole)

    def _start(self, index: int) -> ExpertEpisode:
        seed = next(self._seeds)
        self._page.evaluate("startFrame", [index, seed, "train"])
        return ExpertEpisode(self._tasks[index], seed)

    def _step(self, index: int, episode: ExpertEpisode, answer: dict[str, Any], whole: Image.Image) -> None:
        x, y = self._sheet.places[index]
        part = io.BytesIO()
        whole.crop((x, y, x + self._sheet.width, y + self._sheet.height)).save(part, format="PNG")
        seen = answer["seen"]
        step = ExpertStep(part.getvalue(), answer["action"], None, seen["elements"], list(map(tuple, seen["chars"])))
        episode.instruction = answer["goal"]
        episode.steps.append(step)
        done = self._act(episode)
        step.stray = None if done is None else done.model_dump(mode="json")
        permit = _FREE.admit(action_adapter.validate_python(step.done), _UNSEEN)
        perform(self._input, permit, lambda point: Point(x + point.x, y + point.y))
