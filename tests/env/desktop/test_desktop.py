"""The desktop environment with a real program on real displays."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from Xlib.display import Display

from saccade.actions.errors import EnvironmentFailure, MissingPartError, Stopped, UsageError
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Click, Finished, Hotkey, Move, Navigate, OpenApp, PressHome, Type, Wait
from saccade.env.base import SupportsPreview
from saccade.env.check import check_environment
from saccade.env.control import Control
from saccade.env.desktop.environment import DesktopEnvironment
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.desktop.supervisor import descendants
from saccade.env.guard.guard import Guard
from saccade.env.registry import DesktopOptions, make_environment
from saccade.env.trajectory.events import EnvironmentSettings
from saccade.perception.observation import Screenshot
from saccade.perception.screen import Region
from saccade.perception.settle import same_but_caret

SMALL = Size(800, 600)
SAVE = Hotkey(keys=("ctrl", "s"))
QUIT = Hotkey(keys=("ctrl", "q"))


@pytest.fixture(scope="module")
def desktop() -> Iterator[DesktopEnvironment]:
    with DesktopEnvironment("mousepad", size=SMALL, guard=Guard.of("open")) as environment:
        yield environment


def eventually(happened: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_it_keeps_the_contract() -> None:
    assert check_environment(DesktopEnvironment("mousepad", size=SMALL, guard=Guard.of("open"))) == []


def test_so_does_a_display_that_is_there() -> None:
    with PrivateDisplay(SMALL) as display:
        assert check_environment(DesktopEnvironment(display=display.name, guard=Guard.of("open"))) == []
        assert display.running, "it was not ours to end"


def test_a_program_is_used_and_each_step_says_what_it_cost(tmp_path: Path) -> None:
    file = tmp_path / "a note.txt"
    with DesktopEnvironment(["mousepad", str(file)], size=SMALL, guard=Guard.of("open")) as desktop:
        first = desktop.reset()
        assert first.screenshot.size == SMALL
        assert set(first.timings) == {"settle", "capture"}
        result = desktop.step(Type(text="Grüße, 你好 <☃>\n", point=Point(400, 300)))
        assert (result.error, set(result.timings)) == (None, {"act", "settle", "capture"})
        assert not same_but_caret(first.screenshot.pixels, result.observation.screenshot.pixels)
        assert desktop.step(SAVE).error is None
        assert eventually(file.exists)
        assert eventually(lambda: file.read_text(encoding="utf-8") == "Grüße, 你好 <☃>\n")


def test_an_episode_begins_with_a_fresh_program(desktop: DesktopEnvironment) -> None:
    first = desktop.reset()
    desktop.step(Type(text="from the last episode", point=Point(400, 300)))
    desktop.step(Move(point=Point(10, 10)))
    again = desktop.reset()
    assert same_but_caret(first.screenshot.pixels, again.screenshot.pixels)


def test_what_a_desktop_cannot_do_is_said(desktop: DesktopEnvironment) -> None:
    desktop.reset()
    for action in (Navigate(url="https://example.org"), PressHome()):
        assert desktop.step(action).error == f"this environment cannot execute {action.kind}"
    beyond = desktop.step(Click(point=Point(801, 10)))
    assert beyond.error == "(801, 10) is outside the screenshot of 800 x 600 pixels"
    assert desktop.step(Finished()).error is None
    assert (desktop.step(OpenApp(name="mousepda")).error or "").endswith("nearest: mousepad")
    assert desktop.step(OpenApp(name="/usr/bin/mousepad")).error is not None
    assert desktop.step(OpenApp(name="false")).error == "false has ended with status 1; it showed no window"


def test_a_program_that_has_ended_is_told_of(desktop: DesktopEnvironment) -> None:
    desktop.reset()
    notes = [*after(desktop, QUIT), *after(desktop, Wait(seconds=0.5))]
    assert notes == ["mousepad has ended with status 0"]
    lost = desktop.step(Type(text="into nothing"))
    assert lost.error == ("mousepad has ended with status 0, and no window is left; open_app can start it again")
    assert desktop.step(OpenApp(name="mousepad")).error is None
    assert desktop.step(Type(text="back again")).error is None


def after(desktop: DesktopEnvironment, action: Hotkey | Wait) -> tuple[str, ...]:
    result = desktop.step(action)
    assert result.error is None
    return result.notes


def test_a_lost_display_fails_the_step_and_the_next_episode_gets_another() -> None:
    with DesktopEnvironment("mousepad", size=SMALL, guard=Guard.of("open")) as desktop:
        desktop.reset()
        for process in descendants(os.getpid()):
            with suppress(OSError):  # other processes come and go
                if Path(f"/proc/{process}/comm").read_text() == "Xvfb\n" and serves(process, desktop.display):
                    os.kill(process, signal.SIGKILL)
        with pytest.raises(EnvironmentFailure, match="is gone"):
            until_it_fails(desktop)
        with pytest.raises(EnvironmentFailure, match="reset"):
            desktop.step(Wait(seconds=0))
        assert desktop.reset().screenshot.size == SMALL
        assert desktop.step(Type(text="on a new display")).error is None


def until_it_fails(desktop: DesktopEnvironment) -> None:
    for _ in range(100):
        desktop.step(Click(point=Point(5, 5)))


def serves(process: int, display: str | None) -> bool:
    inodes = {
        line.split()[6]
        for line in Path("/proc/net/unix").read_text().splitlines()
        if line.endswith(f"/tmp/.X11-unix/X{(display or '')[1:]}")
    }
    held = {str(link.readlink()) for link in Path(f"/proc/{process}/fd").iterdir()}
    return any(f"socket:[{inode}]" in held for inode in inodes)


def test_a_stop_ends_a_wait_and_later_steps() -> None:
    control = Control()
    with DesktopEnvironment(size=Size(320, 240), control=control, guard=Guard.of("open")) as desktop:
        desktop.reset()
        control.stop("enough")
        begun = time.monotonic()
        for action in (Wait(seconds=600), Click(point=Point(5, 5)), OpenApp(name="mousepad")):
            with pytest.raises(Stopped, match="enough"):
                desktop.step(action)
        assert time.monotonic() - begun < 60


def test_a_first_look_is_given_while_it_settles(desktop: DesktopEnvironment) -> None:
    assert isinstance(desktop, SupportsPreview)
    desktop.reset()
    looks: list[Screenshot] = []
    desktop.preview_to(looks.append)
    last = desktop.step(Wait(seconds=0)).observation.screenshot
    desktop.preview_to(None)
    desktop.step(Wait(seconds=0))
    assert len(looks) == 1
    assert same_but_caret(looks[0].pixels, last.pixels)


def test_points_are_those_of_the_picture_also_in_a_region() -> None:
    with PrivateDisplay(SMALL) as display:
        program = display.start(["mousepad"])
        display.wait_for_window(program)
        with DesktopEnvironment(
            display=display.name, region=Region(400, 100, 400, 300), guard=Guard.of("open")
        ) as desktop:
            assert desktop.reset().screenshot.size == Size(400, 300)
            assert desktop.step(Move(point=Point(10, 20))).error is None
            assert pointer(display.name) == (410, 120)
            assert desktop.step(Move(point=Point(401, 20))).error is not None
            assert desktop.step(Hotkey(keys=("alt", "f4"))).error is None
            assert eventually(lambda: display.ended(program))
            assert desktop.step(OpenApp(name="mousepad")).error is not None, "not on a screen of others"


def pointer(display: str) -> tuple[int, int]:
    connection = Display(display)
    where = connection.screen().root.query_pointer()
    connection.close()
    return where.root_x, where.root_y


def test_four_in_one_process_do_not_get_into_each_others_way(tmp_path: Path) -> None:
    texts = [f"{number} Grüße 你好\n" * 3 for number in range(4)]

    def work(number: int) -> str:
        file = tmp_path / f"{number}.txt"
        with DesktopEnvironment(["mousepad", str(file)], size=SMALL, guard=Guard.of("open")) as desktop:
            desktop.reset()
            desktop.step(Type(text=texts[number], point=Point(400, 300)))
            desktop.step(SAVE)
            eventually(lambda: file.exists() and file.read_text(encoding="utf-8") == texts[number])
        return file.read_text(encoding="utf-8")

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == texts


def test_what_does_not_go_together_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no program is called 'mousepda'"):
        DesktopEnvironment("mousepda", guard=Guard.of("open"))
    with pytest.raises(UsageError, match="command is empty"):
        DesktopEnvironment("  ", guard=Guard.of("open"))
    with pytest.raises(UsageError, match="cannot be read"):
        DesktopEnvironment("mousepad 'unclosed", guard=Guard.of("open"))
    with pytest.raises(UsageError, match="goes with a private desktop"):
        DesktopEnvironment("mousepad", display=":7", guard=Guard.of("open"))
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(MissingPartError, match="DISPLAY is not set"):
        DesktopEnvironment(private=False, guard=Guard.of("open"))
    monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-0")
    with pytest.raises(MissingPartError, match="Wayland"):
        DesktopEnvironment(private=False, guard=Guard.of("open"))


def test_by_name() -> None:
    options = DesktopOptions("mousepad", sandbox="strict")
    environment = make_environment("desktop", desktop=options, viewport=Size(640, 480), guard=Guard.of("open"))
    try:
        assert environment.reset().screenshot.size == Size(640, 480)
    finally:
        environment.close()
    assert options.settings() == EnvironmentSettings(app="mousepad", display="private", monitor=None, sandbox="strict")
    assert (options.screen, DesktopOptions(display=":7").screen) == (None, "the display :7")
    with pytest.raises(UsageError, match="no sandbox 'strickt'"):
        DesktopOptions(sandbox="strickt")
    with pytest.raises(UsageError, match=r"choose the sandbox \(--sandbox\) strict"):
        DesktopOptions(home=Path())
    with pytest.raises(UsageError, match="size of a private screen"):
        make_environment("desktop", desktop=DesktopOptions(display=":7"), viewport=SMALL, guard=Guard.of("open"))
