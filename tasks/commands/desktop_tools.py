"""``saccade type``, ``screenshot`` and ``act``: mouse, keyboard and screenshots for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from ...actions.errors import EnvironmentFailure, SaccadeError, Stopped, UnknownKeyError, UsageError
from ...actions.geometry import Frame, Size, inside
from ...actions.schema import Action, Wait, action_adapter, points
from ...env.control import Control
from ...env.desktop.input import open_input
from ...env.input import InputDevice, perform
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
    device = open_input(display, Control())
    try:
        device.keyboard.type(text)
    finally:
        device.close()


def take_screenshot(out: Path, display: str | None, monitor: int | None, region: str | None) -> Size:
    """Write a picture of a screen as PNG; its size.

    Raises:
        UsageError: monitor, region or file cannot be had.
        MissingPartError: there is no such display.
    """
    picture = _grab(display, monitor, parse_region(region) if region else None)
    try:
        out.write_bytes(picture.png())
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}; choose --out elsewhere") from error
    return picture.size


def act(lines: Iterable[bytes], display: str | None, monitor: int | None = None) -> Iterator[str]:
    """Execute one action per line; one line of JSON for each: ``{"ok": true}`` or ``{"error": ...}``.

    After a line that fails, the next ones are executed nevertheless; at the end, pressed keys are released.

    Raises:
        MissingPartError: there is no such display.
        EnvironmentFailure: the display is gone.
    """
    control = Control()
    device = open_input(display, control)
    try:
        picture = _grab(display, monitor)
        for number, line in enumerate(lines, 1):
            if line.strip():
                problem = _execute(line, device, control, picture.size, picture.screen_frame)
                yield json.dumps({"error": f"line {number}: {problem}"} if problem else {"ok": True})
    finally:
        device.close()


def _grab(display: str | None, monitor: int | None, region: Region | None = None) -> Screenshot:
    camera = ScreenCamera(display, monitor, region)
    try:
        return camera.grab()
    finally:
        camera.close()


def _execute(line: bytes, device: InputDevice, control: Control, size: Size, frame: Frame) -> str | None:
    """What is wrong with a line, or with doing what it says."""
    try:
        action = action_adapter.validate_json(line)
    except ValidationError as error:
        return _first_problem(error)
    except UnknownKeyError as error:
        return str(error)
    for point in points(action):
        if not inside(point, size):
            return f"({point.x:g}, {point.y:g}) is outside the screen of {size.width} x {size.height} pixels"
    try:
        return _perform(action, device, control, frame)
    except (EnvironmentFailure, Stopped):
        raise
    except SaccadeError as error:
        return str(error)


def _perform(action: Action, device: InputDevice, control: Control, frame: Frame) -> str | None:
    if isinstance(action, Wait):
        control.wait(action.seconds)
    elif not perform(device, action, frame.to_frame):
        return f"{action.kind} is nothing that mouse and keyboard can do"
    return None


def _first_problem(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
