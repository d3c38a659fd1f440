"""Password fields of real programs: what is typed there is in no file, however the focus came there."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from jeepney import DBusAddress, message_bus, new_method_call
from jeepney.io.blocking import open_dbus_connection

from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Action, Click, Press, Type
from saccade.env.control import Control
from saccade.env.desktop.private_display import PrivateDisplay
from saccade.env.input_events import ButtonInput, Input, KeyInput
from saccade.env.record.frame_buffer import ScreenWatcher
from saccade.env.record.password_fields import WITHOUT, Effect, hidden, marking_passwords
from saccade.env.record.recorder import Recorder, RecordOptions
from saccade.env.record.source import EventQueue, RecordedEvent
from saccade.env.trajectory.events import StartEvent
from saccade.env.trajectory.trajectory import Trajectory, TrajectoryWriter
from saccade.env.x11.connection import BUTTON_DOWN, BUTTON_UP, KEY_DOWN, KEY_UP, MOTION, Connection, InjectedEvent
from saccade.env.x11.input import X11Input
from saccade.env.x11.keymap import KeyMap, keysym
from saccade.env.x11.listener import X11Listener
from saccade.perception.screen import ScreenCamera

FORM = """<interface>
  <object class="GtkWindow" id="window">
    <property name="title">Sign in</property>
    <property name="visible">True</property>
    <property name="default-width">600</property>
    <child>
      <object class="GtkBox">
        <property name="visible">True</property>
        <property name="orientation">vertical</property>
        <property name="homogeneous">True</property>
        <child><object class="GtkEntry" id="name"><property name="visible">True</property></object></child>
        <child>
          <object class="GtkEntry" id="password">
            <property name="visible">True</property>
            <property name="visibility">False</property>
          </object>
        </child>
      </object>
    </child>
  </object>
