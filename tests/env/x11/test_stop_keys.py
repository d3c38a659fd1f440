"""The person's chords and corners on a real display, against an input device at work there."""

import gc
import os
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from made_desktops import Notepad, eventually
from saccade.actions.errors import MissingPartError, Stopped, UsageError
from saccade.actions.geometry import Point
from saccade.actions.schema import Action, Hotkey, KeyDown, KeyUp, Press, Type
from saccade.env.chords import Chord, ChordGuard, Chords
from saccade.env.control import Control
from saccade.env.desktop.environment import DesktopEnvironment
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.guard.guard import Guard
from saccade.env.record.source import listening
from saccade.env.x11.connection import KEY_DOWN, KEY_UP, MOTION, Connection, InjectedEvent
from saccade.env.x11.input import X11Input
from saccade.env.x11.stop_keys import stop_keys

CTRL, ALT, Q, P, S = 0xFFE3, 0xFFE9, ord("q"), ord("p"), ord("s")


@pytest.fixture(scope="module")
def display() -> Iterator[PrivateDisplay]:
    own = PrivateDisplay()
    yield own
    own.close()


class Person:
    """Another client of the display, with keys and a pointer of its own."""

    def __init__(self, name: str) -> None:
        self.connection = Connection(name)

    def keys(self, *symbols: int, hold: float = 0.0) -> float:
        """Press and release a chord; when its last key went down."""
        codes = [self.connection.display.keysym_to_keycode(symbol) for symbol in symbols]
        self.connection.inject(InjectedEvent(KEY_DOWN, code) for code in codes)
        self.connection.display.sync()
        pressed = time.monotonic()
        time.sleep(hold)
        self.connection.inject(InjectedEvent(KEY_UP, code) for code in reversed(codes))
        self.connection.display.sync()
        return pressed

    def move(self, x: int, y: int) -> None:
        self.connection.inject([InjectedEvent(MOTION, 0, x, y)])
        self.connection.display.sync()

    def held(self) -> tuple[int, int]:
        """How many keys, and which buttons, the server knows as down."""
        keys = sum(bits.bit_count() for bits in self.connection.display.query_keymap())
        return keys, self.connection.root.query_pointer().mask & 0x1F00


@pytest.fixture
def person(display: PrivateDisplay) -> Iterator[Person]:
    one = Person(display.name)
    one.move(300, 300)
    yield one
    one.connection.close()


@pytest.fixture
def control(display: PrivateDisplay, person: Person) -> Iterator[Control]:
    control = Control()
    with stop_keys(control, display.name):
        yield control


def test_chords_pause_step_and_stop(control: Control, person: Person) -> None:
    told: list[str] = []
    control.listen(lambda change, words: told.append(f"{change} {words}".strip()))
    for symbol in (P, S):
        person.keys(CTRL, ALT, symbol)
    person.keys(CTRL, Q)
    person.keys(Q)
    person.keys(CTRL, ALT, Q)
    assert eventually(lambda: control.stopped)
    assert told == ["paused", "stepping", "stopped stopped by ctrl+alt+q"]


def test_a_chord_that_is_held_counts_once(control: Control, person: Person) -> None:
    told: list[str] = []
    control.listen(lambda change, words: told.append(change))
    person.keys(CTRL, ALT, P, hold=1.0)
    person.keys(CTRL, ALT, S)
    assert eventually(lambda: "stepping" in told)
    assert told == ["paused", "stepping"], "a key that repeats does not pause and resume"


def test_a_program_that_grabs_the_keyboard_does_not_hide_the_stop(
    control: Control, person: Person, display: PrivateDisplay
) -> None:
    from Xlib import X

    menu = Connection(display.name)
    grabbed = menu.root.grab_keyboard(True, X.GrabModeAsync, X.GrabModeAsync, X.CurrentTime)
    assert grabbed == X.GrabSuccess
    person.keys(CTRL, ALT, Q)
    assert eventually(lambda: control.stopped)
    menu.close()


@pytest.mark.parametrize("corner", [(0, 0), (1279, 0), (0, 719), (1279, 719)])
def test_a_pointer_thrown_into_a_corner_stops(control: Control, person: Person, corner: tuple[int, int]) -> None:
    person.move(corner[0], 300)
    person.move(640, corner[1])
    assert not control.stopped
    person.move(*corner)
    assert eventually(lambda: control.stopped)
    assert control.reason == "stopped by the pointer in a corner of the screen"


def test_the_agent_may_use_corners_itself(control: Control, display: PrivateDisplay, person: Person) -> None:
    device = X11Input(display.name, control)
    device.click(Point(0, 0))
    device.drag(Point(5, 700), Point(0, 719))
    device.move(Point(600, 300))
    time.sleep(0.2)
    assert not control.stopped
    device.close()
    person.move(0, 719)
    assert eventually(lambda: control.stopped), "the person's own move"


def test_where_corners_do_not_count_only_the_chord_stops(display: PrivateDisplay, person: Person) -> None:
    control = Control()
    with stop_keys(control, display.name, corners=False):
        person.move(0, 0)
        person.keys(CTRL, ALT, P)
        assert eventually(lambda: control.paused)
        assert not control.stopped


