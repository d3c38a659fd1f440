"""Rest on a screen: the rule by a clock that is set by hand, and the X server's word on a real display."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from Xlib import X
from Xlib.display import Display

from saccade.actions.errors import EnvironmentFailure
from saccade.actions.geometry import Size
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.perception.screen import Region, ScreenCamera
from saccade.perception.screen_settle import DamageSettler, XDamage, screen_settler
from saccade.perception.settle import FrameSettler, SettleLimits

SCREEN = Region(0, 0, 800, 600)
LIMITS = SettleLimits(quiet=0.15, maximum=2.0)


@dataclass
class Script:
    """Damage at given times; its clock moves only while somebody waits."""

    drawn: list[tuple[float, Region]]
    now: float = 0.0
    waits: list[float] = field(default_factory=list)
    closed: bool = False

    def wait(self, seconds: float) -> list[Region]:
        self.waits.append(seconds)
        end = self.now + seconds
        if self.drawn and self.drawn[0][0] <= end:
            self.now = max(self.now, self.drawn[0][0])
            due = [area for when, area in self.drawn if when <= self.now]
            self.drawn = self.drawn[len(due) :]
            return due
        self.now = end
        return []

    def close(self) -> None:
        self.closed = True


def settle(*drawn: tuple[float, Region], region: Region = SCREEN) -> tuple[bool, float, Script]:
    script = Script(list(drawn))
    quiet = DamageSettler(script, region, LIMITS, lambda: script.now).wait()
    return quiet, round(script.now, 3), script


def box(left: int = 10, top: int = 10, width: int = 50, height: int = 20) -> Region:
    return Region(left, top, width, height)


def test_a_screen_at_rest_costs_the_quiet_time() -> None:
    quiet, now, script = settle()
    assert (quiet, now) == (True, 0.15)
    assert len(script.waits) == 2, "one for the first look, one for the rest"


def test_rest_is_counted_from_the_last_change() -> None:
    assert settle((0.01, box()), (0.1, box()), (0.2, box()))[:2] == (True, 0.35)


def test_what_never_rests_is_given_up_at_the_maximum() -> None:
    frames = [(0.05 * number, box()) for number in range(1, 100)]
    assert settle(*frames)[:2] == (False, 2.0)


def test_a_blinking_caret_is_looked_past() -> None:
    blinks = [(0.1 * number, box(width=3, height=18)) for number in range(1, 30)]
    assert settle(*blinks)[:2] == (True, 0.15)


def test_carets_at_two_places_are_a_change() -> None:
    assert settle((0.05, box(width=3, height=18)), (0.1, box(left=40, width=3, height=18)))[:2] == (True, 0.25)


def test_what_is_drawn_outside_the_region_is_of_no_interest() -> None:
    assert settle((0.1, box()), region=Region(100, 0, 50, 50))[:2] == (True, 0.15)
    assert settle((0.1, box()), region=Region(59, 29, 50, 50))[:2] == (True, 0.25)


def test_a_first_look_is_given_once_before_the_quiet_time_is_over() -> None:
    script = Script([(0.02, box()), (0.2, box())])
    looks: list[float] = []
    settler = DamageSettler(script, SCREEN, LIMITS, lambda: script.now)
    settler.wait(lambda: looks.append(round(script.now, 3)))
    settler.close()
    assert looks == [0.07]
    assert script.closed


# ---------------------------------------------------------------- on a real display


@pytest.fixture(scope="module")
def display() -> Iterator[PrivateDisplay]:
    with PrivateDisplay(Size(800, 600)) as private:
        yield private


def fill(connection: Display, area: Region, colour: int) -> None:
    root = connection.screen().root
    pen = root.create_gc(foreground=colour, subwindow_mode=X.IncludeInferiors)
    root.fill_rectangle(pen, *area)
    connection.sync()


def test_the_server_names_what_is_drawn(display: PrivateDisplay) -> None:
    damage = XDamage(display.name)
    while damage.wait(0.2):
        pass
    connection = Display(display.name)
    fill(connection, box(), 0x123456)
    assert damage.wait(10.0) == [box()]
    assert damage.wait(0.0) == []
    connection.close()
    damage.close()


def test_a_real_animation_is_waited_for(display: PrivateDisplay) -> None:
    """What is drawn when the wait is nearly over prolongs it, and the picture afterwards shows it."""
    camera = ScreenCamera(display.name)
    settler = screen_settler(display.name, camera, LIMITS)
    assert isinstance(settler, DamageSettler)
    connection = Display(display.name)
    settler.wait()
    looks: list[bytes] = []

    def draw() -> None:
        looks.append(camera.grab().pixels[15, 15].tobytes())
        fill(connection, box(), 0xABCDEF)

    assert settler.wait(draw)
    assert looks != [bytes.fromhex("abcdef")]
    assert camera.grab().pixels[15, 15].tobytes() == bytes.fromhex("abcdef")
    for part in (connection, settler, camera):
        part.close()


def test_without_a_server_that_tells_pictures_are_compared(display: PrivateDisplay) -> None:
    camera = ScreenCamera(display.name)
    settler = screen_settler("nowhere", camera, SettleLimits(quiet=0.05, maximum=2.0, interval=0.01))
    assert isinstance(settler, FrameSettler)
    assert settler.wait()
    settler.close()
    camera.close()


def test_a_display_that_goes_away_is_a_failure_of_the_environment() -> None:
    with PrivateDisplay(Size(320, 240)) as private:
        damage = XDamage(private.name)
    with pytest.raises(EnvironmentFailure, match="is gone"):
        damage.wait(10.0)
    damage.close()
