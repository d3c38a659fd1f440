"""Collects episodes of the experts, many at once: ``python -m saccade.agent.training.experts.collect --out DIR``.

Fifty episodes are laid out on one sheet, each in its own frame, so that one screenshot shows them all. Tasks that
depend on the keyboard focus, which only one frame can have, are played one by one by ``MiniWobExpert`` instead.
"""

from __future__ import annotations

import io
import json
import logging
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from PIL import Image

from ....env.private_files import open_private, private_folder, private_part, write_private
from ..command_line import DATA, parse_options
from ..demonstrations import FIRST_SEED, LAST_SEED, ORIGIN, serve
from ..rendering import Sheet, open_page
from .expert import EXPERT_TASKS, expert_script

if TYPE_CHECKING:
    from playwright.sync_api import Page

log = logging.getLogger(__name__)
FOCUS_TASKS: Final = frozenset(
    task
    for task in EXPERT_TASKS
    if task.startswith(("enter-", "choose-date", "use-", "focus-", "login-", "text-", "simple-", "find-", "read-"))
    or task in ("visual-addition", "highlight-text")
)
"""Tasks with fields, which are drawn differently while they have the focus."""
SHEET_TASKS: Final = tuple(task for task in EXPERT_TASKS if task not in FOCUS_TASKS)
MAX_STEPS: Final = 30
SHARD_EPISODES: Final = 1000
_SETTLE_MS: Final = 700
_DRAG_STEPS: Final = 6


@dataclass
class ExpertEpisode:
    """One episode of an expert.

    Attributes:
        task: of MiniWoB++.
        seed: of the page.
        instruction: what the page asks for.
        pictures: the screen before each step, as PNG.
        actions: what the expert did next, as ``Action`` is written in JSON; points in pixels of the picture.
        strayed: the steps at which something else was done instead, so that the next state is off the way.
        reward: the page's raw reward.
    """

    task: str
    seed: int
    instruction: str = ""
    pictures: list[bytes] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)
    strayed: list[int] = field(default_factory=list)
    reward: float = 0.0


class ExpertSheet:
    """Frames of one page, in each of which an expert plays one episode after the other.

    Args:
        page: an open page of the sheet's size.
        tasks: take turns on the frames.
        seed: of the first episode; each takes the next one.
        stray: share of steps at which a click anywhere is made instead of the expert's action (DART,
            arXiv 1703.09327): the expert then shows how to go on.
        sheet: how the frames are laid out.
    """

    def __init__(self, page: Page, tasks: Sequence[str], seed: int, stray: float = 0.1, sheet: Sheet = Sheet()) -> None:
        self._page = page
        self._sheet = sheet
        self._stray = stray
        self._rng = random.Random(seed)
        self._seed = seed
        self._tasks = [tasks[index % len(tasks)] for index in range(len(sheet.places))]
        frame = '<iframe src="/miniwob/{}.html" style="border:0;width:500px;height:320px"></iframe>'
        serve(page, sheet.html(("", frame.format(task)) for task in self._tasks))
        page.goto(f"{ORIGIN}/sheet")
        script = resources.files(__package__).joinpath("sheet.js").read_text(encoding="utf-8")
        page.add_script_tag(content=f"{expert_script()}\n{script}")
        self._episodes = [self._start(index) for index in range(len(self._tasks))]

    def round(self) -> Iterator[ExpertEpisode]:
        """Take a step in each frame; yields the episodes that were over."""
        self._page.evaluate("framesSettled", _SETTLE_MS)
        answers = cast("list[dict[str, Any]]", self._page.evaluate("askExperts", self._tasks))
        whole = Image.open(io.BytesIO(self._page.screenshot())).convert("RGB")
        for index, (answer, episode) in enumerate(zip(answers, self._episodes, strict=True)):
            if answer["done"] or answer["action"] is None or len(episode.actions) >= MAX_STEPS:
                episode.reward = answer.get("reward", 0.0)
                yield episode
                self._episodes[index] = self._start(index)
            else:
                self._step(index, episode, answer, whole)

    def _start(self, index: int) -> ExpertEpisode:
        seed, self._seed = self._seed, self._seed + 1
        self._page.evaluate("startFrame", [index, seed, "train"])
        return ExpertEpisode(self._tasks[index], seed)

    def _step(self, index: int, episode: ExpertEpisode, answer: dict[str, Any], whole: Image.Image) -> None:
        x, y = self._sheet.places[index]
        part = io.BytesIO()
        whole.crop((x, y, x + self._sheet.width, y + self._sheet.height)).save(part, format="PNG")
        episode.instruction = answer["goal"]
        episode.pictures.append(part.getvalue())
        episode.actions.append(answer["action"])
        if self._rng.random() < self._stray:
            episode.strayed.append(len(episode.actions) - 1)
            self._click(x + self._rng.uniform(2, 158), y + self._rng.uniform(52, 208))
        else:
            self._execute(answer["action"], x, y)

    def _execute(self, action: dict[str, Any], x: float, y: float) -> None:
        if action["kind"] == "click":
            self._click(x + action["point"]["x"], y + action["point"]["y"])
        elif action["kind"] == "drag":
            start, end = action["start"], action["end"]
            self._drag((x + start["x"], y + start["y"]), (x + end["x"], y + end["y"]))
        else:
            raise ValueError(f"a sheet executes clicks and drags, not {action['kind']}")

    def _click(self, x: float, y: float) -> None:
        self._page.mouse.click(x, y)

    def _drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        mouse = self._page.mouse
        mouse.move(*start)
        mouse.down()
        for step in range(1, _DRAG_STEPS + 1):
            part = step / _DRAG_STEPS
            mouse.move(start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part)
        mouse.up()


