"""The steps of ``config`` and ``postconfig``: each brings the sandbox one step further.

Commands run in the sandbox only. Python code that calls ``pyautogui`` is not run at all: it is read as data,
and its clicks and keys are executed like an agent's.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from ...actions.errors import DataError, EnvironmentFailure
from ...actions.geometry import Size
from ...actions.schema import Action, Hotkey, Wait
from ..interchange.code import PyCode
from .task import Setting
from .windows import Window, activate, close, windows_of
from .world import TaskEnvironment

WINDOWLESS = frozenset(["socat"])
"""Launched programs that show no window."""
TERMINAL = ("ctrl", "alt", "t")
"""The keys that open a terminal on OSWorld's desktop, and on ours."""
_TRIES = 5

# What opens a file of a kind; the first that is installed does.
_SPREADSHEET = ("libreoffice --calc", "gnumeric")
OPENERS: Mapping[str, Sequence[str]] = {
    **dict.fromkeys((".xlsx", ".xls", ".ods", ".csv"), _SPREADSHEET),
    **dict.fromkeys((".docx", ".doc", ".odt"), ("libreoffice --writer",)),
    **dict.fromkeys((".pptx", ".ppt", ".odp"), ("libreoffice --impress",)),
    **dict.fromkeys((".txt", ".md", ".py", ".json", ".sh", ""), ("mousepad",)),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".xcf", ".gif"), ("gimp",)),
    **dict.fromkeys((".html", ".pdf"), ("chromium",)),
    "/": ("pcmanfm",),
}


def set_up(world: TaskEnvironment, steps: Sequence[Setting]) -> None:
    """Carry out steps in their order.

    Raises:
        EnvironmentFailure: one cannot be carried out here.
        DataError: a step is not as published, or a file is not in the cache.
    """
    for step in steps:
        if (carry_out := KINDS.get(step.type)) is None:
            raise DataError(f"{world.task.id}: no set-up step of type {step.type!r} is known")
        try:
            carry_out(world, **step.parameters)
        except TypeError as error:
            raise DataError(f"{world.task.id}: {step.type}: {error}") from error


def pyautogui_code(command: str | Sequence[str]) -> str | None:
    """The Python code of a command that acts by pointer and keyboard; None for any other command."""
    words = [command] if isinstance(command, str) else list(command)
    if len(words) == 1:
        words = _words(words[0])
    if len(words) == 3 and words[0] in ("python", "python3") and words[1] == "-c" and "pyautogui" in words[2]:
        return words[2]
    return None


def actions_of(code: str, size: Size) -> tuple[Action, ...]:
    """The actions that such code stands for.

    Raises:
        InvalidReply: something in it is no plain call.
    """
    return PyCode(relative=False, avoid_less_than=True).read(code, size, lambda _: None)


def programs_of(command: str | Sequence[str], shell: bool) -> str:
    """The program that a command starts, without variables set before it."""
    words = _words(command) if isinstance(command, str) else list(command)
    return next((word for word in words if not re.fullmatch(r"\w+=.*", word)), "")


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _download(world: TaskEnvironment, files: Sequence[Mapping[str, str]]) -> None:
    for file in files:
        found = world.cache.downloaded(world.task.id, file["url"], file["path"])
        world.box.write(file["path"], world.cache.need(found, f"{world.task.id}: {file['url']}").read_bytes())


def _execute(
    world: TaskEnvironment,
    command: str | Sequence[str],
    stdout: str = "",
    stderr: str = "",
    shell: bool = False,
    until: Mapping[str, Any] | None = None,
) -> None:
    """Run to the end; like OSWorld's server, without minding the exit status."""
    code = pyautogui_code(command)
    if code is not None:
        for action in actions_of(code, world.size):
            _act(world, action)
        return
    for _ in range(_TRIES):
        done = world.box.run(command, shell=shell)
        for name, text in ((stdout, done.output), (stderr, done.error)):
            if name:
                world.result(name).write_text(text, encoding="utf-8")
        wanted = until or {}
        if (
            not wanted
            or wanted.get("returncode") == done.status
            or ("stdout" in wanted and wanted["stdout"] in done.output)
            or ("stderr" in wanted and wanted["stderr"] in done.error)
        ):
            return
        world.act(Wait(seconds=0.3))


def _act(world: TaskEnvironment, action: Action) -> None:
    if isinstance(action, Hotkey) and action.keys == TERMINAL:
        open_terminal(world)
    else:
        world.act(action)


def open_terminal(world: TaskEnvironment) -> None:
    """A terminal whose title holds the word, as OSWorld's does."""
    _launch(world, ["xterm", "-T", "Terminal", "-fa", "Monospace", "-fs", "11", "-geometry", "100x30"])


def _launch(world: TaskEnvironment, command: str | Sequence[str], shell: bool = False) -> None:
    if isinstance(command, str) and not shell:
        command = command.split()
    before = frozenset(window.number for window in windows_of(world.display))
    number = world.box.launch(command, shell=shell)
    program = programs_of(command, shell)
    if program not in WINDOWLESS:
        world.wait_for_window(number, program, before)


def _open(world: TaskEnvironment, path: str) -> None:
    folder = world.box.run(["test", "-d", path]).status == 0
    for opener in OPENERS.get("/" if folder else PurePosixPath(path).suffix.lower(), ()):
        words = opener.split()
        if world.box.run(["which", words[0]]).status == 0:
            return _launch(world, [*words, path])
    raise EnvironmentFailure(f"nothing here opens {path}")


def _found(world: TaskEnvironment, name: str, strict: bool, by_class: bool) -> list[Window]:
    found = windows_of(world.display)
    return [window for window in found if window.called(name, strict=strict, by_class=by_class)]


def _activate(world: TaskEnvironment, window_name: str, strict: bool = False, by_class: bool = False) -> None:
    """Like OSWorld's server, without minding that there is no such window."""
    for window in _found(world, window_name, strict, by_class)[:1]:
        activate(world.display, window)
        world.act(Wait(seconds=0))


def _close(world: TaskEnvironment, window_name: str, strict: bool = False, by_class: bool = False) -> None:
    for window in _found(world, window_name, strict, by_class)[:1]:
        close(world.display, window)
        world.act(Wait(seconds=0))


def _sleep(world: TaskEnvironment, seconds: float) -> None:
    world.act(Wait(seconds=seconds))


KINDS: Mapping[str, Callable[..., None]] = {
    "download": _download,
    "launch": _launch,
    "execute": _execute,
    "command": _execute,
    "open": _open,
    "activate_window": _activate,
    "close_window": _close,
    "sleep": _sleep,
}
"""What carries out each kind of step, by its name in the JSON."""
