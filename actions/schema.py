r"""The ``Action`` union: everything an agent can do, as data.

Every point is in pixels of the screenshot the policy saw (see ``geometry``). Serialised, an action is a
flat JSON object with its ``kind``, and a point is a list ``[x, y]``::

    {"kind": "click", "point": [384.0, 324.0]}
    {"kind": "drag", "start": [10.0, 10.0], "end": [200.0, 10.0]}
    {"kind": "type", "text": "hello\n"}
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from .characters import typable, whole_text
from .geometry import Point
from .keys import MOST_KEYS, canonical_key

Key = Annotated[str, AfterValidator(canonical_key)]
Text = Annotated[str, AfterValidator(typable)]
Words = Annotated[str, AfterValidator(whole_text)]
Direction = Literal["up", "down", "left", "right"]
Button = Literal["left", "middle", "right"]


class _Action(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Click(_Action):
    """Press and release the left button."""

    kind: Literal["click"] = "click"
    point: Point


class DoubleClick(_Action):
    """Two left clicks at one point within the double-click time."""

    kind: Literal["double_click"] = "double_click"
    point: Point


class RightClick(_Action):
    """Press and release the right button."""

    kind: Literal["right_click"] = "right_click"
    point: Point


class MiddleClick(_Action):
    """Press and release the middle button."""

    kind: Literal["middle_click"] = "middle_click"
    point: Point


class Move(_Action):
    """Move the pointer without pressing."""

    kind: Literal["move"] = "move"
    point: Point


class Drag(_Action):
    """Press at ``start``, move, release at ``end``, with the left button."""

    kind: Literal["drag"] = "drag"
    start: Point
    end: Point


class MouseDown(_Action):
    """Press a button and hold it; without a point, where the pointer is."""

    kind: Literal["mouse_down"] = "mouse_down"
    point: Point | None = None
    button: Button = "left"


class MouseUp(_Action):
    """Release a held button; without a point, where the pointer is."""

    kind: Literal["mouse_up"] = "mouse_up"
    point: Point | None = None
    button: Button = "left"


class Scroll(_Action):
    """Turn the wheel so that content further ``direction`` comes into view.

    Attributes:
        amount: wheel clicks; one is about 100 CSS pixels.
        point: where; without it, where the pointer is, or the middle of the screen.
    """

    kind: Literal["scroll"] = "scroll"
    direction: Direction
    point: Point | None = None
    amount: int = Field(default=5, ge=1, le=100)


class Type(_Action):
    r"""Type text into the focused element, exactly as given; ``\n`` is the Enter key.

    Attributes:
        point: clicked first, where a dialect names one.
    """

    kind: Literal["type"] = "type"
    text: Text
    point: Point | None = None


class Hotkey(_Action):
    """Press keys in order while holding them all, then release in reverse order."""

    kind: Literal["hotkey"] = "hotkey"
    keys: tuple[Key, ...] = Field(min_length=1, max_length=MOST_KEYS)


class Press(_Action):
    """Press and release one key."""

    kind: Literal["press"] = "press"
    key: Key


class KeyDown(_Action):
    """Hold one key."""

    kind: Literal["key_down"] = "key_down"
    key: Key


class KeyUp(_Action):
    """Release one held key."""

    kind: Literal["key_up"] = "key_up"
    key: Key


class Wait(_Action):
    """Do nothing for at most ``seconds``."""

    kind: Literal["wait"] = "wait"
    seconds: float = Field(default=5.0, ge=0, le=600)


class Finished(_Action):
    """The policy says the task is done; ``answer`` is what it reports."""

    kind: Literal["finished"] = "finished"
    answer: Words = ""


class CallUser(_Action):
    """The policy hands over to a person."""

    kind: Literal["call_user"] = "call_user"
    message: Words = ""


class Navigate(_Action):
    """Open an address (browser only)."""

    kind: Literal["navigate"] = "navigate"
    url: Text


class NavigateBack(_Action):
    """Go back one page (browser only)."""

    kind: Literal["navigate_back"] = "navigate_back"


class LongPress(_Action):
    """Press, hold and release at a point."""

    kind: Literal["long_press"] = "long_press"
    point: Point
    seconds: float = Field(default=1.0, gt=0, le=60)


class OpenApp(_Action):
    """Start a program by name (mobile and desktop)."""

    kind: Literal["open_app"] = "open_app"
    name: Text


class PressHome(_Action):
    """The home button (mobile)."""

    kind: Literal["press_home"] = "press_home"


class PressBack(_Action):
    """The back button (mobile; a browser goes back one page)."""

    kind: Literal["press_back"] = "press_back"


_Mouse = Click | DoubleClick | RightClick | MiddleClick | Move | Drag | MouseDown | MouseUp | Scroll
_Keyboard = Type | Hotkey | Press | KeyDown | KeyUp
_Episode = Wait | Finished | CallUser
_Application = Navigate | NavigateBack | LongPress | OpenApp | PressHome | PressBack

Action = Annotated[_Mouse | _Keyboard | _Episode | _Application, Field(discriminator="kind")]
action_adapter: TypeAdapter[Action] = TypeAdapter(Action)


def points(action: Action) -> tuple[Point, ...]:
    """Every point of an action, in the order it is visited."""
    if isinstance(action, Drag):
        return (action.start, action.end)
    point: Point | None = getattr(action, "point", None)
    return () if point is None else (point,)


def ends_episode(action: Action) -> bool:
    """Whether the action ends the episode: nothing after it is executed."""
    return isinstance(action, Finished | CallUser)
