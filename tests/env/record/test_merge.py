"""From presses and releases to actions: each gesture by example, and for any input that nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from saccade.actions.geometry import Point
from saccade.actions.keys import MODIFIERS
from saccade.actions.schema import (
    Action,
    Click,
    DoubleClick,
    Drag,
    Hotkey,
    KeyDown,
    KeyUp,
    LongPress,
    MiddleClick,
    MouseDown,
    MouseUp,
    Move,
    Navigate,
    Press,
    RightClick,
    Scroll,
    Type,
    Wait,
)
from saccade.env.chords import Chord
from saccade.env.input_events import (
    ActionInput,
    ButtonInput,
    Input,
    KeyInput,
    MoveInput,
    ReleaseAllInput,
    TextInput,
    TickInput,
    WheelInput,
)
from saccade.env.record.gestures import Gesture
from saccade.env.record.merge import Merger
from saccade.env.record.secrets import TypedSecrets

STOP = Chord(("ctrl", "alt"), "q")


class Person:
    """Presses keys and buttons, some milliseconds apart; ``actions`` is what became of it."""

    def __init__(self) -> None:
        self.merger: Merger = Merger(STOP, lambda kind, text: "{{" + kind + "}}")
        self.time = 0.0
        self.number = 0
        self.gestures: list[Gesture] = []

    def does(self, event: Input) -> None:
        self.gestures += self.merger.feed(event, self.number)
        self.number += 1

    def waits(self, seconds: float) -> None:
        self.time += seconds

    def key(self, key: str, down: bool, *, dead: bool = False, secret: str = "") -> None:
        self.waits(0.01)
        self.does(KeyInput(self.time, key.lower(), key, down, dead=dead, secret=secret))

    def taps(self, *keys: str, secret: str = "") -> None:
        for key in keys:
            self.key(key, True, secret=secret)
            self.key(key, False, secret=secret)

    def holds(self, *keys: str) -> None:
        for key in keys:
            self.key(key, True)

    def lets_go(self, *keys: str) -> None:
        for key in keys:
            self.key(key, False)

    def button(self, x: float, y: float, down: bool, button: str = "left") -> None:
        self.waits(0.01)
        self.does(ButtonInput(self.time, Point(x, y), button, down))  # type: ignore[arg-type]

    def clicks(self, x: float, y: float, button: str = "left") -> None:
        self.button(x, y, True, button)
        self.button(x, y, False, button)

    def moves(self, x: float, y: float) -> None:
        self.waits(0.01)
        self.does(MoveInput(self.time, Point(x, y)))

    def wheels(self, direction: str, times: int = 1, x: float = 50, y: float = 50) -> None:
        for _ in range(times):
            self.waits(0.01)
            self.does(WheelInput(self.time, Point(x, y), direction))  # type: ignore[arg-type]

    @property
    def actions(self) -> list[Action]:
        self.gestures += self.merger.finish()
        return [action for gesture in self.gestures for action in gesture.actions]


@pytest.fixture
def person() -> Person:
    return Person()


HERE, THERE = Point(10, 20), Point(200, 220)


def test_a_click_is_a_click(person: Person) -> None:
    person.clicks(*HERE)
    assert person.actions == [Click(point=HERE)]


def test_two_clicks_at_one_place_are_a_double_click(person: Person) -> None:
    person.clicks(*HERE)
    person.clicks(HERE.x + 3, HERE.y)
    assert person.actions == [DoubleClick(point=HERE)]
    assert len(person.gestures) == 1


def test_three_clicks_are_one_gesture_of_two_actions(person: Person) -> None:
    for _ in range(3):
        person.clicks(*HERE)
    assert person.actions == [DoubleClick(point=HERE), Click(point=HERE)]
    assert len(person.gestures) == 1


def test_two_clicks_too_far_apart_or_too_late_are_two_clicks(person: Person) -> None:
    person.clicks(*HERE)
    person.clicks(HERE.x + 6, HERE.y)
    person.waits(0.5)
    person.clicks(HERE.x + 6, HERE.y)
    beside = Click(point=Point(HERE.x + 6, HERE.y))
    assert person.actions == [Click(point=HERE), beside, Wait(seconds=0.4), beside]


def test_other_buttons(person: Person) -> None:
    person.clicks(*HERE, "right")
    person.clicks(*HERE, "middle")
    assert person.actions == [RightClick(point=HERE), MiddleClick(point=HERE)]


def test_a_drag_leads_from_where_it_was_pressed_to_where_it_was_released(person: Person) -> None:
    person.button(*HERE, True)
    person.moves(100, 100)
    person.button(*THERE, False)
    assert person.actions == [Drag(start=HERE, end=THERE)]


def test_a_drag_with_another_button_is_told_by_its_parts(person: Person) -> None:
    person.button(*HERE, True, "right")
    person.button(*THERE, False, "right")
    assert person.actions == [MouseDown(point=HERE, button="right"), MouseUp(point=THERE, button="right")]


def test_there_and_back_is_no_click(person: Person) -> None:
    person.button(*HERE, True)
    person.moves(*THERE)
    person.button(*HERE, False)
    assert person.actions == [MouseDown(point=HERE), Move(point=THERE), MouseUp(point=HERE)]


def test_a_trembling_hand_still_clicks(person: Person) -> None:
    person.button(*HERE, True)
    person.moves(HERE.x + 2, HERE.y + 1)
    person.button(HERE.x + 2, HERE.y + 1, False)
    assert person.actions == [Click(point=HERE)]


@pytest.mark.parametrize(("far", "long", "drags"), [(2, 0.6, False), (3, 0.6, True), (5, 0.9, True), (4, 0.2, False)])
def test_a_slow_press_that_ends_beside_is_a_drag(person: Person, far: int, long: float, drags: bool) -> None:
    end = Point(HERE.x + far, HERE.y)
    person.button(*HERE, True)
    person.waits(long)
    person.button(*end, False)
    assert person.actions == [Drag(start=HERE, end=end) if drags else Click(point=HERE)]


def test_a_click_and_a_drag_from_there_are_not_a_double_click(person: Person) -> None:
    person.clicks(*HERE)
    person.button(*HERE, True)
    person.button(*THERE, False)
    assert person.actions == [Click(point=HERE), Drag(start=HERE, end=THERE)]


def test_a_long_press(person: Person) -> None:
    person.button(*HERE, True)
    person.waits(1.0)
    person.button(*HERE, False)
    assert person.actions == [LongPress(point=HERE, seconds=1.01)]


def test_the_wheel_is_counted_by_direction_and_place(person: Person) -> None:
    person.wheels("down", 7)
    person.wheels("up", 2)
    person.wheels("up", 1, x=300)
    place, other = Point(50, 50), Point(300, 50)
    assert person.actions == [
        Scroll(direction="down", point=place, amount=7),
        Scroll(direction="up", point=place, amount=2),
        Scroll(direction="up", point=other, amount=1),
    ]


def test_a_scroll_is_never_longer_than_an_action_may_be(person: Person) -> None:
    person.wheels("down", 250)
    assert [action.amount for action in person.actions if isinstance(action, Scroll)] == [100, 100, 50]


def test_typed_text_is_one_action(person: Person) -> None:
    person.taps("h", "e", "space", "y")
    person.holds("shift")
    person.taps("O")
    person.lets_go("shift")
    person.taps("enter", "x", "é", "😀")
    assert person.actions == [Type(text="he yO\nxé😀")]


def test_tab_is_a_key_also_between_texts(person: Person) -> None:
    person.taps("a", "tab", "b")
    assert person.actions == [Type(text="a"), Press(key="tab"), Type(text="b")]


def test_enter_alone_is_a_key(person: Person) -> None:
    person.taps("enter", "a")
    assert person.actions == [Press(key="enter"), Type(text="a")]


def test_a_pause_ends_a_text_and_a_shorter_one_after_enter(person: Person) -> None:
    person.taps("a")
    person.waits(1.5)
    person.taps("b", "enter")
    person.waits(1.5)
    person.taps("c")
    person.waits(2.5)
    person.taps("d")
    assert person.actions == [Type(text="ab\n"), Type(text="c"), Type(text="d")]


def test_backspace_stays_a_key_as_a_program_may_have_completed_the_word(person: Person) -> None:
    person.taps("a", "b", "backspace", "c")
    assert person.actions == [Type(text="ab"), Press(key="backspace"), Type(text="c")]


def test_a_key_that_repeats_types_again(person: Person) -> None:
    for _ in range(3):
        person.key("a", True)
    person.key("a", False)
    assert person.actions == [Type(text="aaa")]


def test_special_keys_are_pressed(person: Person) -> None:
    person.taps("f5", "escape", "left")
    assert person.actions == [Press(key="f5"), Press(key="escape"), Press(key="left")]


def test_chords(person: Person) -> None:
    person.holds("ctrl")
    person.taps("c", "v")
    person.holds("shift")
    person.taps("Z")
    person.lets_go("shift", "ctrl")
    person.holds("shift")
    person.taps("tab")
    person.lets_go("shift")
    assert person.actions == [
        Hotkey(keys=("ctrl", "c")),
        Hotkey(keys=("ctrl", "v")),
        Hotkey(keys=("ctrl", "shift", "z")),
        Hotkey(keys=("shift", "tab")),
    ]


def test_switching_by_two_windows_is_one_gesture(person: Person) -> None:
    person.holds("alt")
    person.taps("tab", "tab")
    person.lets_go("alt")
    press = Press(key="tab")
    assert person.actions == [KeyDown(key="alt"), press, press, KeyUp(key="alt")]
    assert len(person.gestures) == 1


def test_a_modifier_alone_is_a_key(person: Person) -> None:
    person.taps("meta")
    assert person.actions == [Press(key="meta")]


def test_a_modifier_is_held_around_clicks(person: Person) -> None:
    person.holds("ctrl")
    person.clicks(*HERE)
    person.clicks(*THERE)
    person.lets_go("ctrl")
    assert person.actions == [KeyDown(key="ctrl"), Click(point=HERE), Click(point=THERE), KeyUp(key="ctrl")]


def test_a_chord_after_a_click_with_the_same_modifier(person: Person) -> None:
    person.holds("ctrl")
    person.clicks(*HERE)
    person.taps("c")
    person.wheels("up")
    person.lets_go("ctrl")
    assert person.actions == [
        KeyDown(key="ctrl"),
        Click(point=HERE),
        KeyUp(key="ctrl"),
        Hotkey(keys=("ctrl", "c")),
        KeyDown(key="ctrl"),
        Scroll(direction="up", point=Point(50, 50), amount=1),
        KeyUp(key="ctrl"),
    ]


def test_a_key_during_a_drag_is_kept_in_its_place(person: Person) -> None:
    person.button(*HERE, True)
    person.moves(*THERE)
    person.taps("escape")
    person.button(*THERE, False)
    assert person.actions == [MouseDown(point=HERE), Move(point=THERE), Press(key="escape"), MouseUp(point=THERE)]


def test_dead_keys_are_composed(person: Person) -> None:
    for accent, character in (("\u0301", "e"), ("\u0308", "u"), ("\u0302", "space")):
        person.key(accent, True, dead=True)
        person.key(accent, False, dead=True)
        person.taps(character)
    assert person.actions == [Type(text="éü^")]


def test_a_secret_is_replaced_as_a_whole(person: Person) -> None:
    person.taps("x")
    person.taps("s", "r", "backspace", "3", secret="password")
    person.waits(60)
    person.taps("t", secret="password")
    person.taps("enter", secret="password")
    assert person.actions == [Type(text="x"), Type(text="{{password}}"), Press(key="enter")]


def test_a_secret_that_was_taken_back_leaves_nothing(person: Person) -> None:
    person.taps("s", "backspace", secret="password")
    assert [action for action in person.actions if isinstance(action, Type)] in ([], [Type(text="{{password}}")])


def test_pasted_text_takes_the_place_of_its_chord(person: Person) -> None:
    person.taps("a")
    person.holds("ctrl")
    person.taps("v")
    person.does(TextInput(person.time, "bc"))
    person.lets_go("ctrl")
    assert person.actions == [Type(text="a"), Type(text="bc")]


def test_the_stop_chord_and_what_follows_is_not_recorded(person: Person) -> None:
    person.taps("a")
    person.holds("ctrl", "alt")
    person.taps("q")
    person.lets_go("alt", "ctrl")
    person.clicks(*HERE)
    assert person.merger.stopped
    assert person.actions == [Type(text="a")]


def test_more_modifiers_than_those_of_the_stop_chord_are_another_chord(person: Person) -> None:
    person.holds("ctrl", "alt", "shift")
    person.taps("Q")
    assert not person.merger.stopped
    assert person.actions == [Hotkey(keys=("ctrl", "alt", "shift", "q"))]


def test_everything_is_let_go_at_the_end(person: Person) -> None:
    person.holds("shift")
    person.button(*HERE, True)
    person.wheels("down")
    assert person.actions[-2:] == [MouseUp(point=Point(50, 50)), KeyUp(key="shift")]


def test_keys_are_let_go_when_another_window_takes_the_keyboard(person: Person) -> None:
    person.holds("ctrl")
    person.clicks(*HERE)
    person.does(ReleaseAllInput(person.time))
    person.taps("a")
    assert person.actions == [KeyDown(key="ctrl"), Click(point=HERE), KeyUp(key="ctrl"), Type(text="a")]


def test_what_no_key_tells_keeps_its_place(person: Person) -> None:
    person.taps("a")
    person.does(ActionInput(person.time, Navigate(url="https://example.org")))
    assert person.actions == [Type(text="a"), Navigate(url="https://example.org")]


def test_a_chord_meant_for_the_terminal_is_forgotten(person: Person) -> None:
    person.holds("ctrl")
    person.key("c", True)
    person.merger.discard("ctrl", "c")
    assert person.actions == []


def test_a_key_without_a_name_is_counted(person: Person) -> None:
    person.taps("")
    assert person.actions == []
    assert person.merger.unnamed == 1


def test_a_gesture_keeps_the_frame_of_its_first_event(person: Person) -> None:
    person.taps("a", "b")  # events 0 to 3
    person.clicks(*HERE)
    assert person.actions
    assert [gesture.frame for gesture in person.gestures] == [0, 4]
    assert person.gestures[0].began < person.gestures[0].ended < person.gestures[1].began


def test_time_alone_finishes_a_gesture(person: Person) -> None:
    person.clicks(*HERE)
    assert person.merger.feed(TickInput(person.time + 0.1)) == []
    (gesture,) = person.merger.feed(TickInput(person.time + 1.0))
    assert gesture.actions == (Click(point=HERE),)


# ---------------------------------------------------------------- nothing is lost, whatever is done

Told = tuple[str, ...]


def told_by(events: list[Input]) -> list[Told]:
    """What was done, down to single presses: the modifiers held, and the button, wheel click or key."""
    held: list[str] = []
    found: list[Told] = []
    for event in events:
        modifiers = "+".join(sorted(held))
        match event:
            case KeyInput(key=key, down=down) if key in MODIFIERS:
                if down and key not in held:
                    held.append(key)
                elif not down and key in held:
                    held.remove(key)
            case KeyInput(key=key, down=True):
                commands = [name for name in held if name != "shift"]
                plain = len(key) == 1 and not commands
                found.append(("key", "" if plain else modifiers, key))
            case ButtonInput(button=button, down=down):
                found.append(("down" if down else "up", button))
            case WheelInput(direction=direction):
                found.append(("wheel", modifiers, direction))
    return found


_NAMES = {"\n": "enter", "\t": "tab"}


def told_again(actions: list[Action]) -> Iterator[Told]:
    """The same, read off the actions."""
    held: list[str] = []
    for action in actions:
        modifiers = "+".join(sorted(held))
        match action:
            case Click() | LongPress():
                yield from (("down", "left"), ("up", "left"))
            case DoubleClick():
                yield from (("down", "left"), ("up", "left")) * 2
            case RightClick():
                yield from (("down", "right"), ("up", "right"))
            case MiddleClick():
                yield from (("down", "middle"), ("up", "middle"))
            case Drag():
                yield from (("down", "left"), ("up", "left"))
            case MouseDown(button=button):
                yield ("down", button)
            case MouseUp(button=button):
                yield ("up", button)
            case Scroll(direction=direction, amount=amount):
                yield from (("wheel", modifiers, direction),) * amount
            case Type(text=text):
                yield from (("key", "", _NAMES.get(character, character)) for character in text)
            case Hotkey(keys=keys):
                yield ("key", "+".join(sorted(keys[:-1])), keys[-1])
            case Press(key=key) if key not in MODIFIERS:
                yield ("key", modifiers, key)
            case KeyDown(key=key):
                held.append(key)
            case KeyUp(key=key):
                held.remove(key)
    assert held == []


KEYS = st.sampled_from(("a", "b", "é", "enter", "tab", "f5", "backspace", *MODIFIERS))
PLACES = st.tuples(st.sampled_from((0.0, 3.0, 50.0)), st.just(0.0)).map(lambda pair: Point(*pair))
GAPS = st.sampled_from((0.001, 0.05, 0.45, 1.0, 3.0))
DOINGS = st.one_of(
    st.tuples(st.just("key"), KEYS, st.booleans()),
    st.tuples(st.just("button"), PLACES, st.sampled_from(("left", "right", "middle")), st.booleans()),
    st.tuples(st.just("move"), PLACES),
    st.tuples(st.just("wheel"), PLACES, st.sampled_from(("up", "down"))),
)


def as_events(doings: list[tuple[float, tuple]]) -> list[Input]:  # type: ignore[type-arg]
    """Events in which buttons and modifiers go down only when they are up, and up only when they are down."""
    time, down, events = 0.0, set[str](), list[Input]()
    for gap, doing in doings:
        time += gap
        match doing:
            case ("key", str(key), bool(is_down)):
                if key in MODIFIERS and is_down == (key in down):
                    continue
                events.append(KeyInput(time, key, key, is_down))
                (down.add if is_down else down.discard)(key)
            case ("button", Point() as point, str(button), bool(is_down)):
                if is_down == (button in down):
                    continue
                events.append(ButtonInput(time, point, button, is_down))  # type: ignore[arg-type]
                (down.add if is_down else down.discard)(button)
            case ("move", Point() as point):
                events.append(MoveInput(time, point))
            case ("wheel", Point() as point, str(direction)):
                events.append(WheelInput(time, point, direction))  # type: ignore[arg-type]
    for button in ("left", "middle", "right"):
        if button in down:
            events.append(ButtonInput(time, Point(0, 0), button, False))  # type: ignore[arg-type]
    return events


@settings(max_examples=250, deadline=None)
@example([(0.0, ("key", "ctrl", True)), (0.0, ("key", "shift", True)), (0.0, ("wheel", Point(0, 0), "up"))])
@given(st.lists(st.tuples(GAPS, DOINGS), max_size=40))
def test_nothing_is_lost_and_order_is_kept(doings: list[tuple[float, tuple]]) -> None:  # type: ignore[type-arg]
    events = as_events(doings)
    merger: Merger = Merger(STOP, lambda kind, text: text)
    gestures = [gesture for number, event in enumerate(events) for gesture in merger.feed(event, number)]
    gestures += merger.finish()
    actions = [action for gesture in gestures for action in gesture.actions]
    assert list(told_again(actions)) == told_by(events)
    assert [gesture.frame for gesture in gestures] == sorted(gesture.frame for gesture in gestures)


def test_pauses_and_corrections_do_not_split_a_known_secret() -> None:
    secrets = TypedSecrets({"pin": "hunter2"})
    person = Person()
    person.merger = Merger(STOP, secrets.name, secrets.begun)
    person.taps(*"is hun")
    person.waits(9.0)
    person.taps(*"terr", "backspace", "backspace")
    person.does(TickInput(person.time + 60.0))
    person.waits(70.0)
    person.taps(*"r2", "x", "backspace")
    person.waits(9.0)
    person.taps(*"hu")
    person.waits(9.0)
    person.taps("a")
    person.gestures += person.merger.finish()
    typed = [
        secrets.conceal(action.text) for each in person.gestures for action in each.actions if action.kind == "type"
    ]
    assert typed == ["is {{pin}}x", "hu", "a"], "it is over once it is whole"
