"""What holds for every dialect: it reads back what it writes, fails in one way only, and stays fast."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from saccade.actions import schema
from saccade.actions.dialects import Reply, dialect_names, get_dialect, resize_limits
from saccade.actions.errors import ParseError, UsageError
from saccade.actions.geometry import Frame, Point, Size, smart_resize
from saccade.actions.keys import NAMED_KEYS
from saccade.actions.schema import Action

SCREEN = Size(1920, 1080)
NAMES = dialect_names()


def frame_of(name: str) -> tuple[Frame, Size]:
    if (limits := resize_limits(name)) is not None:
        size = smart_resize(SCREEN, limits)
        return Frame.resized(SCREEN, size), size
    return Frame.relative(SCREEN), Size(1000, 1000)


def representable_points(name: str) -> st.SearchStrategy[Point]:
    frame, extent = frame_of(name)
    return st.builds(
        lambda x, y: frame.to_pixels(Point(float(x), float(y))),
        st.integers(0, extent.width),
        st.integers(0, extent.height),
    )


TEXTS = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(
            [
                "'",
                '"',
                "\\",
                "\n",
                "\t",
                ")",
                "(",
                ",",
                "point=",
                "content='",
                "Action: ",
                "click(",
                "\\n",
                " ",
                "start_box='(1,2)')",
                "</parameter>",
                "<function=click>",
                "```",
                "<|im_end|>",
                "a",
                "é",
                "你",
                "```\n",
                "</tool_call>",
                '{"name": ',
                "','",
                "\r",
                "\n\n",
                "pyautogui.click(x=1, y=2)",
                "<answer>",
                "</think>",
            ]
        ),
        max_size=12,
    ).map("".join),
)
KEYS = st.sampled_from([*sorted(NAMED_KEYS), *"abcxyz019+-,.;/'\"\\()=%"])
SECONDS = st.one_of(st.just(5.0), st.just(0.0), st.floats(0, 600))


def actions(name: str) -> st.SearchStrategy[Action]:
    """Every kind of action, with points that the dialect's frame can express."""
    at = representable_points(name)
    maybe = st.none() | at
    ways = st.sampled_from(["up", "down", "left", "right"])
    buttons = st.sampled_from(["left", "middle", "right"])
    return st.one_of(
        *(st.builds(kind, point=at) for kind in (schema.Click, schema.DoubleClick, schema.RightClick)),
        *(st.builds(kind, point=at) for kind in (schema.MiddleClick, schema.Move)),
        st.builds(schema.Drag, start=at, end=at),
        *(st.builds(kind, point=maybe, button=buttons) for kind in (schema.MouseDown, schema.MouseUp)),
        st.builds(schema.Scroll, direction=ways, point=maybe, amount=st.just(5) | st.integers(1, 100)),
        st.builds(schema.Type, text=TEXTS, point=maybe),
        st.builds(schema.Hotkey, keys=st.lists(KEYS, min_size=1, max_size=4).map(tuple)),
        *(st.builds(kind, key=KEYS) for kind in (schema.Press, schema.KeyDown, schema.KeyUp)),
        st.builds(schema.Wait, seconds=SECONDS),
        st.builds(schema.Finished, answer=TEXTS),
        st.builds(schema.CallUser, message=TEXTS),
        st.builds(schema.Navigate, url=TEXTS),
        st.builds(schema.LongPress, point=at, seconds=st.just(1.0) | st.floats(0.01, 60)),
        st.builds(schema.OpenApp, name=TEXTS),
        *(st.builds(kind) for kind in (schema.NavigateBack, schema.PressHome, schema.PressBack)),
    )


