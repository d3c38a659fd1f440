from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saccade.actions.errors import Stopped
from saccade.perception.observation import Pixels
from saccade.perception.page_settle import Busy, PageLimits, PageSettler, PageState
from saccade.perception.settle import FrameSettler, SettleLimits, pause, same_but_caret, sleep_in

FrameT = TypeVar("FrameT")
LIMITS = SettleLimits(quiet=0.25, maximum=2.5, interval=0.125)


class FakeTime:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.sleeps = 0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.sleeps += 1


def settle(
    frames: Iterator[FrameT],
    limits: SettleLimits = LIMITS,
    same: Callable[[FrameT, FrameT], bool] = lambda one, other: one == other,
) -> tuple[FrameT, bool, int]:
    """The last frame, whether the screen became stable, and how many frames were grabbed."""
    time, seen = FakeTime(), list[FrameT]()

    def grab() -> FrameT:
        seen.append(next(frames))
        return seen[-1]

    quiet = FrameSettler(grab, same, limits, time.clock, time.sleep).wait()
    assert time.sleeps == len(seen) - 1
    return seen[-1], quiet, len(seen)


def test_a_still_screen_costs_the_quiet_time_only() -> None:
    assert settle(repeat("still")) == ("still", True, 3)


def test_it_waits_until_the_last_change_is_over() -> None:
    assert settle(chain("abcd", repeat("e"))) == ("e", True, 7)


def test_a_screen_that_never_rests_is_left_at_the_maximum() -> None:
    frame, quiet, looks = settle(iter(range(1000)))
    assert (quiet, looks) == (False, 21)
    assert frame == 20


def test_a_pause_shorter_than_the_quiet_time_does_not_count() -> None:
    assert settle(chain("aabbcc", repeat("d")))[0] == "d"


def picture() -> Pixels:
    return np.zeros((60, 80, 3), np.uint8)


def test_a_blinking_caret_counts_as_still() -> None:
    on, off = picture(), picture()
    on[10:26, 30:32] = 255
    assert same_but_caret(on, off)
    blink = chain.from_iterable(repeat((on, off)))
    assert settle(blink, same=same_but_caret)[1:] == (True, 3)


def test_two_small_changes_far_apart_are_no_caret() -> None:
    changed = picture()
    changed[10:12, 5:7] = 255
    changed[10:12, 60:62] = 255
    assert not same_but_caret(picture(), changed)


def test_a_thin_line_that_drifts_is_seen_as_motion() -> None:
    def drifting() -> Iterator[Pixels]:
        for column in range(70):
            frame = picture()
            frame[:30, column] = 255
            yield frame

    limits = SettleLimits(quiet=1.0, maximum=4.0, interval=0.125)
    assert not settle(drifting(), limits, same_but_caret)[1]


def test_a_resized_screen_has_changed() -> None:
    assert not same_but_caret(picture(), np.zeros((61, 80, 3), np.uint8))


@settings(deadline=None)
@given(st.integers(0, 59), st.integers(0, 79), st.integers(1, 60), st.integers(1, 80))
def test_only_narrow_changes_are_carets(top: int, left: int, height: int, width: int) -> None:
    changed = picture()
    changed[top : top + height, left : left + width] = 1
    assert same_but_caret(picture(), changed) == (min(width, 80 - left) <= 6)


class FakePage:
    """A page with scripted states; each ``watch`` takes its time."""

    def __init__(self, time: FakeTime, looks: list[tuple[PageState, Busy | None]], seconds: float = 0.017) -> None:
        self.time = time
        self.looks = looks
        self.seconds = seconds
        self.seen = 0
        self.asked: list[tuple[float, float]] = []
        self.shown: list[int] = []
        self.at_rest = False

    def busy(self) -> Busy | None:
        return self.looks[min(self.seen, len(self.looks)) - 1][1]

    def watch(self, quiet: float, budget: float) -> PageState:
        self.asked.append((quiet, budget))
        self.time.now += max(quiet, self.seconds)
        self.seen += 1
        return self.looks[min(self.seen, len(self.looks)) - 1][0]


def page_settle(looks: list[tuple[PageState, Busy | None]], seconds: float = 0.017, typed: bool = False) -> FakePage:
    time = FakeTime()
    page = FakePage(time, looks, seconds)
    settler = PageSettler(PageLimits(), time.clock)
    page.at_rest = settler.wait(page, typed=typed, on_stable=lambda: page.shown.append(page.seen))
    return page


def test_a_page_at_rest_costs_one_look() -> None:
    page = page_settle([("stable", None)])
    assert (page.seen, page.asked, page.shown) == (1, [(0.016, 2.0)], [])


def test_a_navigation_is_waited_for_though_the_old_page_is_at_rest() -> None:
    page = page_settle([("stable", "navigation")] * 5 + [("changing", "network"), ("stable", None)])
    assert (page.seen, page.shown) == (7, [])


def test_a_page_that_rests_while_it_loads_is_shown_once() -> None:
    page = page_settle([("changing", "network"), *[("stable", "network")] * 3, ("stable", None)])
    assert (page.seen, page.shown) == (5, [2])


def test_each_kind_of_business_has_its_own_limit() -> None:
    looks = {kind: page_settle([("stable", kind)], seconds=0.5).seen for kind in ("network", "navigation")}
    assert looks == {"network": 10, "navigation": 30}


def test_endless_motion_is_left_at_its_limit() -> None:
    page = page_settle([("changing", None)], seconds=2.0)
    assert (page.seen, page.at_rest, page.shown) == (1, False, [])


def test_suggestions_are_waited_for_after_typing_where_they_are_announced() -> None:
    page = page_settle([("suggesting", None)], typed=True)
    assert (page.asked, page.shown) == ([(0.016, 2.0), (0.35, 2.0)], [1])
    assert page_settle([("suggesting", None)]).asked == [(0.016, 2.0)]
    assert page_settle([("stable", None)], typed=True).asked == [(0.016, 2.0)]


def test_pausing_uses_the_sleep_it_is_given() -> None:
    time = FakeTime()
    pause(3.0, time.sleep)
    pause(0.0, time.sleep)
    assert (time.now, time.sleeps) == (103.0, 1)


class WaitingPage:
    """A page in which time passes for a clock that is looked at."""

    waited = 0.0

    def wait_for_timeout(self, timeout: float) -> None:
        self.waited += timeout

    def clock(self) -> float:
        return self.waited / 1000


def test_a_browser_sleeps_in_milliseconds() -> None:
    page = WaitingPage()
    sleep_in(lambda: page, clock=page.clock)(0.25)
    assert page.waited == pytest.approx(250.0)


def test_a_browsers_sleep_is_over_when_the_run_is() -> None:
    page = WaitingPage()

    def check() -> None:
        if page.waited > 100:
            raise Stopped("enough")

    with pytest.raises(Stopped):
        sleep_in(lambda: page, check, page.clock)(60.0)
    assert page.waited < 200
