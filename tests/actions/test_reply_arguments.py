"""Arguments that a dialect does not have, marks of other keyboards, amounts, fractions, and slips of JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from saccade.actions import schema
from saccade.actions.dialects import dialect_names, get_dialect, resize_limits
from saccade.actions.errors import ParseError
from saccade.actions.geometry import Point, Size
from saccade.actions.schema import Action, Click, DoubleClick, Hotkey, LongPress, RightClick, Scroll, Type, Wait

SCREEN = Size(1000, 1000)


def write(name: str, action: str, arguments: dict[str, Any]) -> str:
    """A call with these arguments in the syntax of a dialect; actions and arguments have the names of UI-TARS."""
    if name.startswith("qwen"):
        names = {"content": "text", "point": "coordinate", "key": "keys"}
        body = {"action": {"click": "left_click", "hotkey": "key"}.get(action, action)}
        body |= {names.get(key, key): value for key, value in arguments.items()}
        return f"<tool_call>\n{json.dumps({'name': 'computer_use', 'arguments': body})}\n</tool_call>"
    if name == "opencua":
        given = dict(arguments)
        if "point" in given:
            given = dict(zip("xy", given.pop("point"), strict=True)) | given
        if "content" in given:
            given = {"message": given.pop("content"), **given}
        call = {"type": "write"}.get(action, action)
        return f"```python\npyautogui.{call}({', '.join(f'{key}={value!r}' for key, value in given.items())})\n```"
    if name == "seed-toolcall":
        return json.dumps({"name": action, "arguments": arguments})
    if name.startswith("seed"):
        end = "_never_used_51bce0c785ca2f68081bfa7d91973934" if name == "seed-sp" else ""
        inner = "".join(f"<parameter{end}={key}>{value}</parameter{end}>" for key, value in arguments.items())
        return f"<seed:tool_call{end}><function{end}={action}>{inner}</function{end}></seed:tool_call{end}>"
    return f"Action: {action}({', '.join(f'{key}={str(value)!r}' for key, value in arguments.items())})"


def read(name: str, raw: str) -> tuple[Action, ...]:
    return get_dialect(name).parse(raw, SCREEN, SCREEN).actions


@pytest.mark.parametrize("name", dialect_names())
@pytest.mark.parametrize("extra", [{"submit": "true"}, {"press_enter": True, "delay": 3}, {"element": "the 'OK', x=1"}])
@pytest.mark.parametrize("first", [False, True])
def test_an_unknown_argument_is_ignored_with_a_note_in_every_dialect(
    name: str, extra: dict[str, Any], first: bool
) -> None:
    content = {"content": "hello"}
    reply = get_dialect(name).parse(write(name, "type", extra | content if first else content | extra), SCREEN, SCREEN)
    assert reply.actions == (Type(text="hello"),)
    (note,) = reply.notes
    assert all(repr(key) in note for key in extra)
    assert note.endswith("ignored")


@pytest.mark.parametrize("name", dialect_names())
@pytest.mark.parametrize("extra", [{"modifiers": "ctrl"}, {"end": [3, 4]}, {"direction": "up"}, {"presses": 2}])
def test_an_argument_that_would_change_what_is_done_is_refused_in_every_dialect(
    name: str, extra: dict[str, Any]
) -> None:
    raw = write(name, "click", {"point": [10, 20]} | extra)
    with pytest.raises(ParseError, match=f"has no argument {next(iter(extra))}"):
        read(name, raw)


@pytest.mark.parametrize("name", dialect_names())
def test_an_argument_given_twice_must_be_the_same(name: str) -> None:
    if name.startswith("qwen") or name == "opencua":
        same, other = ({"text": "a", "Text": text} for text in "ab")
        call = "write" if name == "opencua" else "type"
    else:
        same, other, call = {"content": "a", "text": "a"}, {"content": "a", "text": "b"}, "type"
    assert read(name, write(name, call, same)) == (Type(text="a"),)
    with pytest.raises(ParseError, match="two different values"):
        read(name, write(name, call, other))


@pytest.mark.parametrize("name", dialect_names())
@pytest.mark.parametrize("amount", [{"amount": 3}, {"clicks": 3}, {"pixels": 300}, {"amount": "3"}])
def test_the_amount_of_a_scroll_is_honoured_in_every_dialect(name: str, amount: dict[str, Any]) -> None:
    raw = write(name, "scroll", {"direction": "down", "point": [10, 20]} | amount)
    assert read(name, raw) == (Scroll(direction="down", point=Point(10, 20), amount=3),)


@pytest.mark.parametrize("name", dialect_names())
@pytest.mark.parametrize("amount", [0, 101, -3.5, 2.5, "a lot", 1e300, True, [3]])
def test_an_amount_that_cannot_be_is_refused_in_every_dialect(name: str, amount: Any) -> None:
    with pytest.raises(ParseError):
        read(name, write(name, "scroll", {"direction": "down", "amount": amount}))


@pytest.mark.parametrize("name", [name for name in dialect_names() if name != "opencua"])
def test_seconds_are_within_bounds_in_every_dialect(name: str) -> None:
    pressed = read(name, write(name, "long_press", {"point": [10, 20], "time": "2 seconds"}))
    assert pressed == (LongPress(point=Point(10, 20), seconds=2.0),)
    assert read(name, write(name, "wait", {"time": "500ms"})) == (Wait(seconds=0.5),)
    for time in ("100", "0", "-1", "soon", "1e3", "9" * 400):
        with pytest.raises(ParseError):
            read(name, write(name, "long_press", {"point": [10, 20], "time": time}))


@pytest.mark.parametrize("name", dialect_names())
@pytest.mark.parametrize("point", [(0.45, 0.32), (0, 0.5), (1, 0.25), (0.1, 0.2, 0.9, 1.0), (0.999, 1)])
def test_fractions_of_the_screen_are_refused_in_every_dialect(name: str, point: tuple[float, ...]) -> None:
    if len(point) == 4 and name == "opencua":
        point = point[:2]
    size = Size(1920, 1080)
    with pytest.raises(ParseError, match="not fractions of 1; multiply") as caught:
        get_dialect(name).parse(write(name, "click", {"point": list(point)}), size)
    assert ("multiply them by 1000" in caught.value.reason) == (resize_limits(name) is None)
    for corner in ((0, 0), (1, 1), (0, 1), (2.5, 0.5)):
        assert len(get_dialect(name).parse(write(name, "click", {"point": list(corner)}), size).actions) == 1


def test_a_click_s_button_and_count_say_which_click_it_is() -> None:
    at = Point(10, 20)
    assert read("uitars-1.5", "Action: click(start_box='(10,20)', button='right')") == (RightClick(point=at),)
    assert read("uitars-1.5", "Action: click(start_box='(10,20)', clicks=2)") == (DoubleClick(point=at),)
    with pytest.raises(ParseError, match="3 clicks of the left button"):
        read("uitars-1.5", "Action: click(start_box='(10,20)', clicks=3)")


C, T = Click(point=Point(10, 20)), (lambda text: Type(text=text))


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        ("click（start_box=‘<|box_start|>(10，20)<|box_end|>’）", C),
        ("click（start_box＝“(10，20)”）", C),
        ("click(start_box='（１０，２０）')", C),
        ("click(start_box=【10，20】)", C),
        ("click(start_box='［10、20］')", C),
        ("click(point='＜point＞10 20＜/point＞')", C),
        ("click(point='(10，20)'；)", C),
        ("type(content=‘hello’)", T("hello")),
        ("type(content=“hello”)", T("hello")),
        ("type（content=“hello”）", T("hello")),
        ("type(content=“say “hi” now”)", T("say “hi” now")),
        ("type(content=‘it’s’)", T("it’s")),
        ("type(content=「hello」)", T("hello")),
        ("type(content=‘hello')", T("hello")),
        ("type(content='hello’)", T("hello")),
        ('type(content="hello”）', T("hello")),
        ("type(content='a（b）＝c，d‘e’“f”１')", T("a（b）＝c，d‘e’“f”１")),
        ("type(content='say “x”')", T("say “x”")),
        ("type(content='he said “x”)", T("he said “x”")),
        ("type(content='hello'，submit='true')", T("hello")),
        ("type(content='hello'；submit='true'）", T("hello")),
        ("hotkey(key=‘ctrl c’)", Hotkey(keys=("ctrl", "c"))),
        ("hotkey(key=['ctrl', 'c'])", Hotkey(keys=("ctrl", "c"))),
        ("type(content='it's ok', submit='true')", T("it's ok")),
        ("type(content='hello', opts={\"a\": 1}, more=[1, 2])", T("hello")),
        ("type('hello', enter=true)", T("hello")),
    ],
)
def test_marks_of_other_keyboards_are_read_around_a_text_and_kept_in_it(call: str, meant: Action) -> None:
    assert read("uitars-1.5", f"Thought: x\nAction: {call}") == (meant,)
    assert read("doubao-1.5", f"Action：{call}") == (meant,)


@pytest.mark.parametrize(
    "call",
    [
        "type(content='hello' submit='true')",
        "type(content='it 's', submit='true')",
        "type(content='it 's' submit='true')",
        "type(content='hello', 'true')",
        "type(content='hello', true)",
        "type(content='hello', 1)",
        "type(content='hello', 'a', 'b')",
        "type(content='hello', submit: true)",
        "type(content='hello', 'submit': 'true')",
        "type(content='hello', key='enter')",
        "type(content=hello, submit=)",
        "type(content='hello', " + ", ".join(f"a{number}='b'" for number in range(25)) + ")",
    ],
)
def test_what_may_be_an_argument_never_becomes_text(call: str) -> None:
    with pytest.raises(ParseError):
        read("uitars-1.5", f"Action: {call}")


HELLO = (Type(text="hello"),)
GIVEN = '"arguments":{"action":"type","text":"hello"}'


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (f'{{"name":"computer_use",{GIVEN}', HELLO),
        (f'{{"name":"computer_use",{GIVEN[:-1]}', HELLO),
        (f'{{"name":"computer_use",{GIVEN}}}}}}}', HELLO),
        (f'"name":"computer_use",{GIVEN}}}', HELLO),
        ('{"name":"computer_use","arguments":{"action":"type","text":"hello",},}', HELLO),
        ("{'name':'computer_use','arguments':{'action':'type','text':'hello'}}", HELLO),
        ("{'name':'computer_use','arguments':{'action':'type','text':\"it's\"}}", (Type(text="it's"),)),
        ('{name: "computer_use", arguments: {action: "type", text: "hello", submit: True, x: None}}', HELLO),
        ("{“name”：“computer_use”，“arguments”：{“action”：“type”，“text”：“hello”}}", HELLO),
        ('{"name":"computer_use","action":"type","text":"hello"}', HELLO),
        (f'{{"name":"computer_use",{GIVEN},"thought":"x"}}', HELLO),
        ('{"name":"computer_use","arguments":"{\\"action\\":\\"type\\",\\"text\\":\\"hello\\""}', HELLO),
        (
            '{"name":"computer_use","arguments":{"action":"left_click","coordinate":[10, 20}}',
            (Click(point=Point(10, 20)),),
        ),
        (
            '{"name":"computer_use","arguments":{"action":"left_click","coordinate":(10, 20)}}',
            (Click(point=Point(10, 20)),),
        ),
        ("<function=computer_use>\n<parameter=action>\ntype\n</parameter>\n<parameter=text>hello</parameter>", HELLO),
        (
            "<function=computer_use><parameter=action>left_click</parameter>"
            "<parameter=coordinate>[10, 20]</parameter></function>",
            (Click(point=Point(10, 20)),),
        ),
        (
            '<function=computer_use><parameter=action>key</parameter><parameter=keys>["ctrl", "c"]</parameter>'
            "</function>",
            (Hotkey(keys=("ctrl", "c")),),
        ),
        (
            "<function=computer_use><parameter=action>scroll</parameter><parameter=pixels>-300</parameter></function>",
            (Scroll(direction="down", amount=3),),
        ),
    ],
)
@pytest.mark.parametrize("around", ["<tool_call>\n{}\n</tool_call>", "{}", "```json\n{}\n```", "<tool_call>{}"])
def test_a_slip_with_one_meaning_is_read(call: str, meant: tuple[Action, ...], around: str) -> None:
    if call.startswith('"') and "tool_call" not in around:
        return
    reply = get_dialect("qwen-vl-toolcall").parse("I type.\n" + around.replace("{}", call), SCREEN)
    assert reply.actions == meant
    assert reply.thought.startswith("I type.")


@pytest.mark.parametrize(
    "call",
    [
        '{"name":"computer_use","arguments":{"action":"left_click","coordinate":[500, 30',
        '{"name":"computer_use","arguments":{"action":"type","text":"hell',
        '{"name":"computer_use","arguments":{"action":"type","text":"say "hi" x"}}',
        "{'name':'computer_use','arguments':{'action':'type','text':'it's'}}",
        '{"name":"computer_use","arguments":{"action":"type","text":"C:\\Users"}}',
        '{"name":"computer_use","arguments":{"action":"type","text":"a","text":"b"}}',
        '{"name":"computer_use","arguments":{"action":"type","text":"a"},"text":"b"}',
        '{"name":"computer_use","arguments":{"action" "type"}}',
        '{"name":"computer_use","arguments":[{"action":"wait"}]}',
        '{"name":"computer_use" "arguments":{}}',
        "{" * 30_000,
        "[" * 30_000,
        '{"a":' * 10_000,
        "{'a':" * 10_000,
    ],
)
def test_a_slip_without_one_meaning_is_refused(call: str) -> None:
    for around in ("<tool_call>\n{}\n</tool_call>", "<tool_call>{}"):
        with pytest.raises(ParseError):
            read("qwen-vl-toolcall", around.replace("{}", call))


@pytest.mark.parametrize("name", dialect_names())
def test_a_reply_has_a_longest_length_and_a_most_actions(name: str) -> None:
    dialect = get_dialect(name)
    many = tuple(Click(point=Point(float(number), 0.0)) for number in range(101))
    raw = dialect.render(
        dialect.parse(dialect.render(_reply(many[:100]), SCREEN, SCREEN), SCREEN, SCREEN), SCREEN, SCREEN
    )
    assert read(name, raw) == many[:100]
    with pytest.raises(ParseError, match="more than 100 actions"):
        read(name, dialect.render(_reply(many), SCREEN, SCREEN))
    with pytest.raises(ParseError, match="70,000 characters; at most 65,536") as caught:
        read(name, "x" * 70_000)
    assert len(caught.value.raw) == 70_000


def _reply(actions: tuple[Action, ...]) -> Any:
    from saccade.actions.dialects import Reply

    return Reply("", actions)


def test_presses_count_as_actions() -> None:
    assert read("opencua", "```python\npyautogui.press('a', presses=100)\n```") == (schema.Press(key="a"),) * 100
    with pytest.raises(ParseError, match="more than 100 actions"):
        read("opencua", "```python\npyautogui.press(['a', 'b'], presses=60)\n```")
