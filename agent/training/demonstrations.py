"""MiniWoB++ pages with labels from the DOM; for training only training seeds in the training data mode.

Fifty episodes are laid out on one sheet, each in its own frame with the benchmark's 500x320 viewport.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...env.browser.miniwob_pages import page_of
from .command_line import DATA, parse_options
from .rendering import Pages, Sheet, add_scripts, labels, open_page, save_shards

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

FIRST_SEED, LAST_SEED = 2_000_000_000, 2_100_000_000
SHEET = Sheet()
ORIGIN = "http://miniwob.invalid"
REQUIRED = ("click-test", "click-test-2", "click-dialog", "click-button", "focus-text")
FURTHER = ("click-link", "click-dialog-2", "click-tab", "focus-text-2", "click-button-sequence", "enter-text")


def serve(page: Page, sheet_html: str) -> None:
    """Answer the sheet's requests from the package's files: one origin, no network."""
    root = page_of(REQUIRED[0]).parent.parent

    def answer(route: Route) -> None:
        file = root / urlsplit(route.request.url).path.lstrip("/")
        if file.is_file():
            route.fulfill(path=file)
        else:
            route.fulfill(status=404, body="")

    page.route(f"{ORIGIN}/**", answer)
    page.route(f"{ORIGIN}/sheet", lambda route: route.fulfill(body=sheet_html, content_type="text/html"))


def demonstrate(
    tasks: Sequence[str], rounds: int, first_seed: int = FIRST_SEED, sheet: Sheet = SHEET, mode: str = "train"
) -> Iterator[Pages]:
    """One sheet of labelled pages per round; the mode "test" takes held-out seeds, for measuring."""
    count = len(sheet.places)
    end = first_seed + rounds * count
    if mode == "train" and not FIRST_SEED <= first_seed <= end <= LAST_SEED:
        raise ValueError(f"training seeds lie in [{FIRST_SEED}, {LAST_SEED}); the others are held out")
    if mode == "test" and end > FIRST_SEED:
        raise ValueError(f"seeds from {FIRST_SEED} on are for training")
    names = [tasks[i % len(tasks)] for i in range(count)]
    frame = '<iframe src="/miniwob/{}.html" style="border:0;width:500px;height:320px"></iframe>'
    with open_page(sheet.columns * sheet.width, sheet.rows * sheet.height) as page:
        serve(page, sheet.html(("", frame.format(name)) for name in names))
        page.goto(f"{ORIGIN}/sheet")
        add_scripts(page)
        for number in range(rounds):
            page.evaluate("startAll", {"seed": first_seed + number * count, "mode": mode})
            yield sheet.read(page, "scanFrames", [labels(name) for name in names])


def main() -> None:
    """Write shards of training pages."""
    tasks = [*REQUIRED, *REQUIRED, *FURTHER]
    options = parse_options(__doc__, out=DATA, name="miniwob", rounds=100, seed=FIRST_SEED, tasks=tasks)
    save_shards(options.out, options.name, options.seed, demonstrate(options.tasks, options.rounds, options.seed))


if __name__ == "__main__":
    main()
