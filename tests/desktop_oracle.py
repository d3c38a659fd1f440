"""Scripts that solve the desktop tasks by mouse and keyboard: they show that tasks and checks are right.

A script is a generator over a ``Sight`` of the desktop; every action it yields goes through the environment
as a policy's would. Where windows are it asks the X server, which no policy may. Run as a program it solves
every task: ``python tests/desktop_oracle.py [TASK ...]``.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing

from Xlib.display import Display

from saccade.actions.geometry import Point
from saccade.actions.schema import Action, CallUser, Click, Drag, Finished, Hotkey, Press, Type
from saccade.env.base import Verdict
from saccade.env.control import Control
from saccade.env.guard.guard import Guard
from saccade.tasks.osworld.environment import OsWorldEnvironment
from saccade.tasks.osworld.windows import windows_of
from saccade.tasks.suites.desktop import DesktopSuite

Script = Callable[["Sight"], Iterator[Action]]

SAVE = Hotkey(keys=("ctrl", "s"))
ENTER = Press(key="enter")
_HOME = "/home/user"


class Sight:
    """What a script knows of a desktop: the task in words, its quoted parts, and where windows are."""

    def __init__(self, environment: OsWorldEnvironment) -> None:
        assert environment.instruction is not None
        assert environment.display is not None
        self.goal = environment.instruction
        self._environment = environment
        self._display = environment.display

    def words(self, pattern: str) -> tuple[str, ...]:
        found = re.search(pattern, self.goal)
        assert found is not None, f"{self.goal!r} does not match {pattern!r}"
        return found.groups()

    def corner(self, title: str) -> Point:
        """The upper left corner of a window, within its frame."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for window in windows_of(self._display):
                if window.called(title):
                    with closing(Display(self._display)) as link:
                        resource = link.create_resource_object("window", window.number)
                        place = link.screen().root.translate_coords(resource, 0, 0)
                    return Point(place.x, place.y)
        raise AssertionError(f"no window is called {title!r}")

    def gone(self, title: str) -> None:
        deadline = time.monotonic() + 60
        while any(window.called(title) for window in windows_of(self._display)):
            assert time.monotonic() < deadline, f"{title!r} does not close"

    def at(self, title: str, right: float, down: float) -> Click:
        corner = self.corner(title)
        return Click(point=Point(corner.x + right, corner.y + down))

    def listed(self) -> list[str]:
        """The names in the folder that the file manager shows, in its order."""
        episode = self._environment._episode
        assert episode is not None
        children = episode.sandbox.tree(f"{_HOME}/Documents")["children"]
        names = sorted(children, key=lambda each: (each["type"] != "directory", each["name"]))
        return [each["name"] for each in names]


def solve(environment: OsWorldEnvironment, seed: int) -> Verdict:
    """Solve a task of a seed, and what that is worth."""
    environment.reset(seed)
    return environment.judge(script_actions(environment, Sight(environment)))


def script_actions(environment: OsWorldEnvironment, sight: Sight) -> Action:
    """Do what a task's script says; its last word."""
    for action in SCRIPTS[environment.name](sight):
        if isinstance(action, CallUser):
            return action
        result = environment.step(action)
        assert result.error is None, f"{action}: {result.error}"
    return Finished()


def _save_as(sight: Sight, name: str) -> Iterator[Action]:
    sight.corner("Save As")
    yield Hotkey(keys=("ctrl", "a"))
    yield Type(text=f"{_HOME}/Documents/{name}")
    yield ENTER
    sight.gone("Save As")


# ---------------------------------------------------------------- the editor


def _write_note(sight: Sight) -> Iterator[Action]:
    (line,) = sight.words('line "(.+?)" into')
    yield sight.at("Mousepad", 200, 150)
    yield Type(text=line)
    yield SAVE
    yield from _save_as(sight, "note.txt")


def _replace_word(sight: Sight) -> Iterator[Action]:
    old, new = sight.words('every "(.+?)" by "(.+?)"')
    yield sight.at("Mousepad", 200, 150)
    yield Hotkey(keys=("ctrl", "r"))
    sight.corner("Replace")
    yield Hotkey(keys=("ctrl", "a"))
    yield Type(text=f"{old}\t{new}")
    yield sight.at("Replace", 20, 217)  # replace all
    yield sight.at("Replace", 299, 257)
    yield Press(key="esc")
    yield SAVE


def _append_line(sight: Sight) -> Iterator[Action]:
    (word,) = sight.words('word "(.+?)"')
    yield sight.at("Mousepad", 200, 150)
    yield Hotkey(keys=("ctrl", "end"))
    yield Type(text=f"{word}\n")
    yield SAVE


def _save_copy(sight: Sight) -> Iterator[Action]:
    (name,) = sight.words(r"name (\w+\.txt)")
    yield sight.at("Mousepad", 200, 150)
    yield Hotkey(keys=("ctrl", "shift", "s"))
    yield from _save_as(sight, name)


