"""Text into whatever has the focus of an X screen, character for character."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from ...actions.errors import EnvironmentFailure, UsageError
from ..control import Control
from .clipboard import Clipboard, is_browser, is_terminal
from .connection import KEY_DOWN, KEY_UP, Connection, InjectedEvent
from .focus import Focus
from .keymap import KeyMap, KeyStroke, keysym, typable
from .locks import NO_LOCKS, LockKeys

Piece = tuple[str, bool]
"""Part of a text, and whether it is pasted."""

_KEYS = {"\n": keysym("enter"), "\t": keysym("tab")}
_BURST = 64  # keys a program may be behind: after a stop it does not go on for long
# Window managers read all anew whenever the keyboard map changes; openbox needs up to 0.4 s each time, and
# until it is done no click gets through.
_FEW = 2
_FIRST_FOCUS = 2.0


class X11Text:
    """Types by keys, and pastes what no key says and what would take long.

    Characters the keyboard map lacks are lent spare keycodes while they are typed.

    Args:
        connection: to the server.
        control: asked before every key.
        keymap: the server's keyboard map.
        focus: the program that is typed into.
        press: presses a chord.
    """

    def __init__(
        self,
        connection: Connection,
        control: Control,
        keymap: KeyMap,
        focus: Focus,
        press: Callable[[tuple[str, ...]], None],
    ) -> None:
        self._connection = connection
        self._control = control
        self._map = keymap
        self._focus = focus
        self._locks = LockKeys(connection)
        self._clipboard = Clipboard(connection, control, focus, press)

    def type(self, text: str) -> None:
        """Type text into the window with the focus, each part in the way that brings it there exactly.

        Raises:
            UsageError: the text holds half a surrogate pair, which is no character.
            EnvironmentFailure: the program does not take it.
            Stopped: a stop was asked for.
        """
        text = _one_kind_of_line(text)
        self._focus.wait_for_one(_FIRST_FOCUS)
        self._map.refresh()
        program = self._focus.program()
        foreign = {character for character in text if not self._has_key(character)}
        tab_moves = "\t" in text and is_browser(program)
        if not tab_moves and len(foreign) <= _FEW and all(map(typable, foreign)):
            self._write([(text, False)])
        else:
            self._write(_lines(text) if is_terminal(program) else _body(text))

    def by_keys(self, text: str) -> None:
        """Type text with keys alone; every character must be ``typable``."""
        self._write([(text, False)])

    def by_paste(self, text: str) -> None:
        """Paste text as it is; line breaks are part of it."""
        self._write([(text, True)])

    def close(self) -> None:
        """Leave the clipboard to itself."""
        self._clipboard.close()

    def _write(self, pieces: Iterable[Piece]) -> None:
        with ExitStack() as stack:
            stack.enter_context(self._neutral())
            paste: Callable[[str], bool] | None = None
            for text, pasted in pieces:
                if not pasted:
                    self._press_keys(text)
                    continue
                paste = paste or stack.enter_context(self._clipboard.lent())
                if not paste(text):
                    self._press_keys(_sayable(text))

    def _press_keys(self, text: str) -> None:
        self._map.refresh()
        spares = self._map.spares()
        for part, lent in self._parts(text, spares):
            if lent:
                self._map.lend(lent)
                self._focus.settle()
            for character in part:
                self._tap(_symbol(character))
            self._focus.settle()
        self._map.take_back(spares)

    def _parts(self, text: str, spares: list[int]) -> Iterator[tuple[str, dict[int, int]]]:
        """Stretches of text, each with the keycodes to lend before it."""
        part, fresh, lent = "", dict[int, int](), set[int]()
        for character in text:
            symbol = _symbol(character)
            missing = symbol not in lent and not self._has_key(character)
            if part and (len(part) == _BURST or (missing and len(lent) == len(spares))):
                yield part, fresh
                part, fresh = "", {}
            if missing:
                if len(lent) == len(spares):
                    lent.clear()
                fresh[symbol] = spares[len(lent)]
                lent.add(symbol)
            part += character
        if part:
            yield part, fresh

    def _has_key(self, character: str) -> bool:
        return self._map.own(_symbol(character)) is not None

    def _tap(self, symbol: int) -> None:
        """Press and release at once, so that no stall between the two makes the key repeat."""
        stroke = self._map.find(symbol)
        assert stroke is not None
        self._control.check()
        self._connection.inject(_taps(stroke, self._map.shift))

    @contextmanager
    def _neutral(self) -> Iterator[None]:
        """Meanwhile no modifier is held and nothing is locked; then all is put back, unless a stop came."""
        locks = self._locks.get()
        held = self._map.modifiers & set(self._down())
        self._control.check()
        self._connection.inject(InjectedEvent(KEY_UP, code) for code in held)
        if locks != NO_LOCKS:
            self._locks.set(NO_LOCKS)
        try:
            yield
        finally:
            if locks != NO_LOCKS:
                self._locks.set(locks)
            if not self._control.stopped:
                self._connection.inject(InjectedEvent(KEY_DOWN, code) for code in held)

    def _down(self) -> list[int]:
        """Keycodes that are down."""
        bits = self._connection.display.query_keymap()
        return [code for code in range(8 * len(bits)) if bits[code // 8] >> code % 8 & 1]


def _taps(stroke: KeyStroke, shift: int) -> list[InjectedEvent]:
    tap = [InjectedEvent(KEY_DOWN, stroke.keycode), InjectedEvent(KEY_UP, stroke.keycode)]
    return [InjectedEvent(KEY_DOWN, shift), *tap, InjectedEvent(KEY_UP, shift)] if stroke.shift else tap


def _symbol(character: str) -> int:
    return _KEYS.get(character) or keysym(character)


def _lines(text: str) -> list[Piece]:
    """Lines to paste, with the Enter key between them."""
    return [(piece, piece[0] != "\n") for piece in re.split(r"(\n+)", text) if piece]


def _body(text: str) -> list[Piece]:
    """Everything to paste, but for the Enter keys at its end."""
    body = text.rstrip("\n")
    return [piece for piece in ((body, True), (text[len(body) :], False)) if piece[0]]


def _sayable(text: str) -> str:
    """The text, if keys can say it.

    Raises:
        EnvironmentFailure: they cannot.
    """
    if all(character in _KEYS or typable(character) for character in text):
        return text
    raise EnvironmentFailure("the program with the keyboard focus pastes nothing, and no key types this text")


def _one_kind_of_line(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"half a surrogate pair at position {error.start} is no character to type"
        ) from error
    return re.sub(r"\r\n?", "\n", text)
