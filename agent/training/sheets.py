"""Many small pages on one browser page: one screenshot gives dozens of training pictures."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...env.browser.chromium import find_browser

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from .dom import PageRecord

Picture = NDArray[np.uint8]


@contextmanager
def open_page(width: int, height: int) -> Iterator[Page]:
    """Open one browser page of the given viewport."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        bundled = playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=find_browser(bundled=bundled))
        try:
            yield browser.new_page(viewport={"width": width, "height": height})
        finally:
            browser.close()


def screenshot(page: Page) -> Picture:
    """Return the viewport's pixels."""
    return np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))


def save_shard(folder: Path, name: str, pictures: list[Picture], records: list[PageRecord]) -> None:
    """Write pictures of one size and their labels; the labels come last and mark the shard complete."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}.npy", np.stack(pictures))
    (folder / f"{name}.json").write_text(json.dumps(records), encoding="utf-8")
