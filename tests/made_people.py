"""Scripted people: they move a real pointer and press real keys of an X display, with pauses, slips and corrections."""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import pairwise
from typing import Any

from Xlib.error import ConnectionClosedError

from saccade.env.x11.connection import BUTTON_DOWN, BUTTON_UP, KEY_DOWN, KEY_UP, MOTION, Connection, InjectedEvent
from saccade.env.x11.keymap import KeyMap, keysym

PASSWORD = "correct horse 7"
_NAMES = {"\n": "enter", "\t": "tab", " ": "space"}


def wait(seconds: float) -> None:
    threading.Event().wait(seconds)


class Person:
    """Acts on a display; points are in pixels from ``origin``, times are drawn by ``chance``."""

    def __init__(self, connection: Connection, chance: random.Random, origin: tuple[int, int] = (0, 0)) -> None:
        self.chance = chance
        self.origin = origin
        self._connection = connection
        self._keys = KeyMap(connection)
        self._at = (connection.size.width // 2, connection.size.height // 2)

    def finds(self, title: str) -> None:
        """Wait for a window whose title contains a text; its corner is the origin then."""
        for _ in range(600):
            for number in self._connection.numbers(self._connection.root, "_NET_CLIENT_LIST"):
                if title in _title(self._connection, number):
                    wait(1.0)  # it is put in its place
                    corner = self._connection.ask(
                        lambda number=number: self._connection.root.translate_coords(
                            self._connection.window(number), 0, 0
                        )
                    )
                    self.origin = (corner.x, corner.y)
                    return
            wait(0.1)
        raise AssertionError(f"no window {title!r} came")

    def rests(self, least: float = 0.35, most: float = 0.8) -> None:
        wait(self.chance.uniform(least, most))

    def _does(self, *events: InjectedEvent) -> None:
        self._connection.inject(events)
        self._connection.display.sync()

    def moves(self, x: float, y: float) -> None:
        """To a point, on the straight way, in some steps."""
        goal = (round(x) + self.origin[0], round(y) + self.origin[1])
        steps = self.chance.randint(6, 12)
        for step in range(1, steps + 1):
            part = step / steps
            at = tuple(round(a + (b - a) * part) for a, b in zip(self._at, goal, strict=True))
            self._does(InjectedEvent(MOTION, 0, *at))
            wait(0.02)
        self._at = goal

    def clicks(self, x: float, y: float, times: int = 1, button: int = 1) -> None:
        self.moves(x, y)
        wait(self.chance.uniform(0.1, 0.25))
        for _ in range(times):
            self._does(InjectedEvent(BUTTON_DOWN, button))
            wait(0.05)
            self._does(InjectedEvent(BUTTON_UP, button))
            wait(0.06)
        self.rests()

    def drags(self, x: float, y: float, to_x: float, to_y: float) -> None:
        self.moves(x, y)
        wait(0.15)
        self._does(InjectedEvent(BUTTON_DOWN, 1))
        wait(0.1)
        self.moves(to_x, to_y)
        wait(0.15)
        self._does(InjectedEvent(BUTTON_UP, 1))
        self.rests()

    def turns_wheel(self, x: float, y: float, times: int, down: bool = True) -> None:
        self.moves(x, y)
        for _ in range(times):
            self._does(InjectedEvent(BUTTON_DOWN, 5 if down else 4), InjectedEvent(BUTTON_UP, 5 if down else 4))
            wait(self.chance.uniform(0.05, 0.15))
        self.rests(0.8, 1.1)

    def presses(self, *names: str) -> None:
        """A key, with the modifiers before it held."""
        strokes = [self._keys.find(keysym(name)) for name in names]
        codes = [stroke.keycode for stroke in strokes if stroke is not None]
        assert len(codes) == len(names), names
        if strokes[-1] is not None and strokes[-1].shift:
            codes.insert(0, self._keys.shift)
        for code in codes:
            self._does(InjectedEvent(KEY_DOWN, code))
            wait(0.015)
        for code in reversed(codes):
            self._does(InjectedEvent(KEY_UP, code))
        wait(self.chance.uniform(0.05, 0.12))

    def types(self, text: str, slips: bool = True) -> None:
        """Type, with a wrong letter or two that is taken back; a finger needs longer for its key again."""
        for before, character in pairwise(("", *text)):
            if before == character:
                wait(0.15)
            if slips and character.isalpha() and self.chance.random() < 0.12:
                for _ in range(wrong := self.chance.randint(1, 2)):
                    self.presses(self.chance.choice("qwxz"))
                wait(self.chance.uniform(0.1, 0.5))
                for _ in range(wrong):
                    self.presses("backspace")
            self.presses(_NAMES.get(character, character))
        self.rests()

    def stops(self) -> None:
        """End the recording."""
        self.rests(0.8, 1.0)
        self.presses("ctrl", "alt", "q")


def performs(display: str, chance: random.Random, script: Callable[[Person], None]) -> threading.Thread:
    """A person at work in a thread, who ends the recording whatever happens."""

    def act() -> None:
        with (
            suppress(ConnectionClosedError),
            closing(Connection(display)) as connection,
        ):  # it may end with the recording
            person = Person(connection, chance)
            try:
                script(person)
            finally:
                person.stops()

    thread = threading.Thread(target=act, name="person")
    thread.start()
    return thread


# ---------------------------------------------------------------- in a browser

ORIGIN_SCRIPT = """<script>addEventListener('mousemove', (e) => {
  document.title = `at ${e.screenX - e.clientX},${e.screenY - e.clientY}`;
});</script>"""
"""The page's title tells where its corner is on the screen, once the pointer has moved on it."""


def finds_the_page(person: Person) -> None:
    """Wait for the page, and know where it is; how long that takes changes nothing of what is done then."""
    before = person.chance.getstate()
    names: list[str] = []
    for attempt in range(600):
        person.moves(700 + attempt % 5, 600)
        names = _titles(person._connection)
        found = [match for name in names if (match := re.search(r"at (\d+),(\d+)", name))]
        if found:
            person.origin = (int(found[0][1]), int(found[0][2]))
            wait(0.5)
            person.chance.setstate(before)
            return
        wait(0.1)
    raise AssertionError(f"no page came: {names}")


def _titles(connection: Connection) -> list[str]:
    return [_title(connection, number) for number in connection.numbers(connection.root, "_NET_CLIENT_LIST")]


def _title(connection: Connection, number: int) -> str:
    window = connection.window(number)
    name = connection.ask(window.get_wm_name)
    whole = connection.ask(lambda: window.get_full_property(connection.atom("_NET_WM_NAME"), 0))
    return f"{name} {bytes(whole.value).decode(errors='replace') if whole else ''}"


STYLE = """<!DOCTYPE html><meta charset=utf-8><title>Page</title><style>
body {margin: 0; font: 16px sans-serif; height: HEIGHTpx; position: relative}
.row {position: absolute; left: 40px; height: 30px; box-sizing: border-box}
input.row, select.row, textarea.row {width: 240px}
button.row {width: 160px; transition: background .2s} button:hover {background: #fc8}
a:hover {color: red; text-decoration: underline}
.log {position: absolute; left: 620px; top: 10px; width: 500px; white-space: pre-wrap}
.menu {width: 160px; background: #ddd} .menu ul {display: none; position: absolute; left: 0; top: 30px; margin: 0;
 padding: 0; width: 160px; background: #eee; list-style: none; z-index: 3; box-shadow: 2px 2px 6px #888}
.menu:hover ul, .menu.open ul {display: block} .menu li {height: 30px} .menu li:hover {background: #8cf}
.box {position: absolute; width: 60px; height: 60px; background: #8c8; cursor: grab}
</style>"""
LOG = """<div class=log id=log></div><script>
const note = (text) => { document.getElementById('log').textContent += text + '\\n'; };
for (const each of document.querySelectorAll('input, select, textarea')) {
  each.addEventListener('change', () => note((each.id || each.type) + ' = '
    + (each.type === 'password' ? each.value.length : each.type === 'checkbox' ? each.checked : each.value)));
}
for (const each of document.querySelectorAll('button, li')) {
  each.addEventListener('click', (event) => { event.stopPropagation(); note('pressed ' + each.textContent); });
}
for (const each of document.querySelectorAll('.menu.click')) {
  each.addEventListener('click', () => each.classList.toggle('open'));
}
for (const each of document.querySelectorAll('.box:not([draggable])')) {
  let from = null;
  each.onpointerdown = (e) => { from = [e.clientX - each.offsetLeft, e.clientY - each.offsetTop];
    each.setPointerCapture(e.pointerId); };
  each.onpointermove = (e) => { if (from) { each.style.left = e.clientX - from[0] + 'px';
    each.style.top = e.clientY - from[1] + 'px'; } };
  each.onpointerup = () => { from = null; };
}
</script>"""
OPTIONS = ("Rome", "Riga", "Paris", "Prague", "Oslo", "Lima", "Quito", "Turin", "Kyoto", "Cairo")
ROW = 42


class Visit:
    """A page with some controls, one below the other, and what a person does with them."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.html = ""
        self.doings: list[Callable[[Person], None]] = []
        self._top = 12
        kinds = chance.sample(sorted(KINDS), chance.randint(4, 6))
        for number, kind in enumerate(kinds):
            KINDS[kind](self, f"{kind}{number}")

    def place(self, html: str, height: int = ROW) -> int:
        """Add an element, ``TOP`` being its place; returns that."""
        top, self._top = self._top, self._top + height
        self.html += html.replace("TOP", f"class=row style='top:{top}px'")
        return top

    def page(self) -> str:
        height = 1600 if "turn the wheel" in self.html else 700
        end = f"<button class=row style='top:{self._top}px'>End</button>"
        return STYLE.replace("HEIGHT", str(height)) + self.html + end + LOG + ORIGIN_SCRIPT

    def perform(self, person: Person) -> None:
        finds_the_page(person)
        person.moves(1000, 500)
        person.rests()
        for do in self.doings:
            do(person)


def _text(visit: Visit, name: str) -> None:
    top = visit.place(f"<input TOP id={name}>") + 15
    words = " ".join(visit.chance.sample(["grey", "owl", "lake", "Stone", "river"], 3))

    def do(person: Person) -> None:
        person.clicks(100, top)
        person.types(words)
        if person.chance.random() < 0.4:
            person.presses("ctrl", "a")
            person.rests()
            person.types("again\t")

    visit.doings.append(do)


def _password(visit: Visit, name: str) -> None:
    top = visit.place(f"<input TOP id={name} type=password>") + 15

    def do(person: Person) -> None:
        person.clicks(100, top)
        person.types(PASSWORD, slips=False)

    visit.doings.append(do)


def _select(visit: Visit, name: str) -> None:
    names = list(OPTIONS[: visit.chance.randint(4, 10)])
    entries = [f"<option{' disabled' if index == 1 else ''}>{name}" for index, name in enumerate(names)]
    top = visit.place(f"<select TOP id={name}>{''.join(entries)}</select>") + 15
    choose = visit.chance.choice(("mouse", "popup keys", "keys", "escape"))

    def do(person: Person) -> None:
        if choose == "keys":
            person.presses("tab")
            person.clicks(100, top)
            person.presses("escape")
            person.rests()
            person.presses("down")
            person.rests()
            person.presses(names[-1][0].lower())
            person.rests()
            return
        person.clicks(100, top)
        if choose == "mouse":
            person.clicks(80, top + 20 + 24 * person.chance.choice([0, 2, 3]), 1)
        elif choose == "popup keys":
            for _ in range(person.chance.randint(1, 3)):
                person.presses("down")
                person.rests(0.1, 0.3)
            person.presses("enter")
            person.rests()
        else:
            person.presses("escape")
            person.rests()

    visit.doings.append(do)


def _date(visit: Visit, name: str) -> None:
    top = visit.place(f"<input TOP id={name} type=date value=2026-05-01>") + 15
    by_picker = visit.chance.random() < 0.6

    def do(person: Person) -> None:
        if by_picker:
            person.clicks(40 + 240 - 14, top)
            person.clicks(40 + person.chance.choice([20, 80, 140]), top + 150)
        else:
            person.clicks(60, top)
            person.types("03142027", slips=False)

    visit.doings.append(do)


def _colour(visit: Visit, name: str) -> None:
    top = visit.place(f"<input TOP id={name} type=color>") + 15

    def do(person: Person) -> None:
        person.clicks(100, top)
        person.clicks(40 + person.chance.randint(40, 180), top + 15 + person.chance.randint(20, 90))
        person.presses("enter")
        person.rests()

    visit.doings.append(do)


def _checkbox(visit: Visit, name: str) -> None:
    top = visit.place(f"<label TOP><input type=checkbox id={name}> Agree</label>") + 10
    by_key = visit.chance.random() < 0.5

    def do(person: Person) -> None:
        person.clicks(48, top)
        if by_key:
            person.presses("space")
            person.rests()
            person.presses("space")
            person.rests()

    visit.doings.append(do)


def _range(visit: Visit, name: str) -> None:
    top = visit.place(f"<input TOP id={name} type=range>") + 15
    by_key = visit.chance.random() < 0.5

    def do(person: Person) -> None:
        if by_key:
            person.clicks(160, top)
            for _ in range(4):
                person.presses("right")
            person.rests()
        else:
            person.drags(160, top, 160 + person.chance.choice((-1, 1)) * person.chance.randint(10, 80), top)

    visit.doings.append(do)


def _button(visit: Visit, name: str) -> None:
    top = visit.place(f"<button TOP id={name}>Press {name}</button>") + 15

    def do(person: Person) -> None:
        person.clicks(100, top)
        if person.chance.random() < 0.3:
            person.clicks(100, top)

    visit.doings.append(do)


def _menu(visit: Visit, name: str) -> None:
    by_click = visit.chance.random() < 0.5
    entries = "".join(f"<li>{entry}</li>" for entry in ("Open", "Save", "Close"))
    how = " click" if by_click else ""
    top = visit.place(f"<div TOP id={name}>Menu<ul>{entries}</ul></div>".replace("TOP", "TOP data-m"), 140) + 15
    visit.html = visit.html.replace(
        f"class=row style='top:{top - 15}px' data-m", f"class='row menu{how}' style='top:{top - 15}px'"
    )

    def do(person: Person) -> None:
        if by_click:
            person.clicks(100, top)
        else:
            person.moves(100, top)
            person.rests(0.5, 0.8)
        person.clicks(100, top + 30 * person.chance.randint(1, 3))
        person.moves(1000, 500)
        person.rests()

    visit.doings.append(do)


def _drag(visit: Visit, name: str) -> None:
    top = visit.place(
        f"<div id={name} class=box style='left:340px;top:{20 + visit.chance.randint(0, 100)}px'></div>", 0
    )
    y = int(re.findall(r"left:340px;top:(\d+)px", visit.html)[-1]) + 30
    del top

    def do(person: Person) -> None:
        person.drags(370, y, 370 + person.chance.randint(-20, 150), y + person.chance.randint(100, 300))

    visit.doings.append(do)


def _suggestions(visit: Visit, name: str) -> None:
    listed = "".join(f"<option>{each}" for each in OPTIONS)
    top = visit.place(f"<input TOP id={name} list=l{name}><datalist id=l{name}>{listed}</datalist>") + 15

    def do(person: Person) -> None:
        person.clicks(100, top)
        person.types("R", slips=False)
        person.presses("down")
        person.rests(0.2, 0.4)
        person.presses("enter")
        person.rests()

    visit.doings.append(do)


def _lines(visit: Visit, name: str) -> None:
    top = visit.place(f"<textarea TOP id={name}></textarea>".replace("TOP", "TOP"), ROW) + 15

    def do(person: Person) -> None:
        person.clicks(100, top)
        person.types("Dear all,\nsee you")
        person.clicks(60, top, times=2)

    visit.doings.append(do)


def _wheel(visit: Visit, name: str) -> None:
    visit.place(f"<i id={name} TOP>turn the wheel</i>")

    def do(person: Person) -> None:
        times = person.chance.randint(1, 4)
        person.turns_wheel(900, 400, times)
        person.turns_wheel(900, 400, times, down=False)
        person.moves(1000, 500)
        person.rests()

    visit.doings.append(do)


KINDS: dict[str, Any] = {
    "text": _text,
    "password": _password,
    "select": _select,
    "date": _date,
    "colour": _colour,
    "checkbox": _checkbox,
    "range": _range,
    "button": _button,
    "menu": _menu,
    "drag": _drag,
    "suggestions": _suggestions,
    "lines": _lines,
    "wheel": _wheel,
}
