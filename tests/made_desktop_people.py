"""Scripted people at a desktop: forms in GTK and Tk with menus, lists and sliders, an editor, a calculator."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from made_people import OPTIONS, ROW, Person

Doing = Callable[[Person], None]
WORDS = ["grey", "owl", "lake", "Stone", "river", "quiet", "Moss"]


class Desk:
    """A program, and what a person does with it.

    ``command`` starts it. ``title`` is in the title of its window, whose corner is where points count from.
    """

    command: list[str]
    title: str

    def __init__(self, chance: random.Random, folder: Path) -> None:
        self.chance = chance
        self.folder = folder
        self.doings: list[Doing] = []

    def perform(self, person: Person) -> None:
        person.finds(self.title)
        person.rests()
        for do in self.doings:
            do(person)


class Form(Desk):
    """Some controls, one below the other, made by one program or another."""

    kinds: dict[str, Callable[[Any], None]]
    name: str

    def __init__(self, chance: random.Random, folder: Path) -> None:
        super().__init__(chance, folder)
        self.top = 40
        self.made: list[str] = []
        for kind in chance.sample(sorted(self.kinds), chance.randint(4, 6)):
            self.kinds[kind](self)

    def place(self, height: int = ROW) -> int:
        top, self.top = self.top, self.top + height
        return top


# ---------------------------------------------------------------- what is done in any form


def fills(form: Form, y: int, x: int = 120) -> None:
    words = " ".join(form.chance.sample(WORDS, 2))

    def do(person: Person) -> None:
        person.clicks(x, y)
        person.types(words)
        if person.chance.random() < 0.4:
            person.clicks(x - 40, y, times=2)
            person.types("again")
        if person.chance.random() < 0.4:
            person.presses("shift", "home")
            person.rests()
            person.types("anew")

    form.doings.append(do)


def presses_it(form: Form, x: int, y: int, by_key: bool = True) -> None:
    def do(person: Person) -> None:
        person.clicks(x, y)
        if by_key and person.chance.random() < 0.5:
            person.presses("space")
            person.rests()

    form.doings.append(do)


def drags_it(form: Form, x: int, y: int, far: int) -> None:
    def do(person: Person) -> None:
        person.drags(x, y, x + person.chance.choice((-1, 1)) * person.chance.randint(far // 4, far), y)

    form.doings.append(do)


def chooses(form: Form, x: int, y: int, entries: int, height: int, first: int) -> None:
    """From a list that opens on a press: by mouse, by keys, or not after all."""
    how = form.chance.choice(("mouse", "keys", "escape"))

    def do(person: Person) -> None:
        person.clicks(x, y)
        if how == "mouse":
            person.clicks(x - 10, y + first + height * person.chance.randrange(entries))
        elif how == "keys":
            for _ in range(person.chance.randint(1, 3)):
                person.presses("down")
                person.rests(0.1, 0.3)
            person.presses("enter")
            person.rests()
        else:
            person.presses("escape")
            person.rests()

    form.doings.append(do)


# ---------------------------------------------------------------- GTK


_NUMBERS = "".join(
    f"<object class='GtkAdjustment' id='{name}'><property name='upper'>100</property>"
    "<property name='value'>50</property>"
    "<property name='step-increment'>1</property></object>"
    for name in ("scaled", "counted")
)


class GtkForm(Form):
    title = "Form"

    def __init__(self, chance: random.Random, folder: Path) -> None:
        super().__init__(chance, folder)
        file = folder / "form.ui"
        file.write_text(
            f"<interface>{_NUMBERS}<object class='GtkWindow' id='window'><property name='title'>Form</property>"
            "<property name='visible'>True</property><property name='default-width'>700</property>"
            "<property name='default-height'>560</property><child><object class='GtkFixed'>"
            f"<property name='visible'>True</property>{''.join(self.made)}</object></child></object></interface>"
        )
        self.command = ["gtk-builder-tool", "preview", str(file)]

    def add(self, kind: str, height: int = ROW, inside: str = "", **properties: object) -> int:
        """Put a widget at the left of the next row; returns where its middle is."""
        top = self.place(height)
        told = {"visible": True, "width-request": 240, "height-request": 32, **properties}
        each = "".join(
            f"<property name='{name.replace('_', '-')}'>{escape(str(value))}</property>" for name, value in told.items()
        )
        self.made.append(
            f"<child><object class='{kind}'>{each}{inside}</object><packing><property name='x'>40</property>"
            f"<property name='y'>{top}</property></packing></child>"
        )
        return top + 16


def _gtk_entry(form: GtkForm) -> None:
    fills(form, form.add("GtkEntry"))


def _gtk_combo(form: GtkForm) -> None:
    names = OPTIONS[: form.chance.randint(3, 6)]
    items = f"<items>{''.join(f'<item>{name}</item>' for name in names)}</items>"
    chooses(form, 120, form.add("GtkComboBoxText", inside=items), len(names), 26, 26)


def _gtk_check(form: GtkForm) -> None:
    presses_it(form, 60, form.add("GtkCheckButton", label="Agree"))


def _gtk_switch(form: GtkForm) -> None:
    presses_it(form, 60, form.add("GtkSwitch", width_request=60))


def _gtk_button(form: GtkForm) -> None:
    presses_it(form, 120, form.add("GtkToggleButton", label="Press"))


def _gtk_scale(form: GtkForm) -> None:
    drags_it(form, 160, form.add("GtkScale", 60, adjustment="scaled") + 12, 80)


def _gtk_spin(form: GtkForm) -> None:
    y = form.add("GtkSpinButton", adjustment="counted")

    def do(person: Person) -> None:
        person.clicks(40 + 225, y)
        person.clicks(40 + 225, y)
        if person.chance.random() < 0.5:
            person.clicks(80, y, times=2)
            person.types("42\t")

    form.doings.append(do)


def _gtk_menu(form: GtkForm) -> None:
    entries = "".join(
        f"<child><object class='GtkMenuItem'><property name='visible'>True</property>"
        f"<property name='label'>{label}</property></object></child>"
        for label in ("Open", "Save", "Print", "Close")
    )
    shown = "<property name='visible'>True</property>"
    menu = f"<child type='submenu'><object class='GtkMenu'>{shown}{entries}</object></child>"
    bar = "".join(
        f"<child><object class='GtkMenuItem'><property name='visible'>True</property>"
        f"<property name='label'>{label}</property>{menu}</object></child>"
        for label in ("File", "Edit", "View")
    )
    y = form.add("GtkMenuBar", inside=bar)

    def do(person: Person) -> None:
        person.clicks(60, y)
        if person.chance.random() < 0.5:
            person.moves(95, y)
            person.rests(0.4, 0.8)
            person.clicks(110, y + 28 * person.chance.randint(1, 4))
        else:
            person.clicks(70, y + 28 * person.chance.randint(1, 4))
        person.moves(500, 300)
        person.rests()

    form.doings.append(do)


def _gtk_text(form: GtkForm) -> None:
    y = form.add("GtkTextView", 100, height_request=90, wrap_mode="word")

    def do(person: Person) -> None:
        person.clicks(100, y)
        person.types("Dear all,\nsee you soon,\nbest")
        if person.chance.random() < 0.5:
            person.drags(45, y - 4, 150, y - 4)
            person.types("Hello")
        else:
            person.clicks(60, y, times=2)

    form.doings.append(do)


def _gtk_calendar(form: GtkForm) -> None:
    y = form.add("GtkCalendar", 200, year=2026, month=4, day=1)

    def do(person: Person) -> None:
        person.clicks(100, y + 90)
        person.clicks(180, y + 110)

    form.doings.append(do)


GtkForm.kinds = {
    "entry": _gtk_entry,
    "combo": _gtk_combo,
    "check": _gtk_check,
    "switch": _gtk_switch,
    "button": _gtk_button,
    "spin": _gtk_spin,
    "scale": _gtk_scale,
    "menu": _gtk_menu,
    "text": _gtk_text,
    "calendar": _gtk_calendar,
}


# ---------------------------------------------------------------- Tk


class TkForm(Form):
    title = "Tk form"

    def __init__(self, chance: random.Random, folder: Path) -> None:
        super().__init__(chance, folder)
        file = folder / "form.py"
        begin = "import tkinter as tk\nfrom tkinter import ttk\nroot = tk.Tk()\nroot.title('Tk form')\n"
        file.write_text(f"{begin}root.geometry('700x560+20+30')\n{''.join(self.made)}root.mainloop()\n")
        self.command = [sys.executable, "-I", str(file)]

    def add(self, made: str, height: int = ROW, width: int = 240, tall: int = 32) -> int:
        """Put a widget, made by an expression, at the left of the next row; returns where its middle is."""
        top = self.place(height)
        self.made.append(f"each = {made}\neach.place(x=40, y={top}, width={width}, height={tall})\n")
        return top + tall // 2


def _tk_entry(form: TkForm) -> None:
    fills(form, form.add("tk.Entry(root, font='fixed 12')"))


def _tk_password(form: TkForm) -> None:
    y = form.add("tk.Entry(root, show='*')")

    def do(person: Person) -> None:
        person.clicks(100, y)
        person.types("open sesame", slips=False)

    form.doings.append(do)


def _tk_list(form: TkForm) -> None:
    names = OPTIONS[: form.chance.randint(3, 6)]
    y = form.add(f"ttk.Combobox(root, values={names!r}, state='readonly')")
    chooses(form, 120, y, len(names), 18, 26)


def _tk_options(form: TkForm) -> None:
    names = OPTIONS[: form.chance.randint(3, 6)]
    y = form.add(f"tk.OptionMenu(root, tk.StringVar(root, value={names[0]!r}), *{names!r})")
    chooses(form, 120, y, len(names) - 1, 24, 24)


def _tk_check(form: TkForm) -> None:
    presses_it(form, 120, form.add("tk.Checkbutton(root, text='Agree')"))


def _tk_button(form: TkForm) -> None:
    y = form.add("tk.Button(root, text='0'); each.config(command=lambda b=each: b.config(text=b['text'] + '1'))")
    presses_it(form, 100, y)


def _tk_scale(form: TkForm) -> None:
    drags_it(form, 56, form.add("tk.Scale(root, orient='horizontal')", 60, tall=50) + 10, 100)


def _tk_listbox(form: TkForm) -> None:
    y = form.add(f"tk.Listbox(root); each.insert('end', *{OPTIONS!r})", 100, tall=90)

    def do(person: Person) -> None:
        person.clicks(100, y - 20)
        person.turns_wheel(100, y, 1)
        person.clicks(100, y + 20)
        person.presses("down")
        person.rests()

    form.doings.append(do)


def _tk_box(form: TkForm) -> None:
    """A box that is dragged on a canvas."""
    y = form.add(
        "tk.Canvas(root, bg='white'); each.create_rectangle(10, 10, 60, 60, fill='green')\n"
        "def at(event, it=each): it.last = (event.x, event.y)\n"
        "def move(event, it=each):\n"
        "    it.move('all', event.x - it.last[0], event.y - it.last[1]); at(event)\n"
        "each.bind('<Button-1>', at); each.bind('<B1-Motion>', move); last = each\neach = last",
        130,
        tall=120,
    )

    def do(person: Person) -> None:
        person.drags(80, y - 30, 80 + person.chance.randint(20, 140), y + person.chance.randint(-20, 20))

    form.doings.append(do)


def _tk_menu(form: TkForm) -> None:
    y = form.add(
        "tk.Menubutton(root, text='Menu', relief='raised'); each.menu = tk.Menu(each, tearoff=0); "
        "each['menu'] = each.menu; more = tk.Menu(each.menu, tearoff=0)\n"
        "for name in ('Open', 'Save', 'Close'): each.menu.add_command(label=name); more.add_command(label=name)\n"
        "each.menu.add_cascade(label='More', menu=more)"
    )

    def do(person: Person) -> None:
        person.clicks(100, y)
        person.clicks(80, y + 4 + 24 * person.chance.randint(1, 3))
        person.moves(500, 300)
        person.rests()

    form.doings.append(do)


TkForm.kinds = {
    "entry": _tk_entry,
    "password": _tk_password,
    "list": _tk_list,
    "options": _tk_options,
    "check": _tk_check,
    "button": _tk_button,
    "scale": _tk_scale,
    "listbox": _tk_listbox,
    "box": _tk_box,
    "menu": _tk_menu,
}


# ---------------------------------------------------------------- programs as they are


class Editor(Desk):
    """An editor: typing with slips, menus, choosing text by dragging and by keys, a search."""

    title = "Mousepad"

    def __init__(self, chance: random.Random, folder: Path) -> None:
        super().__init__(chance, folder)
        file = folder / "letter.txt"
        file.write_text("A letter\nto nobody\nin particular\n")
        self.command = ["mousepad", "--disable-server", str(file)]
        self.doings = [self.types, *chance.sample([self.drags, self.menu, self.searches, self.undoes], 3)]

    def types(self, person: Person) -> None:
        person.clicks(300, 250)
        person.types("Dear Ada,\n" + " ".join(person.chance.sample(WORDS, 4)) + "\n")

    def drags(self, person: Person) -> None:
        person.drags(30, 60, 110, 60)
        person.types("Note", slips=False)

    def menu(self, person: Person) -> None:
        person.clicks(70, 15)
        person.moves(90, 80)
        person.rests()
        person.presses("escape")
        person.rests()

    def searches(self, person: Person) -> None:
        person.presses("ctrl", "f")
        person.rests()
        person.types("to", slips=False)
        person.presses("escape")
        person.rests()

    def undoes(self, person: Person) -> None:
        person.presses("ctrl", "a")
        person.rests()
        person.types("Gone", slips=False)
        person.presses("ctrl", "z")
        person.rests()


class Calculator(Desk):
    title = "galculator"

    def __init__(self, chance: random.Random, folder: Path) -> None:
        super().__init__(chance, folder)
        self.command = ["galculator"]
        self.doings = [self.presses_keys, self.types]

    def presses_keys(self, person: Person) -> None:
        for _ in range(4):
            person.clicks(40 + 55 * person.chance.randrange(4), 180 + 40 * person.chance.randrange(3))

    def types(self, person: Person) -> None:
        person.types(f"{person.chance.randint(10, 99)}*{person.chance.randint(10, 99)}\n")


DESKS: tuple[type[Desk], ...] = (GtkForm, TkForm, GtkForm, Editor, TkForm, Calculator)
"""In turn, by the number of the visit."""
