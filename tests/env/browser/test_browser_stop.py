"""A stop in the middle of what a browser is doing: it ends there, and nothing stays held."""

import threading
import time
from collections.abc import Callable

import pytest

from saccade.actions.errors import Stopped
from saccade.actions.geometry import Point
from saccade.actions.schema import Action, Drag, LongPress, Navigate, Type, Wait
from saccade.env.browser.environment import BrowserEnvironment
from saccade.env.control import Control

FIELD = """<textarea id=t autofocus style='width:600px;height:300px'></textarea><script>
window.down = 0; window.moves = 0;
addEventListener('mousedown', () => window.down = 1);
addEventListener('mouseup', () => window.down = 0);
addEventListener('mousemove', () => window.moves += 1);
</script>"""
MOVING = """<p id=p></p><script>setInterval(() => document.querySelector('#p').append('x'), 4)</script>"""
FAR = Drag(start=Point(700, 50), end=Point(1200, 600))


def stop_during(environment: BrowserEnvironment, control: Control, action: Action, delay: float) -> float:
    """Stop while an action is under way; seconds from the stop to its end."""
    stopped: list[float] = []

    def stop() -> None:
        stopped.append(time.monotonic())
        control.stop("enough")

    timer = threading.Timer(delay, stop)
    timer.start()
    with pytest.raises(Stopped):
        environment.step(action)
    timer.join()
    return time.monotonic() - stopped[0]


@pytest.mark.parametrize(
    "action",
    [Type(text="abcde" * 1000), Wait(seconds=60), LongPress(point=Point(700, 50), seconds=60)],
    ids=lambda action: str(action.kind),
)
def test_a_long_action_ends_at_once(open_page: Callable[..., BrowserEnvironment], action: Action) -> None:
    control = Control()
    environment = open_page(FIELD, control=control)
    assert stop_during(environment, control, action, 0.4) < 2
    page = environment._session
    assert page is not None
    typed = page.evaluate("() => document.querySelector('#t').value.length")
    assert typed < 4000
    assert page.evaluate("() => window.down") == 0
    time.sleep(0.3)
    assert page.evaluate("() => document.querySelector('#t').value.length") == typed


class StopsInTheMiddle(Control):
    """Is stopped when it has been asked a few times."""

    checks = 0

    def check(self) -> None:
        self.checks += 1
        if self.checks == 5:
            self.stop("enough")
        super().check()


def test_a_drag_that_is_stopped_lets_go(open_page: Callable[..., BrowserEnvironment]) -> None:
    control = StopsInTheMiddle()
    environment = open_page(FIELD, control=control)
    control.checks = 0
    with pytest.raises(Stopped):
        environment.step(FAR)
    page = environment._session
    assert page is not None
    assert page.evaluate("() => window.down") == 0
    assert page.evaluate("() => window.moves") == 3


@pytest.mark.parametrize("where", ["moving", "silent"])
def test_waiting_for_a_page_is_broken_off(open_page: Callable[..., BrowserEnvironment], site, where: str) -> None:
    control = Control()
    silent = site.page("/silent", "x", seconds=3.0)
    environment = open_page(FIELD, control=control)
    moving = site.page("/moving", MOVING)
    address = moving if where == "moving" else silent
    assert stop_during(environment, control, Navigate(url=address), 0.5) < 1
