"""Scripts that solve MiniWoB++ tasks by looking into the page: they show that clicks and scores are right.

A script is a generator over a ``Sight`` of the page; every action it yields goes through the environment as a
policy's would, by pixel. What it looks up in the page no policy may see.
"""

from __future__ import annotations

import colorsys
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from saccade.actions.geometry import Point
from saccade.actions.schema import Action, Click, Direction, Drag, Press, Scroll, Type
from saccade.env.browser.miniwob import MiniWobEnvironment

Script = Callable[["Sight"], Iterator[Action]]

_FIND = """
([selector, text, nth]) => {
  const named = e => text === null || (e.textContent || e.value || '').trim() === text;
  const seen = [...document.querySelectorAll(selector)].filter(e => e.getClientRects().length && named(e));
  if (seen.length <= nth) return null;
  const box = seen[nth].getClientRects()[0];
  const on = ([x, y]) => seen[nth].contains(document.elementFromPoint(x, y));
  // The middle, unless something else lies over it.
  const places = [.5, .2, .8, .05, .95].flatMap(
    down => [.5, .2, .8, .05, .95].map(over => [box.x + over * box.width, box.y + down * box.height]));
  return places.find(on) || places[0];
}
"""


_FIND_IN_POPUP = """
([selector, text]) => {
  const frame = document.querySelector('iframe'), page = frame.contentDocument;
  const [outer, scale] = [frame.getBoundingClientRect(), frame.getBoundingClientRect().width / frame.offsetWidth];
  for (const e of page.querySelectorAll(selector)) {
    const box = e.getBoundingClientRect();
    if (!box.height || (text !== null && (e.label || e.textContent).trim() !== text)) continue;
    const [x, y] = [box.x + Math.min(20, box.width / 2), box.y + Math.min(10, box.height / 2)];
    if (e.contains(page.elementFromPoint(x, y))) return [outer.x + x * scale, outer.y + y * scale];
  }
  return null;
}
"""


class Sight:
    """What a script knows of a page: the instruction, and where things are."""

    def __init__(self, environment: MiniWobEnvironment) -> None:
        assert environment.instruction is not None
        self.goal = environment.instruction
        self._environment = environment

    def ask(self, script: str, argument: Any = None) -> Any:
        assert self._environment._session is not None
        return self._environment._session.evaluate(script, argument)

    def sees(self, selector: str, text: str | None = None, nth: int = 0) -> Point | None:
        found = self.ask(_FIND, [selector, text, nth])
        return found and Point(*found)

    def at(self, selector: str, text: str | None = None, nth: int = 0) -> Point:
        point = self.sees(selector, text, nth)
        assert point is not None, f"no {selector} {text!r} [{nth}] to see"
        return point

    def popup(self, selector: str, text: str | None = None) -> Point | None:
        """Where something is drawn in the popup of a form control; None where it is not, or scrolled away."""
        assert self._environment._session is not None
        page = self._environment._session._popups._page
        assert page is not None
        found = page.page.evaluate(_FIND_IN_POPUP, [selector, text])
        return found and Point(*found)

    def picture(self) -> list[float]:
        """Left, top, right and bottom of the popup that is open."""
        assert self._environment._session is not None
        shown = self._environment._session._popups._shown
        assert shown is not None, "no popup is open"
        return [shown.left, shown.top, shown.right, shown.bottom]

    def click(self, selector: str, text: str | None = None, nth: int = 0) -> Click:
        return Click(point=self.at(selector, text, nth))

    def fill(self, selector: str, text: str) -> Type:
        return Type(text=text, point=self.at(selector))

    def text(self, selector: str) -> str:
        return str(self.ask("s => document.querySelector(s).textContent", selector))

    def quoted(self, nth: int = 0) -> str:
        return re.findall(r'"([^"]*)"', self.goal)[nth]

    def word(self, pattern: str) -> str:
        match = re.search(pattern, self.goal)
        assert match, f"{pattern} is not in {self.goal!r}"
        return match[1]


