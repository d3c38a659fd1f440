"""Pages that stall, flood, crash or never end: each step returns in time, and the browser lives on."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Error

from made_hostile_pages import PRESSED, hostile_site
from saccade.actions.errors import EnvironmentFailure
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Action, Click, Navigate, Wait
from saccade.env.base import StepResult
from saccade.env.browser.chromium import Chromium
from saccade.env.browser.environment import BrowserEnvironment
from saccade.env.browser.options import BrowserOptions
from saccade.env.check import check_environment
from saccade.env.guard.guard import Guard
from saccade.perception.page_settle import PageLimits

PRESS = Click(point=Point(100, 100))
LOOK = Wait(seconds=0)
LIMIT = 3.0
GRACE = 5.0
"""A step takes this much longer than a navigation may, at most."""
VARIED = ("native", "alerts", "windows", "goto refresh", "print")
MOST_MEMORY = 2_000_000_000


@pytest.fixture(scope="module")
def hostile() -> Iterator[str]:
    with hostile_site() as address:
        yield address


def opened(chromium: Chromium, address: str, limit: float, folder: Path | None = None) -> BrowserEnvironment:
    options = BrowserOptions(
        viewport=Size(640, 480), downloads=folder, download_bytes=3_000_000, limits=PageLimits(navigation=limit)
    )
    environment = BrowserEnvironment(f"{address}/plain", options, chromium=chromium, guard=Guard.of("open"))
    environment.reset()
    return environment


def timed(environment: BrowserEnvironment, action: Action, limit: float = LIMIT) -> StepResult:
    begun = time.monotonic()
    result = environment.step(action)
    assert time.monotonic() - begun < limit + GRACE, action
    return result


def memory(process: int) -> int:
    """Bytes that a process and its descendants have in memory, each page that they share counted once."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
            children.setdefault(int(parent), []).append(int(folder.name))
    todo, total = [process], 0
    while todo:
        number = todo.pop()
        todo += children.get(number, [])
        with suppress(OSError):
            rollup = Path(f"/proc/{number}/smaps_rollup").read_text()
            total += sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return total * 1024


def test_stalled_and_hostile_pages_in_one_session(tmp_path: Path, hostile: str, scale: int) -> None:
    """Steps return in time, with a picture; the browser and its memory stay; the next page works."""
    pick = random.Random(7)
    names = list(VARIED) if scale == 1 else (list(PRESSED) * (1 + scale // len(PRESSED)))[: max(scale, len(VARIED))]
    pick.shuffle(names)
    slowest = largest = 0.0
    with Chromium() as browser, opened(browser, hostile, LIMIT, tmp_path) as environment:
        process = browser.process_id()
        for name in names:
            assert timed(environment, Navigate(url=f"{hostile}/press?{name}")).error is None, name
            begun = time.monotonic()
            pressed = timed(environment, PRESS)
            slowest = max(slowest, time.monotonic() - begun)
            assert pressed.observation.screenshot.size == Size(640, 480)
            timed(environment, LOOK)
            left = timed(environment, Navigate(url=f"{hostile}/plain"))
            assert (left.error, left.observation.url) == (None, f"{hostile}/plain"), name
            largest = max(largest, memory(process))
        assert browser.process_id() == process
    print(f"{len(names)} pages, slowest {slowest:.1f} s, at most {largest / 1e6:.0f} MB")  # noqa: T201
    assert largest < MOST_MEMORY


def told(chromium: Chromium, hostile: str, name: str, folder: Path | None = None) -> tuple[str, str | None]:
    """The notes of pressing a page's button, in one text, and the address afterwards."""
    with opened(chromium, hostile, 2.0, folder) as environment:
        timed(environment, Navigate(url=f"{hostile}/press?{name}"))
        result = timed(environment, PRESS)
        return "\n".join(result.notes), result.observation.url


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("script", "a script of the page ran for 2 s without an end and was stopped"),
        ("native", "the page did not answer for 2 s; it was loaded again"),
        ("goto hang", "still loading after 2 s: {}/hang"),
        ("goto file", "still loading after 2 s: {}/slowfile?s=90"),
        ("confirm", 'confirm dialog accepted: "Again?" (10 times)\nconfirm dialog dismissed: "Again?"'),
    ],
)
def test_what_was_done_about_a_page_is_told(chromium: Chromium, hostile: str, name: str, note: str) -> None:
    said, url = told(chromium, hostile, name)
    assert note.format(hostile) in said
    assert url is not None
    assert "/press?" in url


def test_a_page_that_comes_late_is_seen_later(chromium: Chromium, hostile: str) -> None:
    """It is not given up when the step that asked for it ends."""
    with opened(chromium, hostile, 2.0) as environment:
        first = timed(environment, Navigate(url=f"{hostile}/slow?s=4"))
        assert (first.error, first.notes) == (None, (f"still loading after 2 s: {hostile}/slow?s=4",))
        assert timed(environment, PRESS).error is None
        later = environment.step(Wait(seconds=3.0))
        assert later.observation.url == f"{hostile}/slow?s=4"


def test_a_first_page_that_does_not_come_is_an_error(chromium: Chromium, hostile: str) -> None:
    options = BrowserOptions(limits=PageLimits(navigation=1.0))
    with (
        BrowserEnvironment(f"{hostile}/hang", options, chromium=chromium, guard=Guard.of("open")) as environment,
        pytest.raises(EnvironmentFailure, match=r"cannot open .*/hang: it took too long"),
    ):
        environment.reset()


def test_a_page_with_a_stuck_frame_of_another_site_is_loaded_again(chromium: Chromium, hostile: str) -> None:
    """It has a process of its own, so that the page around it answers."""
    with opened(chromium, hostile, 2.0) as environment:
        timed(environment, Navigate(url=f"{hostile}/framed"))
        stuck = timed(environment, PRESS)
        assert stuck.notes == ("a frame of the page did not answer for 2 s; it was loaded again",)
        begun = time.monotonic()
        assert environment.step(Click(point=Point(320, 300))).error is None
        assert time.monotonic() - begun < 2.0


def test_a_crashed_page_is_loaded_again_but_once_in_a_step(chromium: Chromium, hostile: str) -> None:
    with opened(chromium, hostile, LIMIT) as environment:
        for _ in range(2):
            crash(environment)
            result = timed(environment, LOOK)
            assert result.notes == ("the page crashed; it was loaded again",)
            assert result.observation.url == f"{hostile}/plain"
        assert environment._session is not None
        tabs = environment._session._tabs
        assert tabs.lose(tabs.front) == "an empty page was opened instead"
        assert timed(environment, Navigate(url=f"{hostile}/plain")).observation.url == f"{hostile}/plain"


def crash(environment: BrowserEnvironment) -> None:
    """Crash the renderer of the page in front, as out of memory would."""
    assert environment._session is not None
    with suppress(Error):
        environment._session.page.goto("chrome://crash", wait_until="commit")


def test_a_session_after_hostile_pages_keeps_the_contract(chromium: Chromium, hostile: str) -> None:
    with opened(chromium, hostile, 2.0) as environment:
        timed(environment, Navigate(url=f"{hostile}/press?script"))
        timed(environment, PRESS)
    assert check_environment(BrowserEnvironment(f"{hostile}/plain", chromium=chromium, guard=Guard.of("open"))) == []