</interface>
"""


SECRET = "uvwxyz"
"""Secrets are made of these letters, and no name is: one of them alone would be a leak."""


class Form:
    """A window with a field for a name, which has the focus, above one for a password."""

    def __init__(self, display: PrivateDisplay, folder: Path, session: str | None) -> None:
        file = folder / "form.ui"
        file.write_text(FORM, encoding="utf-8")
        speaking = {"NO_AT_BRIDGE": "0", "DBUS_SESSION_BUS_ADDRESS": session} if session else {}
        self.program = display.start(["gtk-builder-tool", "preview", str(file)], environ=speaking)
        number = display.wait_for_window(self.program)
        with closing(Connection(display.name)) as connection:
            window = connection.window(number)
            corner, size = connection.root.translate_coords(window, 0, 0), window.get_geometry()
            self.name = Point(corner.x + 100, corner.y + size.height // 4)
            self.password = Point(corner.x + 100, corner.y + 3 * size.height // 4)


@pytest.fixture
def display() -> Iterator[PrivateDisplay]:
    with PrivateDisplay(Size(800, 600)) as display:
        yield display


@pytest.fixture
def session(display: PrivateDisplay, tmp_path: Path) -> str:
    """A session bus with an accessibility bus that belongs to the display; both end with it."""
    address = f"unix:path={tmp_path / 'session'}"
    variables = {"DBUS_SESSION_BUS_ADDRESS": address}
    display.start(["dbus-daemon", "--session", "--nofork", f"--address={address}"], environ=variables)
    until(partial(listens, tmp_path / "session"))
    with open_dbus_connection(address) as connection:
        bus = DBusAddress("/org/a11y/bus", "org.a11y.Bus", "org.a11y.Bus")
        connection.send_and_get_reply(new_method_call(bus, "GetAddress"), timeout=60)
    return address


def listens(path: Path) -> bool:
    with closing(socket.socket(socket.AF_UNIX)) as client:
        return client.connect_ex(str(path)) == 0


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "nothing came"
        threading.Event().wait(0.02)


class Recording:
    """A recorder at work in a thread.

    Attributes:
        told: what the person was told.
        pressed: how many keys and buttons went down.
        released: how many of them are known to be secret or not.
    """

    def __init__(self, folder: Path, display: PrivateDisplay) -> None:
        self.folder = folder
        self.told: list[str] = []
        self.pressed = self.released = self._expected = 0
        self._display = display.name
        self._over, self._ready = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._record)

    def __enter__(self) -> Recording:
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)
        assert not self._thread.is_alive()

    def _record(self) -> None:
        start = StartEvent(
            saccade_version="0", instruction="", environment="desktop", policy="person", time=time.time()
        )
        with (
            closing(ScreenCamera(self._display)) as camera,
            closing(ScreenWatcher(camera)) as frames,
            TrajectoryWriter(self.folder, start) as writer,
        ):
            recorder = Recorder(writer, RecordOptions())
            with (
                marking_passwords(self._display, self.told.append) as mark,
                closing(EventQueue(frames, self._over.is_set)) as events,
                closing(X11Listener(self._display, partial(self._hear, events))),
            ):
                self._ready.set()
                recorder.run(self._counted(mark(events)))
            frames.close()
            recorder.finish(frames.newest)

    def _hear(self, events: EventQueue, event: Input) -> None:
        self.pressed += isinstance(event, KeyInput | ButtonInput) and event.down
        events.put(event)

    def _counted(self, events: Iterator[RecordedEvent]) -> Iterator[RecordedEvent]:
        for event, frame in events:
            yield event, frame
            self.released += isinstance(event, KeyInput | ButtonInput) and event.down

    def caught_up(self, pressed: int) -> None:
        """Wait until that many more presses were heard and are known to be secret or not."""
        self._expected += pressed
        until(lambda: self.pressed >= self._expected and self.released >= self.pressed)

    def actions(self) -> list[Action]:
        trajectory = Trajectory.load(self.folder)
        trajectory.check()
        return [event.action for step in trajectory.steps for event in step.actions]

    def typed(self) -> list[str]:
        return [action.text for action in self.actions() if isinstance(action, Type)]


def assert_nowhere(secret: str, folder: Path) -> None:
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert any(file.name == "trajectory.jsonl" for file in files)
    assert not [file for file in files if secret.encode() in file.read_bytes()]


def test_what_is_typed_into_a_password_field_is_nowhere(tmp_path: Path, display: PrivateDisplay, session: str) -> None:
    form = Form(display, tmp_path, session)
    with Recording(tmp_path / "run", display) as recording, closing(X11Input(display.name, Control())) as device:
        for text, keys in (("ada", 3), ("\t", 1), ("Correct-Horse", 15), ("\t", 1)):
            device.keyboard.type(text)
            recording.caught_up(keys)
        device.click(form.password)
        recording.caught_up(1)
        device.keyboard.type("Correct-Horse")
        recording.caught_up(15)
        device.click(form.name)
        recording.caught_up(1)
        device.keyboard.type("lovelace")
        recording.caught_up(8)
    assert recording.told == []
    assert recording.actions() == [
        Type(text="ada"),
        Press(key="tab"),
        Type(text="{{password}}"),
        Press(key="tab"),
        Click(point=form.password),
        Type(text="{{password}}"),
        Click(point=form.name),
        Type(text="lovelace"),
    ]
    assert_nowhere("Horse", tmp_path / "run")


def test_the_field_that_has_the_focus_already_is_asked(tmp_path: Path, display: PrivateDisplay, session: str) -> None:
    form = Form(display, tmp_path, session)
    with closing(X11Input(display.name, Control())) as device:
        device.click(form.password)
        device.keyboard.type("before")
        with Recording(tmp_path / "run", display) as recording:
            device.keyboard.type("hunter")
            recording.caught_up(6)
    assert recording.typed() == ["{{password}}"]


# ---------------------------------------------------------------- at speed


class Typist:
    """Presses keys of a US keyboard at a steady rate, as many events after each other as there are."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._keys = KeyMap(connection)
        self.strokes: list[list[InjectedEvent]] = []

    def types(self, text: str) -> None:
        for character in text:
            stroke = self._keys.find(keysym({"\t": "tab"}.get(character, character)))
            assert stroke is not None
            self.strokes.append([InjectedEvent(KEY_DOWN, stroke.keycode), InjectedEvent(KEY_UP, stroke.keycode)])

    def clicks(self, point: Point) -> None:
        click = [
            InjectedEvent(MOTION, 0, int(point.x), int(point.y)),
            InjectedEvent(BUTTON_DOWN, 1),
            InjectedEvent(BUTTON_UP, 1),
        ]
        self.strokes.append(click)

    def perform(self, per_second: float) -> None:
        begun = time.monotonic()
        for number, stroke in enumerate(self.strokes):
            threading.Event().wait(max(0.0, begun + number / per_second - time.monotonic()))
            self._connection.inject(stroke)
        self._connection.display.sync()


def switches(typist: Typist, form: Form, rounds: int) -> None:
    """To the password and back again and again, by Tab and by click, without a pause before typing."""
    typist.clicks(form.name)
    for round_ in range(rounds):
        typist.types("abcdef")
        typist.types("\t") if round_ % 2 else typist.clicks(form.password)
        typist.types(SECRET)
        typist.clicks(form.name) if round_ % 3 else typist.types("\t")