GOLDEN: dict[str, dict[str, str]] = {
    name: replies
    for file in sorted((Path(__file__).parent / "golden").glob("*.json"))
    for name, replies in json.loads(file.read_text("utf-8")).items()
}
"""By dialect and kind of action: how the dialect writes it. A kind that is not in it cannot be written."""
SIMPLE: dict[str, Action] = {
    action.kind: action
    for action in (
        *(kind(point=Point(0.0, 0.0)) for kind in (schema.Click, schema.DoubleClick, schema.RightClick)),
        *(kind(point=Point(0.0, 0.0)) for kind in (schema.MiddleClick, schema.Move, schema.LongPress)),
        schema.Drag(start=Point(0.0, 0.0), end=Point(192.0, 108.0)),
        schema.MouseDown(),
        schema.MouseUp(),
        schema.Scroll(direction="down"),
        schema.Type(text='It\'s "here"\n'),
        schema.Hotkey(keys=("ctrl", "c")),
        schema.Press(key="enter"),
        schema.KeyDown(key="shift"),
        schema.KeyUp(key="shift"),
        schema.Wait(),
        schema.Finished(),
        schema.CallUser(),
        schema.Navigate(url="https://example.org/?a=1"),
        schema.NavigateBack(),
        schema.OpenApp(name="Files"),
        schema.PressHome(),
        schema.PressBack(),
    )
}


def test_every_dialect_has_a_golden_file() -> None:
    assert set(GOLDEN) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", SIMPLE)
def test_a_dialect_writes_each_action_as_its_models_do(name: str, kind: str) -> None:
    dialect = get_dialect(name)
    reply = Reply("I see it.", (SIMPLE[kind],))
    if kind not in GOLDEN[name]:
        with pytest.raises(UsageError):
            dialect.render(reply, SCREEN)
        return
    assert dialect.render(reply, SCREEN) == GOLDEN[name][kind]
    read = dialect.parse(GOLDEN[name][kind], SCREEN).actions
    if kind == "drag" and resize_limits(name):
        assert read[0].kind == "drag"
    else:
        assert read == reply.actions


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_back(name: str) -> None:
    dialect = get_dialect(name)

    @settings(max_examples=100, deadline=None)
    @given(st.lists(actions(name), min_size=1, max_size=4).map(tuple), st.sampled_from(["", "I see it.", "它 's"]))
    def check(done: tuple[Action, ...], thought: str) -> None:
        writable = tuple(action for action in done if can_write(dialect.render, action))
        assume(writable)
        reply = Reply(thought, writable)
        assert dialect.parse(dialect.render(reply, SCREEN), SCREEN) == reply

    check()


def outcome(name: str, raw: str) -> Reply | ParseError:
    """What a dialect makes of a reply; any other exception fails the test."""
    try:
        return get_dialect(name).parse(raw, SCREEN)
    except ParseError as error:
        return error


def can_write(render: Callable[[Reply, Size], str], action: Action) -> bool:
    try:
        render(Reply("", (action,)), SCREEN)
    except UsageError:
        return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_any_point_is_read_back_within_the_frame_s_grain(name: str) -> None:
    dialect, (frame, _) = get_dialect(name), frame_of(name)

    @given(st.floats(0, SCREEN.width), st.floats(0, SCREEN.height))
    def check(x: float, y: float) -> None:
        raw = dialect.render(Reply("", (schema.Click(point=Point(x, y)),)), SCREEN)
        (click,) = dialect.parse(raw, SCREEN).actions
        assert isinstance(click, schema.Click)
        assert abs(click.point.x - x) <= 0.501 / frame.scale_x
        assert abs(click.point.y - y) <= 0.501 / frame.scale_y

    check()


@pytest.mark.parametrize("name", NAMES)
def test_a_thought_never_becomes_an_action(name: str) -> None:
    dialect = get_dialect(name)
    reply = Reply("no", (schema.Click(point=Point(0.0, 0.0)),))

    @settings(max_examples=60, deadline=None)
    @given(TEXTS)
    def check(thought: str) -> None:
        raw = dialect.render(Reply(thought, reply.actions), SCREEN)
        again = outcome(name, raw)
        assert isinstance(again, ParseError) or again.actions == reply.actions

    check()


