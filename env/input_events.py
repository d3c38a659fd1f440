"""What keyboard and mouse report, from any source: the raw events of a recording.

Points are in input points of the screen (CSS pixels in a browser), times in seconds of ``time.monotonic``.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..actions.geometry import Point
from ..actions.schema import Action, Button, Direction


@dataclass(frozen=True)
class KeyInput:
    """A key went down or up; a key that repeats goes down again and again.

    Attributes:
        code: identifies the key, whatever it means at the moment.
        key: what it means: a canonical name, a character, a combining character if ``dead``, or empty where
            no action can name it.
        dead: whether it changes the next character instead of giving one.
        secret: what kind of secret is being typed; empty for none.
    """

    time: float
    code: int | str
    key: str
    down: bool
    dead: bool = False
    secret: str = ""


@dataclass(frozen=True)
class ButtonInput:
    """A mouse button went down or up.

    ``count`` is how many clicks at one place the system takes it for the last of; 0 where it does not say.
    """

    time: float
    point: Point
    button: Button
    down: bool
    count: int = 0


@dataclass(frozen=True)
class MoveInput:
    """The pointer moved."""

    time: float
    point: Point


@dataclass(frozen=True)
class WheelInput:
    """The wheel was turned by some clicks."""

    time: float
    point: Point
    direction: Direction
    clicks: int = 1


@dataclass(frozen=True)
class TextInput:
    """Text arrived that no single key gave: pasted, dictated or composed by an input method."""

    time: float
    text: str
    secret: str = ""


@dataclass(frozen=True)
class ReleaseAllInput:
    """Another program has the keyboard now: keys that were held count as released."""

    time: float


@dataclass(frozen=True)
class ActionInput:
    """An action that no key or button shows, such as choosing an address from a list.

    ``joined``: it ends what was done before it.
    """

    time: float
    action: Action
    joined: bool = False


@dataclass(frozen=True)
class ChoiceInput:
    """A choice from a list or picker that is a window of its own, which no key or button of the page shows.

    Attributes:
        actions: what chooses the same while the list is open.
    """

    time: float
    actions: tuple[Action, ...]


@dataclass(frozen=True)
class MarkInput:
    """A client of the X server made a mark: what the server handled before has been reported."""

    time: float
    client: int


@dataclass(frozen=True)
class TickInput:
    """Nothing else happened until ``time``."""

    time: float


Input = (
    KeyInput
    | ButtonInput
    | MoveInput
    | WheelInput
    | TextInput
    | ReleaseAllInput
    | ActionInput
    | ChoiceInput
    | MarkInput
    | TickInput
)
