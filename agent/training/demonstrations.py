"""MiniWoB++ pages with labels from the DOM; for training only training seeds in the training data mode.

Forty-odd episodes are laid out on one sheet, each in its own frame with the benchmark's 500x320 viewport,
so that one screenshot yields them all.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from ...env.browser.miniwob_pages import page_of
from .command_line import DATA, parse_options
from .rendering import SCAN_JS, PageRecord, Picture, open_page, save_shard, screenshot

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

log = logging.getLogger(__name__)

FIRST_SEED, LAST_SEED = 2_000_000_000, 2_100_000_000
WIDTH, HEIGHT = 160, 210
VIEW_WIDTH, VIEW_HEIGHT = 500, 320
ORIGIN = "http://miniwob.invalid"
REQUIRED = ("click-test", "click-test-2", "click-dialog", "click-button", "focus-text")
FURTHER = ("click-link", "click-dialog-2", "click-tab", "focus-text-2", "click-button-sequence", "enter-text")

SHEET_JS = (
    SCAN_JS
    + r"""
window.startAll = ({seed, mode}) => Array.from(frames).forEach((f, i) => {
  f.Math.seedrandom(seed + i);
  f.core.setDataMode(mode);
  f.core.EPISODE_MAX_TIME = 3.6e6;
  f.core.startEpisodeReal();
  // Only one frame can hold the focus; in the others, draw what focus would look like.
  const active = f.document.activeElement;
  if (active && active.classList.contains('ui-button')) active.classList.add('ui-state-focus');
});
window.scanAll = () => Array.from(frames).map((f) => {
  const found = scanPage(f, {x: 0, y: 0, w: 160, h: 210});
  const asked = f.core.getUtterance();
  found.utterance = typeof asked === 'string' ? asked : asked.utterance;
  return found;
});
"""
)


@dataclass(frozen=True)
class Sheet:
    """A grid of frames on one browser page."""

    columns: int = 10
    rows: int = 5

    @property
    def size(self) -> int:
        """The number of frames."""
        return self.columns * self.rows

    def html(self, tasks: list[str]) -> str:
        """The sheet's page; frame ``i`` shows ``tasks[i]``."""
        cells = []
        for index, task in enumerate(tasks):
            x, y = index % self.columns * WIDTH, index // self.columns * HEIGHT
            cells.append(
                f'<div style="position:absolute;overflow:clip;left:{x}px;top:{y}px;width:{WIDTH}px;'
                f'height:{HEIGHT}px"><iframe src="/miniwob/{task}.html" style="border:0;width:{VIEW_WIDTH}px;'
                f'height:{VIEW_HEIGHT}px"></iframe></div>'
            )
        return f"<!DOCTYPE html><body style='margin:0'>{''.join(cells)}</body>"

    def cut(self, sheet: Picture) -> list[Picture]:
        """Each frame's picture, in frame order."""
        return [
            sheet[y * HEIGHT : (y + 1) * HEIGHT, x * WIDTH : (x + 1) * WIDTH]
            for y in range(self.rows)
            for x in range(self.columns)
        ]


def serve(page: Page, sheet_html: str) -> None:
    """Answer the sheet's requests from the package's files: one origin, no network."""
    root = page_of(REQUIRED[0]).parent.parent

    def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path == "/sheet":
            route.fulfill(body=sheet_html, content_type="text/html")
            return
        file = (root / path.lstrip("/")).resolve()
        if file.is_relative_to(root.resolve()) and file.is_file():
            route.fulfill(path=file)
        else:
            route.fulfill(status=404, body="")

    page.route(f"{ORIGIN}/**", answer)


def demonstrate(
    tasks: tuple[str, ...], rounds: int, first_seed: int = FIRST_SEED, sheet: Sheet | None = None
) -> Iterator[tuple[list[Picture], list[PageRecord]]]:
    """One sheet of labelled training pages per round."""
    sheet = sheet or Sheet()
    if not FIRST_SEED <= first_seed <= LAST_SEED - rounds * sheet.size:
        raise ValueError(f"training seeds lie in [{FIRST_SEED}, {LAST_SEED}); the others are held out")
    yield from _sheets(tasks, rounds, first_seed, sheet, "train")


def held_out(
    tasks: tuple[str, ...], rounds: int, first_seed: int = 0, sheet: Sheet | None = None
) -> Iterator[tuple[list[Picture], list[PageRecord]]]:
    """One sheet of labelled held-out pages per round, for measuring."""
    sheet = sheet or Sheet()
    if first_seed + rounds * sheet.size > FIRST_SEED:
        raise ValueError(f"seeds from {FIRST_SEED} on are for training")
    yield from _sheets(tasks, rounds, first_seed, sheet, "test")


def _sheets(
    tasks: tuple[str, ...], rounds: int, first_seed: int, sheet: Sheet, mode: str
) -> Iterator[tuple[list[Picture], list[PageRecord]]]:
    names = [tasks[i % len(tasks)] for i in range(sheet.size)]
    with open_page(sheet.columns * WIDTH, sheet.rows * HEIGHT) as page:
        serve(page, sheet.html(names))
        page.goto(f"{ORIGIN}/sheet")
        page.add_script_tag(content=SHEET_JS)
        for number in range(rounds):
            page.evaluate("startAll", {"seed": first_seed + number * sheet.size, "mode": mode})
            found = cast("list[dict[str, Any]]", page.evaluate("scanAll()"))
            records = [
                cast("PageRecord", labels | {"task": name, "extra": {}})
                for name, labels in zip(names, found, strict=True)
            ]
            yield sheet.cut(screenshot(page)), records


def main() -> None:
    """Write shards of training pages."""
    tasks = [*REQUIRED, *REQUIRED, *FURTHER]
    options = parse_options(__doc__, out=DATA, name="miniwob", rounds=100, seed=FIRST_SEED, tasks=tasks)
    pictures: list[Picture] = []
    records: list[PageRecord] = []
    shard = 0
    for number, (new_pictures, new_records) in enumerate(
        demonstrate(tuple(options.tasks), options.rounds, options.seed), start=1
    ):
        pictures += new_pictures
        records += new_records
        if len(records) >= 2000 or number == options.rounds:
            save_shard(options.out, f"{options.name}-{shard:03}", pictures, records)
            log.info("%d of %d sheets, %d pages in shard %d", number, options.rounds, len(records), shard)
            pictures, records, shard = [], [], shard + 1


if __name__ == "__main__":
    main()
