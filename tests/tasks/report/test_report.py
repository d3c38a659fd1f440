"""The HTML report in a real browser: what is shown, where, how fast, and that nothing else runs."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import BrowserContext, CDPSession, Page

from made_runs import EPOCH, end_event, executed, made_run, observation, prediction, start_event
from saccade.actions.errors import UsageError
from saccade.actions.geometry import Point
from saccade.actions.schema import (
    Action,
    CallUser,
    Click,
    DoubleClick,
    Drag,
    Finished,
    Hotkey,
    LongPress,
    MiddleClick,
    MouseDown,
    Move,
    Navigate,
    OpenApp,
    Press,
    PressHome,
    RightClick,
    Scroll,
    Type,
    Wait,
)
from saccade.env.browser.chromium import Chromium
from saccade.env.trajectory.events import EndReason, Usage
from saccade.env.trajectory.trajectory import FILE_NAME, Trajectory, TrajectoryWriter
from saccade.perception.observation import Observation, Screenshot
from saccade.tasks.report import write_report
from saccade.tasks.report.data import outcome
from saccade.tasks.report.times import duration

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 740}
THREE = ((Click(point=Point(90, 98)),), (Type(text="hello"),), (Press(key="enter"),))


@dataclass
class Viewer:
    """Opens reports and keeps what the browser complained about or asked for."""

    chromium: Chromium
    contexts: list[BrowserContext] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, report: Path, mark: str = "", viewport: dict[str, int] = DESK, **options: object) -> Page:
        self.contexts.append(self.chromium.new_context(viewport=viewport, **options))
        page = self.contexts[-1].new_page()
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.complaints.append(f"ran: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(report.resolve().as_uri() + mark)
        return page


@pytest.fixture
def viewer(chromium: Chromium) -> Iterator[Viewer]:
    viewer = Viewer(chromium)
    yield viewer
    for context in viewer.contexts:
        context.close()
    fetched = [url for url in viewer.requests if not url.startswith(("file:", "data:"))]
    files = {url.split("#")[0] for url in viewer.requests if url.startswith("file:")}
    assert not viewer.complaints
    assert not fetched
    assert all(url.endswith("report.html") for url in files)


def wait_until(page: Page, condition: str) -> None:
    """Playwright's own way needs ``eval``, which the page forbids."""
    until = time.monotonic() + 5
    while not page.evaluate(condition):
        assert time.monotonic() < until, condition
        page.wait_for_timeout(10)


def position(page: Page) -> str:
    return page.inner_text("#position")


def shown_digest(page: Page) -> str | None:
    """The digest of the picture on the stage."""
    return page.evaluate(
        """() => {
            const shown = document.querySelector("#stage img").src.split(",")[1];
            const blocks = [...document.querySelectorAll("[data-image]")];
            return blocks.find((block) => block.textContent === shown)?.dataset.image;
        }"""
    )


def marked_points(page: Page, selector: str = ".ring.ink") -> list[Point]:
    """The centres of marks as a person sees them, in pixels of the screenshot."""
    found = page.evaluate(
        """(selector) => {
            const image = document.querySelector("#stage img");
            const box = image.getBoundingClientRect();
            return [...document.querySelectorAll(selector)].map((mark) => {
                const seen = mark.getBoundingClientRect();
                return [
                    ((seen.left + seen.right) / 2 - box.left) * image.naturalWidth / box.width,
                    ((seen.top + seen.bottom) / 2 - box.top) * image.naturalHeight / box.height,
                ];
            });
        }""",
        selector,
    )
    return [Point(*point) for point in found]


# ---- what is shown


def test_opens_from_disk_with_everything_on_it(tmp_path: Path, viewer: Viewer) -> None:
    run = made_run(tmp_path, THREE, instruction="Say hello")
    report = write_report(run)
    assert report == tmp_path / "report.html"
    page = viewer.open(report)
    assert page.title() == "Say hello · Saccade"
    assert page.inner_text("h1") == "Say hello"
    assert page.inner_text(".verdict") == "Success\nthe environment ended the task"
    facts = dict(pair.split("\n") for pair in page.locator("#facts > div").all_inner_texts())
    assert (
        facts.items()
        >= {
            "Environment": "made-up",
            "Policy": "scripted",
            "Seed": "7",
            "Steps": "3",
            "Duration": "3.00 s",
            "Reward": "1",
        }.items()
    )
    assert page.locator(".steps a").all_inner_texts()[1].split("\n")[:2] == ["2", "type “hello”"]
    details = page.inner_text("#details")
    for text in ("I see it.", '{"kind": "click", "point": [90,98]}', "decode 300 ms", "1,204 tokens", "28 (70 %)"):
        assert text in details
    assert shown_digest(page) == run.steps[0].observation.screenshot