def one(selector: str) -> Script:
    """Click the only thing there is to click."""

    def script(sight: Sight) -> Iterator[Action]:
        yield sight.click(selector)

    return script


def the_quoted(selector: str) -> Script:
    """Click what the instruction quotes."""

    def script(sight: Sight) -> Iterator[Action]:
        yield sight.click(selector, sight.quoted())

    return script


def form(*selectors: str, change: Callable[[str], str] = str) -> Script:
    """Type what is quoted, one after the other, and submit."""

    def script(sight: Sight) -> Iterator[Action]:
        for number, selector in enumerate(selectors):
            yield sight.fill(selector, change(sight.quoted(number)))
        yield sight.click("#subbtn")

    return script


def button_by_number(sight: Sight) -> Iterator[Action]:
    yield sight.click("button", sight.word(r"button (\w+)"))


def button_sequence(sight: Sight) -> Iterator[Action]:
    for name in ("ONE", "TWO"):
        yield sight.click("button", name)


def dialog_button(sight: Sight) -> Iterator[Action]:
    wanted = sight.quoted()
    yield (sight.click(".ui-dialog-titlebar-close") if wanted == "x" else sight.click(".ui-dialog button", wanted))


def checkboxes(sight: Sight) -> Iterator[Action]:
    wanted = sight.word(r"Select (.*) and click")
    for name in [] if wanted == "nothing" else wanted.split(", "):
        yield sight.click("label", name)
    yield sight.click("#subbtn")


def radio(sight: Sight) -> Iterator[Action]:
    yield sight.click("label", sight.word(r"Select (.*) and click"))
    yield sight.click("#subbtn")


def collapsible(sight: Sight) -> Iterator[Action]:
    yield sight.click("#area h3")
    yield sight.click("#subbtn")


def tab(sight: Sight) -> Iterator[Action]:
    yield sight.click("a.ui-tabs-anchor", sight.word(r"(Tab #\d)"))


def link_in_tabs(sight: Sight) -> Iterator[Action]:
    for number in range(3):
        yield sight.click("a.ui-tabs-anchor", nth=number)
        if sight.sees("span.alink", sight.quoted()):
            yield sight.click("span.alink", sight.quoted())
            return


def nth_field(sight: Sight) -> Iterator[Action]:
    yield sight.click("#area input", nth=int(sight.word(r"(\d)")) - 1)


def password_twice(sight: Sight) -> Iterator[Action]:
    for selector in ("#password", "#verify"):
        yield sight.fill(selector, sight.quoted())
    yield sight.click("#subbtn")


def cased(sight: Sight) -> Iterator[Action]:
    upper = "upper" in sight.goal
    yield sight.fill("#tt", sight.quoted().upper() if upper else sight.quoted().lower())
    yield sight.click("#subbtn")


def color(sight: Sight) -> Iterator[Action]:
    name = sight.word(r"on the (\w+)")
    yield sight.click(f"#area [data-color='{name}']")


def shades(sight: Sight) -> Iterator[Action]:
    name = sight.word(r"shades of (\w+)")
    selector = f"#area span[data-color='{name}']"
    for number in range(sight.ask("s => document.querySelectorAll(s).length", selector)):
        yield sight.click(selector, nth=number)
    yield sight.click("#submit, #subbtn, #area button")


def widget(sight: Sight) -> Iterator[Action]:
    yield sight.click(f"[data-type='{sight.quoted()}']")


def arithmetic(sight: Sight) -> Iterator[Action]:
    left, sign, right = re.findall(r"\d+|[-+x]", sight.text("#math-problem"))[:3]
    a, b = int(left), int(right)
    yield sight.fill("#math-answer", str({"+": a + b, "-": a - b, "x": a * b}[sign]))
    yield sight.click("#subbtn")


def algebra(sight: Sight) -> Iterator[Action]:
    left, sign, right, result = re.findall(r"\d+|x|[-+]", sight.text("#math-problem"))[:4]
    total = int(result)
    if left == "x":
        answer = total - int(right) if sign == "+" else total + int(right)
    else:
        answer = total - int(left) if sign == "+" else int(left) - total
    yield sight.fill("#math-answer", str(answer))
    yield sight.click("#subbtn")


