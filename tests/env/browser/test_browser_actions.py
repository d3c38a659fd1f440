"""Every action, in a real page: the page itself says what reached it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from saccade.actions.geometry import Point
from saccade.actions.schema import (
    Action,
    CallUser,
    Click,
    DoubleClick,
    Drag,
    Finished,
    Hotkey,
    KeyDown,
    KeyUp,
    LongPress,
    MiddleClick,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    NavigateBack,
    OpenApp,
    Press,
    PressBack,
    PressHome,
    RightClick,
    Scroll,
    Type,
    Wait,
)
from saccade.env.browser.environment import BrowserEnvironment
from saccade.perception.settle import same_but_caret

OpenPage = Callable[..., BrowserEnvironment]
P = Point(60.0, 40.0)

MOUSE_LOG = """
<div style="width:100vw;height:100vh"></div>
<script>
  var log = [];
  for (const type of ['mousedown', 'mouseup', 'click', 'dblclick', 'contextmenu', 'auxclick'])
    addEventListener(type, e => {
      log.push(`${type} ${e.button} ${e.clientX},${e.clientY}`);
      e.preventDefault();
    });
</script>
"""


def script(environment: BrowserEnvironment, text: str) -> object:
    assert environment._session is not None
    return environment._session.evaluate(text)


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (Click(point=P), ["mousedown 0", "mouseup 0", "click 0"]),
        (DoubleClick(point=P), ["mousedown 0", "mouseup 0", "click 0"] * 2 + ["dblclick 0"]),
        (RightClick(point=P), ["mousedown 2", "contextmenu 2", "mouseup 2", "auxclick 2"]),
        (MiddleClick(point=P), ["mousedown 1", "mouseup 1", "auxclick 1"]),
        (MouseDown(point=P, button="right"), ["mousedown 2", "contextmenu 2"]),
        (LongPress(point=P, seconds=0.01), ["mousedown 0", "mouseup 0", "click 0"]),
        (Move(point=P), []),
        (Finished(), []),
        (CallUser(), []),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_mouse_actions_arrive_as_a_hand_would_make_them(
    open_page: OpenPage, action: Action, expected: list[str]
) -> None:
    environment = open_page(MOUSE_LOG)
    result = environment.step(action)
    assert result.error is None
    assert script(environment, "log") == [f"{event} 60,40" for event in expected]


def test_a_held_button_follows_moves_until_released(open_page: OpenPage) -> None:
    environment = open_page(MOUSE_LOG)
    for action in (MouseDown(point=P), Move(point=Point(80, 50)), MouseUp(), MouseUp(point=Point(9, 9))):
        assert environment.step(action).error is None
    assert script(environment, "log.slice(0, 2)") == ["mousedown 0 60,40", "mouseup 0 80,50"]


def test_a_long_press_holds_for_its_time(open_page: OpenPage) -> None:
    slept: list[float] = []
    environment = open_page(MOUSE_LOG, sleep=slept.append)
    environment.step(LongPress(point=P, seconds=7.0))
    environment.step(Wait(seconds=3.0))
    environment.step(Wait(seconds=0.0))
    assert slept == [7.0, 3.0]


SCROLLER = """<div style="width:9000px;height:9000px;background:linear-gradient(135deg,red,blue)"></div>
<script>scrollTo(4000, 4000)</script>"""


@pytest.mark.parametrize(
    ("direction", "dx", "dy"), [("up", 0, -300), ("down", 0, 300), ("left", -300, 0), ("right", 300, 0)]
)
def test_scrolling_brings_what_lies_further_that_way(open_page: OpenPage, direction: str, dx: int, dy: int) -> None:
    environment = open_page(SCROLLER)
    result = environment.step(Scroll.model_validate({"direction": direction, "amount": 3}))
    assert script(environment, "[scrollX - 4000, scrollY - 4000]") == [dx, dy]
    again = environment.step(Wait(seconds=0))
    assert same_but_caret(result.observation.screenshot.pixels, again.observation.screenshot.pixels)


def test_scrolling_at_a_point_scrolls_what_is_there(open_page: OpenPage) -> None:
    environment = open_page("<div id=box style='width:200px;height:100px;overflow:auto'><p style='height:900px'></div>")
    environment.step(Scroll(direction="down", amount=2, point=P))
    assert script(environment, "[box.scrollTop, scrollY]") == [200, 0]


UNICODE = "¿Ñandú? €100 — “quoted” <b>&'\"`\\ 你好 café ☃ 😀👩‍👩‍👧 Привет\tTab"


def test_typing_is_exact_whatever_the_script(open_page: OpenPage) -> None:
    environment = open_page("<textarea id=text rows=9 cols=60></textarea>")
    assert environment.step(Type(text=f"{UNICODE}\nsecond line", point=P)).error is None
    environment.step(Type(text="!"))
    assert script(environment, "text.value") == f"{UNICODE}\nsecond line!"


def test_a_line_break_presses_enter(open_page: OpenPage) -> None:
    environment = open_page("<form onsubmit='document.title=q.value;return false'><input id=q></form>")
    environment.step(Type(text="hello\n", point=Point(30, 10)))
    assert script(environment, "document.title") == "hello"


def test_hotkeys_edit_as_they_do_for_a_person(open_page: OpenPage) -> None:
    environment = open_page("<textarea id=a></textarea><br><textarea id=b></textarea>")
    environment.step(Type(text="copied", point=Point(30, 20)))
    environment.step(Hotkey(keys=("ctrl", "a")))
    environment.step(Hotkey(keys=("ctrl", "c")))
    environment.step(Press(key="tab"))
    environment.step(Hotkey(keys=("ctrl", "v")))
    environment.step(Press(key="backspace"))
    assert script(environment, "[a.value, b.value]") == ["copied", "copie"]


def test_held_keys_modify_what_follows_and_are_let_go(open_page: OpenPage) -> None:
    environment = open_page(
        "<script>var log=[];onkeydown=e=>log.push('+'+e.key);onkeyup=e=>log.push('-'+e.key);"
        "onclick=e=>log.push(e.shiftKey)</script>"
    )
    environment.step(KeyDown(key="shift"))
    environment.step(Click(point=P))
    environment.step(KeyUp(key="shift"))
    environment.step(KeyDown(key="ctrl"))
    session = environment._session
    assert session is not None
    session.release()
    assert script(environment, "log") == ["+Shift", True, "-Shift", "+Control", "-Control"]


HTML5_DRAG = """
<div id=card draggable=true
     style='position:absolute;left:20px;top:20px;width:60px;height:40px;background:red'></div>