def test_the_raw_reply_keeps_its_whitespace(tmp_path: Path, viewer: Viewer) -> None:
    raw = "  two  spaces\n\n\ttab \x0b é \u2028 😀   \n"
    with TrajectoryWriter(tmp_path, start_event()) as writer:
        writer.observe(0, observation("a"))
        writer.append(prediction(0, [], raw=raw, error="no action in it", thought=""))
    page = viewer.open(write_report(Trajectory.load(tmp_path)))
    assert page.locator("pre[aria-label=Reply]").evaluate("(block) => block.textContent") == raw
    assert page.inner_text(".trouble") == "no action in it"
    assert "unreadable reply" in page.inner_text("#list")


def test_before_and_after(tmp_path: Path, viewer: Viewer) -> None:
    run = made_run(tmp_path, THREE)
    assert run.final is not None
    page = viewer.open(write_report(run), "#step-3")
    before = shown_digest(page)
    page.click("#after")
    assert (before, shown_digest(page)) == (run.steps[2].observation.screenshot, run.final.screenshot)
    assert page.locator(".overlay").count() == 0
    page.keyboard.press("b")
    assert shown_digest(page) == before


def test_errors_rewards_and_changed_actions_are_told(tmp_path: Path, viewer: Viewer) -> None:
    planned = [Click(point=Point(1, 2)), Press(key="a"), Finished(answer="done")]
    with TrajectoryWriter(tmp_path, start_event()) as writer:
        writer.observe(0, observation("a"))
        writer.append(prediction(0, planned))
        writer.append(executed(0, Click(point=Point(3, 4)), reward=0.5))
        writer.append(executed(0, planned[1], error="the guard refused it"))
    page = viewer.open(write_report(Trajectory.load(tmp_path)))
    details = page.inner_text("#details")
    assert details.index("[1,2]") < details.index("executed instead:") < details.index("[3,4]")
    for text in ("reward 0.5", "the guard refused it", "ends the run; nothing to execute"):
        assert text in details
    assert "no effect" in page.inner_text("#list")
    assert page.inner_text(".chip.failed").split() == ["2.", "press", "a"]


@pytest.mark.parametrize(("device_scale", "viewport"), [(1.0, DESK), (2.0, DESK), (1.0, PHONE)])
def test_marks_lie_on_the_point(tmp_path: Path, viewer: Viewer, device_scale: float, viewport: dict[str, int]) -> None:
    points = [Point(3.5, 2.0), Point(640.0, 360.0), Point(1211.25, 700.5)]
    actions = [[kind(point=point)] for kind in (Click, RightClick, DoubleClick) for point in points]
    run = made_run(tmp_path, actions, size=(1280, 720), device_scale=device_scale)
    page = viewer.open(write_report(run), viewport=viewport)
    for action in actions:
        ring = marked_points(page)[0]
        assert abs(ring.x - action[0].point.x) < 1
        assert abs(ring.y - action[0].point.y) < 1
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Home")
    page.set_viewport_size({"width": 777, "height": 600})
    page.wait_for_timeout(50)
    assert abs(marked_points(page)[0].x - 3.5) < 1


def test_a_mark_keeps_its_size_when_the_picture_shrinks(tmp_path: Path, viewer: Viewer) -> None:
    run = made_run(tmp_path, [[Click(point=Point(600, 300))]], size=(1280, 720))
    widths = []
    for viewport in (DESK, PHONE):
        page = viewer.open(write_report(run), viewport=viewport)
        widths.append(page.locator(".ring.ink").evaluate("(ring) => ring.getBoundingClientRect().width"))
    assert widths[0] == pytest.approx(widths[1], abs=0.5)