def _give_up(sight: Sight) -> Iterator[Action]:
    yield CallUser(message="there is no printer")


# ---------------------------------------------------------------- the calculator

_BUTTONS = ["789/", "456*", "123-", "0"]


def _calculate(sight: Sight) -> Iterator[Action]:
    first, second = sight.words(r"out (\d+) times (\d+)")
    for sign in f"{first}*{second}":
        row = next(number for number, signs in enumerate(_BUTTONS) if sign in signs)
        yield sight.at("galculator", 35 + 65 * _BUTTONS[row].index(sign), 199 + 40 * row)
    yield sight.at("galculator", 295, 300)
    yield Hotkey(keys=("ctrl", "c"))
    yield sight.at("Mousepad", 400, 150)
    yield Hotkey(keys=("ctrl", "v"))
    yield SAVE
    yield from _save_as(sight, "result.txt")


# ---------------------------------------------------------------- the spreadsheet


def _cell(sight: Sight, name: str) -> Click:
    column, row = "AB".index(name[0]), int(name[1:]) - 1
    return sight.at("Gnumeric", 112 + 81 * column, 201 + 18 * row)


def _set_cell(sight: Sight) -> Iterator[Action]:
    (amount,) = sight.words(r"to (\d+), and")
    yield _cell(sight, "B3")
    yield Type(text=f"{amount}\n")
    yield SAVE


def _add_row(sight: Sight) -> Iterator[Action]:
    item, amount = sight.words(r"item (\w+) and the amount (\d+)")
    yield _cell(sight, "A5")
    yield Type(text=f"{item}\t{amount}\n")
    yield SAVE


def _sum_column(sight: Sight) -> Iterator[Action]:
    yield _cell(sight, "B6")
    yield Type(text="=sum(b2:b4)\n")
    yield SAVE


# ---------------------------------------------------------------- the file manager


def _icon(sight: Sight, name: str) -> Point:
    corner, number = sight.corner("Documents"), sight.listed().index(name)
    return Point(corner.x + 207 + 94 * number, corner.y + 97)


def _rename_file(sight: Sight) -> Iterator[Action]:
    old, new = sight.words(r"file (\w+\.txt) to (\w+\.txt)")
    yield Click(point=_icon(sight, old))
    yield Press(key="f2")
    sight.corner("Rename")
    yield Hotkey(keys=("ctrl", "a"))
    yield Type(text=f"{new}\n")


def _make_folder(sight: Sight) -> Iterator[Action]:
    (name,) = sight.words(r"called (\w+)")
    yield sight.at("Documents", 400, 300)
    yield Hotkey(keys=("ctrl", "shift", "n"))
    sight.corner("Creat")
    yield Hotkey(keys=("ctrl", "a"))
    yield Type(text=f"{name}\n")


def _move_file(sight: Sight) -> Iterator[Action]:
    file, folder = sight.words(r"file (\w+\.txt) into the folder (\w+)")
    yield Drag(start=_icon(sight, file), end=_icon(sight, folder))


# ---------------------------------------------------------------- the terminal


def _typed(command: Callable[[Sight], str]) -> Script:
    def script(sight: Sight) -> Iterator[Action]:
        yield sight.at("Terminal", 300, 200)
        yield Type(text=f"{command(sight)} && exit\n")

    return script


SCRIPTS: dict[str, Script] = {
    "write-note": _write_note,
    "replace-word": _replace_word,
    "append-line": _append_line,
    "save-copy": _save_copy,
    "print-in-colour": _give_up,
    "calculate-product": _calculate,
    "set-cell": _set_cell,
    "add-row": _add_row,
    "sum-column": _sum_column,
    "rename-file": _rename_file,
    "make-folder": _make_folder,
    "move-file": _move_file,
    "make-tree": _typed(lambda sight: "mkdir -p {} {}".format(*sight.words(r"folders (\S+) and (\S+)"))),
    "count-lines": _typed(lambda sight: "grep -c {} log.txt > answer.txt".format(*sight.words('word "(.+?)"'))),
    "change-mode": _typed(lambda sight: "chmod 700 Desktop/{}".format(*sight.words(r"script (\S+)"))),
}
"""By the name of the task."""


def main(names: list[str]) -> int:
    """Solve tasks, all by default, and say what each was worth."""
    missed = 0
    with closing(DesktopSuite().open(Control(), Guard.of("open"))) as place:
        for seed, name in enumerate(names or SCRIPTS):
            begun = time.monotonic()
            with closing(place.environment(name)) as environment:
                assert isinstance(environment, OsWorldEnvironment)
                verdict = solve(environment, seed)
            missed += not verdict.success
            sys.stdout.write(f"{name:20}{verdict.reward:5.1f}{time.monotonic() - begun:8.1f} s\n")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
