"""Listens to keyboard and mouse by pynput, for macOS and Windows.

On X11 ``x11.listener`` is used instead; this one works there, too, on ``$DISPLAY``, and is tested there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ...actions.errors import MissingPartError, UnknownKeyError
from ...actions.geometry import Point
from ...actions.keys import NAMED_KEYS, canonical_key
from ...actions.schema import Button, Direction
from ..input_events import ButtonInput, Input, KeyInput, MoveInput, WheelInput

_BUTTONS: dict[str, Button] = {"left": "left", "middle": "middle", "right": "right"}
_SPELLINGS = {"media_volume_up": "volumeup", "media_volume_down": "volumedown", "media_volume_mute": "volumemute"}


class PynputListener:
    """Listens to the user's own screen, in threads of pynput, until it is closed.

    It calls ``on_event``, which has to return quickly, with each event in those threads.

    Raises:
        MissingPartError: a display was named, or pynput cannot listen here.
    """

    def __init__(self, display: str | None, on_event: Callable[[Input], None]) -> None:
        if display is not None:
            raise MissingPartError("displays have names on X11 only; leave display (--display) out")
        try:
            from pynput import keyboard, mouse
        except ImportError as error:
            raise MissingPartError(f"cannot listen to keyboard and mouse: {error.args[0]}") from error
        self._on_event = on_event
        self._listeners: tuple[Any, ...] = (
            keyboard.Listener(on_press=lambda key: self._key(key, True), on_release=lambda key: self._key(key, False)),
            mouse.Listener(on_move=self._move, on_click=self._click, on_scroll=self._scroll),
        )
        for listener in self._listeners:
            listener.start()
            listener.wait()

    def close(self) -> None:
        """Stop listening; there are no events once it returns."""
        self._on_event = lambda event: None
        for listener in self._listeners:
            listener.stop()

    def _key(self, key: Any, down: bool) -> None:
        character = getattr(key, "char", None)
        dead = bool(getattr(key, "is_dead", False))
        name = getattr(key, "combining", None) if dead else character or _name(getattr(key, "name", ""))
        code = getattr(getattr(key, "value", key), "vk", None)
        self._on_event(KeyInput(time.monotonic(), str(key) if code is None else code, name or "", down, dead=dead))

    def _move(self, x: float, y: float) -> None:
        self._on_event(MoveInput(time.monotonic(), Point(float(x), float(y))))

    def _click(self, x: float, y: float, button: Any, down: bool) -> None:
        if button.name in _BUTTONS:
            self._on_event(ButtonInput(time.monotonic(), Point(float(x), float(y)), _BUTTONS[button.name], down))

    def _scroll(self, x: float, y: float, across: float, up: float) -> None:
        ways: tuple[tuple[float, Direction, Direction], ...] = ((up, "up", "down"), (across, "right", "left"))
        for amount, positive, negative in ways:
            if amount:
                direction, clicks = positive if amount > 0 else negative, max(1, round(abs(amount)))
                self._on_event(WheelInput(time.monotonic(), Point(float(x), float(y)), direction, clicks))


def _name(pynput_name: str) -> str:
    """The canonical name of one of pynput's special keys; empty where no action can name it."""
    name = _SPELLINGS.get(pynput_name, pynput_name).removesuffix("_l").removesuffix("_r")
    try:
        key = canonical_key(name)
    except UnknownKeyError:
        return ""
    return key if key in NAMED_KEYS else ""
