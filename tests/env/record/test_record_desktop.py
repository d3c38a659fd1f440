"""Recording on a real X display: what was typed and clicked there is what another display gets."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from made_guard import permitted
from saccade.actions.errors import MissingPartError
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Action, Click, Hotkey, Type, Wait
from saccade.env.control import Control
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.input import perform
from saccade.env.input_events import ButtonInput, Input, KeyInput, WheelInput
from saccade.env.record.frame_buffer import ScreenWatcher
from saccade.env.record.recorder import Recorder, RecordOptions
from saccade.env.record.source import EventQueue, listening
from saccade.env.trajectory.events import EndEvent, StartEvent
from saccade.env.trajectory.trajectory import Trajectory, TrajectoryWriter
from saccade.env.x11.connection import BUTTON_DOWN, BUTTON_UP, KEY_DOWN, KEY_UP, MOTION, Connection, InjectedEvent
from saccade.env.x11.input import X11Input
from saccade.env.x11.keymap import KeyMap, keysym
from saccade.env.x11.listener import X11Listener
from saccade.env.x11.text import type_by_keys
from saccade.perception.observation import Screenshot
from saccade.perception.screen import Region, ScreenCamera

SIZE = Size(800, 600)
EDITOR = ["mousepad", "--disable-server"]
IN_TEXT = Point(300, 300)


@pytest.fixture
def display() -> Iterator[PrivateDisplay]:
    with PrivateDisplay(SIZE) as display:
        yield display


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing came"
        threading.Event().wait(0.02)


def start_event() -> StartEvent:
    return StartEvent(saccade_version="0", instruction="", environment="desktop", policy="person", time=time.time())


class Recording:
    """A recorder at work in a thread; ``end`` ends it."""

    def __init__(self, folder: Path, display: str, options: RecordOptions) -> None:
        self.over = threading.Event()
        self.heard: list[Input] = []
        self.ready = threading.Event()
        self._what = (folder, display, options)
        self._thread = threading.Thread(target=self._record)
        self._thread.start()
        assert self.ready.wait(20)

    def _record(self) -> None:
        folder, display, options = self._what
        with (
            closing(ScreenCamera(display)) as camera,
            closing(ScreenWatcher(camera)) as frames,
            TrajectoryWriter(folder, start_event()) as writer,
        ):
            recorder = Recorder(writer, options)
            with closing(EventQueue(frames, self.over.is_set)) as events:

                def hear(event: Input) -> None:
                    self.heard.append(event)
                    events.put(event)

                with closing(X11Listener(display, hear)):
                    self.ready.set()
                    recorder.run(events)
            frames.close()
            recorder.finish(frames.newest)

    def end(self) -> None:
        self.over.set()
        self._thread.join()


@contextmanager
def recording(folder: Path, display: PrivateDisplay, options: RecordOptions = RecordOptions()) -> Iterator[Recording]:
    at_work = Recording(folder, display.name, options)
    try:
        yield at_work
    finally:
        at_work.end()


def actions_of(folder: Path) -> list[Action]:
    trajectory = Trajectory.load(folder)
    trajectory.check()
    assert isinstance(trajectory.end, EndEvent)
    assert trajectory.end.end == "finished"
    return [event.action for step in trajectory.steps for event in step.actions]


# ---------------------------------------------------------------- 500 events


class Script:
    """Events for a US keyboard and a mouse, and what is counted as one: a press, a click, a motion."""

    def __init__(self, connection: Connection) -> None:
        self._map = KeyMap(connection)
        self.events: list[InjectedEvent] = []

    def key(self, name: str, *held: str) -> None:
        codes = [self._map.find(keysym(key)) for key in (*held, name)]
        strokes = [stroke for stroke in codes if stroke is not None]
        assert len(strokes) == len(codes)
        pressed = [stroke.keycode for stroke in strokes]
        if strokes[-1].shift:
            pressed.insert(0, self._map.shift)
        self.events += [InjectedEvent(KEY_DOWN, code) for code in pressed]
        self.events += [InjectedEvent(KEY_UP, code) for code in reversed(pressed)]

    def types(self, text: str) -> None:
        for character in text:
            self.key({"\n": "enter", "\t": "tab", " ": "space"}.get(character, character))

    def click(self, x: int, y: int, times: int = 1) -> None:
        self.events.append(InjectedEvent(MOTION, 0, x, y))
        for _ in range(times):
            self.events += [InjectedEvent(BUTTON_DOWN, 1), InjectedEvent(BUTTON_UP, 1)]

    def drag(self, x: int, y: int, to_x: int, to_y: int) -> None:
        self.events += [InjectedEvent(MOTION, 0, x, y), InjectedEvent(BUTTON_DOWN, 1)]
        steps = 5
        for step in range(1, steps + 1):
            place = (x + (to_x - x) * step // steps, y + (to_y - y) * step // steps)
            self.events.append(InjectedEvent(MOTION, 0, *place))
        self.events.append(InjectedEvent(BUTTON_UP, 1))

    def wheel(self, button: int, times: int) -> None:
        for _ in range(times):
            self.events += [InjectedEvent(BUTTON_DOWN, button), InjectedEvent(BUTTON_UP, button)]


def a_long_edit(script: Script, count: int) -> list[InjectedEvent]:
    """At least ``count`` events of every sort in an editor, whose outcome does not depend on its speed.

    So the text fits the window and is not scrolled, and nothing is pasted: both happen some time later.
    """
    script.click(*map(int, IN_TEXT))
    round_ = 0
    while len(script.events) < count:
        round_ += 1
        script.types(f"a_long_long_long_word_{round_} \"<tag>\" & {{x}} = 'y';\n\tindented | ~100%\n")
        script.key("home", "ctrl", "shift")
        script.key("delete")
        script.types(f"another_rather_long_word_{round_} \"<tag>\" & {{x}} = 'y';\nreplaced {round_}\nkept\n")
        script.key("backspace")
        script.click(150 + 8 * round_, 120, times=2)
        script.types("Word")
        script.drag(500, 137, 20, 138)
        script.types("dragged")
        script.wheel(5, 2)
        script.wheel(4, 3)
        script.key("a", "ctrl")
    return script.events


def save_and_read(connection: Connection, file: Path, before: bytes) -> bytes:
    script = Script(connection)
    script.key("s", "ctrl")
    connection.inject(script.events)
    until(lambda: file.read_bytes() != before)
    last = b""
    while file.read_bytes() != last:
        last = file.read_bytes()
        threading.Event().wait(0.3)
    return last


@contextmanager
def editor(display: PrivateDisplay, file: Path) -> Iterator[Connection]:
    file.write_bytes(b"")
    display.wait_for_window(display.start([*EDITOR, str(file)]))
    connection = Connection(display.name)
    threading.Event().wait(0.5)  # the window is drawn
    yield connection
    connection.close()


def inject_at(connection: Connection, events: Sequence[InjectedEvent], per_second: float) -> float:
    """Inject at a steady rate; returns the longest time between two events, on a busy machine much longer."""
    begun = last = time.monotonic()
    longest = 0.0
    for number, event in enumerate(events):
        threading.Event().wait(max(0.0, begun + number / per_second - time.monotonic()))
        connection.inject([event])
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    connection.display.sync()
    return longest


def test_500_events_at_100_a_second_give_the_same_file_on_a_fresh_display(tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    for attempt in range(4):  # on a machine too busy to click twice within the double-click time, once more
        folder = tmp_path / f"run {attempt}"
        with PrivateDisplay(SIZE) as display, editor(display, file) as connection:
            events = a_long_edit(Script(connection), 500)
            with recording(folder, display) as at_work:
                longest = inject_at(connection, events, 100)
                until(partial(heard_all, at_work, pressed(events)))
            meant = save_and_read(connection, file, b"")
        if longest < 0.1:
            break
    assert heard_again(at_work.heard) == [(event.kind, event.detail) for event in events if event.kind != MOTION]
    with PrivateDisplay(SIZE) as display, editor(display, file) as connection:
        replay(actions_of(folder), display.name)
        again = save_and_read(connection, file, b"")
        assert again == meant
    assert len(events) >= 500
    assert meant.startswith(b"Word \"<tag>\" & {x} = 'y';\ndragged\n")


def heard_all(at_work: Recording, count: int) -> bool:
    return sum(not _moved(event) for event in at_work.heard) >= count


def _moved(event: Input) -> bool:
    return not isinstance(event, KeyInput | ButtonInput | WheelInput)


def pressed(events: Sequence[InjectedEvent]) -> int:
    """How many are heard; of the wheel only the presses are."""
    return sum(event.kind != MOTION and not (event.kind == BUTTON_UP and event.detail > 3) for event in events)


def heard_again(heard: Sequence[Input]) -> list[tuple[int, int]]:
    """What was injected, by what was heard."""
    found: list[tuple[int, int]] = []
    buttons = {"left": 1, "middle": 2, "right": 3, "up": 4, "down": 5}
    for event in heard:
        if isinstance(event, KeyInput):
            found.append((KEY_DOWN if event.down else KEY_UP, int(event.code)))
        elif isinstance(event, ButtonInput):
            found.append((BUTTON_DOWN if event.down else BUTTON_UP, buttons[event.button]))
        elif isinstance(event, WheelInput):
            found += [(BUTTON_DOWN, buttons[event.direction]), (BUTTON_UP, buttons[event.direction])]
    return found


def replay(actions: Sequence[Action], display: str) -> None:
    """Do it all again, looking at nothing."""
    control = Control()
    device = X11Input(display, control)
    for action in actions:
        if isinstance(action, Wait):
            control.wait(action.seconds)
        else:
            assert perform(device, permitted(action), lambda point: point)
    device.close()


# ---------------------------------------------------------------- what is kept


def test_characters_typed_through_lent_keys_are_recovered(tmp_path: Path, display: PrivateDisplay) -> None:
    text = "Grüße, 你好 ☃ 😀 Привет “x” €5"
    with recording(tmp_path / "run", display) as at_work:
        device = X11Input(display.name, Control())
        type_by_keys(device.session, text)
        device.close()
        until(lambda: len(at_work.heard) >= 2 * len(text))
    assert actions_of(tmp_path / "run") == [Type(text=text)]


def test_each_action_comes_with_the_screen_from_before_it(tmp_path: Path, display: PrivateDisplay) -> None:
    """A window that opens by a chord is in no picture before the chord's own step has passed."""
    file = tmp_path / "text.txt"
    with editor(display, file) as connection, recording(tmp_path / "run", display) as at_work:
        script = Script(connection)
        script.types("abc")
        typed = len(script.events)
        inject_at(connection, script.events, 100)
        until(lambda: len(at_work.heard) >= typed)
        threading.Event().wait(0.5)
        script.key("f", "ctrl")  # shows a bar for what to find
        inject_at(connection, script.events[typed:], 100)
        threading.Event().wait(1.0)
    run = Trajectory.load(tmp_path / "run")
    assert [event.action for step in run.steps for event in step.actions] == [
        Type(text="abc"),
        Hotkey(keys=("ctrl", "f")),
    ]
    before, typed_text = (run.screenshot(step.observation) for step in run.steps)
    assert run.final is not None
    after = run.screenshot(run.final)
    assert changed(before, typed_text) < 0.01
    assert changed(typed_text, after) > 0.01