def test_a_display_that_ends_ends_the_listening(control: Control) -> None:
    other = PrivateDisplay()
    with stop_keys(Control(), other.name):
        other.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Xlib leaves sockets to the collector
        with pytest.raises(MissingPartError, match=r"ctrl\+alt\+q"), stop_keys(Control(), other.name):
            pass
        gc.collect()
    assert not [thread for thread in threading.enumerate() if thread.name == f"stop keys on {other.name}"]


# ---------------------------------------------------------------- input devices at work


def click(device: X11Input) -> None:
    device.click(Point(400, 400))


def type_much(device: X11Input) -> None:
    device.keyboard.type("The quick brown fox, jumps! " * 180)


def drag(device: X11Input) -> None:
    device.drag(Point(200, 200), Point(900, 600))


def forever(work: Callable[[X11Input], None], device: X11Input) -> None:
    while True:
        work(device)


@pytest.mark.parametrize("work", [click, type_much, drag])
def test_after_the_chord_nothing_is_injected_and_nothing_stays_down(
    display: PrivateDisplay, person: Person, control: Control, work: Callable[[X11Input], None], tmp_path: Path
) -> None:
    Notepad(display, tmp_path / "text")
    device = X11Input(display.name, control)
    pressed: list[float] = []

    def stop() -> None:
        time.sleep(0.25)
        pressed.append(person.keys(CTRL, ALT, Q))

    watcher = threading.Thread(target=stop)
    with listening(display.name) as queue:
        watcher.start()
        with pytest.raises(Stopped, match=r"ctrl\+alt\+q"):
            forever(work, device)
        watcher.join()
        time.sleep(1.2)
        events = [event for event, _ in queue.take()]
    late = [event for event in events if event.time > pressed[0] + 1.0]
    assert (late, len(events) > 8) == ([], True)
    assert person.held() == (0, 0)
    device.close()
    display.end_programs()


# ---------------------------------------------------------------- what the agent may press


@pytest.mark.parametrize("text", ["ctrl+alt+q", "Alt+Ctrl+Q", "f12", "shift+f12", "meta+x", "pause"])
def test_chords_that_typing_cannot_trigger(text: str) -> None:
    assert Chord.parse(str(Chord.parse(text))) == Chord.parse(text)


@pytest.mark.parametrize("text", ["q", "shift+q", "ctrl", "ctrl+alt", "enter", "ctrl+tab", "ctrl+a+b", "ctrl+1"])
def test_chords_that_it_could_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot be a chord"):
        Chord.parse(text)


def test_two_chords_may_not_be_the_same() -> None:
    with pytest.raises(UsageError, match="is taken"):
        Chords(stop=Chord.parse("ctrl+alt+p"))


@pytest.mark.parametrize(
    ("before", "action", "refused"),
    [
        ([], Hotkey(keys=("ctrl", "alt", "q")), True),
        ([], Hotkey(keys=("ctrl", "alt", "shift", "Q")), True),
        ([], Hotkey(keys=("ctrl", "alt", "p")), True),
        ([], Hotkey(keys=("ctrl", "q")), False),
        ([], Type(text="ctrl+alt+q q p s"), False),
        ([KeyDown(key="ctrl"), KeyDown(key="alt")], Press(key="q"), True),
        ([KeyDown(key="ctrl"), KeyDown(key="alt")], KeyDown(key="s"), True),
        ([KeyDown(key="ctrl"), KeyDown(key="alt")], Type(text="a quick one"), True),
        ([KeyDown(key="ctrl"), KeyDown(key="alt")], Type(text="abc"), False),
        ([KeyDown(key="ctrl"), KeyDown(key="alt"), KeyUp(key="alt")], Press(key="q"), False),
        ([KeyDown(key="ctrl"), Hotkey(keys=("ctrl", "c"))], Hotkey(keys=("alt", "q")), False),
        ([KeyDown(key="q"), KeyDown(key="ctrl")], KeyDown(key="alt"), True),
    ],
)
def test_the_agent_cannot_press_a_chord_of_the_person(before: list[Action], action: Action, refused: bool) -> None:
    guard = ChordGuard()
    for each in before:
        assert guard.refusal(each, Chords().all) is None
        guard.executed(each)
    assert (guard.refusal(action, Chords().all) is not None) is refused


def test_a_desktop_refuses_what_is_listened_for_on_it() -> None:
    control = Control()
    with DesktopEnvironment(control=control, guard=Guard.of("open")) as environment:
        environment.reset()
        with stop_keys(control, str(environment.display)):
            result = environment.step(Hotkey(keys=("ctrl", "alt", "q")))
            assert "belongs to the user" in (result.error or "")
            for key in ("ctrl", "alt"):
                assert environment.step(KeyDown(key=key)).error is None
            assert "belongs to the user" in (environment.step(Press(key="q")).error or "")
            time.sleep(0.2)
            assert not control.stopped


def test_xdotool_is_a_person_too(control: Control, display: PrivateDisplay) -> None:
    """Any program that injects keys counts, as remote desktops do."""
    keys = ["xdotool", "key", "ctrl+alt+q"]
    subprocess.run(keys, env={**os.environ, "DISPLAY": display.name}, check=True, timeout=20)
    assert eventually(lambda: control.stopped)