def test_a_drag_is_an_arrow_from_start_to_end(tmp_path: Path, viewer: Viewer) -> None:
    drag = Drag(start=Point(250, 40), end=Point(60, 160))
    page = viewer.open(write_report(made_run(tmp_path, [[drag]])))
    (start,) = marked_points(page)
    assert start == pytest.approx(drag.start, abs=1)
    line = page.locator("line.ink").evaluate("(l) => ['x1', 'y1', 'x2', 'y2'].map((n) => +l.getAttribute(n))")
    assert line[2:] == [60, 160]
    assert (line[0] - 250) * 120 == pytest.approx((line[1] - 40) * -190), "it leads away from the start"
    assert 3 < np.hypot(line[0] - 250, line[1] - 40) < 13, "from the edge of the ring around it"
    tip = page.locator(".overlay path.ink").evaluate(
        "(path) => { const m = path.getScreenCTM();"
        " const b = document.querySelector('#stage img').getBoundingClientRect();"
        " return [(m.e - b.left) * 320 / b.width, (m.f - b.top) * 200 / b.height]; }"
    )
    assert tip == pytest.approx([60, 160], abs=1)


EVERY_KIND: list[tuple[Action, str, str | None]] = [
    (MiddleClick(point=Point(9, 9)), "middle click 9, 9", "middle click"),
    (Move(point=Point(9, 9)), "move 9, 9", "move"),
    (MouseDown(point=Point(9, 9), button="right"), "mouse down right 9, 9", "mouse down right"),
    (LongPress(point=Point(9, 9), seconds=2), "long press 2.00 s 9, 9", "long press 2.00 s"),
    (Scroll(direction="up", point=Point(9, 9), amount=3), "scroll up × 3 9, 9", "scroll up × 3"),
    (Scroll(direction="left"), "scroll left × 5", "scroll left × 5"),
    (Type(text="a < b", point=Point(9, 9)), "type “a < b” 9, 9", "“a < b”"),
    (Type(text="no point"), "type “no point”", "type “no point”"),
    (Hotkey(keys=("ctrl", "+")), "hotkey ctrl + +", None),
    (Wait(seconds=1), "wait 1.00 s", None),
    (Navigate(url="http://made.up/"), "navigate http://made.up/", None),
    (OpenApp(name="files"), "open app files", None),
    (PressHome(), "press home", None),
    (Finished(answer="42"), "finished 42", None),
    (CallUser(message="help"), "call user help", None),
    (MouseDown(), "mouse down", None),
]


def test_every_kind_of_action_is_named_and_labelled(tmp_path: Path, viewer: Viewer) -> None:
    page = viewer.open(write_report(made_run(tmp_path, [[action] for action, _, _ in EVERY_KIND])))
    labels = page.locator(".steps .label").all_inner_texts()
    assert labels[:-1] == [words for _, words, _ in EVERY_KIND]
    for _, _, tag in EVERY_KIND:
        assert page.locator(".overlay text").all_text_contents() == ([tag] if tag else [])
        page.keyboard.press("ArrowRight")


def test_keys_and_typed_text_stand_below_the_picture(tmp_path: Path, viewer: Viewer) -> None:
    page = viewer.open(write_report(made_run(tmp_path, [[Hotkey(keys=("ctrl", "shift", "t")), Type(text="x\ny")]])))
    assert page.locator("#caption kbd").all_inner_texts() == ["ctrl", "shift", "t"]
    assert page.locator("#caption .said").inner_text() == "x\ny"


def test_typed_text_is_drawn_inside_the_picture(tmp_path: Path, viewer: Viewer) -> None:
    actions = [[Type(text="hello", point=Point(310, 190))], [Type(text="hello")]]
    page = viewer.open(write_report(made_run(tmp_path, actions)), viewport=PHONE)
    for _ in actions:
        stage, label = page.locator("#stage").bounding_box(), page.locator(".overlay .tag").bounding_box()
        assert stage is not None
        assert label is not None
        assert stage["x"] <= label["x"]
        assert label["x"] + label["width"] <= stage["x"] + stage["width"]
        assert label["y"] + label["height"] <= stage["y"] + stage["height"]
        page.keyboard.press("ArrowRight")


