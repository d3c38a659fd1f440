"""Popups of form controls: what is drawn takes the mouse, and the page beneath does not."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from saccade.actions.geometry import Point, Size
from saccade.actions.schema import (
    Action,
    Click,
    DoubleClick,
    Drag,
    Hotkey,
    LongPress,
    MiddleClick,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    Press,
    RightClick,
    Scroll,
    Type,
    Wait,
)
from saccade.env.base import StepResult
from saccade.env.browser.chromium import Chromium
from saccade.env.browser.environment import BrowserEnvironment
from saccade.env.browser.events.deadline import OverdueError
from saccade.env.browser.options import BrowserOptions
from saccade.env.guard.guard import Guard
from saccade.perception.observation import Pixels

# The page counts what reaches it: presses, clicks and turns of the wheel, wherever they land.
SPY = """<script>window.beneath = []; window.told = [];
for (const kind of ['mousedown', 'mouseup', 'click', 'auxclick', 'contextmenu', 'dblclick', 'wheel', 'keydown'])
  addEventListener(kind, event => beneath.push(kind), true);
for (const kind of ['input', 'change'])
  addEventListener(kind, event => told.push(kind + ' ' + event.target.value), true);
</script><style>body { font: 16px sans-serif }</style>"""
FRUIT = ("apple", "banana", "cherry", "damson", "elder", "fig")
LIST = "".join(f"<option>{name}" for name in FRUIT)
PLACE = "style='position:absolute;left:20px;top:20px;width:160px;height:24px;font-size:16px;margin:0'"
LONG = f"<select id=it {PLACE}>" + "".join(f"<option>{number}" for number in range(100)) + "</select>"


VIEW = Size(500, 480)


class Desk:
    """One page with a control, and what its popup looks like."""

    def __init__(self, environment: BrowserEnvironment) -> None:
        self.environment = environment
        self.last = self.step(Wait(seconds=0))

    def step(self, action: Action) -> StepResult:
        self.last = self.environment.step(action)
        return self.last

    def ask(self, script: str) -> Any:
        assert self.environment._session is not None
        return self.environment._session.evaluate(script)

    def open(self, at: Point = Point(172, 32)) -> None:
        """Open the popup by a click on its control, and count from then on."""
        assert self.step(Click(point=at)).error is None
        assert self.shown is not None
        self.ask("() => { beneath.length = told.length = 0; }")

    @property
    def shown(self) -> Any:
        assert self.environment._session is not None
        return self.environment._session._popups._shown

    @property
    def pixels(self) -> Pixels:
        return self.last.observation.screenshot.pixels

    def inside(self, selector: str, text: str | None = None) -> Point:
        """Where something of the popup is drawn; tests may look inside."""
        assert self.environment._session is not None
        page = self.environment._session._popups._page
        assert page is not None
        x, y = page.page.evaluate(
            """([selector, text]) => {
              const frame = document.querySelector('iframe');
              const named = e => text === null || (e.label || e.textContent).trim() === text;
              const e = [...frame.contentDocument.querySelectorAll(selector)].find(named);
              const [outer, box] = [frame.getBoundingClientRect(), e.getBoundingClientRect()];
              const scale = outer.width / frame.offsetWidth;
              return [outer.x + scale * (box.x + box.width / 2), outer.y + scale * (box.y + box.height / 2)];
            }""",
            [selector, text],
        )
        scale = self.last.observation.screenshot.device_scale
        return Point(x * scale, y * scale)


Lay = Callable[..., Desk]


@pytest.fixture(scope="module")
def shared(chromium: Chromium) -> Iterator[BrowserEnvironment]:
    with BrowserEnvironment(
        options=BrowserOptions(viewport=VIEW), chromium=chromium, guard=Guard.of("open")
    ) as environment:
        environment.reset()
        yield environment


@pytest.fixture
def lay(shared: BrowserEnvironment, site: Any, open_page: Callable[..., BrowserEnvironment]) -> Lay:
    def lay_(html: str, **options: Any) -> Desk:
        if options:
            return Desk(open_page(SPY + html, **{"viewport": VIEW, **options}))
        shared.step(Navigate(url=site.page("/popup", SPY + html)))
        return Desk(shared)

    return lay_


def test_an_entry_of_a_list_takes_the_click_and_the_page_beneath_does_not(lay: Lay) -> None:
    under = "<button style='position:absolute;left:0;top:44px;width:500px;height:300px'>Delete all</button>"
    desk = lay(under + f"<select id=it {PLACE}>{LIST}</select>")
    before = desk.pixels
    desk.open()
    assert (desk.pixels[50:180, 22:178] != before[50:180, 22:178]).mean() > 0.2
    desk.step(Click(point=desk.inside("option", "cherry")))
    assert desk.ask("it.value") == "cherry"
    assert desk.ask("[beneath, told]") == [[], ["input cherry", "change cherry"]]
    assert desk.shown is None
    assert (desk.pixels[50:180, 22:178] == before[50:180, 22:178]).all()


@pytest.mark.parametrize("seconds", [0.04, 0.15, 0.3])
def test_a_popup_is_not_lost_where_the_time_for_a_picture_is_up_before_it_shows(
    lay: Lay, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    desk = lay(f"<select id=it {PLACE}>{LIST}</select>", device_scale=1.0)
    monkeypatch.setattr("saccade.env.browser.recovery._PICTURE", seconds)
    desk.open()
    for key in ("down", "down", "enter"):
        desk.step(Press(key=key))
    assert desk.ask("[it.value, beneath, told]") == ["cherry", [], ["input cherry", "change cherry"]]
    assert desk.shown is None


def test_a_popup_is_not_lost_where_the_time_is_up_just_as_it_has_closed(
    lay: Lay, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = lay(f"<select id=it {PLACE}>{LIST}</select>")
    assert desk.environment._session is not None
    devtools = desk.environment._session._tabs.front.devtools
    send, late = devtools.send, iter([True])

    def slow(method: str, params: dict[str, Any] | None = None) -> Any:
        answer = send(method, params)
        if method == "Input.dispatchKeyEvent" and next(late, False):
            raise OverdueError
        return answer

    monkeypatch.setattr(devtools, "send", slow)
    desk.open()
    assert next(late, False) is False
    desk.step(Click(point=desk.inside("option", "cherry")))
    assert desk.ask("it.value") == "cherry"


def test_the_same_entry_again_changes_nothing(lay: Lay) -> None:
    desk = lay(f"<select id=it {PLACE}>{LIST}</select>")
    desk.open()
    desk.step(Click(point=desk.inside("option", "apple")))
    assert desk.ask("[it.value, told.length]") == ["apple", 0]
    assert desk.shown is None


def test_the_popup_looks_as_chromium_draws_it(chromium: Chromium, lay: Lay) -> None:
    kinds = [f"<select id=it {PLACE}>{LIST}</select>", f"<input id=it type=color {PLACE}>"]
    kinds += [f"<input id=it type={kind} value={value} {PLACE}>" for kind, value in DATES.items()]
    for html in kinds:
        desk = lay(html)
        session = desk.environment._session
        assert session is not None
        session._tabs.front.page.mouse.click(172, 32)
        session._settler.wait(session)
        native = session._tabs.front.camera.grab().pixels
        desk.step(Wait(seconds=0))
        box = desk.shown
        assert box is not None, html
        part = (slice(round(box.top) + 4, round(box.bottom)), slice(round(box.left), round(box.right)))
        assert np.abs(native[part].astype(int) - desk.pixels[part]).max() <= 2, html


DATES = {
    "date": "2024-03-12",
    "time": "13:45",
    "datetime-local": "2024-03-12T13:45",
    "month": "2024-03",
    "week": "2024-W11",
}


@pytest.mark.parametrize(
    ("kind", "value", "clicks", "chosen"),
    [
        ("date", "2024-03-12", [("[id='2024-03-20']", None)], "2024-03-20"),
        ("date", "2024-03-12", [("[aria-label='Show next month']", None), ("[id='2024-04-09']", None)], "2024-04-09"),
        ("date", "2024-03-12", [(".clear-button", None)], ""),
        ("week", "2024-W11", [("[id='2024-03-20']", None)], "2024-W12"),
        ("month", "2024-03", [(".year-list-cell:not([style*='display: none']) .month-button", "May")], None),
        ("datetime-local", "2024-03-12T13:45", [("[id='2024-03-20']", None), (".time-cell", "03")], "2024-03-20T15:45"),
        ("time", "13:45", [(".time-cell", "03"), (".time-cell", "AM")], "03:45"),
    ],
)
def test_calendars_and_clocks_take_the_mouse(
    lay: Lay, kind: str, value: str, clicks: list[tuple[str, str | None]], chosen: str | None
) -> None:
    desk = lay(f"<input id=it type={kind} value={value} {PLACE}>")
    desk.open()
    for selector, text in clicks:
        assert desk.step(Click(point=desk.inside(selector, text))).error is None
    value_now = desk.ask("it.value")
    assert value_now == chosen if chosen is not None else value_now.endswith("-05")
    assert desk.ask("beneath") == []
    assert desk.ask("told.at(-1)") == f"change {value_now}"


def test_today_is_a_click_away(lay: Lay) -> None:
    desk = lay(f"<input id=it type=date value=2024-03-12 {PLACE}>")
    desk.open()
    desk.step(Click(point=desk.inside(".today-button")))
    assert desk.ask("it.value === new Date().toLocaleDateString('sv')")


def test_a_colour_is_picked_by_a_drag_and_typed(lay: Lay) -> None:
    desk = lay(f"<input id=it type=color value='#ff0000' {PLACE}>")
    desk.open()
    middle = desk.inside("color-well")
    desk.step(Drag(start=Point(middle.x - 20, middle.y), end=Point(middle.x + 30, middle.y + 10)))
    assert desk.ask("it.value") not in ("#ff0000", "#000000")
    assert desk.ask("told").count(f"input {desk.ask('it.value')}") == 1
    desk.step(Click(point=desk.inside("hue-slider")))
    desk.step(Click(point=desk.inside("#gValueContainer")))
    desk.step(Hotkey(keys=("ctrl", "a")))
    desk.step(Type(text="255"))
    desk.step(Press(key="enter"))
    assert desk.shown is None
    assert desk.ask("[it.value.slice(3, 5), told.at(-1).split(' ')[0], beneath]") == ["ff", "change", []]


def test_what_cannot_work_here_is_refused_in_words(lay: Lay) -> None:
    desk = lay(f"<input id=it type=color {PLACE}>")
    desk.open()
    assert desk.step(Click(point=desk.inside("eye-dropper"))).error == "the eyedropper cannot be used here"


def test_the_wheel_and_the_scroll_bar_move_a_long_list(lay: Lay) -> None:
    desk = lay(LONG)
    desk.open()
    box = desk.shown
    first = desk.pixels
    desk.step(Scroll(point=Point(60, 100), direction="down", amount=3))
    assert (desk.pixels != first).any()
    desk.step(Scroll(direction="up", amount=9))
    assert np.array_equal(desk.pixels[300:450, 22:150], first[300:450, 22:150])
    desk.step(Drag(start=Point(box.right - 8, box.top + 40), end=Point(box.right - 8, box.bottom - 3)))
    assert desk.shown is not None
    desk.step(Click(point=desk.inside("option", "98")))
    assert desk.ask("[it.value, beneath]") == ["98", []]


def test_the_pointer_marks_the_entry_that_it_is_over(lay: Lay) -> None:
    desk = lay(f"<select id=it {PLACE}>{LIST}</select>")
    desk.open()
    place = desk.inside("option", "elder")
    before = desk.pixels
    desk.step(Move(point=place))
    row = slice(round(place.y) - 6, round(place.y) + 6)
    assert (desk.pixels[row, 100:150] != before[row, 100:150]).any()
    assert desk.ask("[it.value, told.length]") == ["apple", 0]


@pytest.mark.parametrize("keys", [("down", "down", "enter"), ("c", "enter"), ("end", "up", "up", "up", "tab")])
def test_the_keyboard_chooses_as_before(lay: Lay, keys: tuple[str, ...]) -> None:
    desk = lay(f"<select id=it {PLACE}>{LIST}</select>")
    desk.open()
    for key in keys:
        desk.step(Press(key=key))
    assert desk.ask("[it.value, beneath, told]") == ["cherry", [], ["input cherry", "change cherry"]]


def test_the_keyboard_opens_and_types_ahead(lay: Lay) -> None:
    desk = lay(f"<select id=it {PLACE}>{LIST}</select>")
    desk.ask("it.focus()")
    desk.step(Press(key="space"))
    assert desk.shown is not None
    desk.step(Type(text="dam\n"))
    assert (desk.ask("it.value"), desk.shown) == ("damson", None)
    desk.step(Press(key="down"))
    assert desk.ask("it.value") == "elder"


def test_escape_and_a_click_beside_it_close_it(lay: Lay) -> None:
    desk = lay(f"<select id=it {PLACE}>{LIST}</select>")
    desk.open()
    desk.step(Press(key="down"))
    desk.step(Press(key="escape"))
    assert (desk.shown, desk.ask("[it.value, beneath, told]")) == (None, ["apple", [], []])
    desk.open()
    desk.step(Click(point=Point(400, 350)))
    assert (desk.shown, desk.ask("[it.value, beneath]")) == (None, ["apple", ["mousedown", "mouseup", "click"]])


def test_groups_lines_and_disabled_entries_are_no_choice(lay: Lay) -> None:
    items = "<optgroup label=One><option>a<option disabled>b</optgroup><hr><optgroup label=Two><option>c<option>d"
    desk = lay(f"<select id=it {PLACE}>{items}</optgroup></select>")
    desk.open()
    for selector, text in (("option", "b"), ("optgroup", None)):
        place = desk.inside(selector, text)
        desk.step(Click(point=Point(place.x, place.y if text else 54.0)))
        assert desk.ask("[it.value, beneath, told]") == ["a", [], []]
    if desk.shown is None:
        desk.open()
    desk.step(Click(point=desk.inside("option", "d")))
    assert desk.ask("[it.value, beneath]") == ["d", []]


@pytest.mark.parametrize(
    "html",
    [
        f"<div dir=rtl><select id=it {PLACE}>{LIST}</select></div>",
        f"<dialog id=d style='padding:0;border:0;margin:0;width:400px;height:300px'><select id=it {PLACE}>{LIST}"
        "</select></dialog><script>d.showModal()</script>",
        f"<div popover id=p style='margin:0;padding:0;border:0;width:400px;height:300px'><select id=it {PLACE}>{LIST}"
        "</select></div><script>p.showPopover()</script>",
        f"<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<select id=it {PLACE}>{LIST}</select>",
        f"<x-form></x-form><script>const r = document.querySelector('x-form').attachShadow({{mode: 'open'}});"
        f"r.innerHTML = `<select {PLACE}>{LIST}</select>`; window.it = r.firstChild</script>",
        f"<x-form></x-form><script>const r = document.querySelector('x-form').attachShadow({{mode: 'closed'}});"
        f"r.innerHTML = `<select {PLACE}>{LIST}</select>`; window.it = r.firstChild</script>",
        f"<iframe style='border:0;width:400px;height:60px' srcdoc=\"<select {PLACE}>{LIST}</select>\"></iframe>"
        "<script>document.querySelector('iframe').onload = e =>"
        " window.it = e.target.contentDocument.querySelector('select')</script>",
    ],
    ids=["rtl", "dialog", "popover", "csp", "shadow", "closed-shadow", "frame"],
)
def test_a_list_works_wherever_it_is(lay: Lay, html: str) -> None:
    desk = lay(html)
    desk.step(Click(point=Point(100, 32)))
    assert desk.shown is not None
    desk.ask("() => { beneath.length = told.length = 0; }")
    desk.step(Click(point=desk.inside("option", "elder")))
    assert desk.ask("[it.value, beneath]") == ["elder", []]


def test_a_list_in_a_frame_of_another_origin_is_not_bound_to_the_frame(lay: Lay, site: Any) -> None:
    inner = site.page("/inner", f"<select {PLACE} onchange=\"parent.postMessage(this.value, '*')\">{LIST}</select>")
    other = inner.replace("127.0.0.1", "localhost")
    desk = lay(
        "<script>addEventListener('message', e => window.got = e.data)</script>"
        f"<iframe src={other} style='position:absolute;left:30px;top:40px;width:300px;height:60px;border:0'></iframe>"
    )
    desk.open(Point(130, 72))
    assert 49 <= desk.shown.left <= 51
    assert 83 <= desk.shown.top <= 85
    desk.step(Click(point=desk.inside("option", "fig")))
    desk.step(Wait(seconds=0.1))
    assert desk.ask("[window.got, beneath]") == ["fig", []]


def test_points_are_pixels_of_the_screenshot_at_any_scale_and_place(lay: Lay) -> None:
    desk = lay(
        f"<div style='height:2000px'></div><select id=it {PLACE.replace('20px', '1000px', 2)}>{LIST}</select>",
        device_scale=2.0,
    )
    desk.ask("() => it.scrollIntoView({block: 'center', inline: 'center'})")
    desk.step(Wait(seconds=0))
    x, y = desk.ask("(() => { const b = it.getBoundingClientRect(); return [b.x, b.y]; })()")
    desk.open(Point(2 * x + 100, 2 * y + 20))
    desk.step(Click(point=desk.inside("option", "banana")))
    assert desk.ask("[it.value, beneath]") == ["banana", []]


@pytest.mark.parametrize(
    ("place", "view"), [("left:420px;top:370px", Size(500, 400)), ("left:2px;top:2px", Size(150, 120))]
)
def test_all_of_a_popup_is_on_the_picture(lay: Lay, place: str, view: Size) -> None:
    desk = lay(f"<input id=it type=date value=2024-03-12 style='position:absolute;{place};width:70px'>", clip=view)
    x, y = desk.ask("(() => { const b = it.getBoundingClientRect(); return [b.right - 12, b.y + 8]; })()")
    desk.open(Point(x, y))
    box = desk.shown
    assert 0 <= box.left < box.right <= view.width
    assert 0 <= box.top < box.bottom <= view.height
    desk.step(Click(point=desk.inside("[id='2024-03-27']")))
    assert desk.ask("[it.value, beneath]") == ["2024-03-27", []]


def test_a_script_may_open_the_picker(lay: Lay) -> None:
    desk = lay(
        f"<button style='position:absolute;left:300px;top:300px' onclick=it.showPicker()>Open</button>"
        f"<select id=it {PLACE}>{LIST}</select>"
    )
    desk.step(Click(point=Point(320, 310)))
    desk.ask("() => { beneath.length = told.length = 0; }")
    desk.step(Click(point=desk.inside("option", "fig")))
    assert desk.ask("[it.value, beneath]") == ["fig", []]


@pytest.mark.parametrize(
    "script", ["location.href = '/next'", "it.remove()", "it.disabled = true", "it.append(new Option('x'))"]
)
def test_a_popup_goes_with_its_control(lay: Lay, site: Any, script: str) -> None:
    site.page("/next", "<script>window.beneath = []; window.told = []</script>next")
    desk = lay(f"<select id=it {PLACE}>{LIST}</select>")
    desk.open()
    place = desk.inside("option", "cherry")
    desk.ask(f"() => {{ setTimeout(() => {{ {script} }}, 30); }}")
    desk.step(Wait(seconds=0.2))
    assert desk.shown is None
    assert desk.step(Click(point=place)).error is None


def test_a_navigation_leaves_the_popup(lay: Lay, site: Any) -> None:
    desk = lay(f"<select id=it {PLACE}>{LIST}</select>")
    desk.open()
    desk.step(Navigate(url=site.page("/next", "<h1>next")))
    assert desk.shown is None
    assert (desk.pixels[100:, :] == 255).all()


def test_another_popup_takes_the_place_of_the_first(lay: Lay) -> None:
    desk = lay(
        f"<select id=it {PLACE}>{LIST}</select><input id=other type=date value=2024-03-12"
        " style='position:absolute;left:300px;top:20px;width:150px'>"
    )
    desk.open()
    desk.open(Point(438, 30))
    desk.step(Click(point=desk.inside("[id='2024-03-20']")))
    assert desk.ask("[it.value, other.value]") == ["apple", "2024-03-20"]


def test_buttons_pressed_and_released_one_by_one_choose_too(lay: Lay) -> None:
    desk = lay(f"<select id=it {PLACE}>{LIST}</select>")
    desk.open()
    place = desk.inside("option", "fig")
    desk.step(MouseDown(point=place))
    assert desk.ask("it.value") == "apple"
    desk.step(MouseUp())
    assert desk.ask("[it.value, beneath]") == ["fig", []]


def test_an_open_popup_that_cannot_be_taken_refuses_the_mouse(lay: Lay, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = lay(f"<select id=it {PLACE}>{LIST}</select>")
    monkeypatch.setattr("saccade.env.browser.native_popups._ESCAPE", {"type": "keyUp", "key": "Shift"})
    desk.step(Click(point=Point(172, 32)))
    desk.ask("() => { beneath.length = 0; }")
    refused = desk.step(Click(point=Point(60, 100)))
    assert "the mouse cannot use" in str(refused.error)
    assert desk.ask("beneath") == []
    desk.step(Press(key="down"))
    desk.step(Press(key="enter"))
    assert desk.ask("it.value") == "banana"
    assert desk.step(Click(point=Point(60, 100))).error is None


KINDS = ("select", "date", "time", "color", "datetime-local", "month", "week", "datalist")


def control(kind: str, draw: random.Random) -> str:
    left, top = draw.randrange(0, 420), draw.randrange(0, 450)
    style = f"style='position:absolute;left:{left}px;top:{top}px;width:{draw.randrange(40, 200)}px;z-index:1'"
    match kind:
        case "select":
            options = "".join(f"<option>{number}" for number in range(draw.randrange(1, 60)))
            return f"<select id=it {style}>{options}</select>"
        case "datalist":
            return f"<input id=it list=l {style}><datalist id=l><option>alpha<option>beta</datalist>"
    return f"<input id=it type={kind} {style}>"


def drawn(draw: random.Random, place: Point) -> Action:
    kinds: tuple[Callable[[], Action], ...] = (
        lambda: Click(point=place),
        lambda: Click(point=place),
        lambda: DoubleClick(point=place),
        lambda: RightClick(point=place),
        lambda: MiddleClick(point=place),
        lambda: LongPress(point=place, seconds=0.05),
        lambda: Scroll(point=place, direction=draw.choice(("up", "down")), amount=draw.randrange(1, 5)),
        lambda: Drag(start=place, end=Point(draw.uniform(0, 499), draw.uniform(0, 479))),
    )
    return draw.choice(kinds)()


def test_no_random_click_on_a_drawn_popup_lands_beneath(lay: Lay, scale: int) -> None:
    draw = random.Random(12)
    under = "<div style='position:absolute;inset:0'>Delete all</div>"
    desk = lay(f"<style>html {{ overflow: hidden }}</style>{under}")
    tried = 0
    while tried < 5 * scale:
        kind = draw.choice(KINDS)
        desk.ask(
            f"() => {{ document.querySelectorAll('select, input, datalist').forEach(e => e.remove());"
            f" document.body.insertAdjacentHTML('beforeend', `{control(kind, draw)}`); }}"
        )
        plain = desk.step(Wait(seconds=0)).observation.screenshot.pixels
        corner = desk.ask("(() => { const b = it.getBoundingClientRect(); return [b.x, b.y, b.right, b.bottom]; })()")
        x, y = min(corner[2] - 12, 498), min(corner[1] + 10, 478)
        desk.step(Click(point=Point(max(x, 1), y)))
        changed = (desk.pixels != plain).any(axis=2)
        left, top, right, bottom = (round(each) for each in corner)
        changed[max(0, top - 4) : bottom + 4, max(0, left - 4) : right + 4] = False
        if desk.shown is None:
            assert not changed.any(), f"{kind}: something is drawn that takes no click"
            continue
        tried += 1
        box = desk.shown
        desk.ask("() => { beneath.length = 0; }")
        place = Point(draw.uniform(box.left, box.right - 1e-6), draw.uniform(box.top, box.bottom - 1e-6))
        desk.step(drawn(draw, place))
        assert desk.ask("beneath") == [], f"{kind} at {place}"
        if desk.shown is not None:
            desk.step(Click(point=Point(*draw.choice(((0, 0), (499, 0), (0, 479), (499, 479))))))
