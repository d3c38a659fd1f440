"""An X server that hangs, ends or is grabbed by another program: the step fails in words, nothing stays pressed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from saccade.actions.errors import EnvironmentFailure
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Action, Click, Drag, KeyDown, LongPress, MouseDown, Press, Type, Wait
from saccade.env.desktop.environment import DesktopEnvironment
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.guard.guard import Guard
from saccade.env.x11.connection import Connection
from saccade.perception import x_patience
from saccade.perception.screen import ScreenCamera

DRAG = Drag(start=Point(20, 20), end=Point(200, 200))
HOLDING = (DRAG, LongPress(point=Point(50, 50), seconds=1), MouseDown(point=Point(9, 9)), KeyDown(key="shift"))
BUTTONS = 0x1F00


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(x_patience, "PATIENCE", 1.0)


@pytest.fixture(scope="module")
def display() -> Iterator[PrivateDisplay]:
    with PrivateDisplay(Size(320, 240)) as display:
        yield display


def server_of(display: PrivateDisplay) -> int:
    return next(iter(display._programs))


@contextmanager
def frozen(display: PrivateDisplay) -> Iterator[None]:
    os.kill(server_of(display), signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server_of(display), signal.SIGCONT)


@contextmanager
def grabbed(display: PrivateDisplay) -> Iterator[None]:
    with closing(Connection(display.name)) as other:
        other.display.grab_server()
        other.sync()
        yield
        other.display.ungrab_server()
        other.sync()


def pressed(display: PrivateDisplay) -> bool:
    with closing(Connection(display.name)) as server:
        return any(server.display.query_keymap()) or bool(server.root.query_pointer().mask & BUTTONS)


def act_for(seconds: float, desktop: DesktopEnvironment, action: Action) -> None:
    begun = time.monotonic()
    while time.monotonic() < begun + seconds:
        desktop.step(action)


@pytest.mark.parametrize("held_up", [frozen, grabbed])
@pytest.mark.parametrize("action", HOLDING, ids=lambda action: str(action.kind))
def test_a_step_ends_in_words_and_what_is_held_is_released_later(display: PrivateDisplay, action, held_up) -> None:
    with DesktopEnvironment(display=display.name, guard=Guard.of("open")) as desktop:
        desktop.reset()
        desktop.step(KeyDown(key="ctrl"))
        held = held_up(display)
        timer = threading.Timer(0.05, held.__enter__)
        timer.start()
        begun = time.monotonic()
        try:
            with pytest.raises(EnvironmentFailure, match="did not answer for 1 s: it hangs, or another program"):
                act_for(8, desktop, action)
            assert time.monotonic() - begun < 8
        finally:
            timer.join()
            held.__exit__(None, None, None)
    assert not pressed(display)


def test_a_frozen_server_is_not_waited_for_when_a_connection_is_made(display: PrivateDisplay) -> None:
    with frozen(display):
        for make in (
            Connection,
            ScreenCamera,
            lambda name: DesktopEnvironment(display=name, guard=Guard.of("open")).reset(),
        ):
            with pytest.raises(EnvironmentFailure, match="did not answer"):
                make(display.name)


def test_a_picture_of_a_frozen_screen_fails(display: PrivateDisplay) -> None:
    camera = ScreenCamera(display.name)
    with frozen(display), pytest.raises(EnvironmentFailure):
        camera.grab()
    assert camera.grab().size == (320, 240)
    camera.close()


def test_a_server_that_dies_in_a_step_is_gone() -> None:
    with (
        PrivateDisplay(Size(320, 240)) as display,
        DesktopEnvironment(display=display.name, guard=Guard.of("open")) as desktop,
    ):
        desktop.reset()
        threading.Timer(0.2, os.kill, (server_of(display), signal.SIGKILL)).start()
        with pytest.raises(EnvironmentFailure, match=r"is gone|cannot take a picture"):
            act_for(8, desktop, DRAG)


def test_a_program_that_grabs_pointer_and_keyboard_holds_nobody_up(display: PrivateDisplay) -> None:
    from Xlib import X

    with (
        closing(Connection(display.name)) as other,
        DesktopEnvironment(display=display.name, guard=Guard.of("open")) as desktop,
    ):
        desktop.reset()
        window = other.root.create_window(0, 0, 320, 240, 0, X.CopyFromParent, override_redirect=True)
        window.map()
        other.sync()
        window.grab_pointer(True, X.ButtonPressMask, X.GrabModeAsync, X.GrabModeAsync, 0, 0, X.CurrentTime)
        window.grab_keyboard(True, X.GrabModeAsync, X.GrabModeAsync, X.CurrentTime)
        other.sync()
        begun = time.monotonic()
        for action in (Click(point=Point(9, 9)), Press(key="a"), Type(text="hello"), DRAG, Wait(seconds=0)):
            desktop.step(action)
        assert time.monotonic() - begun < 20
        window.destroy()
        other.sync()
    assert not pressed(display)
