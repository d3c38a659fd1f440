"""Recording through the pages of a real browser: frames, tabs, passwords, pasted and composed text."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from saccade.actions.errors import EnvironmentFailure
from saccade.actions.geometry import Point
from saccade.actions.schema import Action, Click, DoubleClick, Drag, Hotkey, KeyDown, KeyUp, Press, Scroll, Type
from saccade.env.browser.chromium import Chromium
from saccade.env.record.browser_listener import BrowserListener
from saccade.env.record.recorder import Recorder, RecordOptions
from saccade.env.trajectory.events import StartEvent
from saccade.env.trajectory.trajectory import Trajectory, TrajectoryWriter

PAGE = """
<style>input, button, a, div, iframe {position: absolute; left: 10px; width: 200px; margin: 0}</style>
<form><input name=q style="top: 10px; height: 20px">
<input name=word type=password style="top: 50px; height: 20px">
<input name=code autocomplete=one-time-code style="top: 90px; height: 20px">
<button style="top: 130px">Send</button></form>
<iframe src="/frame" style="left: 300px; top: 100px; border: 5px solid red; width: 200px"></iframe>
<div draggable=true style="top: 300px; width: 60px; height: 60px; background: red"></div>
<div style="left: 300px; top: 300px; height: 200px; background: #eee"
  ondragover="event.preventDefault()" ondrop="this.append('dropped')"></div>