<div id=target style='position:absolute;left:300px;top:200px;width:120px;height:90px;background:#ddd'></div>
<script>
  card.ondragstart = e => e.dataTransfer.setData('text', 'card');
  target.ondragover = e => e.preventDefault();
  target.ondrop = e => { e.preventDefault(); document.title = 'dropped ' + e.dataTransfer.getData('text'); };
</script>
"""


def test_html5_drag_and_drop_drops(open_page: OpenPage) -> None:
    environment = open_page(HTML5_DRAG)
    environment.step(Drag(start=Point(50, 40), end=Point(360, 245)))
    assert script(environment, "document.title") == "dropped card"


def test_a_drag_moves_a_slider(open_page: OpenPage) -> None:
    environment = open_page("<input type=range id=r min=0 max=100 value=0 style='width:200px;margin:0'>")
    environment.step(Drag(start=Point(8, 8), end=Point(100, 8)))
    assert script(environment, "Number(r.value)") == pytest.approx(50, abs=2)


@pytest.mark.parametrize("scale", [1.0, 2.0, 1.5])
def test_a_click_lands_where_the_screenshot_shows_it(open_page: OpenPage, scale: float) -> None:
    red = "<div style='position:absolute;left:210px;top:130px;width:20px;height:20px;background:#f00'"
    environment = open_page(f"{red} onclick='document.title=1'></div>", device_scale=scale)
    shot = environment.step(Wait(seconds=0)).observation.screenshot
    assert shot.size == (1280 * scale, 720 * scale)
    rows, columns = ((shot.pixels == (255, 0, 0)).all(axis=2)).nonzero()
    assert rows.size == pytest.approx(400 * scale**2, rel=0.1)
    for x, y in ((columns.min() + 0.5, rows.min() + 0.5), (columns.max() + 0.5, rows.max() + 0.5)):
        script(environment, "document.title = 0")
        environment.step(Click(point=Point(float(x), float(y))))
        assert script(environment, "document.title") == "1"


@pytest.mark.parametrize(
    "action",
    [
        *(OpenApp(name="editor"), PressHome(), NavigateBack(), PressBack()),
        *(Click(point=Point(5000, 5)), Drag(start=P, end=Point(5, 721))),
        *(Navigate(url="file:///etc/hostname"), Navigate(url="chrome://settings")),
        Navigate(url="javascript:document.body.remove()"),
    ],
    ids=lambda action: action.kind,
)
def test_what_cannot_be_done_is_said_and_not_done(open_page: OpenPage, action: Action) -> None:
    environment = open_page(MOUSE_LOG)
    before = environment.step(Wait(seconds=0)).observation
    result = environment.step(action)
    assert result.error
    assert "\n" not in result.error
    assert result.observation.screenshot.digest == before.screenshot.digest
    assert result.observation.url == before.url
    assert script(environment, "log") == []


def test_the_far_edge_of_the_screenshot_is_still_on_the_page(open_page: OpenPage) -> None:
    environment = open_page(MOUSE_LOG)
    assert environment.step(Click(point=Point(1280, 720))).error is None
    assert script(environment, "log.length") == 3


def test_navigating_there_and_back(open_page: OpenPage, site: object, tmp_path: Path) -> None:
    environment = open_page("<h1>first</h1>")
    first = environment.step(Wait(seconds=0)).observation
    address = site.page("/second", "<h1>second</h1>", seconds=0.2)  # type: ignore[attr-defined]
    second = environment.step(Navigate(url=address.removeprefix("http://")))
    assert (second.error, second.observation.url) == (None, address)
    assert second.observation.screenshot.digest != first.screenshot.digest
    back = environment.step(NavigateBack())
    assert back.error is None
    assert back.observation.screenshot.digest == first.screenshot.digest


def test_a_chord_presses_a_key_as_often_as_it_names_it(open_page: OpenPage) -> None:
    environment = open_page(
        "<select id=s size=9>" + "<option>x" * 9 + "</select><script>var log = []; s.selectedIndex = 0; s.focus();"
        "onkeydown = e => { if (!e.repeat) log.push((e.altKey ? 'alt+' : '') + e.key) }</script>"
    )
    environment.step(Hotkey(keys=("down", "down", "down")))
    assert script(environment, "[s.selectedIndex, log]") == [3, ["ArrowDown"] * 3]
    environment.step(Hotkey(keys=("alt", "a", "a")))
    assert script(environment, "log.slice(3)") == ["alt+Alt", "alt+a", "alt+a"]


@pytest.mark.parametrize(
    ("kind", "typed", "value"),
    [
        ("date", "2031-03-05", "2031-03-05"),
        ("date", "2031/3/5\n", "2031-03-05"),
        ("date", "2031-03-05T14:30", "2031-03-05"),
        ("date", "03052031", "2031-03-05"),
        ("date", "03/05/2031", "2031-03-05"),
        ("time", "14:30", "14:30"),
        ("time", "02:30:15", "02:30:15"),
        ("time", "0230PM", "14:30"),
        ("datetime-local", "2031-03-05 14:30", "2031-03-05T14:30"),
        ("datetime-local", "2031-03-05T14:30:10", "2031-03-05T14:30:10"),
        ("month", "2031-03", "2031-03"),
        ("week", "2031-W09", "2031-W09"),
        ("text", "2031-03-05", "2031-03-05"),
    ],
)
def test_a_date_in_iso_form_is_what_a_date_field_gets(open_page: OpenPage, kind: str, typed: str, value: str) -> None:
    environment = open_page(
        f"<input id=field type={kind}><script>var told = [], enters = 0; field.oninput = e => told.push(e.type);"
        "onkeydown = e => { enters += e.key == 'Enter' }</script>"
    )
    assert environment.step(Type(text=typed, point=Point(20, 10))).error is None
    assert script(environment, "field.value") == value
    if value and kind != "text":
        assert "input" in script(environment, "told")  # type: ignore[operator]
    assert script(environment, "enters") == typed.count("\n")


def test_a_date_field_in_a_frame_or_a_shadow_root_gets_its_date(open_page: OpenPage) -> None:
    environment = open_page(
        "<div id=host></div><iframe id=inner srcdoc='<body style=margin:0><input type=date id=f>'></iframe><script>"
        "host.attachShadow({mode: 'open'}).innerHTML = '<input type=date id=f>'</script>"
    )
    environment.step(Type(text="2031-03-05", point=Point(20, 10)))
    environment.step(Type(text="2032-04-06", point=Point(30, 35)))
    values = "[host.shadowRoot.querySelector('input').value, inner.contentDocument.querySelector('input').value]"
    assert script(environment, values) == ["2031-03-05", "2032-04-06"]