FRAGMENTS = st.lists(
    st.one_of(
        st.text(max_size=6),
        st.sampled_from(
            [
                "Thought: ",
                "Action: ",
                "\nAction:",
                "click(",
                "type(content=",
                "start_box=",
                "point=",
                "'",
                '"',
                ")",
                "(100,200)",
                "<point>1 2</point>",
                "[1,2,3,4]",
                "<|box_start|>",
                "\\",
                "\n\n",
                ",",
                "hotkey(key=",
                "nan",
                "<seed:tool_call>",
                "<function=click>",
                "<parameter=point>",
                "</parameter>",
                "</function>",
                "-1",
                "e9",
                "<tool_call>",
                '{"name": "computer_use", "arguments": ',
                '{"action": "left_click", "coordinate": ',
                "}",
                "```python\n",
                "```",
                "pyautogui.click(",
                "x=1, ",
                "y=2",
                "scroll(",
                "direction='down'",
                "<think>",
                "[[",
                "</think>",
                "<answer>",
                "</answer>",
                "finished()",
                "1e999",
                "9" * 400,
                "wait(",
                "time='2'",
                '"',
                "{",
            ]
        ),
    ),
    max_size=20,
).map("".join)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_but_a_parse_error_escapes(name: str) -> None:
    @settings(max_examples=150, deadline=None)
    @given(FRAGMENTS)
    def check(raw: str) -> None:
        reply = outcome(name, raw)
        if isinstance(reply, ParseError):
            assert reply.raw == raw
            assert reply.reason
            return
        assert reply.actions
        for action in reply.actions:
            assert all(0 <= p.x <= 1920.001 and 0 <= p.y <= 1080.001 for p in schema.points(action))

    check()


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_reply_is_read_or_refused(name: str) -> None:
    dialect = get_dialect(name)

    @settings(max_examples=80, deadline=None)
    @given(actions(name), st.integers(0, 300), st.integers(0, 5), st.text("'\"()<>,\\\n a1", max_size=3))
    def check(action: Action, at: int, cut: int, put: str) -> None:
        assume(can_write(dialect.render, action))
        raw = dialect.render(Reply("x", (action,)), SCREEN)
        raw = raw[:at] + put + raw[at + cut :]
        reply = outcome(name, raw)
        assert isinstance(reply, Reply) or reply.raw == raw

    check()


LONG = {
    "letters": "a" * 100_000,
    "spaces": "Action: click(" + " " * 100_000,
    "lines": "\n " * 50_000,
    "quotes": "Action: type(content='" + "'" * 100_000,
    "closings": "Action: type(content='" + "') x" * 25_000,
    "apostrophes": "Action: type(content='" + "it's " * 20_000 + "')",
    "labels": "Action: " * 12_500,
    "label lines": "Action:\n" * 12_500,
    "prose labels": "Action: none\n" * 8_000,
    "calls": "Action: " + "wait()\n" * 14_000,
    "unclosed answers": "wait()\n" + "<answer>\n" * 11_000,
    "thoughts": "<think>" * 14_000,
    "brackets": "Action: click(start_box='" + "(" * 100_000,
    "digits": "Action: click(start_box='" + "9" * 100_000,
    "numbers": "Action: click(start_box='" + "1 " * 50_000 + "')",
    "functions": "<seed:tool_call>" + "<function=click>" * 6_000,
    "parameters": "<seed:tool_call><function=click>" + "<parameter=point>" * 6_000,
    "json": "<tool_call>" + "{" * 100_000,
    "lists": "<tool_call>" + "[" * 100_000,
    "tool calls": "<tool_call>" * 9_000,
    "tags": "</s>" * 25_000,
    "python": "```python\n" + "pyautogui.click(" * 6_000,
    "fences": "```python\n" * 10_000,
    "strings": "```python\npyautogui.write('" + "\\" * 99_999,
    "commas": "Action: click(" + "," * 100_000,
    "prose": "wait()\n" + "and then some\n" * 7_000,
    "steps": "## Thought:\n" * 8_000,
}


@pytest.mark.parametrize("name", ["uitars-1.5", "seed-xml", "qwen-vl-toolcall", "opencua"])
@pytest.mark.parametrize("kind", LONG)
def test_reading_takes_time_in_proportion_to_the_reply(name: str, kind: str) -> None:
    started = time.perf_counter()
    outcome(name, LONG[kind])
    assert time.perf_counter() - started < 2.0
