"""The key chords that belong to the person at the screen: stop the run, pause it, run one step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ..actions.errors import UsageError
from ..actions.keys import MODIFIERS, NAMED_KEYS, parse_chord
from ..actions.schema import Action, Hotkey, KeyDown, KeyUp, Press, Type

_TYPED = frozenset(("enter", "tab", "space", *MODIFIERS))


class Chord(NamedTuple):
    """Keys that are held, and the one that is pressed last; all by their canonical names."""

    modifiers: tuple[str, ...]
    key: str

    @classmethod
    def parse(cls, text: str) -> Chord:
        """Read a chord such as ``ctrl+alt+q``.

        Raises:
            UsageError: it is none, or typing text could trigger it.
        """
        keys = parse_chord(text)
        held = tuple(name for name in MODIFIERS if name in keys)
        pressed = {key for key in keys if key not in held}
        key = next(iter(pressed)).lower() if len(pressed) == 1 else ""
        is_letter = len(key) == 1 and key.isascii() and key.isalpha() and held not in ((), ("shift",))
        if not is_letter and key not in NAMED_KEYS - _TYPED:
            raise UsageError(
                f"{text!r} cannot be a chord of yours: name ctrl, alt or meta and one letter, such as "
                "ctrl+alt+q, or a key that types nothing, such as f12"
            )
        return cls(held, key)

    def __str__(self) -> str:
        return "+".join((*self.modifiers, self.key))

    @property
    def keys(self) -> frozenset[str]:
        """All of its keys."""
        return frozenset((*self.modifiers, self.key))


_STOP, _PAUSE, _STEP = (Chord(("ctrl", "alt"), key) for key in "qps")


@dataclass(frozen=True)
class Chords:
    """What the person presses for what.

    Attributes:
        stop: ends the run at once.
        pause: pauses it before its next step, or resumes it.
        step: runs one step, then pauses.

    Raises:
        UsageError: two of them are the same.
    """

    stop: Chord = _STOP
    pause: Chord = _PAUSE
    step: Chord = _STEP

    def __post_init__(self) -> None:
        if len({*self.all}) < len(self.all):
            raise UsageError(f"{self.stop} is taken: {self.pause} pauses and {self.step} steps; choose another")

    @property
    def all(self) -> tuple[Chord, ...]:
        """Each of them."""
        return (self.stop, self.pause, self.step)


class ChordGuard:
    """Keeps an agent from pressing the person's chords, in one go or with keys that are down already."""

    def __init__(self) -> None:
        self._held: set[str] = set()

    def refusal(self, action: Action, chords: tuple[Chord, ...]) -> str | None:
        """Why an action must not be executed, in words for the policy; None when it presses none of them."""
        match action:
            case Hotkey():
                pressed = set(action.keys)
            case Press() | KeyDown():
                pressed = {action.key}
            case Type():
                pressed = set(action.text)
            case _:
                return None
        down = {key.lower() for key in pressed} | self._held
        taken = next((chord for chord in chords if chord.keys <= down), None)
        return f"{taken} belongs to the user and cannot be pressed here" if taken else None

    def executed(self, action: Action) -> None:
        """Note what an action left held."""
        match action:
            case KeyDown():
                self._held.add(action.key.lower())
            case KeyUp() | Press():
                self._held.discard(action.key.lower())
            case Hotkey():
                self._held.difference_update(key.lower() for key in action.keys)

    def released(self) -> None:
        """Note that nothing is held."""
        self._held.clear()