def date(sight: Sight) -> Iterator[Action]:
    point = sight.ask("() => { const b = tt.getBoundingClientRect(); return [b.x + 8, b.y + b.height / 2]; }")
    yield Click(point=Point(*point))
    yield Type(text=sight.word(r"(\d+/\d+/\d+)").replace("/", ""))
    yield sight.click("#subbtn")


def time_of_day(sight: Sight) -> Iterator[Action]:
    hour, minute, half = re.findall(r"\d+|[AP]M", sight.goal)[:3]
    point = sight.ask("() => { const b = tt.getBoundingClientRect(); return [b.x + 8, b.y + b.height / 2]; }")
    yield Click(point=Point(*point))
    yield Type(text=f"{int(hour):02}{minute}{half}")
    yield sight.click("#subbtn")


def from_list(sight: Sight) -> Iterator[Action]:
    yield sight.click("#options")
    yield Type(text=sight.word(r"Select (.*) from the list"))
    yield Press(key="enter")
    yield sight.click("button", "Submit")


def nth_word(sight: Sight) -> Iterator[Action]:
    words = re.findall(r"\w+", sight.text("#area p"))
    yield sight.fill("#answer-input", words[int(sight.word(r"the (\d+)")) - 1])
    yield sight.click("#subbtn")


def table_cell(sight: Sight) -> Iterator[Action]:
    cells = sight.ask("() => [...document.querySelectorAll('#tab td')].map(e => e.textContent)")
    yield sight.fill("#tt", cells[cells.index(sight.word(r"value of (.*) into")) + 1])
    yield sight.click("#subbtn")


def coordinate(sight: Sight) -> Iterator[Action]:
    name = sight.word(r"(\(.*\))")
    yield sight.click(f"[id='{name}']")


def figure(sight: Sight) -> Iterator[Action]:
    tag = sight.ask("() => document.querySelector('#area_svg').firstElementChild.tagName")
    content = sight.text("#area_svg").strip()
    shapes = {"rect": "rectangle", "circle": "circle", "polygon": "triangle"}
    kind = shapes.get(tag, "digit" if content.isdigit() else "letter")
    yield sight.click(f"button[data-type='{kind}']")


def captcha(sight: Sight) -> Iterator[Action]:
    yield sight.fill("#tt", sight.text("#captcha"))
    yield sight.click("#subbtn")


def ascending(sight: Sight) -> Iterator[Action]:
    places = [sight.at("#area_svg text", str(number)) for number in range(1, 6)]
    for place in places:  # after the first click the numbers are hidden
        yield Click(point=place)


def odd_or_even(sight: Sight) -> Iterator[Action]:
    numbers = sight.ask("() => [...document.querySelectorAll('.display-number')].map(e => +e.textContent)")
    for row, number in enumerate(numbers):
        yield sight.click(".odd" if number % 2 else ".even", nth=row)
    yield sight.click("#submit")


def greatest(sight: Sight) -> Iterator[Action]:
    values = sight.ask("() => [...document.querySelectorAll('.card-value')].map(e => +e.textContent)")
    yield sight.click(".card", nth=values.index(max(values)))
    yield sight.click("#submit")


def delete_email(sight: Sight) -> Iterator[Action]:
    senders = sight.ask("() => [...document.querySelectorAll('.email-sender')].map(e => e.textContent)")
    yield sight.click(".email-thread .trash", nth=senders.index(sight.word(r"email by (\w+)")))


def highlight(sight: Sight) -> Iterator[Action]:
    left, top, right, bottom = sight.ask(
        "() => { const b = document.querySelector('#randomText').getBoundingClientRect();"
        " return [b.left, b.top, b.right, b.bottom]; }"
    )
    yield Drag(start=Point(left + 0.5, top + 3), end=Point(min(right, 159) - 1, bottom - 3))
    yield sight.click("#subbtn")


