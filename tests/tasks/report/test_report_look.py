"""What a person sees first on a report: the picture, what was clicked on it, and how it all ended."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page

from made_runs import EPOCH, end_event, executed, made_run, observation, prediction, start_event
from saccade.actions.geometry import Point
from saccade.actions.schema import Action, Click, DoubleClick, Drag, Finished, RightClick, Type
from saccade.env.browser.chromium import Chromium
from saccade.env.trajectory.trajectory import Trajectory, TrajectoryWriter
from saccade.perception.observation import Observation, Screenshot
from saccade.tasks.report import write_report

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}


@pytest.fixture
def view(chromium: Chromium) -> Iterator[Callable[..., Page]]:
    opened: list[BrowserContext] = []
    complaints: list[str] = []

    def open_(run: Trajectory, mark: str = "", viewport: dict[str, int] = DESK, **options: Any) -> Page:
        opened.append(chromium.new_context(viewport=viewport, **options))
        page = opened[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(write_report(run).resolve().as_uri() + mark)
        return page

    yield open_
    for context in opened:
        context.close()
    assert complaints == []


def noise(width: int, height: int) -> Screenshot:
    return Screenshot(np.random.default_rng(7).integers(0, 256, (height, width, 3), dtype=np.uint8))


def run_on(folder: Path, screen: Screenshot, actions: list[Action]) -> Trajectory:
    with TrajectoryWriter(folder, start_event()) as writer:
        for step, action in enumerate(actions):
            writer.observe(step, Observation(screen, EPOCH + step))
            writer.append(prediction(step, [action]))
            writer.append(executed(step, action))
    return Trajectory.load(folder)


def around(page: Page, point: Point, reach: int) -> np.ndarray:
    """The page's pixels around a point of the screenshot, as a person sees them."""
    box = page.locator("#stage img").bounding_box()
    assert box is not None
    scale = box["width"] / page.locator("#stage img").evaluate("(image) => image.naturalWidth")
    x, y = box["x"] + point.x * scale, box["y"] + point.y * scale
    clip = {"x": x - reach, "y": y - reach, "width": 2 * reach, "height": 2 * reach}
    return np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB"))  # type: ignore[arg-type]


@pytest.mark.parametrize("viewport", [DESK, PHONE])
def test_the_mark_hides_nothing_of_what_was_clicked(
    tmp_path: Path, view: Callable[..., Page], viewport: dict[str, int]
) -> None:
    point = Point(300, 160)
    actions: list[Action] = [kind(point=point) for kind in (Click, DoubleClick, RightClick)]
    actions += [Type(text="x", point=point), Drag(start=point, end=Point(520, 300))]
    page = view(run_on(tmp_path, noise(640, 360), actions), viewport=viewport)
    for action in actions:
        reach = 7 if isinstance(action, Drag) else 11
        marked = around(page, point, reach)
        page.keyboard.press("m")
        bare = around(page, point, reach)
        page.keyboard.press("m")
        assert (marked == bare).all(), action.kind
        assert page.locator(".ring.ink").count() == 1
        page.keyboard.press("ArrowRight")


@pytest.mark.parametrize("point", [Point(300, 160), Point(2, 3), Point(639, 359)])
def test_what_was_clicked_stands_magnified_beside_the_picture(
    tmp_path: Path, view: Callable[..., Page], point: Point
) -> None:
    screen = noise(640, 360)
    page = view(run_on(tmp_path, screen, [Click(point=point)]))
    found = page.locator("canvas.loupe").evaluate(
        "(canvas) => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
    )
    loupe = np.array(found, np.uint8).reshape(132, 220, 4)[:, :, :3]
    left, top = (int(min(max(at - half, 0), most)) for at, half, most in ((point.x, 55, 530), (point.y, 33, 294)))
    shown = screen.pixels[top : top + 66, left : left + 110].repeat(2, axis=0).repeat(2, axis=1)
    same = (loupe == shown).all(axis=2)
    assert same[16:-16, 16:-16].all(), "nothing lies on what was clicked"
    assert not same.all(), "ticks at the edges point to it"
    page.keyboard.press("b")
    assert page.locator("canvas.loupe").count() == 0, "it is of the screen before"


def test_a_drag_has_both_ends_magnified_and_a_key_none(tmp_path: Path, view: Callable[..., Page]) -> None:
    run = run_on(tmp_path, noise(640, 360), [Drag(start=Point(9, 9), end=Point(99, 99)), Type(text="x")])
    page = view(run)
    assert page.locator("canvas.loupe").count() == 2
    page.keyboard.press("ArrowRight")
    assert page.locator("canvas.loupe").count() == 0


