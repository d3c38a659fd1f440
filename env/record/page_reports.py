"""What the recorder's script in a page reports: read strictly, as pages are not to be trusted.

Points are in CSS pixels of the frame, times in milliseconds since the epoch.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from ...actions.errors import UnknownKeyError
from ...actions.geometry import Point
from ...actions.keys import canonical_key
from ...actions.schema import Action, Button, Direction, Hotkey, Press, Type
from ..input_events import ButtonInput, ChoiceInput, Input, KeyInput, MoveInput, ReleaseAllInput, TextInput, WheelInput
from .secrets import PASSWORD

_BUTTONS: dict[int, Button] = {0: "left", 1: "middle", 2: "right"}
_LINES, _PAGES = 3.0, 1.0
"""One click of the wheel in lines and pages (``WheelEvent.deltaMode`` 1 and 2)."""
_LONGEST = 1_000_000
_Coordinate = Annotated[float, Field(ge=-1e6, le=1e6)]


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    time: float
    secret: bool

    def read(self, when: float, corner: Point, click: float) -> Input | None:
        """The event; None where it is of no account.

        Args:
            when: its time, by ``time.monotonic``.
            corner: of the frame on the page, in CSS pixels.
            click: CSS pixels that one click of the wheel scrolls in this browser.
        """
        raise NotImplementedError

    @property
    def secrecy(self) -> str:
        return PASSWORD if self.secret else ""


class _Key(_Report):
    kind: Literal["key"]
    key: str = Field(max_length=100)
    code: str = Field(max_length=100)
    command: bool
    down: bool

    def read(self, when: float, corner: Point, click: float) -> Input | None:
        name = self.key
        if self.command and not name.isascii() and self.code.startswith("Key"):
            name = self.code[-1].lower()  # chords mean the same keys in every script
        try:
            key = canonical_key(name)
        except UnknownKeyError:
            key = ""
        return KeyInput(when, self.code or name, key, self.down, secret=self.secrecy)


class _Text(_Report):
    kind: Literal["text"]
    text: str = Field(max_length=_LONGEST)

    def read(self, when: float, corner: Point, click: float) -> Input | None:
        return TextInput(when, self.text, self.secrecy) if self.text else None


class _Blur(_Report):
    kind: Literal["blur", "leave"]

    def read(self, when: float, corner: Point, click: float) -> Input | None:
        return ReleaseAllInput(when) if self.kind == "blur" else None


class _AtPoint(_Report):
    x: _Coordinate
    y: _Coordinate

    def point(self, corner: Point) -> Point:
        """Where it was, in CSS pixels of the page."""
        return Point(corner.x + self.x, corner.y + self.y)


class _Button(_AtPoint):
    kind: Literal["button"]
    button: Annotated[int, Field(ge=0, le=4)]
    down: bool
    count: Annotated[int, Field(ge=0, le=1_000_000)]

    def read(self, when: float, corner: Point, click: float) -> Input | None:
        button = _BUTTONS.get(self.button)
        return ButtonInput(when, self.point(corner), button, self.down, self.count) if button else None


class _Move(_AtPoint):
    kind: Literal["move"]

    def read(self, when: float, corner: Point, click: float) -> Input | None:
        return MoveInput(when, self.point(corner))


class _Wheel(_AtPoint):
    kind: Literal["wheel"]
    across: _Coordinate
    along: _Coordinate
    unit: Annotated[int, Field(ge=0, le=2)]

    def read(self, when: float, corner: Point, click: float) -> Input | None:
        amount = self.along or self.across
        ways: tuple[Direction, Direction] = ("up", "down") if self.along else ("left", "right")
        clicks = round(abs(amount) / (click, _LINES, _PAGES)[self.unit])
        return WheelInput(when, self.point(corner), ways[amount > 0], max(1, clicks)) if amount else None


class _Choice(_Report):
    kind: Literal["choice"]
    control: Literal["select", "date", "color", "text", "none"]
    place: Annotated[int, Field(ge=-1, le=100_000)]
    count: Annotated[int, Field(ge=0, le=100_000)]
    value: str = Field(max_length=_LONGEST)

    def read(self, when: float, corner: Point, click: float) -> Input | None:
        actions = () if self.secret else tuple(self._actions())
        return ChoiceInput(when, actions) if actions else None

    def _actions(self) -> list[Action]:
        """The keys that choose the same while the list or the picker is open."""
        match self.control:
            case "select":
                return _to_entry(self.place, self.count)
            case "date" if self.value:
                return [Press(key="escape"), Type(text=self.value)]
            case "date":
                clear: list[Action] = [Press(key="delete"), Press(key="left")]
                return [Press(key="escape"), Hotkey(keys=("shift", "tab")), *clear * 7]
            case "color":
                return _to_colour(self.value)
            case "none":
                return [Press(key="escape")]
        written = Type(text=self.value) if self.value else Press(key="delete")
        leave: list[Action] = [Press(key="tab"), Hotkey(keys=("shift", "tab")), Press(key="end")]
        return [Hotkey(keys=("ctrl", "a")), written, *leave]  # the page is told once the field is left


Report = _Key | _Text | _Blur | _Button | _Move | _Wheel | _Choice
_adapter: TypeAdapter[Report] = TypeAdapter(Annotated[Report, Field(discriminator="kind")])


def read_report(payload: str) -> Report | None:
    """What a page reported; None where it is none of the reports that the script makes."""
    if len(payload) > 2 * _LONGEST:
        return None
    try:
        return _adapter.validate_json(payload)
    except ValidationError:
        return None


def _to_entry(place: int, count: int) -> list[Action]:
    """The keys to an entry of an open list, from its nearer end."""
    if not 0 <= place < count:
        return []
    behind = count - 1 - place
    from_start = place <= behind
    steps = [Press(key="down" if from_start else "up")] * min(place, behind)
    return [Press(key="home" if from_start else "end"), *steps, Press(key="enter")]


def _to_colour(value: str) -> list[Action]:
    """The keys in an open colour picker of Chromium: its fields for red, green and blue come after three others."""
    try:
        red, green, blue = bytes.fromhex(value.removeprefix("#"))
    except ValueError:
        return []
    tab = Press(key="tab")
    return [
        tab,
        tab,
        tab,
        Type(text=str(red)),
        tab,
        Type(text=str(green)),
        tab,
        Type(text=str(blue)),
        Press(key="enter"),
    ]