SCRIPTS: dict[str, Script] = {
    "ascending-numbers": ascending,
    "choose-list": from_list,
    "click-button": the_quoted("button"),
    "click-button-sequence": button_sequence,
    "click-checkboxes": checkboxes,
    "click-checkboxes-large": checkboxes,
    "click-checkboxes-transfer": checkboxes,
    "click-collapsible": collapsible,
    "click-collapsible-nodelay": collapsible,
    "click-color": color,
    "click-dialog": one(".ui-dialog-titlebar-close"),
    "click-dialog-2": dialog_button,
    "click-link": the_quoted(".alink"),
    "click-option": radio,
    "click-shades": shades,
    "click-tab": tab,
    "click-tab-2": link_in_tabs,
    "click-test": one("#subbtn"),
    "click-test-2": one("#subbtn"),
    "click-test-transfer": button_by_number,
    "click-widget": widget,
    "email-inbox-delete": delete_email,
    "enter-date": date,
    "enter-password": password_twice,
    "enter-text": form("#tt"),
    "enter-text-2": cased,
    "enter-text-dynamic": form("#tt"),
    "enter-time": time_of_day,
    "find-greatest": greatest,
    "find-word": nth_word,
    "focus-text": one("#area input"),
    "focus-text-2": nth_field,
    "grid-coordinate": coordinate,
    "highlight-text": highlight,
    "identify-shape": figure,
    "login-user": form("#username", "#password"),
    "odd-or-even": odd_or_even,
    "read-table": table_cell,
    "simple-algebra": algebra,
    "simple-arithmetic": arithmetic,
    "text-transform": captcha,
    "unicode-test": the_quoted("button"),
}


def found(sight: Sight, selector: str, text: str, place: Point, way: Direction, amount: int = 1) -> Iterator[Action]:
    """Turn the wheel over ``place`` until something is drawn in the popup, and click it."""
    for _ in range(80):
        if (at := sight.popup(selector, text)) is not None:
            yield Click(point=at)
            return
        yield Scroll(point=place, direction=way, amount=amount)
    raise AssertionError(f"{selector} {text!r} is nowhere in the popup")


def pointed_list(sight: Sight) -> Iterator[Action]:
    yield sight.click("#options")
    left, top, right, bottom = sight.picture()
    wanted = sight.word(r"Select (.*) from the list")
    yield from found(sight, "option", wanted, Point((left + right) / 2, (top + bottom) / 2), "down")
    yield sight.click("button", "Submit")


def picker(sight: Sight) -> Action:
    """A click on the sign that opens the popup of a date or a time."""
    x, y = sight.ask("() => { const b = tt.getBoundingClientRect(); return [b.right - 9, b.y + b.height / 2]; }")
    return Click(point=Point(x, y))


def pointed_date(sight: Sight) -> Iterator[Action]:
    month, day, year = sight.word(r"(\d+/\d+/\d+)").split("/")
    yield picker(sight)
    left, top, right, bottom = sight.picture()
    at = sight.popup(".month-popup-button")
    assert at is not None
    yield Click(point=at)
    middle = Point((left + right) / 2, (top + bottom) / 2)
    # The list of years moves by 4 pixels for a click of the wheel.
    yield from found(
        sight, ".year-list-cell .label", year, middle, "up" if int(year) < datetime.now().year else "down", 12
    )
    month_button = f"[aria-label$='{year}'].month-button"
    names = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    yield from found(sight, month_button, names[int(month) - 1], middle, "down", 6)
    at = sight.popup(f"[id='{year}-{month}-{day}']")
    assert at is not None
    yield Click(point=at)
    yield sight.click("#subbtn")


def pointed_time(sight: Sight) -> Iterator[Action]:
    hour, minute, half = re.findall(r"\d+|[AP]M", sight.goal)[:3]
    yield picker(sight)
    left, top, right, bottom = sight.picture()
    for column, text in enumerate((f"{int(hour):02}", minute, half)):
        place = Point(left + (column + 0.5) * (right - left) / 3, (top + bottom) / 2)
        yield from found(sight, f".time-column:nth-child({column + 1}) .time-cell", text, place, "down")
    yield Click(point=Point(min(right + 4, 159), 205))  # beside the popup: it closes
    yield sight.click("#subbtn")


