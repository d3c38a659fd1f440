"""What programs report about their keyboard focus on the accessibility bus of a display (AT-SPI 2).

Every program of GTK or Qt is on that bus. It sends a signal when the focus moves within it, and answers which
role a widget has; password fields have a role of their own. A program handles questions in one queue with its
keys, so an answer comes after the signals of everything before it.

See https://gitlab.gnome.org/GNOME/at-spi2-core, ``xml/`` for the interfaces, ``atspi/atspi-constants.h`` for
roles and states.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from typing import Any, NamedTuple

from ...actions.errors import MissingPartError
from ..x11.connection import open_display

_PASSWORD_TEXT = 40
_FOCUSED, _SHOWING = 12, 25
_PREFIX = "org.a11y.atspi."
_REGISTRY = _PREFIX + "Registry"
_ROOT = "/org/a11y/atspi/accessible/root"
_FOCUS_EVENT = "object:state-changed:focused"
_START_TIMEOUT = 5.0
_MOST_WIDGETS = 3000
_LOST = (OSError, RuntimeError)
"""What is raised when a bus is lost."""


class Widget(NamedTuple):
    """A widget on the bus: the unique name of its program, and its path within the program."""

    program: str
    path: str


_BUS = Widget("org.a11y.Bus", "/org/a11y/bus")


class NoAnswer(Exception):
    """A program did not answer in time."""


class FocusBus:
    """Follows the focus of all programs of one display; used by one thread at a time.

    Its methods raise ``OSError`` or ``RuntimeError`` when the bus is lost.

    Raises:
        MissingPartError: the display has no such bus.
    """

    def __init__(self, display: str | None) -> None:
        self._opened = ExitStack()
        self._signals: deque[Any] = deque()
        self._focused: dict[str, str | None] = {}
        self._reported: dict[str, str | None] = {}
        self._passwords: set[Widget] = set()
        self._processes: dict[str, int] = {}
        try:
            address = _of_display(display)
            if _is_own(display):
                address = self._switch_on(address) or address
            self._bus = self._opened.enter_context(closing(_connect(address)))
            self._listen()
        except (*_LOST, NoAnswer) as problem:
            self.close()
            raise MissingPartError(f"there is no accessibility bus: {problem}") from problem

    def fileno(self) -> int:
        """What can be read from when a focus moved."""
        return int(self._bus.sock.fileno())

    def moves(self, deadline: float) -> list[bool]:
        """Where the focus went since the last call, move by move: whether into a password field.

        A program that does not answer before ``deadline`` (``time.monotonic``) is taken to have one there.
        """
        found = []
        while (signal := self._next_signal()) is not None:
            widget, focused = _focus_of(signal)
            if focused and self._reported.get(widget.program) != widget.path:  # GTK 3 sends all twice
                found.append(self._hides(widget, deadline))
            for known in (self._focused, self._reported):
                if focused or known.get(widget.program) == widget.path:
                    known[widget.program] = widget.path if focused else None
        return found

    def in_password_field(self, process: int | None, deadline: float, anew: bool = False) -> bool:
        """Whether the keys go to a password field, asked from whatever program gets them.

        Args:
            process: number of that program; None where its window has no such property.
            deadline: by ``time.monotonic``; then ``NoAnswer`` is raised.
            anew: whether another window got the keys, so that what was known is in doubt.
        """
        programs = self._programs(process, deadline, anew)
        if programs:
            return any(self._hides_keys(program, deadline, anew) for program in programs)
        # It is not on the bus, or its numbers are those of a box it is locked in.
        hiding = [Widget(name, path) for name, path in self._focused.items() if path]
        return any(self._has_state(each, _FOCUSED, deadline) for each in hiding if each in self._passwords)

    def speaks(self, process: int | None) -> bool:
        """Whether a program is on the bus, as far as is known."""
        return process in self._processes.values()

    def close(self) -> None:
        """Disconnect, and restore the session's switch."""
        self._opened.close()

    def _switch_on(self, expected: str) -> str:
        """Make programs speak on the session's bus (Chromium and Qt 6 wait for that); returns its address.

        Empty, with nothing changed, where the session has no bus, or another than expected.
        """
        with suppress(*_LOST, KeyError, ValueError, NoAnswer), ExitStack() as opened:
            session = opened.enter_context(closing(_connect("SESSION")))
            address = _call(session, _BUS, "org.a11y.Bus.GetAddress", _start_deadline())
            if address and (not expected or address == expected):
                opened.callback(_restore_enabled, session, _set_enabled(session, True))
                self._opened.push(opened.pop_all())
                return str(address)
        return ""

    # ---------------------------------------------------------------- questions

    def _listen(self) -> None:
        from jeepney import MatchRule, message_bus

        self._bus.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 2, 0))
        rule = MatchRule(type="signal", interface=_PREFIX + "Event.Object", member="StateChanged")
        rule.add_arg_condition(0, "focused")
        self._bus.filter(rule, queue=self._signals)
        deadline = _start_deadline()
        _answer(self._bus, message_bus.AddMatch(rule), deadline)
        registry = Widget(_REGISTRY, "/org/a11y/atspi/registry")
        self._ask(registry, "Registry.RegisterEvent", deadline, "s", _FOCUS_EVENT)

    def _next_signal(self) -> Any:
        """The oldest signal that has come; None without one. What was read behind an answer comes too."""
        with suppress(TimeoutError):
            while True:
                self._bus.recv_messages(timeout=0)
        return self._signals.popleft() if self._signals else None

    def _ask(self, widget: Widget, method: str, deadline: float, signature: str = "", *words: Any) -> Any:
        """The answer of a widget; None where it has gone or does not know the question."""
        return _call(self._bus, widget, _PREFIX + method, deadline, signature, *words)

    def _hides(self, widget: Widget, deadline: float) -> bool:
        """Whether it is a password field, or was one before its owner chose to see what it holds."""
        if widget not in self._passwords:
            try:
                role = self._ask(widget, "Accessible.GetRole", deadline)
            except NoAnswer:
                role = _PASSWORD_TEXT
            if role == _PASSWORD_TEXT:
                self._passwords.add(widget)
        return widget in self._passwords

    def _has_state(self, widget: Widget, state: int, deadline: float) -> bool:
        words = self._ask(widget, "Accessible.GetState", deadline)
        return words is not None and bool(words[state // 32] >> state % 32 & 1)

    def _hides_keys(self, program: str, deadline: float, anew: bool) -> bool:
        """Whether the widget of a program that has the focus is a password field."""
        path = self._focused.get(program)
        if path is not None and not self._has_state(Widget(program, path), _FOCUSED, deadline):
            path, anew = None, True
        if path is None and (anew or program not in self._focused):
            path = self._search(program, deadline)
        self._focused[program] = path
        return path is not None and self._hides(Widget(program, path), deadline)

    def _programs(self, process: int | None, deadline: float, anew: bool) -> list[str]:
        """The names of a process on the bus; most have one."""
        if process is None:
            return []
        if anew or process not in self._processes.values():
            self._find_programs(deadline)
        return [name for name, number in self._processes.items() if number == process]

    def _find_programs(self, deadline: float) -> None:
        from jeepney import message_bus

        children = self._ask(Widget(_REGISTRY, _ROOT), "Accessible.GetChildren", deadline) or ()
        names = [name for name, _ in children]
        self._processes = {name: self._processes[name] for name in names if name in self._processes}
        for name in (name for name in names if name not in self._processes):
            number = _answer(self._bus, message_bus.GetConnectionUnixProcessID(name), deadline)
            self._processes[name] = number or -1

    def _search(self, program: str, deadline: float) -> str | None:
        """The path of the widget that has the focus, found without a signal; None where none has."""
        root = Widget(program, _ROOT)
        states, any_of = [1 << _FOCUSED, 0], 1
        rule: Any = (states, any_of, {}, any_of, [], any_of, [], any_of, False)
        found = self._ask(root, "Collection.GetMatches", deadline, "(aiia{ss}iaiiasib)uib", rule, any_of, 1, True)
        if found is not None:
            return str(found[0][1]) if found else None
        waiting = deque(self._children(root, deadline))
        for _ in range(_MOST_WIDGETS):
            if not waiting:
                return None
            widget = waiting.popleft()
            if self._has_state(widget, _FOCUSED, deadline):
                return widget.path
            if self._has_state(widget, _SHOWING, deadline):
                waiting += self._children(widget, deadline)
        raise NoAnswer(f"{program} has more than {_MOST_WIDGETS} widgets")

    def _children(self, widget: Widget, deadline: float) -> Iterator[Widget]:
        return (
            Widget(name, path)
            for name, path in self._ask(widget, "Accessible.GetChildren", deadline) or ()
            if name == widget.program
        )


def find_bus(display: str | None) -> None:
    """Check that the display has an accessibility bus; no setting is changed.

    Raises:
        MissingPartError: it has none.
    """
    try:
        address = _of_display(display)
        if not address and _is_own(display):
            with closing(_connect("SESSION")) as session:
                address = _call(session, _BUS, "org.a11y.Bus.GetAddress", _start_deadline()) or ""
        _connect(address).close()
    except (*_LOST, NoAnswer) as problem:
        raise MissingPartError(f"there is no accessibility bus: {problem}") from problem


def _start_deadline() -> float:
    return time.monotonic() + _START_TIMEOUT


def _set_enabled(session: Any, enabled: bool) -> bool:
    """Set the session's switch; returns how it was."""
    about, properties = ("org.a11y.Status", "IsEnabled"), "org.freedesktop.DBus.Properties."
    answer = _call(session, _BUS, properties + "Get", _start_deadline(), "ss", *about)
    was = bool(answer and answer[1])
    if was != enabled:
        _call(session, _BUS, properties + "Set", _start_deadline(), "ssv", *about, ("b", enabled))
    return was


def _restore_enabled(session: Any, was: bool) -> None:
    with suppress(*_LOST, NoAnswer):
        _set_enabled(session, was)


def _of_display(display: str | None) -> str:
    """The address that a display itself names; empty where it names none."""
    with closing(open_display(display)) as connection:
        atom = connection.intern_atom("AT_SPI_BUS")
        found = connection.screen().root.get_property(atom, 0, 0, 1024)
        return bytes(found.value).decode(errors="replace") if found is not None else ""


def _is_own(display: str | None) -> bool:
    return display in (None, os.environ.get("DISPLAY"))


def _connect(address: str) -> Any:
    """Connect; an address nobody can use, and a refusal, are the same as no bus."""
    if not address:
        raise ConnectionError("neither the display nor the session names one")
    from jeepney.auth import AuthenticationError
    from jeepney.io.blocking import open_dbus_connection
    from jeepney.wrappers import DBusErrorResponse

    try:
        return open_dbus_connection(address)
    except (AuthenticationError, DBusErrorResponse, KeyError, ValueError) as problem:
        raise ConnectionError(str(problem)) from problem


def _call(connection: Any, widget: Widget, method: str, deadline: float, signature: str = "", *words: Any) -> Any:
    from jeepney import DBusAddress, new_method_call

    interface, _, name = method.rpartition(".")
    address = DBusAddress(widget.path, widget.program, interface)
    return _answer(connection, new_method_call(address, name, signature or None, words), deadline)


def _answer(connection: Any, question: Any, deadline: float) -> Any:
    """The first word of an answer; None where it is an error."""
    from jeepney import MessageType

    try:
        reply = connection.send_and_get_reply(question, timeout=max(0.0, deadline - time.monotonic()))
    except TimeoutError as problem:
        raise NoAnswer("no answer came in time") from problem
    if reply.header.message_type == MessageType.error:
        return None
    return reply.body[0] if reply.body else ()


def _focus_of(signal: Any) -> tuple[Widget, bool]:
    from jeepney import HeaderFields

    fields = signal.header.fields
    return Widget(fields[HeaderFields.sender], fields[HeaderFields.path]), bool(signal.body[1])