def test_what_was_read_ahead_is_not_counted_twice(tmp_path: Path, viewer: Viewer) -> None:
    with TrajectoryWriter(tmp_path, start_event()) as writer:
        writer.observe(0, Observation(observation("a").screenshot, EPOCH))
        usage = Usage(forwards=1, timings={"encode": 0.1, "prefill": 0.2, "decode": 0.1, "ahead": 0.25})
        writer.append(prediction(0, [], usage=usage))
    page = viewer.open(write_report(Trajectory.load(tmp_path)))
    widths = page.locator(".bar i").evaluate_all("(parts) => parts.map((part) => part.style.width)")
    assert widths == ["20%", "40%", "20%", "20%"], "what no phase accounts for is the last"
    assert "ahead 250 ms (encode and prefill before the model was asked)" in page.inner_text(".legend:visible")


def test_a_point_off_the_screenshot_is_said(tmp_path: Path, viewer: Viewer) -> None:
    page = viewer.open(write_report(made_run(tmp_path, [[Click(point=Point(5000, 9))]])))
    assert "⚠ outside the screenshot" in page.inner_text("#caption")


# ---- moving


def test_keys_move_between_steps(tmp_path: Path, viewer: Viewer) -> None:
    page = viewer.open(write_report(made_run(tmp_path, THREE)))
    walk = ["ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight", "Home", "ArrowLeft", "j", "k"]
    seen = []
    for key in walk:
        page.keyboard.press(key)
        seen.append(position(page))
    assert seen == ["Step 2", "Step 3", "Step 2", "End", "End", "Step 1", "Step 1", "Step 2", "Step 1"]
    assert page.locator("a[aria-current]").get_attribute("href") == "#step-1"
    page.keyboard.press("Control+ArrowRight")
    assert position(page) == "Step 1"
    page.keyboard.press("m")
    assert page.locator(".overlay").count() == 0


def test_help_opens_and_closes(tmp_path: Path, viewer: Viewer) -> None:
    page = viewer.open(write_report(made_run(tmp_path, THREE)))
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()
    page.keyboard.press("ArrowRight")
    assert position(page) == "Step 1"
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()


def test_a_step_has_an_address(tmp_path: Path, viewer: Viewer) -> None:
    report = write_report(made_run(tmp_path, THREE))
    page = viewer.open(report, "#step-3")
    assert position(page) == "Step 3"
    page.keyboard.press("ArrowLeft")
    wait_until(page, "location.hash === '#step-2'")
    page.click("a[href='#end']")
    assert position(page) == "End"
    page.go_back()
    wait_until(page, "document.querySelector('#position').textContent === 'Step 2'")
    assert position(viewer.open(report, "#step-100")) == "Step 1"


def test_the_timeline_leads_to_a_step(tmp_path: Path, viewer: Viewer) -> None:
    page = viewer.open(write_report(made_run(tmp_path, [[Wait()]] * 24)))
    box = page.locator("#timeline").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] * 10.5 / 25, box["y"] + box["height"] - 3)
    assert position(page) == "Step 11"


# ---- nothing else runs

EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "</script><script>alert(3)</script>",
    "</SCRIPT x><script >alert(7)</script >",
    "<!--<script>",
    "'-alert(4)-'\u2028\u2029</title></style><svg onload=alert(5)>",
    "{{script}} {{data}} {{images}}",
    "javascript:alert(6)",
]


def test_what_was_recorded_is_shown_and_never_run(tmp_path: Path, viewer: Viewer) -> None:
    said = "\n".join(EVIL)
    with TrajectoryWriter(
        tmp_path, start_event(instruction=said, environment=said, policy=said, extra={said: said})
    ) as writer:
        for step, text in enumerate(EVIL):
            writer.observe(step, Observation(observation(text).screenshot, EPOCH, text))
            action = Type(text=text, point=Point(5, 5))
            writer.append(prediction(step, [action], raw=text, thought=text, error=text))
            writer.append(executed(step, action, error=text, timings={text: 1.0}))
        writer.append(end_event(len(EVIL), message=said))
    page = viewer.open(write_report(Trajectory.load(tmp_path)))
    assert page.locator("h1").evaluate("(node) => node.textContent") == said
    assert page.title() == " ".join(EVIL) + " · Saccade"
    for text in EVIL:
        assert page.locator("pre[aria-label=Reply]").evaluate("(node) => node.textContent") == text
        assert page.locator(".thought").evaluate("(node) => node.textContent") == text
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(50)
    assert page.locator("img[src=x], svg[onload], [onerror]").count() == 0


