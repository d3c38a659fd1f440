"""Real programs on private displays, and texts that are hard to type, for the tests of the desktop."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Page, sync_playwright

from saccade.actions.geometry import Point
from saccade.env.browser.chromium import find_browser
from saccade.env.control import Control
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.x11.input import X11Input

_POOLS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (6, tuple(map(chr, range(0x20, 0x7F)))),
    (3, tuple(map(chr, range(0x4E00, 0x9FA5)))),
    (1, tuple(map(chr, range(0x300, 0x340)))),
    (1, (*map(chr, range(0x1F600, 0x1F640)), "👨‍👩‍👧", "🇩🇪", "❤️", "👍🏽")),
    (2, tuple(map(chr, range(0xC0, 0x180)))),
    (2, tuple(map(chr, range(0x410, 0x450)))),
    (1, tuple(map(chr, range(0x5D0, 0x5EB)))),
    (1, tuple(map(chr, range(0xAC00, 0xD7A4)))),
    (1, tuple(map(chr, range(0x20000, 0x20500)))),
    (1, tuple("“”‘’„…—€™←→∑√∞")),
    (1, ("\n",)),
    (1, ("\t",)),
)


def texts(count: int, *, longest: int = 80, seed: int = 0) -> list[str]:
    """All printable ASCII, then mixtures of scripts, combining marks, emoji, tabs and line breaks."""
    chance = random.Random(seed)
    weights, pools = zip(*_POOLS, strict=True)

    def one(length: int) -> str:
        return "".join(chance.choice(chance.choices(pools, weights)[0]) for _ in range(length))[:length]

    return ["".join(_POOLS[0][1]), *(one(chance.randint(1, longest)) for _ in range(count - 1))]


def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether it comes true in time."""
    deadline = time.monotonic() + seconds
    while not (true := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return true


class Notepad:
    """mousepad with one file; ``wants`` says whether the file, saved now, is exactly a text."""

    def __init__(self, display: PrivateDisplay, file: Path) -> None:
        file.write_bytes(b"")
        self.file = file
        self.program = display.start(["mousepad", str(file)])
        self.window = display.wait_for_window(self.program)

    def clear(self, device: X11Input) -> None:
        device.keyboard.chord(("ctrl", "a"))
        device.keyboard.chord(("delete",))

    def has(self, device: X11Input, text: str) -> bool:
        device.keyboard.chord(("ctrl", "s"))
        return eventually(lambda: self.file.read_bytes() == text.encode())


class BrowserWindow:
    """A page in a Chromium one can see; ``at`` turns points of the page into points of the screen."""

    def __init__(self, page: Page, origin: Point) -> None:
        self.page = page
        self.origin = origin

    def show(self, html: str) -> None:
        """Go to a page with this; where a document is only written anew, Chromium drags no sliders."""
        text = f"<!DOCTYPE html><meta charset=utf-8><body style='margin:0'>{html}"
        self.page.goto("data:text/html;charset=utf-8," + quote(text))
        self.page.evaluate("new Promise(seen => requestAnimationFrame(() => requestAnimationFrame(seen)))")

    def at(self, x: float, y: float) -> Point:
        return Point(self.origin.x + x, self.origin.y + y)


def apart(work: Callable[[], None]) -> None:
    """Do something in a thread of its own: Playwright runs once per thread, and others use it here."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


@contextmanager
def browser_window() -> Iterator[tuple[BrowserWindow, X11Input]]:
    """A Chromium alone on a display."""
    with PrivateDisplay() as display, sync_playwright() as playwright:
        device = X11Input(display.name, Control())
        browser = playwright.chromium.launch(
            headless=False, executable_path=find_browser(), env=dict(display.environ), args=["--no-first-run"]
        )
        page = browser.new_context(no_viewport=True).new_page()
        page.set_content("<p>Where is it?")
        page.evaluate("onmousemove = e => { window.origin_ = [e.screenX - e.clientX, e.screenY - e.clientY] }; 0")
        ways = iter(range(10_000))

        def moved() -> bool:
            device.move(Point(400 + next(ways) % 200, 400))
            return bool(page.evaluate("window.origin_ || false"))

        assert eventually(moved, 20)
        page.evaluate("onmousemove = null; 0")
        yield BrowserWindow(page, Point(*page.evaluate("window.origin_"))), device
        browser.close()
        device.close()
