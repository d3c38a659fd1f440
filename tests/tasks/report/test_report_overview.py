"""Many runs as one page, in a real browser: the table, its order, its links, and what is written when."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from typer.testing import CliRunner, Result

from made_runs import EPOCH, end_event, made_run
from saccade.actions.errors import TrajectoryError
from saccade.actions.geometry import Point
from saccade.actions.schema import Click, Press
from saccade.env.browser.chromium import Chromium
from saccade.env.trajectory.trajectory import FILE_NAME
from saccade.tasks.cli.app import app

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 375, "height": 740}
CLICK, PRESS = Click(point=Point(90, 98)), Press(key="a")
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture
def opened(chromium: Chromium) -> Iterator[Callable[..., Page]]:
    """Opens a page from disk; nothing may be fetched, logged or run meanwhile."""
    contexts, complaints = [], []

    def open_it(file: Path, viewport: dict[str, int] = DESK) -> Page:
        contexts.append(chromium.new_context(viewport=viewport))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: (complaints.append(f"ran: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda sent: sent.url.startswith(("file:", "data:")) or complaints.append(sent.url))
        page.goto(file.resolve().as_uri())
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not complaints


def view(*arguments: object) -> Result:
    result = CliRunner().invoke(app, ["view", *map(str, arguments), *([] if "--check" in arguments else ["--no-open"])])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three runs of different days, tasks, lengths and ends; one of them in a folder of its own."""
    folder = tmp_path / "runs"
    made_run(folder / "first", [[CLICK]], instruction="Order the tea")
    made_run(
        folder / "deep" / "second", [[CLICK]] * 3, instruction="Book a room", environment="desktop", time=EPOCH + 1000
    )
    lost = end_event(2, end="step_limit", success=False, reward=0.0)
    made_run(folder / "third 100% #1", [[CLICK], [PRESS]], instruction=EVIL, end=lost, time=EPOCH + 2000)
    return folder


def tasks(page: Page) -> list[str]:
    return page.locator("tbody .words").all_inner_texts()


def test_a_folder_of_runs_becomes_a_table_newest_first(runs: Path, opened: Callable[..., Page]) -> None:
    result = view(runs)
    assert result.stdout.splitlines()[-1] == str(runs / "overview.html")
    assert len([line for line in result.stderr.splitlines() if line.startswith("report ")]) == 3
    page = opened(runs / "overview.html")
    assert tasks(page) == [EVIL, "Book a room", "Order the tea"]
    assert page.locator("tbody tr").evaluate_all("(rows) => rows.every((row) => row.clientHeight < 120)")
    assert page.inner_text("#count") == "3 runs, 2 succeeded (67 %)"
    heads = [text.strip(" ↓") for text in page.locator("th").all_inner_texts()]
    cells = page.locator("tbody tr").nth(1).locator("td").all_inner_texts()
    told = dict(zip(heads, cells, strict=True))
    assert (
        told.items()
        >= {
            "Outcome": "Success",
            "End": "terminated",
            "Environment": "desktop",
            "Policy": "scripted",
            "Started (UTC)": "2025-06-15 15:23:20",
            "Steps": "3",
            "Forwards": "36",
        }.items()
    )
    assert page.locator("tbody img").count() == 3
    assert page.locator("tbody img").first.evaluate("(image) => image.decode().then(() => image.naturalWidth)") == 192


def test_each_row_leads_to_its_report_and_back(runs: Path, opened: Callable[..., Page]) -> None:
    view(runs)
    page = opened(runs / "overview.html")
    for place, title in enumerate([EVIL, "Book a room", "Order the tea"]):
        page.locator("tbody a").nth(place).click()
        assert page.inner_text("h1") == title
        page.go_back()


