"""A replay beside its recording, in a real browser: what was expected, what was seen, what came of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from made_runs import EPOCH, end_event, executed, observation, prediction, start_event
from places import TESTS
from saccade.actions.errors import TrajectoryError
from saccade.actions.geometry import Point
from saccade.actions.schema import Action, Click, Finished, Type
from saccade.agent.replay.policy import ReplayStep, StepOutcome
from saccade.env.browser.chromium import Chromium
from saccade.env.guard.guard import Guard
from saccade.env.trajectory.events import EndEvent, EnvironmentSettings
from saccade.env.trajectory.trajectory import Trajectory, TrajectoryWriter
from saccade.perception.observation import Observation
from saccade.tasks.report import write_report
from saccade.tasks.report.replay_outcome import RECORD_NAME, read_record

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 740}


@pytest.fixture
def opened(chromium: Chromium) -> Iterator[Any]:
    """Opens a report; nothing may be fetched, logged or run meanwhile."""
    contexts, complaints = [], []

    def open_it(report: Path, mark: str = "", viewport: dict[str, int] = DESK) -> Page:
        contexts.append(chromium.new_context(viewport=viewport))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(f"ran: {dialog.message}"), dialog.dismiss()))
        page.on(
            "request",
            lambda sent: sent.url.startswith(("file:", "data:")) or complaints.append(f"asked for {sent.url}"),
        )
        page.goto(report.resolve().as_uri() + mark)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not complaints


def write_run(
    folder: Path, screens: Sequence[str], actions: Sequence[Action], end: EndEvent | None = None
) -> Trajectory:
    """A run that saw ``screens`` and did ``actions``; one screen more than actions is its last."""
    with TrajectoryWriter(folder, start_event()) as writer:
        for step, screen in enumerate(screens):
            writer.observe(step, observation(screen, EPOCH + step))
            if step < len(actions):
                writer.append(prediction(step, [actions[step]], raw=f"reply of {folder.name} to {screen}"))
                writer.append(executed(step, actions[step]))
        writer.append(end or end_event(len(actions)))
    return Trajectory.load(folder)


def keep_record(replay: Path, recording: Path, **rest: Any) -> None:
    record = {"recording": str(recording.resolve()), "mode": "verify", "steps": [], "drift": None, **rest}
    (replay / RECORD_NAME).write_text(json.dumps(record), encoding="utf-8")


HERE, THERE = Click(point=Point(90, 98)), Click(point=Point(250, 150))
OUTCOMES: tuple[StepOutcome, ...] = ("known", "agreed", "near", "own", "end")


@pytest.fixture
def verified(tmp_path: Path) -> Trajectory:
    """Five steps, one for each way in which a step comes about; the healed one took place on a moved page."""
    recording = write_run(tmp_path / "made", ["a", "b", "c", "d", "e"], [HERE] * 4)
    replay = write_run(
        tmp_path / "again", ["a", "b", "c", "d, moved", "e", "e"], [HERE, HERE, HERE, THERE, Finished(answer="done")]
    )
    steps = [ReplayStep(step, step if step < 4 else None, how, 1) for step, how in enumerate(OUTCOMES)]
    keep_record(replay.directory, recording.directory, steps=[asdict(step) for step in steps])
    return replay


def shown(page: Page, stage: str) -> str | None:
    """The digest of the picture on a stage."""
    return page.evaluate(
        """(stage) => {
            const shown = document.querySelector(`${stage} img`)?.src.split(",")[1];
            return [...document.querySelectorAll("[data-image]")].find((block) => block.textContent === shown)
                ?.dataset.image;
        }""",
        stage,
    )


def ring(page: Page, stage: str) -> tuple[float, float]:
    """Where the click is drawn on a stage, in pixels of its screenshot."""
    return page.evaluate(
        """(stage) => {
            const image = document.querySelector(`${stage} img`);
            const box = image.getBoundingClientRect();
            const seen = document.querySelector(`${stage} .ring.ink`).getBoundingClientRect();
            const scale = image.naturalWidth / box.width;
            const middle = [(seen.left + seen.right) / 2 - box.left, (seen.top + seen.bottom) / 2 - box.top];
            return middle.map((value) => value * scale);
        }""",
        stage,
    )


def lefts(page: Page) -> list[float]:
    boxes = [page.locator(stage).bounding_box() for stage in ("#recorded-stage", "#stage")]
    return [box["x"] for box in boxes if box]


def test_recorded_and_live_stand_side_by_side(verified: Trajectory, opened: Any) -> None:
    made = Trajectory.load(verified.directory.with_name("made"))
    page = opened(write_report(verified), "#step-4")
    assert page.inner_text("#recorded-name") == "Recorded, step 4"
    assert page.inner_text("#live-name") == "Replay, step 4"
    assert shown(page, "#recorded-stage") == made.steps[3].observation.screenshot
    assert shown(page, "#stage") == verified.steps[3].observation.screenshot
    assert ring(page, "#recorded-stage") == pytest.approx([90, 98], abs=1)
    assert ring(page, "#stage") == pytest.approx([250, 150], abs=1)
    left, right = lefts(page)
    assert left + 100 < right
    assert "reply of made to d" in page.inner_text("#details")
    page.keyboard.press("b")
    assert made.final is not None
    assert shown(page, "#recorded-stage") == made.final.screenshot
    assert shown(page, "#stage") == verified.steps[4].observation.screenshot
    page.keyboard.press("End")
    assert page.inner_text("#recorded-name") == "Recorded, at the end"
    assert shown(page, "#recorded-stage") == made.final.screenshot


def test_each_outcome_is_marked_in_the_list_and_the_timeline(verified: Trajectory, opened: Any) -> None:
    page = opened(write_report(verified))
    told = page.locator(".steps .status").all_inner_texts()
    assert [text.strip(" ·") for text in told] == ["as recorded", "agreed", "near", "healed", "end"]
    bars = page.locator("#timeline rect").evaluate_all("(bars) => bars.map((bar) => bar.getAttribute('class'))")
    assert [bar.split()[0] for bar in bars[:-1]] == [f"of-{outcome}" for outcome in OUTCOMES]
    fills = page.locator("#timeline rect").evaluate_all("(bars) => bars.map((bar) => getComputedStyle(bar).fill)")
    assert len(set(fills[1:4])) == 3
    legend = page.locator("#outcomes span").all_inner_texts()
    assert legend == ["1 as recorded", "1 agreed", "1 near", "1 healed", "1 end"]
    places = []
    for _ in range(3):
        page.keyboard.press("n")
        places.append(page.inner_text("#position"))
    assert places == ["Step 3", "Step 4", "Step 3"]


def test_equal_screens_are_embedded_once(verified: Trajectory) -> None:
    text = write_report(verified).read_text()
    assert text.count("data-image=") == 6, "a b c d e, and d moved"


def test_a_compressed_picture_is_said_to_be(verified: Trajectory, opened: Any) -> None:
    exact = opened(write_report(verified))
    assert exact.get_by_text("compressed to keep this page small").count() == 0
    squeezed = opened(write_report(verified, limit=4000))
    digest = verified.steps[0].observation.screenshot
    for caption in ("#caption", "#recorded-caption"):
        assert f"exact in screenshots/{digest[:12]}….png" in squeezed.inner_text(caption)


def test_a_step_without_a_recorded_one_stands_alone(verified: Trajectory, opened: Any) -> None:
    page = opened(write_report(verified), "#step-5")
    assert page.locator("#recorded").is_hidden()
    assert page.locator("#stage img").count() == 1


def test_a_recording_that_is_gone_is_said(verified: Trajectory, opened: Any) -> None:
    shutil.rmtree(verified.directory.with_name("made"))
    report = write_report(verified)
    page = opened(report, "#step-4")
    assert page.inner_text("#note").startswith("The recording made cannot be read any more")
    assert page.locator("#recorded").is_hidden()
    assert page.locator("#stage img").count() == 1
    assert "healed" in page.inner_text("#list")
    assert str(verified.directory.parent) not in report.read_text()


def test_a_run_that_is_no_replay_has_one_side(verified: Trajectory, opened: Any) -> None:
    page = opened(write_report(Trajectory.load(verified.directory.with_name("made"))))
    for part in ("#recorded", "#live-name", "#outcomes", "#note"):
        assert page.locator(part).is_hidden()


def drifted(folder: Path, box: tuple[int, int, int, int] | None, live: Observation) -> Trajectory:
    """An exact replay of two steps whose second screen was another one."""
    recording = write_run(folder / "made", ["a", "b", "c"], [HERE, THERE])
    expected = recording.steps[1].observation
    with TrajectoryWriter(folder / "again", start_event(policy="recording")) as writer:
        writer.observe(0, observation("a"))
        writer.append(prediction(0, [HERE]))
        writer.append(executed(0, HERE))
        writer.observe(1, live)
        writer.append(end_event(1, end="error", success=False, message="step 1: not as recorded"))
    again = Trajectory.load(folder / "again")
    shutil.copy(recording.image_path(expected), again.directory / "screenshots")
    drift = {"step": 1, "expected": expected.screenshot, "live": live.screenshot.digest, "box": box}
    keep_record(again.directory, recording.directory, mode="exact", drift=drift)
    return again


@pytest.mark.parametrize("gone", [False, True])
def test_a_drift_is_shown_with_both_screens_and_the_box(tmp_path: Path, opened: Any, gone: bool) -> None:
    run = drifted(tmp_path, (100, 40, 180, 90), observation("b, moved"))
    made = Trajectory.load(tmp_path / "made")
    if gone:
        shutil.rmtree(tmp_path / "made")
    page = opened(write_report(run), "#end")
    assert page.inner_text(".verdict").startswith("Drift")
    assert page.inner_text("#recorded-name") == "Expected"
    assert shown(page, "#recorded-stage") == made.steps[1].observation.screenshot
    assert run.final is not None
    assert shown(page, "#stage") == run.final.screenshot
    for stage in ("#recorded-stage", "#stage"):
        box = page.locator(f"{stage} .differs rect.ink")
        assert [box.get_attribute(name) for name in ("x", "y", "width", "height")] == ["100", "40", "80", "50"]
    assert "It differs from 100, 40 to 180, 90." in page.inner_text("#details")
    assert page.locator("#recorded-stage .ring.ink").count() == (0 if gone else 1)
    assert "of-exact" in (page.locator("#timeline rect").first.get_attribute("class") or "")


def test_a_drift_of_another_size_has_no_box(tmp_path: Path, opened: Any) -> None:
    page = opened(write_report(drifted(tmp_path, None, observation("b", size=(200, 300)))), "#end")
    sizes = [page.locator(f"{stage} img").get_attribute("alt") for stage in ("#recorded-stage", "#stage")]
    assert [size.split(", ")[1] for size in sizes if size] == ["320 by 200 pixels", "200 by 300 pixels"]
    assert page.locator(".differs").count() == 0


def test_what_a_recording_says_is_never_run(tmp_path: Path, opened: Any) -> None:
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    made = tmp_path / "<img src=x onerror=alert(3)>"
    recording = write_run(made, [evil, "b"], [Type(text=evil, point=Point(5, 5))])
    replay = write_run(tmp_path / "again", ["a", "b"], [HERE])
    keep_record(replay.directory, recording.directory, steps=[asdict(ReplayStep(0, 0, "own", 1))])
    page = opened(write_report(replay))
    assert evil in page.inner_text("#recorded-caption")
    assert made.name in page.inner_text("#facts")
    page.wait_for_timeout(50)
    assert page.locator("img[src=x], [onerror]").count() == 0


@pytest.mark.parametrize("text", ["", "[]", '{"recording": 1}', '{"recording": "x", "mode": "best"}'])
def test_a_record_that_cannot_be_read_is_said(verified: Trajectory, opened: Any, text: str) -> None:
    (verified.directory / RECORD_NAME).write_text(text)
    with pytest.raises(TrajectoryError, match=RECORD_NAME):
        read_record(verified.directory)
    page = opened(write_report(verified))
    assert page.inner_text("#note").startswith("replay.json: is not what a replay writes")
    assert page.locator("#stage img").count() == 1


@pytest.mark.parametrize("place", ["step-4", "end"])
def test_on_a_phone_they_stand_one_above_the_other(verified: Trajectory, opened: Any, place: str) -> None:
    page = opened(write_report(verified), f"#{place}", viewport=PHONE)
    left, right = lefts(page)
    assert left == right
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    small = page.locator("button:visible, .steps a").evaluate_all(
        "(parts) => parts.map((part) => part.getBoundingClientRect().height).filter((height) => height < 40)"
    )
    assert small == []


def test_a_real_exact_replay_shows_its_drift(tmp_path: Path, opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded on one page, replayed on another: what the replay left is what the report reads."""
    from saccade.actions.geometry import Size
    from saccade.env.registry import make_environment
    from saccade.tasks.replay.replay import ReplayRequest, prepare, replay

    monkeypatch.chdir(tmp_path)
    site = tmp_path / "page.html"
    site.write_text("<body style='margin:0;background:#fff'><p id=p>One</p>")
    world = make_environment(
        "browser", url=site.as_uri(), viewport=Size(200, 120), allow_file=True, guard=Guard.of("open")
    )
    settings = EnvironmentSettings(url=site.as_uri())
    try:
        first = world.reset()
        with TrajectoryWriter(
            tmp_path / "made", start_event(environment="browser", environment_settings=settings)
        ) as writer:
            writer.observe(0, first)
            writer.append(prediction(0, [HERE]))
            writer.append(executed(0, HERE))
            writer.observe(1, world.step(HERE).observation)
            writer.append(end_event(1))
    finally:
        world.close()
    site.write_text(site.read_text().replace("One", "Another"))
    request = ReplayRequest(tmp_path / "made", mode="exact", patience=0, out=tmp_path / "again")
    done = replay(prepare(request))
    assert done.drift is not None
    page = opened(done.report, "#end")
    assert shown(page, "#recorded-stage") == first.screenshot.digest
    assert shown(page, "#stage") == done.drift.live.digest
    assert page.locator("#stage .differs rect.ink").count() == 1


def test_the_record_of_an_older_replay_is_read() -> None:
    record = read_record(TESTS / "env" / "trajectory" / "golden" / "v2" / "replayed")
    assert record is not None
    assert [step.outcome for step in record.steps] == ["own"] * 6