def expert_episodes(
    tasks: Sequence[str], episodes: int, seed: int, stray: float = 0.1, sheet: Sheet = Sheet()
) -> Iterator[ExpertEpisode]:
    """Play so many episodes on a sheet; those that the expert does not solve are left out.

    Raises:
        ValueError: the seeds are not those of training.
    """
    if not FIRST_SEED <= seed <= seed + 2 * episodes <= LAST_SEED:
        raise ValueError(f"training seeds lie in [{FIRST_SEED}, {LAST_SEED}); the others are held out")
    solved = 0
    with open_page(sheet.columns * sheet.width, sheet.rows * sheet.height) as page:
        playing = ExpertSheet(page, tasks, seed, stray, sheet)
        while solved < episodes:
            for episode in playing.round():
                if episode.reward > 0 and solved < episodes:
                    solved += 1
                    yield episode


def save_episodes(folder: Path, name: str, episodes: Sequence[ExpertEpisode]) -> None:
    """Write a shard: the pictures one after the other in ``NAME.bin``, then ``NAME.jsonl``, which says where."""
    private_folder(folder)
    rows, place = [], 0
    with private_part(folder / f"{name}.bin") as part, open_private(part, "wb") as file:
        for episode in episodes:
            places = []
            for picture in episode.pictures:
                file.write(picture)
                places.append([place, len(picture)])
                place += len(picture)
            rows.append(vars(episode) | {"pictures": places})
    write_private(folder / f"{name}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def load_episodes(folder: Path, name: str) -> list[ExpertEpisode]:
    """Read a shard."""
    pictures = (folder / f"{name}.bin").read_bytes()
    rows = [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    return [
        ExpertEpisode(**row | {"pictures": [pictures[place : place + size] for place, size in row["pictures"]]})
        for row in rows
    ]


def main() -> None:
    """Write shards of expert episodes."""
    options = parse_options(
        __doc__, out=DATA, name="experts", episodes=10_000, seed=FIRST_SEED, stray=0.1, tasks=list(SHEET_TASKS)
    )
    waiting: list[ExpertEpisode] = []
    number = 0
    for episode in expert_episodes(options.tasks, options.episodes, options.seed, options.stray):
        waiting.append(episode)
        if len(waiting) == SHARD_EPISODES:
            save_episodes(options.out, f"{options.name}-{options.seed}-{number:03}", waiting)
            log.info("%d episodes", (number + 1) * SHARD_EPISODES)
            waiting, number = [], number + 1
    if waiting:
        save_episodes(options.out, f"{options.name}-{options.seed}-{number:03}", waiting)


if __name__ == "__main__":
    main()