def test_columns_sort_and_words_filter(runs: Path, opened: Callable[..., Page]) -> None:
    view(runs)
    page = opened(runs / "overview.html")
    page.get_by_role("button", name="Steps").click()
    assert page.locator("tbody td[data-key=steps]").all_inner_texts() == ["3", "2", "1"]
    page.get_by_role("button", name="Steps").click()
    assert page.locator("tbody td[data-key=steps]").all_inner_texts() == ["1", "2", "3"]
    assert page.locator("th[aria-sort=ascending]").inner_text() == "Steps ↑"
    page.get_by_role("button", name="Task").click()
    assert tasks(page) == [EVIL, "Book a room", "Order the tea"]
    page.keyboard.press("/")
    page.keyboard.type("ROOM desk")
    assert tasks(page) == ["Book a room"]
    assert page.inner_text("#count") == "1 of 3 runs, 1 succeeded (100 %)"
    page.fill("#words", "")
    page.select_option("#outcome", "Failure")
    assert tasks(page) == [EVIL]
    page.fill("#words", "nothing has this")
    assert tasks(page) == []
    assert page.inner_text("#count") == "0 of 3 runs, 0 succeeded"


def test_only_missing_and_old_reports_are_written(runs: Path) -> None:
    view(runs)
    reports = {path: path.stat().st_mtime_ns for path in runs.rglob("report.html")}
    assert len(reports) == 3
    assert "report " not in view(runs).stderr
    assert {path: path.stat().st_mtime_ns for path in reports} == reports
    later = time.time() + 5
    os.utime(runs / "first" / FILE_NAME, (later, later))
    (runs / "deep" / "second" / "report.html").unlink()
    told = view(runs).stderr.splitlines()
    assert [line.split(": ")[1] for line in told] == [str(runs / "deep" / "second"), str(runs / "first")]


def test_a_broken_run_is_in_the_table_with_the_reason(runs: Path, opened: Callable[..., Page]) -> None:
    (runs / "first" / FILE_NAME).write_text("{}\n")
    view(runs)
    page = opened(runs / "overview.html")
    row = page.locator("tbody tr", has_text="first")
    assert "Unreadable" in row.inner_text()
    assert "no schema_version" in row.inner_text()
    assert row.locator("a").count() == 0
    assert str(runs) not in (runs / "overview.html").read_text()
    for head in ("Steps", "Time", "Outcome", "Started"):
        page.get_by_role("button", name=head).click()
        assert page.locator("tbody tr").count() == 3


def test_several_folders_make_one_table_around_them(runs: Path, opened: Callable[..., Page]) -> None:
    made_run(runs.parent / "more" / "fourth", instruction="Water the plants")
    result = view(runs, runs.parent / "more", runs / "first", runs)
    assert result.stdout.strip() == str(runs.parent / "overview.html")
    page = opened(runs.parent / "overview.html")
    assert len(tasks(page)) == 4
    page.get_by_text("Water the plants").click()
    assert page.inner_text("h1") == "Water the plants"


def test_one_run_is_viewed_as_ever(runs: Path) -> None:
    assert view(runs / "first").stdout.strip() == str(runs / "first" / "report.html")
    assert view(runs / "first" / FILE_NAME, "--check").stdout == "ok: 1 step, 2 screens, ended: terminated\n"
    assert not (runs / "overview.html").exists()


def test_check_says_one_line_of_each_run_and_fails_if_any_is_bad(runs: Path) -> None:
    whole = view(runs, "--check")
    assert (whole.exit_code, [line.split(": ")[1] for line in whole.stdout.splitlines()]) == (0, ["ok"] * 3)
    next((runs / "first" / "screenshots").iterdir()).unlink()
    broken = view(runs, "--check")
    assert broken.exit_code == 2
    lines = dict(line.split(": ", 1) for line in broken.stdout.splitlines())
    assert lines[str(runs / "first")].startswith("bad: ")
    assert [text[:3] for text in lines.values()].count("ok:") == 2
    assert "2 of 3 runs are valid" in broken.stderr
    assert not list(runs.rglob("*.html"))


def test_a_folder_without_runs_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrajectoryError, match="empty holds no trajectory"):
        view(tmp_path / "empty")
    with pytest.raises(TrajectoryError, match="nowhere"):
        view(tmp_path / "nowhere")


def test_nothing_sticks_out_on_a_phone(runs: Path, opened: Callable[..., Page]) -> None:
    made_run(runs / ("w" * 120), instruction="w" * 300, environment="w" * 100, policy="w" * 100)
    view(runs)
    page = opened(runs / "overview.html", viewport=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    small = page.locator("button, input, select, tbody a").evaluate_all(
        "(parts) => parts.map((part) => part.getBoundingClientRect().height).filter((height) => height < 40)"
    )
    assert small == []