@pytest.mark.parametrize("cut_off", [False, True])
def test_the_end_shows_the_last_screen(tmp_path: Path, view: Callable[..., Page], cut_off: bool) -> None:
    """The one that the last reply was about, where nothing was done after it."""
    with TrajectoryWriter(tmp_path, start_event()) as writer:
        writer.observe(0, observation("first", EPOCH))
        writer.append(prediction(0, [Click(point=Point(90, 98))]))
        writer.append(executed(0, Click(point=Point(90, 98))))
        writer.observe(1, observation("last", EPOCH + 1))
        if not cut_off:
            writer.append(prediction(1, [Finished()]))
            writer.append(executed(1, Finished()))
            writer.append(end_event(2, end="finished", reward=None))
    run = Trajectory.load(tmp_path)
    page = view(run, "#end")
    shown = """() => document.querySelector("[data-image='%s']").textContent
        === document.querySelector("#stage img").src.split(",")[1]"""
    last = run.observations()[-1].screenshot
    assert page.evaluate(shown % last)
    assert page.locator(".overlay > *").count() == page.locator("canvas").count() == 0
    assert page.inner_text("#badge") == ("Cut off" if cut_off else "Finished (claimed)")
    if not cut_off:
        page.keyboard.press("ArrowLeft")
        page.click("#after")
        assert page.evaluate(shown % last), "finishing changes nothing"


def test_a_claim_is_grey(tmp_path: Path, view: Callable[..., Page]) -> None:
    page = view(made_run(tmp_path, end=end_event(1, end="finished", reward=None)))
    assert page.inner_text(".verdict") == "Finished (claimed)\nthe policy said it was done; nothing judged that"
    red, green, blue = map(int, page.locator("#badge").evaluate("(b) => getComputedStyle(b).color")[4:-1].split(","))
    assert max(red, green, blue) - min(red, green, blue) < 20
    assert page.locator(".steps .good, .steps .bad").count() == 0


@pytest.mark.parametrize("mark", ["", "#step-2", "#end"])
def test_on_a_phone_the_picture_comes_first_and_nothing_scrolls_sideways(
    tmp_path: Path, view: Callable[..., Page], mark: str
) -> None:
    long = "w" * 300
    screen = Screenshot(np.full((720, 1280, 3), 240, np.uint8))
    with TrajectoryWriter(tmp_path, start_event(instruction=f"Do it. {long}", expect=(f"text={long}",))) as writer:
        for step in range(2):
            writer.observe(step, Observation(screen, EPOCH + step, f"http://made.up/{long}", notes=(long,)))
            action = Type(text=long, point=Point(900, 600))
            writer.append(prediction(step, [action], thought=long, raw=long, notes=(long,)))
            writer.append(executed(step, action, error=long, notes=(long,)))
        writer.append(end_event(2, message=long, verdict=f"not met: text={long}"))
    page = view(Trajectory.load(tmp_path), mark, PHONE, device_scale_factor=2, is_mobile=True, has_touch=True)
    stage = page.locator("#stage").bounding_box()
    assert stage is not None
    assert stage["y"] < 30
    assert stage["y"] + stage["height"] < PHONE["height"]
    for text in ("h1", ".verdict", "#facts", "#details", "#list", "#message"):
        box = page.locator(text).bounding_box()
        assert box is not None
        assert box["y"] > stage["y"] + stage["height"], text
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"], text
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    wide = """() => [...document.querySelectorAll("body *")].filter((node) =>
        !node.closest("svg, pre, .said, .skip, script, dialog, .label") && node.getClientRects().length
        && node.getBoundingClientRect().right > innerWidth + 0.5).map((node) => node.tagName + "." + node.className)"""
    assert page.evaluate(wide) == []


def test_a_persons_recording_has_no_empty_panels(tmp_path: Path, view: Callable[..., Page]) -> None:
    with TrajectoryWriter(tmp_path, start_event(policy="person", seed=None)) as writer:
        writer.observe(0, observation("first", EPOCH))
        click = Click(point=Point(90, 98))
        writer.append(prediction(0, [click], raw="", thought="", usage={}, seconds=0.0))
        writer.append(executed(0, click))
        writer.observe(1, observation("last", EPOCH + 1))
        writer.append(end_event(1, end="finished", success=False, reward=None))
    page = view(Trajectory.load(tmp_path))
    assert page.inner_text(".verdict") == "Recorded\na person did this"
    titles = page.locator("#details h3").all_inner_texts()
    assert [title.split(":")[0] for title in titles] == ["Action", "Time"]
    facts = page.locator("#facts").inner_text()
    assert "none" not in facts
    assert "Seed" not in facts
    assert "Reward" not in facts
    page.keyboard.press("End")
    empty = (
        "() => [...document.querySelectorAll('#details pre, #details p')].filter((node) => !node.textContent).length"
    )
    assert page.evaluate(empty) == 0
