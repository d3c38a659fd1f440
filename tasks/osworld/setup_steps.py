"""The steps of ``config`` and ``postconfig``, which prepare the sandbox.

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
from ...env.guard.guard import Permit
from ...env.private_files import write_private
from ..interchange.code import PyCode
from .task import SetupStep
from .task_environment import TaskEnvironment
from .windows import Window, activate, close, windows_of

WINDOWLESS = frozenset(["socat"])
"""Launched programs that show no window."""
TERMINAL = ("ctrl", "alt", "t")
"""The keys that open a terminal on OSWorld's desktop, and on ours."""
_TRIES = 5

# What opens a file, by its suffix; the first program that is installed is used.
OPENERS: Mapping[str, Sequence[str]] = {
    **dict.fromkeys((".xlsx", ".xls", ".ods", ".csv"), ("libreoffice --calc", "gnumeric")),
    **dict.fromkeys((".docx", ".doc", ".odt"), ("libreoffice --writer",)),
    **dict.fromkeys((".pptx", ".ppt", ".odp"), ("libreoffice --impress",)),
    **dict.fromkeys((".txt", ".md", ".py", ".json", ".sh", ""), ("mousepad",)),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".xcf", ".gif"), ("gimp",)),
    **dict.fromkeys((".html", ".pdf"), ("chromium",)),
    "/": ("pcmanfm",),
}


def set_up(env: TaskEnvironment, steps: Sequence[SetupStep]) -> None:
    """Execute steps in order.

    Raises:
        EnvironmentFailure: one cannot be executed here.
        DataError: a step is not as published, or a file is not in the cache.
    """
    for step in steps:
        if (execute := STEPS.get(step.type)) is None:
            raise DataError(f"{env.task.id}: no set-up step of type {step.type!r} is known")
        try:
            execute(env, **step.parameters)
        except TypeError as error:
            raise DataError(f"{env.task.id}: {step.type}: {error}") from error


def pyautogui_code(command: str | Sequence[str]) -> str | None:
    """The Python code of a command that uses pyautogui; None for any other command."""
    words = [command] if isinstance(command, str) else list(command)
    if len(words) == 1:
        words = _words(words[0])
    if len(words) == 3 and words[0] in ("python", "python3") and words[1] == "-c" and "pyautogui" in words[2]:
        return words[2]
    return None


def actions_of(code: str, size: Size) -> tuple[Action, ...]:
    """The actions of pyautogui code; raises ``InvalidReply`` where it holds anything but plain calls."""
    return PyCode(relative=False, avoid_less_than=True).read(code, size, lambda _: None)


def program_of(command: str | Sequence[str]) -> str:
    """The program that a command starts; variables set before it are skipped."""
    words = _words(command) if isinstance(command, str) else list(command)
    return next((word for word in words if not re.fullmatch(r"\w+=.*", word)), "")


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _download(env: TaskEnvironment, files: Sequence[Mapping[str, str]]) -> None:
    for file in files:
        found = env.cache.downloaded(env.task.id, file["url"], file["path"])
        env.sandbox.write(file["path"], env.cache.need(found, f"{env.task.id}: {file['url']}").read_bytes())


def _execute(
    env: TaskEnvironment,
    command: str | Sequence[str],
    stdout: str = "",
    stderr: str = "",
    shell: bool = False,
    until: Mapping[str, Any] | None = None,
) -> None:
    """Run to the end; like OSWorld's server, ignore the exit status."""
    code = pyautogui_code(command)
    if code is not None:
        for action in actions_of(code, env.size):
            _act(env, action)
        return
    for _ in range(_TRIES):
        done = env.sandbox.run(command, shell=shell)
        outputs = {"stdout": done.output, "stderr": done.error}
        for name, text in zip((stdout, stderr), outputs.values(), strict=True):
            if name:
                write_private(env.result(name), text)
        if not until or until.get("returncode") == done.status:
            return
        if any(name in until and until[name] in text for name, text in outputs.items()):
            return
        env.act(Wait(seconds=0.3))


def _act(env: TaskEnvironment, action: Action) -> None:
    if isinstance(action, Hotkey) and action.keys == TERMINAL:
        open_terminal(env, env.desktop.permit(action))
    else:
        env.act(action)


def open_terminal(env: TaskEnvironment, permit: Permit) -> None:
    """Open a terminal with "Terminal" in its title, as on OSWorld's desktop."""
    permit.spend()
    launch(env, ["xterm", "-T", "Terminal", "-fa", "Monospace", "-fs", "11", "-geometry", "100x30"])


def launch(env: TaskEnvironment, command: str | Sequence[str], shell: bool = False) -> None:
    """Start a command and wait for its window; raises ``EnvironmentFailure`` if it shows none."""
    if isinstance(command, str) and not shell:
        command = command.split()
    before = frozenset(window.number for window in windows_of(env.display))
    number = env.sandbox.launch(command, shell=shell)
    program = program_of(command)
    if program not in WINDOWLESS:
        env.wait_for_window(number, program, before)


def _open(env: TaskEnvironment, path: str) -> None:
    folder = env.sandbox.run(["test", "-d", path]).status == 0
    for opener in OPENERS.get("/" if folder else PurePosixPath(path).suffix.lower(), ()):
        words = opener.split()
        if env.sandbox.run(["which", words[0]]).status == 0:
            return launch(env, [*words, path])
    raise EnvironmentFailure(f"nothing here opens {path}")


def _on_window(send: Callable[[str, Window], None]) -> Callable[..., None]:
    """A step that sends a message to a window; like OSWorld's server, it ignores that there is none."""

    def step(env: TaskEnvironment, window_name: str, strict: bool = False, by_class: bool = False) -> None:
        for window in windows_of(env.display):
            if window.called(window_name, strict=strict, by_class=by_class):
                send(env.display, window)
                env.act(Wait(seconds=0))
                return

    return step


STEPS: Mapping[str, Callable[..., None]] = {
    "download": _download,
    "launch": launch,
    "execute": _execute,
    "command": _execute,
    "open": _open,
    "activate_window": _on_window(activate),
    "close_window": _on_window(close),
    "sleep": lambda env, seconds: env.act(Wait(seconds=seconds)),
}
"""The function of each kind of step, by its name in the JSON."""
