"""``saccade type``, ``screenshot`` and ``act``: mouse, keyboard and screenshots for scripts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from ...actions.errors import EnvironmentFailure, SaccadeError, Stopped, UsageError
from ...actions.geometry import Size, inside
from ...actions.schema import Action, Type, Wait, action_adapter, points
from ...env.control import Control
from ...env.desktop.input import open_input
from ...env.desktop.scene import ScreenScene
from ...env.guard.guard import Guard
from ...env.input import InputDevice, perform
from ...env.private_files import write_private
from ...perception.observation import Screenshot
from ...perception.screen import Region, ScreenCamera
from ..terminal.parse import parse_region


def type_text(data: bytes, display: str | None) -> None:
    """Type UTF-8 text into the window with the focus.

    Raises:
        UsageError: it is not UTF-8.
        MissingPartError: there is no such display.
        EnvironmentFailure: the program does not take it.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"standard input is not UTF-8 at byte {error.start}") from error
    control = Control()
    guard = Guard.of("open")  # the person at the keyboard gave the text
    with _screen(control, display) as (device, scene):
        perform(device, guard.admit(Type(text=text), scene), lambda point: point)


def take_screenshot(out: Path, display: str | None, monitor: int | None, region: str | None) -> Size:
    """Write a picture of a screen as PNG; its size.

    Raises:
        UsageError: monitor, region or file cannot be had.
        MissingPartError: there is no such display.
    """
    if region is not None and monitor is not None:
        raise UsageError("--monitor has no effect with --region, which is a part of all monitors; give one")
    picture = _grab(display, monitor, parse_region(region) if region else None)
    try:
        write_private(out, picture.png())
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}; choose --out elsewhere") from error
    return picture.size


def act(lines: Iterable[bytes], display: str | None, monitor: int | None, guard: Guard) -> Iterator[str]:
    """Execute one action per line; one line of JSON for each: ``{"ok": true}`` or ``{"error": ...}``.

    After a line that fails, the next ones are executed nevertheless; at the end, pressed keys are released.

    Raises:
        MissingPartError: there is no such display.
        EnvironmentFailure: the display is gone.
    """
    control = Control()
    with _screen(control, display, monitor) as (device, scene):
        screen = scene.picture()
        for number, line in enumerate(_until_stopped(lines, control), 1):
            if line.strip():
                problem = _problem(line, partial(_execute, device, control, screen, guard, scene))
                yield json.dumps({"error": f"line {number}: {problem}"} if problem else {"ok": True})


@contextmanager
def _screen(
    control: Control, display: str | None, monitor: int | None = None
) -> Iterator[tuple[InputDevice, ScreenScene]]:
    """The mouse and keyboard of a screen, and what the guard sees of it."""
    shown = display or (os.environ.get("DISPLAY") if sys.platform == "linux" else None)
    with (
        control.stop_signals(),
        closing(open_input(display, control)) as device,
        closing(ScreenScene(shown, device, partial(_grab, display, monitor))) as scene,
    ):
        yield device, scene


def _until_stopped(lines: Iterable[bytes], control: Control) -> Iterator[bytes]:
    """The lines, which may come from a terminal or a pipe; a stop ends the wait for one with ``Stopped``."""
    waiting = iter(lines)
    while True:
        with control.interrupting():
            line = next(waiting, None)
        if line is None:
            return
        yield line


def _grab(display: str | None, monitor: int | None, region: Region | None = None) -> Screenshot:
    with closing(ScreenCamera(display, monitor, region)) as camera:
        return camera.grab()


def _problem(line: bytes, execute: Callable[[Action], None]) -> str | None:
    """Execute a line; what is wrong with it, or with doing what it says."""
    try:
        execute(action_adapter.validate_json(line))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        return ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
    except (EnvironmentFailure, Stopped):
        raise
    except SaccadeError as error:
        return str(error)
    return None


def _execute(
    device: InputDevice, control: Control, screen: Screenshot, guard: Guard, scene: ScreenScene, action: Action
) -> None:
    for point in points(action):
        if not inside(point, screen.size):
            size = f"{screen.size.width} x {screen.size.height}"
            raise UsageError(f"({point.x:g}, {point.y:g}) is outside the screen of {size} pixels")
    permit = guard.admit(action, scene)
    if isinstance(action, Wait):
        permit.spend()
        control.wait(action.seconds)
    elif not perform(device, permit, screen.screen_frame.to_frame):
        raise UsageError(f"{action.kind} is nothing that mouse and keyboard can do")