def test_switching_fields_at_50_keys_a_second_leaks_nothing(
    tmp_path: Path, display: PrivateDisplay, session: str
) -> None:
    form = Form(display, tmp_path, session)
    kept = []
    for attempt in range(2):
        with closing(Connection(display.name)) as connection:
            typist = Typist(connection)
            switches(typist, form, 12)
            with Recording(tmp_path / f"run {attempt}", display) as recording:
                typist.perform(50)
                recording.caught_up(len(typist.strokes))
        typed = recording.typed()
        seen = re.sub(r"\{\{.*?\}\}", "", "".join(typed))
        assert not set(seen) & set(SECRET), typed
        assert "{{password}}" in typed
        kept.append(seen.count("abcdef"))
    assert max(kept) >= 6, "names are kept, but for letters whose place a busy machine could not tell in time"


# ---------------------------------------------------------------- when nobody answers


def type_at_once(display: PrivateDisplay, text: str) -> int:
    """Type without asking the program whether it has kept up; returns how many keys that are."""
    with closing(Connection(display.name)) as connection:
        typist = Typist(connection)
        typist.types(text)
        typist.perform(50)
    return len(text)


def test_a_program_that_does_not_answer_holds_up_nothing_for_long(
    tmp_path: Path, display: PrivateDisplay, session: str
) -> None:
    form = Form(display, tmp_path, session)
    with Recording(tmp_path / "run", display) as recording:
        os.kill(form.program.number, signal.SIGSTOP)
        recording.caught_up(type_at_once(display, "abc"))
        os.kill(form.program.number, signal.SIGCONT)
        with closing(X11Input(display.name, Control())) as device:
            device.click(form.name)
            recording.caught_up(1)
            device.keyboard.type("def")
            recording.caught_up(3)
    assert recording.typed() == ["{{password}}", "def"], "what nobody could tell counts as secret"


def test_after_the_bus_is_lost_everything_is_secret(tmp_path: Path, display: PrivateDisplay, session: str) -> None:
    Form(display, tmp_path, session)
    bus = DBusAddress("/org/a11y/bus", "org.a11y.Bus", "org.a11y.Bus")
    with open_dbus_connection(session) as connection:
        address = connection.send_and_get_reply(new_method_call(bus, "GetAddress"), timeout=60).body[0]
    with open_dbus_connection(address) as connection:
        question = message_bus.GetConnectionUnixProcessID("org.freedesktop.DBus")
        daemon = connection.send_and_get_reply(question, timeout=60).body[0]
    with Recording(tmp_path / "run", display) as recording:
        recording.caught_up(type_at_once(display, "abc"))
        os.kill(daemon, signal.SIGKILL)
        until(lambda: len(recording.told) == 1)
        recording.caught_up(type_at_once(display, "def"))
    assert "counts as secret" in recording.told[0]
    assert recording.typed() == ["abc", "{{password}}"]


def test_without_a_bus_it_is_told_once_and_recorded_as_it_is(tmp_path: Path, display: PrivateDisplay) -> None:
    Form(display, tmp_path, None)
    with Recording(tmp_path / "run", display) as recording:
        recording.caught_up(type_at_once(display, "abc"))
    assert len(recording.told) == 1
    assert recording.told[0].startswith(f"{WITHOUT}, or install at-spi2-core")
    assert recording.typed() == ["abc"]


# ---------------------------------------------------------------- what counts as secret

NONE: Effect = "none"
MOVES: Effect = "moves"
MAY: Effect = "may move"


@pytest.mark.parametrize(
    ("effects", "before", "moves", "now", "in_order", "expected"),
    [
        ([NONE, NONE], False, [], False, True, [False, False]),
        ([NONE, NONE], True, [], True, True, [True, True]),
        ([NONE, MOVES, NONE], False, [True], True, True, [False, False, True]),
        ([NONE, MOVES, NONE], True, [False], False, True, [True, True, False]),
        ([NONE, MOVES, NONE, MOVES, NONE], False, [True, False], False, True, [False, False, True, True, False]),
        ([NONE], False, [True], True, True, [True]),  # it moved by itself
        ([NONE, MOVES], False, [True, False], False, True, [True, True]),  # twice, but why?
        ([NONE, MOVES, NONE, MOVES], False, [True], True, True, [True] * 4),  # which of them did it?
        ([NONE, MAY, NONE], False, [True], True, True, [True] * 3),
        ([NONE, MAY, NONE], False, [], False, True, [False] * 3),
        ([NONE, NONE], False, [False], False, True, [False, False]),
        ([NONE], False, [], True, True, [True]),  # it was not told, but found
        ([NONE], True, [], False, True, [True]),
        ([NONE, MOVES, NONE], False, [True], True, False, [True] * 3),  # other windows came between
        ([NONE, NONE], False, [], False, False, [False, False]),
        ([], True, [False], False, True, []),
    ],
)
def test_what_cannot_be_told_apart_is_secret(
    effects: Sequence[Effect], before: bool, moves: Sequence[bool], now: bool, in_order: bool, expected: list[bool]
) -> None:
    assert hidden(effects, before, moves, now, in_order) == expected