<a href="/other" target=_blank style="left: 600px; top: 10px">another tab</a>
"""
FRAME = "<button style='position: absolute; left: 10px; top: 20px; width: 80px; height: 30px'>In</button>"
FIELD, PASSWORD, CODE = Point(50, 20), Point(50, 60), Point(50, 100)


class Recording:
    """A recorder at work on pages that ``page`` acts on."""

    def __init__(self, browser: BrowserListener, recorder: Recorder, folder: Path) -> None:
        self.browser, self.recorder, self.folder = browser, recorder, folder

    @property
    def page(self) -> Any:
        return self.browser.page

    def click(self, point: Point, **how: Any) -> None:
        self.page.mouse.click(*point, **how)

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)
        self.look()

    def look(self, seconds: float = 0.25) -> None:
        """Let the recorder see what was done so far."""
        end = time.monotonic() + seconds
        self.recorder.run(self.browser.events(lambda: time.monotonic() >= end))

    def actions(self) -> list[Action]:
        self.look()
        self.recorder.finish(self.browser.capture())
        run = Trajectory.load(self.folder)
        run.check()
        return [event.action for step in run.steps for event in step.actions]


@pytest.fixture
def record(site: Any, chromium: Chromium, tmp_path: Path) -> Callable[..., Any]:
    site.page("/frame", FRAME)
    site.page("/other", "<input style='position: absolute; left: 10px; top: 10px; width: 200px'>")

    @contextmanager
    def record(html: str = PAGE) -> Iterator[Recording]:
        url = site.page("/form", html)
        start = StartEvent(saccade_version="0", instruction="", environment="browser", policy="person", time=0.0)
        with BrowserListener(url, chromium=chromium) as browser, TrajectoryWriter(tmp_path / "run", start) as writer:
            recorder = Recorder(writer, RecordOptions())
            yield Recording(browser, recorder, tmp_path / "run")

    return record


def test_what_is_done_on_a_page(record: Callable[..., Any]) -> None:
    with record() as at_work:
        at_work.click(FIELD)
        at_work.type("Hé你\t")
        at_work.page.mouse.dblclick(*FIELD)
        at_work.page.keyboard.press("Control+b")
        at_work.page.keyboard.down("Shift")
        at_work.click(Point(50, 600))
        at_work.page.keyboard.up("Shift")
        at_work.page.mouse.wheel(0, 300)
        at_work.look()
        at_work.click(Point(300 + 5 + 20, 100 + 5 + 30))
        at_work.look()
        at_work.page.mouse.move(30, 330)
        at_work.page.mouse.down()
        at_work.page.mouse.move(40, 335)
        at_work.page.mouse.move(400, 400, steps=5)
        at_work.page.mouse.up()
        assert at_work.page.get_by_text("dropped").is_visible()
        at_work.page.keyboard.press("F5")
        assert at_work.actions() == [
            Click(point=FIELD),
            Type(text="Hé你\t"),
            DoubleClick(point=FIELD),
            Hotkey(keys=("ctrl", "b")),
            KeyDown(key="shift"),
            Click(point=Point(50, 600)),
            KeyUp(key="shift"),
            Scroll(direction="down", point=Point(50, 600), amount=3),
            Click(point=Point(325, 135)),
            Drag(start=Point(30, 330), end=Point(400, 400)),
            Press(key="f5"),
        ]


def test_secrets_are_neither_in_events_nor_in_addresses_nor_in_pictures(record: Callable[..., Any]) -> None:
    word, code = "hunter2 & Co", "493871"
    with record() as at_work:
        at_work.click(PASSWORD)
        at_work.type(word)
        at_work.page.evaluate("document.querySelector('[type=password]').type = 'text'")  # "show password"
        at_work.look()
        at_work.click(CODE)
        at_work.type(code)
        at_work.click(Point(50, 140))  # sends both as part of an address
        at_work.look(0.5)
        assert "493871" in at_work.page.url
        at_work.click(FIELD)
        actions = at_work.actions()
    assert actions == [
        Click(point=PASSWORD),
        Type(text="{{password}}"),
        Click(point=CODE),
        Type(text="{{password-2}}"),
        Click(point=Point(50, 140)),
        Click(point=FIELD),
    ]
    for file in at_work.folder.rglob("*"):
        data = b"" if file.is_dir() else file.read_bytes()
        assert not any(secret.encode() in data for secret in (word, "hunter2", code))
    run = Trajectory.load(at_work.folder)
    for observation in run.observations():
        pixels = run.screenshot(observation).pixels
        for point in (PASSWORD, CODE):
            assert not pixels[int(point.y) - 8 : int(point.y) + 8, 12:200].any()
        assert pixels[int(FIELD.y), int(FIELD.x)].all()


def test_text_without_keys_of_its_own_is_typed(record: Callable[..., Any]) -> None:
    """Pasted text takes the place of ctrl+v; dictated text and composed text arrive as they are."""
    with record() as at_work:
        at_work.click(FIELD)
        at_work.type("ab")
        at_work.page.keyboard.press("Control+a")
        at_work.page.keyboard.press("Control+c")
        at_work.page.keyboard.press("End")
        at_work.page.keyboard.press("Control+v")
        at_work.page.keyboard.insert_text("dictated")
        devtools = at_work.page.context.new_cdp_session(at_work.page)
        devtools.send("Input.imeSetComposition", {"text": "に", "selectionStart": 1, "selectionEnd": 1})
        devtools.send("Input.insertText", {"text": "日本"})
        at_work.look()
        assert at_work.page.evaluate("document.querySelector('input').value") == "ababdictated日本"
        assert at_work.actions() == [
            Click(point=FIELD),
            Type(text="ab"),
            Hotkey(keys=("ctrl", "a")),
            Hotkey(keys=("ctrl", "c")),
            Press(key="end"),
            Type(text="abdictated日本"),
        ]


def test_a_recording_goes_on_in_new_tabs_and_on_new_pages(record: Callable[..., Any]) -> None:
    with record() as at_work:
        at_work.click(Point(620, 18))
        at_work.look(0.6)
        assert at_work.page.url.endswith("/other")
        at_work.click(FIELD)
        at_work.type("there")
        at_work.page.close()
        at_work.look()
        at_work.click(FIELD)
        at_work.type("here\n")
        at_work.look(0.5)
        at_work.click(FIELD)
        assert at_work.actions() == [
            Click(point=Point(620, 18)),
            Click(point=FIELD),
            Type(text="there"),
            Click(point=FIELD),
            Type(text="here\n"),
            Click(point=FIELD),
        ]
    run = Trajectory.load(at_work.folder)
    ends = [observation.url.rpartition("/")[2] for observation in run.observations() if observation.url]
    assert ends == ["form", "other", "form", "form", "form"], "what no picture came between is one step"


def test_what_a_script_does_is_not_recorded(record: Callable[..., Any]) -> None:
    with record() as at_work:
        at_work.page.evaluate("document.querySelector('input').click()")
        at_work.page.evaluate("window.dispatchEvent(new KeyboardEvent('keydown', {key: 'a'}))")
        assert at_work.actions() == []


def test_the_picture_is_from_before_the_action(record: Callable[..., Any]) -> None:
    html = "<script>window.onmousedown = () => { document.body.style.background = '#000' }</script>"
    with record(html) as at_work:
        at_work.click(FIELD)
        at_work.look(0.6)
        assert at_work.actions() == [Click(point=FIELD)]
    run = Trajectory.load(at_work.folder)
    assert run.final is not None
    before, after = (run.screenshot(run.steps[0].observation), run.screenshot(run.final))
    assert before.pixels.mean() > 250
    assert after.pixels.mean() < 5


def test_the_end_of_the_last_page_ends_it(record: Callable[..., Any]) -> None:
    with record() as at_work:
        at_work.page.close()
        assert list(at_work.browser.events()) == []


def test_an_address_that_cannot_be_opened_is_named(chromium: Chromium) -> None:
    with pytest.raises(EnvironmentFailure, match="cannot open http"):
        BrowserListener("http://127.0.0.1:9", chromium=chromium)