def changed(first: Screenshot, second: Screenshot) -> float:
    """Which part of the picture differs."""
    return float((first.pixels != second.pixels).any(axis=2).mean())


def test_what_is_typed_into_a_redacted_region_is_nowhere(tmp_path: Path, display: PrivateDisplay) -> None:
    secret, region = "hunter2 correct horse", Region(40, 60, 400, 120)
    inside = Point(region.left + 100, region.top + 60)
    options = RecordOptions(redact=[region])
    with editor(display, tmp_path / "text.txt") as connection:
        with recording(tmp_path / "run", display, options) as at_work:
            device = X11Input(display.name, Control())
            device.click(inside)
            device.keyboard.type(secret)
            device.click(IN_TEXT)
            device.keyboard.type("seen")
            device.click(inside)
            device.keyboard.type(secret)
            device.close()
            until(lambda: len(at_work.heard) >= 4 * len(secret))
        connection.display.sync()
    assert actions_of(tmp_path / "run") == [
        Click(point=inside),
        Type(text="{{secret-1}}"),
        Click(point=IN_TEXT),
        Type(text="seen"),
        Click(point=inside),
        Type(text="{{secret-1}}"),
    ]
    run = Trajectory.load(tmp_path / "run")
    for file in (tmp_path / "run").rglob("*"):
        assert file.is_dir() or secret.encode() not in file.read_bytes()
    for observation in run.observations():
        pixels = run.screenshot(observation).pixels
        rows, columns = (slice(region.top, region.top + region.height), slice(region.left, region.left + region.width))
        assert not pixels[rows, columns].any()
        assert np.count_nonzero(pixels) > pixels.size / 4


