"""Frames round trip within a pixel, key names have one spelling, actions survive JSON."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from saccade.actions import schema
from saccade.actions.errors import UnknownKeyError
from saccade.actions.geometry import Frame, Point, ResizeLimits, Size, clamp, inside, smart_resize
from saccade.actions.keys import NAMED_KEYS, canonical_key, parse_chord, strokes

SIZES = st.builds(Size, st.integers(28, 8000), st.integers(28, 8000))
LIMITS = st.sampled_from(
    [ResizeLimits(28, 3136, 12_845_056), ResizeLimits(28, 78_400, 1_003_520), ResizeLimits(32, 65_536, 16_777_216)]
)


@given(SIZES, LIMITS, st.sampled_from([1.0, 1.25, 1.5, 2.0, 3.0]), st.data())
def test_frames_round_trip_within_a_pixel(size: Size, limits: ResizeLimits, scale: float, data: st.DataObject) -> None:
    assume(max(size) / min(size) <= 200)
    point = Point(data.draw(st.floats(0, size.width)), data.draw(st.floats(0, size.height)))
    origin = Point(data.draw(st.integers(-5000, 5000)), 40.0)
    frames = (Frame.pixels(), Frame.relative(size), Frame.resized(size, smart_resize(size, limits)))
    for frame in (*frames, Frame.screen(scale, origin)):
        back = frame.to_pixels(frame.to_frame(point))
        assert abs(back.x - point.x) < 1e-6
        assert abs(back.y - point.y) < 1e-6


def test_a_hidpi_click_lands_on_its_input_point() -> None:
    assert Frame.screen(2.0, Point(100.0, 0.0)).to_frame(Point(384.0, 324.0)) == Point(292.0, 162.0)


def test_smart_resize_is_the_image_processors() -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize as theirs

    @given(SIZES, LIMITS)
    def check(size: Size, limits: ResizeLimits) -> None:
        assume(max(size) / min(size) <= 200)
        height, width = theirs(size.height, size.width, limits.factor, limits.min_pixels, limits.max_pixels)
        assert smart_resize(size, limits) == Size(width, height)

    check()


def test_the_published_example_size() -> None:
    assert smart_resize(Size(1920, 1080), ResizeLimits(28, 78_400, 12_845_056)) == Size(1932, 1092)


@given(SIZES, st.floats(-1e5, 1e5), st.floats(-1e5, 1e5))
def test_clamped_points_are_inside(size: Size, x: float, y: float) -> None:
    assert inside(clamp(Point(x, y), size), size)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("ctrl c", ("ctrl", "c")),
        ("ctrl+c", ("ctrl", "c")),
        ("ctrl + c", ("ctrl", "c")),
        ("Ctrl-Alt-Del", ("ctrl", "alt", "delete")),
        ("ctrl, c", ("ctrl", "c")),
        ("ctrl left", ("ctrl", "left")),
        ("alt left", ("alt", "left")),
        ("shift right", ("shift", "right")),
        ("win right", ("meta", "right")),
        ("e n d", ("e", "n", "d")),
        ("ctrl page down", ("ctrl", "pagedown")),
        ("Page_Down", ("pagedown",)),
        ("arrow down", ("down",)),
        ("arrowdown", ("down",)),
        ("ctrl ++", ("ctrl", "+")),
        ("ctrl++", ("ctrl", "+")),
        ("ctrl +", ("ctrl", "+")),
        ("+", ("+",)),
        (" ", ("space",)),
        ("\n", ("enter",)),
        ("ctrl -", ("ctrl", "-")),
        ("A", ("A",)),
        ("Ctrl A", ("ctrl", "a")),
        ("ctrl+ c", ("ctrl", "c")),
        ("ctrl +c", ("ctrl", "c")),
        ("ctrl , c", ("ctrl", "c")),
        ("ctrl＋c", ("ctrl", "c")),
        ("ｃｔｒｌ，ｃ", ("ctrl", "c")),
        ("ctrl + +", ("ctrl", "+")),
        ("ctrl+plus", ("ctrl", "+")),
        ("ctrl--", ("ctrl", "-")),
        ("ctrl+-", ("ctrl", "-")),
        ("ctrl-+", ("ctrl", "+")),
        ("ctrl minus", ("ctrl", "-")),
        ("ctrl+equal", ("ctrl", "=")),
        ("Control_L c", ("ctrl", "c")),
        ("Shift_R+Alt_L+F10", ("shift", "alt", "f10")),
        ("ControlLeft+KeyA", ("ctrl", "a")),
        ("Left Ctrl", ("ctrl",)),
        ("right shift a", ("shift", "a")),
        ("windows key", ("meta",)),
        ("Super_L", ("meta",)),
        ("cmd+shift+4", ("meta", "shift", "4")),
        ("⌘ c", ("meta", "c")),
        ("⌥+⇧+↑", ("alt", "shift", "up")),
        ("ctrl+shift+arrow down", ("ctrl", "shift", "down")),
        ("KP_0", ("0",)),
        ("kp 7", ("7",)),
        ("num5", ("5",)),
        ("Numpad5", ("5",)),
        ("KP_Enter", ("enter",)),
        ("NumpadEnter", ("enter",)),
        ("KP_Page_Down", ("pagedown",)),
        ("Prior", ("pageup",)),
        ("pgdn", ("pagedown",)),
        ("Return", ("enter",)),
        ("enter key", ("enter",)),
        ("ISO_Left_Tab", ("shift", "tab")),
        ("Shift ISO_Left_Tab", ("shift", "tab")),
        ("Digit1", ("1",)),
        ("KeyZ", ("z",)),
        ("BracketLeft", ("[",)),
        ("quotedbl", ('"',)),
        ("XF86AudioMute", ("volumemute",)),
        ("down down down", ("down", "down", "down")),
        ("tab+tab", ("tab", "tab")),
    ],
)
def test_a_chord_is_read(text: str, keys: tuple[str, ...]) -> None:
    assert parse_chord(text) == keys


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "hyper",
        "ctrl hyper",
        "ctrl+hyper",
        "pgdwn x",
        "XF86Back",
        "f25",
        "fn",
        "ctrl/c",
        "a " * 60,
        "x" * 9000,
    ],
)
def test_an_unknown_key_is_an_error(text: str) -> None:
    with pytest.raises(UnknownKeyError):
        parse_chord(text)


def test_an_unknown_key_names_the_nearest() -> None:
    with pytest.raises(UnknownKeyError, match="no key is called 'contrl'; nearest: control"):
        parse_chord("contrl")


@pytest.mark.parametrize(
    ("text", "held", "pressed"),
    [
        ("ctrl c", (), [("ctrl", "c")]),
        ("down down down", (), [("down",)] * 3),
        ("alt tab tab", ("alt",), [("tab",)] * 2),
        ("ctrl shift z z", ("ctrl", "shift"), [("z",)] * 2),
        ("shift shift", (), [("shift",)] * 2),
        ("ctrl c ctrl v", (), [("ctrl", "c"), ("ctrl", "v")]),
        ("a b a b", (), [("a", "b")] * 2),
    ],
)
def test_a_repeated_key_is_another_stroke(text: str, held: tuple[str, ...], pressed: list[tuple[str, ...]]) -> None:
    assert strokes(parse_chord(text)) == (held, pressed)


@pytest.mark.parametrize("key", sorted(NAMED_KEYS))
def test_a_canonical_name_is_its_own(key: str) -> None:
    assert canonical_key(key) == canonical_key(key.upper()) == key
    assert parse_chord(f"ctrl {key}") == ("ctrl", key)


@given(st.text(max_size=20))
def test_reading_a_chord_never_fails_otherwise(text: str) -> None:
    try:
        keys = parse_chord(text)
    except UnknownKeyError:
        return
    assert keys == tuple(canonical_key(key) for key in keys)


@given(st.sampled_from(sorted(NAMED_KEYS)), st.floats(0, 1e4), st.text())
def test_actions_survive_json(key: str, x: float, text: str) -> None:
    at = Point(x, 1.0)
    for action in (
        schema.Click(point=at),
        schema.Drag(start=at, end=at),
        schema.Hotkey(keys=("ctrl", key)),
        schema.Type(text=text),
        schema.Scroll(direction="up", point=at),
        schema.Finished(answer=text),
    ):
        assert schema.action_adapter.validate_json(schema.action_adapter.dump_json(action)) == action