def test_even_a_planted_script_does_not_run(tmp_path: Path, chromium: Chromium) -> None:
    report = write_report(made_run(tmp_path))
    planted = "<script>document.title = 'ran'</script><img src=x onerror=\"document.title='ran'\">"
    report.write_text(report.read_text().replace("</body>", f"{planted}</body>"))
    strict = Viewer(chromium)
    page = strict.open(report)
    page.wait_for_timeout(50)
    assert page.title() == "Click the button · Saccade"
    assert len([text for text in strict.complaints if "Content Security Policy" in text]) >= 2


def test_a_digest_cannot_break_out(tmp_path: Path, viewer: Viewer) -> None:
    run = made_run(tmp_path)
    file = tmp_path / FILE_NAME
    evil = '\\"></script><img src=x onerror=alert(1)>'
    file.write_text(file.read_text().replace(run.steps[0].observation.screenshot, evil))
    page = viewer.open(write_report(Trajectory.load(tmp_path)))
    assert "is unreadable" in page.inner_text("#stage .missing")


# ---- odd runs


def test_a_run_cut_off_before_its_first_reply(tmp_path: Path, viewer: Viewer) -> None:
    page = viewer.open(write_report(made_run(tmp_path, [], end=None)))
    assert "Cut off" in page.inner_text(".verdict")
    assert position(page) == "End"
    assert page.locator("#stage img").count() == 1


def test_a_run_with_a_start_and_nothing_else(tmp_path: Path, viewer: Viewer) -> None:
    page = viewer.open(write_report(made_run(tmp_path, [], final=False, end=None)))
    assert page.inner_text("#stage") == "The recording stops here."


def test_a_missing_and_a_changed_screenshot_say_why(tmp_path: Path, viewer: Viewer) -> None:
    run = made_run(tmp_path, THREE)
    run.image_path(run.steps[0].observation).unlink()
    run.image_path(run.steps[1].observation).write_bytes(run.image_path(run.steps[2].observation).read_bytes())
    page = viewer.open(write_report(run))
    assert page.inner_text("#stage .missing").startswith("screenshots/")
    assert "screenshot of step 1 is unreadable: No such file" in page.inner_text("#stage .missing")
    page.keyboard.press("ArrowRight")
    assert "screenshot of step 2 was changed after recording" in page.inner_text("#stage .missing")
    page.keyboard.press("ArrowRight")
    assert page.locator("#stage img").count() == 1


def test_each_picture_is_embedded_once(tmp_path: Path) -> None:
    with TrajectoryWriter(tmp_path, start_event()) as writer:
        for step in range(4):
            writer.observe(step, observation("same"))
            writer.append(prediction(step, []))
    text = write_report(Trajectory.load(tmp_path)).read_text()
    assert len(re.findall(r"<script [^>]*data-image", text)) == 1


def test_pictures_are_lossless(tmp_path: Path, viewer: Viewer) -> None:
    run = made_run(tmp_path)
    page = viewer.open(write_report(run))
    png = page.evaluate(
        """() => {
            const image = document.querySelector("#stage img");
            const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 200 });
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            return canvas.toDataURL("image/png").split(",")[1];
        }"""
    )
    seen = Screenshot.from_png(base64.b64decode(png))
    assert seen.digest == run.steps[0].observation.screenshot


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot write .*file/report\.html"):
        write_report(run, tmp_path / "file" / "report.html")
    assert write_report(run, tmp_path / "new" / "report.html").exists()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("end", "success", "word", "tone"),
    [
        ("terminated", True, "Success", "good"),
        ("terminated", False, "Failure", "bad"),
        ("finished", True, "Success", "good"),
        ("step_limit", False, "Failure", "bad"),
        ("interrupted", False, "Interrupted", "open"),
        ("error", False, "Error", "bad"),
    ],
)
def test_the_outcome_in_words(end: EndReason, success: bool, word: str, tone: str) -> None:
    told = outcome(end_event(1, end=end, success=success))
    assert (told.word, told.tone) == (word, tone)
    assert outcome(None).word == "Cut off"