# ---------------------------------------------------------------- hearing


def test_two_displays_are_heard_apart(display: PrivateDisplay) -> None:
    heard: dict[str, list[Input]] = {}
    with PrivateDisplay(SIZE) as other:
        names = (display.name, other.name)
        for name in names:
            heard[name] = []
        with listening(names[0]) as first, listening(names[1]) as second:
            for name, text in zip(names, ("öne", "två"), strict=True):
                device = X11Input(name, Control())
                device.keyboard.type(text)
                device.close()

            def all_came() -> bool:
                for name, events in zip(names, (first, second), strict=True):
                    heard[name] += [event for event, _ in events.take()]
                return all(len(events) >= 6 for events in heard.values())

            until(all_came)
    said = ["".join(e.key for e in heard[name] if isinstance(e, KeyInput) and e.down) for name in names]
    assert said == ["öne", "två"]


def test_a_display_that_ends_just_ends_the_listening() -> None:
    with PrivateDisplay(SIZE) as display, listening(display.name):
        display.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("listens")]


def test_listening_ends_at_once_and_for_good(display: PrivateDisplay) -> None:
    with listening(display.name) as events:
        pass
    device = X11Input(display.name, Control())
    device.click(IN_TEXT)
    device.close()
    assert events.take() == []


def test_a_display_that_is_not_there_is_named() -> None:
    with pytest.raises(MissingPartError, match=":4711"), listening(":4711"):
        pass
    gc.collect()


def test_pynput_hears_the_same_where_it_is_used(display: PrivateDisplay) -> None:
    """On macOS and Windows pynput listens; here it does so on the display that ``$DISPLAY`` names."""
    code = """
import sys, threading
from saccade.env.record.pynput_listener import PynputListener
def heard(event):
    print(event, flush=True)
listener = PynputListener(None, heard)
print("ready", flush=True)
sys.stdin.readline()
listener.close()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, **display.environ, "PYTHONPATH": "src"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    device = X11Input(display.name, Control())
    device.click(IN_TEXT)
    device.scroll(None, "down", 2)
    device.keyboard.chord(("ctrl", "a"))
    device.close()
    lines: list[str] = []
    while not any("key='a', down=False" in line for line in lines):
        lines.append(process.stdout.readline())
    process.communicate("\n", timeout=20)
    said = "".join(lines)
    for part in ("button='left', down=True", "direction='down'", "key='ctrl', down=True", "key='a', down=True"):
        assert part in said