def calendar(sight: Sight) -> Iterator[Action]:
    """Choose a date of 2016 in the calendar that the page draws itself."""
    month, day, _ = sight.word(r"(\d+/\d+/\d+)").split("/")
    while sight.sees(".ui-datepicker-month") is None:
        yield sight.click("#datepicker")
    names = sight.ask("() => jQuery.datepicker._defaults.monthNames")
    for _ in range(12):
        shown = names.index(sight.text(".ui-datepicker-month"))
        if shown == int(month) - 1:
            break
        yield sight.click(".ui-datepicker-next" if shown < int(month) - 1 else ".ui-datepicker-prev")
    yield sight.click(".ui-datepicker-calendar a", str(int(day)))


def pointed_calendar(sight: Sight) -> Iterator[Action]:
    yield from calendar(sight)
    yield sight.click("#subbtn")


def pointed_colour(sight: Sight) -> Iterator[Action]:
    red, green, blue = sight.ask(
        "n => Object.values(ui_utils.hexToRgb(ui_utils.colorNameToHex(n)))", sight.word("Select (.*) with")
    )
    hue, saturation, value = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
    yield sight.click("#col")
    boxes = "() => [...document.querySelectorAll('body > div canvas')].map(e => e.getBoundingClientRect().toJSON())"
    pad, slider = sight.ask(boxes)
    yield Click(point=Point(pad["x"] + hue * (pad["width"] - 1), pad["y"] + (1 - saturation) * (pad["height"] - 1)))
    yield Click(point=Point(slider["x"] + 5, slider["y"] + (1 - value) * (slider["height"] - 1)))
    yield Click(point=Point(150, 55))  # beside it: it closes
    yield sight.click("#subbtn")


def flight(sight: Sight) -> Iterator[Action]:
    ends = re.search(r"from: (.*) to: (.*) on", sight.goal)
    assert ends is not None
    for field, place in (("#flight-from", ends[1]), ("#flight-to", ends[2])):
        # With its brackets a code is in one name only, so that the list does not reach beyond the page.
        yield sight.fill(field, f"({place})" if re.fullmatch("[A-Z]{3}", place) else place)
        names = sight.ask(
            "() => [...document.querySelectorAll('.ui-menu-item')]"
            ".filter(e => e.getClientRects().length).map(e => e.textContent)"
        )
        yield sight.click(".ui-menu-item", next(name for name in names if place in name))
    yield from calendar(sight)
    yield sight.click("#search")
    values = sight.ask(
        "kind => [...document.querySelectorAll(kind)].map(e => +(e.dataset.price || e.dataset.duration))",
        ".time-duration" if "shortest" in sight.goal else ".flight-price",
    )
    best = values.index(min(values))
    for _ in range(20):
        y = sight.ask("n => document.querySelectorAll('.flight-price')[n].getBoundingClientRect().y", best)
        if y < 190:
            break
        yield Scroll(point=Point(60, 130), direction="down", amount=1)
    yield sight.click(".flight-price", nth=best)


POINTED: dict[str, Script] = {
    "book-flight": flight,
    "choose-date": pointed_calendar,
    "choose-list": pointed_list,
    "enter-date": pointed_date,
    "enter-time": pointed_time,
    "use-colorwheel": pointed_colour,
}
"""Scripts that use the mouse for all that a mouse can do: they type only into fields for text."""


def solve(environment: MiniWobEnvironment, seed: int, scripts: dict[str, Script] = SCRIPTS) -> float:
    """Play one episode by the task's script; returns the raw reward."""
    environment.reset(seed)
    for action in scripts[environment.task](Sight(environment)):
        result = environment.step(action)
        assert result.error is None, f"{environment.task} {seed}: {result.error}"
        if result.terminated:
            break
    return environment.outcome.raw if environment.outcome.done else 0.0