def test_what_only_the_policy_claims_is_told_apart() -> None:
    claimed = end_event(1, end="finished", reward=None)
    assert (claimed.judged, claimed.success) == (False, False), "as in files that called it a success"
    assert outcome(claimed)[:2] == ("claim", "Finished (claimed)")
    assert outcome(claimed, policy="person")[:2] == ("claim", "Recorded")
    assert outcome(claimed, mode="exact")[:2] == ("good", "As recorded")
    assert outcome(claimed, mode="verify")[:2] == ("claim", "Finished (claimed)")
    assert outcome(end_event(1, end="finished", reward=1.0))[:2] == ("good", "Success")


def test_why_it_was_judged_so_is_said() -> None:
    missed = end_event(1, end="finished", success=False, reward=0.0, verdict="not met: title=Done")
    assert outcome(missed) == ("bad", "Failure", "the policy said it was done; not met: title=Done")


def test_duration_of_a_run_without_an_end(tmp_path: Path) -> None:
    assert duration(made_run(tmp_path, THREE, final=False, end=None)) == pytest.approx(2.6)


# ---- phones, themes, access


@pytest.mark.parametrize("viewport", [PHONE, {"width": 768, "height": 1000}, DESK])
def test_nothing_sticks_out_sideways(tmp_path: Path, viewer: Viewer, viewport: dict[str, int]) -> None:
    long = "w" * 400
    actions = [[Type(text=long, point=Point(300, 190)), Hotkey(keys=("ctrl", "shift", "alt", "meta", "f12"))]]
    run = made_run(tmp_path, actions, instruction=long, environment=long, extra={long: long})
    page = viewer.open(write_report(run), viewport=viewport)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_light_and_dark_follow_the_system(tmp_path: Path, viewer: Viewer) -> None:
    report = write_report(made_run(tmp_path))
    papers = []
    for scheme in ("light", "dark"):
        page = viewer.open(report, color_scheme=scheme)
        papers.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    light, dark = (sum(map(int, re.findall(r"\d+", paper))) for paper in papers)
    assert light > 700
    assert dark < 100


def test_everything_has_a_name(tmp_path: Path, viewer: Viewer) -> None:
    page = viewer.open(write_report(made_run(tmp_path, THREE)))
    assert page.get_by_role("img", name="Screenshot of step 1, 320 by 200 pixels").count() == 1
    assert page.get_by_role("navigation", name="Steps").get_by_role("link").count() == 4
    for name in ("Previous step", "Next step", "Before", "After", "Marks", "Keyboard help"):
        assert page.get_by_role("button", name=name, exact=True).count() == 1
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the step"


# ---- hundreds of steps


def text_page(number: int) -> Screenshot:
    """A page full of text, as most screens are, different in every line."""
    image = Image.new("RGB", (1280, 720), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 1280, 56), fill=(36, 41, 47))
    font = ImageFont.load_default(15)
    random = np.random.default_rng(number)
    for line in range(26):
        letters = "".join(chr(97 + code) for code in random.integers(0, 26, 110))
        draw.text((60, 76 + 24 * line), re.sub("[xyz]", " ", letters), fill=(30, 30, 40), font=font)
    return Screenshot(np.asarray(image))


def page_seconds(session: CDPSession) -> float:
    """Processor time the page has taken, however busy the machine is."""
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


def test_five_hundred_steps_open_at_once(tmp_path: Path, viewer: Viewer) -> None:
    """Ten different pages stand for five hundred: the size is scaled, the steps are real."""
    screens = [text_page(number) for number in range(10)]
    with TrajectoryWriter(tmp_path, start_event()) as writer:
        for step in range(500):
            writer.observe(step, Observation(screens[step % 10], EPOCH + step))
            action = Click(point=Point(step, 300))
            writer.append(prediction(step, [action]))
            writer.append(executed(step, action))
    report = write_report(Trajectory.load(tmp_path))
    assert report.stat().st_size * 500 / 10 < 60e6
    page = viewer.open(write_report(made_run(tmp_path / "small")))
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(f"{report.as_uri()}#step-500")
    wait_until(page, "document.querySelector('#stage img')?.complete")
    assert position(page) == "Step 500"
    assert page.evaluate("document.images.length") == 1, "only what is looked at is decoded"
    opened = page_seconds(session)
    assert 0.01 < opened < 1.5
    left = 'for (let i = 0; i < 50; i++) dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft" }))'
    page.evaluate(f"() => {{ {left} }}")
    assert position(page) == "Step 450"
    assert page_seconds(session) - opened < 2
