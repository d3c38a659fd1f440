"""A recorded page cannot speak for the person: it can forge nothing, end nothing and uncover nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from saccade.actions.geometry import Point
from saccade.actions.schema import Action, Click, Type
from saccade.env.browser.chromium import Chromium
from saccade.env.record.browser_listener import BrowserListener
from saccade.env.record.page_reports import read_report
from saccade.env.record.recorder import Recorder, RecordOptions
from saccade.env.trajectory.events import StartEvent
from saccade.env.trajectory.trajectory import Trajectory, TrajectoryWriter

FORM = """<style>input {position: absolute; left: 10px; width: 200px; height: 20px}</style>
<input id=name style="top: 10px"><input id=word type=password style="top: 50px">"""
NAME, WORD = Point(50, 20), Point(50, 60)


class AtWork:
    """A recorder at work, and what it warned of."""

    def __init__(self, browser: BrowserListener, recorder: Recorder, folder: Path, warned: list[str]) -> None:
        self.browser, self.recorder, self.folder, self.warned = browser, recorder, folder, warned

    @property
    def page(self) -> Any:
        return self.browser.page

    def click(self, point: Point) -> None:
        self.page.mouse.click(*point)
        self.look()

    def type(self, text: str) -> None:
        self.page.keyboard.type(text)
        self.look()

    def look(self, seconds: float = 0.25) -> None:
        end = time.monotonic() + seconds
        self.recorder.run(self.browser.events(lambda: time.monotonic() >= end))

    def actions(self) -> list[Action]:
        self.look()
        self.recorder.finish(self.browser.capture())
        run = Trajectory.load(self.folder)
        run.check()
        return [event.action for step in run.steps for event in step.actions]


@pytest.fixture
def record(site: Any, chromium: Chromium, tmp_path: Path) -> Callable[[str], Any]:
    @contextmanager
    def record(html: str) -> Iterator[AtWork]:
        url, warned = site.page("/hostile", html), list[str]()
        start = StartEvent(saccade_version="0", instruction="", environment="browser", policy="person", time=0.0)
        folder = tmp_path / "run"
        with (
            BrowserListener(url, chromium=chromium, warn=warned.append) as browser,
            TrajectoryWriter(folder, start) as writer,
        ):
            yield AtWork(browser, Recorder(writer, RecordOptions()), folder, warned)

    return record


OVERWRITES = """<script>
const nothing = () => {};
EventTarget.prototype.addEventListener = nothing;
window.addEventListener = nothing;
JSON.stringify = () => '{"kind":"text","text":"forged","secret":false,"time":0}';
Array.from = () => []; Array.prototype.push = Array.prototype.some = Array.prototype[Symbol.iterator] = nothing;
Element.prototype.matches = () => false; Element.prototype.getBoundingClientRect = () => ({});
Object.defineProperty(Event.prototype, 'isTrusted', { get: () => true });
Object.defineProperty(HTMLInputElement.prototype, 'type', { get: () => 'text' });
window.saccadeReport = window.saccadeLook = window.__saccadeReport = nothing;
</script>"""
STOPS = """<script>
for (const kind of ['mousedown', 'mouseup', 'keydown', 'keyup', 'beforeinput']) {
  addEventListener(kind, (event) => event.stopImmediatePropagation(), true);
}
</script>"""
REOPENS = """<script>onload = () => {
  const all = document.body.innerHTML; document.open(); document.write(all.split('<script')[0]); document.close();
}</script>"""


@pytest.mark.parametrize("attack", [OVERWRITES, STOPS, REOPENS], ids=["overwrites", "stops", "reopens"])
def test_what_the_person_does_is_recorded_all_the_same(record: Callable[[str], Any], attack: str) -> None:
    with record(attack + FORM if attack != REOPENS else FORM + attack) as at_work:
        at_work.look()
        at_work.click(NAME)
        at_work.type("ada")
        at_work.click(WORD)
        at_work.type("hunter22")
        assert at_work.actions() == [Click(point=NAME), Type(text="ada"), Click(point=WORD), Type(text="{{password}}")]
    run = Trajectory.load(at_work.folder)
    assert run.final is not None
    assert not run.screenshot(run.final).pixels[52:68, 12:208].any()


FORGERIES = """
const fields = [window, document.body, document.getElementById('name')];
const chord = { key: 'q', code: 'KeyQ', ctrlKey: true, altKey: true, bubbles: true };
for (const each of fields) {
  each.dispatchEvent(new KeyboardEvent('keydown', { key: 'Control', code: 'ControlLeft', bubbles: true }));
  each.dispatchEvent(new KeyboardEvent('keydown', { key: 'Alt', code: 'AltLeft', bubbles: true }));
  each.dispatchEvent(new KeyboardEvent('keydown', chord));
  each.dispatchEvent(new MouseEvent('mousedown', { clientX: 5, clientY: 5, bubbles: true }));
  each.dispatchEvent(new MouseEvent('mouseup', { clientX: 5, clientY: 5, bubbles: true }));
  each.dispatchEvent(new InputEvent('beforeinput', { inputType: 'insertText', data: 'forged', bubbles: true }));
  each.dispatchEvent(new CompositionEvent('compositionupdate', { data: 'forged', bubbles: true }));
  each.dispatchEvent(new CompositionEvent('compositionend', { data: 'forged', bubbles: true }));
  each.dispatchEvent(new ClipboardEvent('paste', { bubbles: true }));
  each.dispatchEvent(new WheelEvent('wheel', { deltaY: 300, bubbles: true }));
  each.dispatchEvent(new Event('change', { bubbles: true }));
}
document.getElementById('name').click();
const found = [];
for (const name of [...Object.getOwnPropertyNames(window), 'saccadeReport', 'saccadeLook', '__saccadeReport']) {
  if (!/saccade/i.test(name)) continue;
  found.push(name);
  try { window[name]('{"kind":"text","text":"forged","secret":false,"time":0}'); } catch { }
}
try { window.close(); window.open('', '_self').close(); } catch { }
return found.filter((name) => window[name] !== undefined);
"""


def test_nothing_can_be_forged_and_the_attempts_are_counted(record: Callable[[str], Any]) -> None:
    with record(FORM) as at_work:
        assert at_work.page.evaluate(f"() => {{ {FORGERIES} }}") == []
        at_work.look()
        assert at_work.browser.forged > 20
        assert not at_work.recorder.stopped
        at_work.click(NAME)
        at_work.type("ada")
        assert at_work.actions() == [Click(point=NAME), Type(text="ada")]
    assert at_work.browser.dropped == 0


def test_a_flood_of_events_costs_nothing_that_a_person_did(record: Callable[[str], Any]) -> None:
    flood = "for (let i = 0; i < 100000; i++) dispatchEvent(new KeyboardEvent('keydown', { key: 'x' }))"
    with record(FORM) as at_work:
        at_work.click(NAME)
        at_work.page.evaluate(flood)
        at_work.type("ada")
        assert at_work.actions() == [Click(point=NAME), Type(text="ada")]
        assert at_work.browser.forged >= 100_000


UNMASKINGS = {
    "type": "document.getElementById('word').type = 'text'",
    "at focus": "document.getElementById('word').addEventListener('focus', (e) => { e.target.type = 'text'; })",
    "there and back": "for (const type of [`text`, `password`, `text`]) document.getElementById(`word`).type = type",
    "attributes": "for (const each of [`type`, `id`, `name`]) document.getElementById(`word`)?.setAttribute(each, `a`)",
}


@pytest.mark.parametrize("script", UNMASKINGS.values(), ids=UNMASKINGS.keys())
def test_a_password_field_stays_one(record: Callable[[str], Any], script: str) -> None:
    with record(f"{FORM}<script>{script}</script>") as at_work:
        at_work.click(NAME)
        at_work.page.keyboard.press("Tab")
        at_work.type("hunter22")
        assert "hunter22" not in str(at_work.actions())
    assert_black(at_work, WORD)


def assert_black(at_work: AtWork, point: Point) -> None:
    run = Trajectory.load(at_work.folder)
    assert run.final is not None
    pixels = run.screenshot(run.final).pixels
    assert not pixels[int(point.y) - 7 : int(point.y) + 7, 14:200].any()
    for file in at_work.folder.rglob("*"):
        assert file.is_dir() or b"hunter22" not in file.read_bytes()


def test_a_field_that_takes_its_place_is_covered_too(record: Callable[[str], Any]) -> None:
    """ "Show password" often means another field with the same value."""
    with record(FORM) as at_work:
        at_work.click(WORD)
        at_work.type("hunter22")
        at_work.page.evaluate(
            "() => { const old = document.getElementById('word'), field = document.createElement('input');"
            " field.style.top = '50px'; field.value = old.value; old.replaceWith(field); }"
        )
        at_work.look()
        assert at_work.actions() == [Click(point=WORD), Type(text="{{password}}")]
    assert_black(at_work, WORD)


@pytest.mark.parametrize("mode", ["open", "closed"])
def test_fields_in_shadow_roots_are_secret(record: Callable[[str], Any], mode: str) -> None:
    html = f"""<my-login style="position: absolute; left: 10px; top: 50px; width: 208px; height: 26px"></my-login>
    <script>document.querySelector('my-login').attachShadow({{ mode: '{mode}' }}).innerHTML =
      '<input type=password style="width: 200px; height: 20px">'</script>"""
    with record(html) as at_work:
        at_work.click(WORD)
        at_work.type("hunter22")
        assert at_work.actions() == [Click(point=WORD), Type(text="{{password}}")]
    assert_black(at_work, WORD)


def test_fields_in_frames_of_another_site_are_secret(record: Callable[[str], Any], site: Any) -> None:
    inner = site.page("/inner", FORM).replace("127.0.0.1", "localhost")
    frame = f'<iframe src="{inner}" style="position: absolute; left: 0; top: 100px; border: 0; width: 400px"></iframe>'
    with record(frame) as at_work:
        at_work.look(0.5)
        place = Point(WORD.x, WORD.y + 100)
        at_work.click(place)
        at_work.type("hunter22")
        assert at_work.actions() == [Click(point=place), Type(text="{{password}}")]
    assert_black(at_work, place)


def test_a_value_that_changed_by_itself_is_told(record: Callable[[str], Any]) -> None:
    with record(FORM) as at_work:
        at_work.click(NAME)
        at_work.type("ada")
        at_work.look()
        assert at_work.warned == []
        at_work.page.evaluate("document.getElementById('name').value = 'filled in'")
        at_work.look(0.4)
        assert at_work.warned == ["name"]


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"kind":"text"}',
        '{"kind":"text","text":5,"secret":false,"time":0}',
        '{"kind":"move","x":1e999,"y":0,"secret":false,"time":0}',
        '{"kind":"move","x":NaN,"y":0,"secret":false,"time":0}',
        '{"kind":"stop","secret":false,"time":0}',
        '{"kind":"key","key":"a","code":"KeyA","command":false,"down":true,"secret":false,"time":0,"more":1}',
        '{"kind":"text","text":"' + "x" * 3_000_000 + '","secret":false,"time":0}',
        "[" * 100_000,
    ],
    ids=range(12),
)
def test_a_bad_report_is_dropped(payload: str) -> None:
    assert read_report(payload) is None
