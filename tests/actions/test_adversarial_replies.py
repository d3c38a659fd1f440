"""Replies made to mislead a parser: each is read exactly, or refused as a whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from saccade.actions.dialects import dialect_names, get_dialect
from saccade.actions.errors import ParseError, UnknownActionError, UnknownDialectError
from saccade.actions.geometry import Size
from saccade.actions.schema import Action

SCREEN = Size(1000, 1000)
"""On this screen a relative coordinate is a pixel."""


def short(action: Action) -> tuple[Any, ...]:
    """An action as its kind and its fields that say something."""
    fields = action.model_dump(exclude_defaults=True, exclude={"kind"})
    return (action.kind, *(tuple(f) if isinstance(f, list | tuple) else f for f in fields.values()))


def C(x: float, y: float) -> tuple[Any, ...]:
    return ("click", (x, y))


def T(text: str) -> tuple[Any, ...]:
    return ("type", text)


READ: list[tuple[str, str, list[tuple[Any, ...]]]] = [
    # coordinates
    ("uitars-1.0", "Action: click(start_box='<|box_start|>(10,20)<|box_end|>')<|im_end|>", [C(10, 20)]),
    ("uitars-1.0", "Action: click(start_box='<|box_start|>(10,20),(30,40)<|box_end|>')", [C(20, 30)]),
    ("uitars-1.0", "Action: click(start_box='(10, 20, 30, 40)')", [C(20, 30)]),
    ("uitars-1.0", "Action: click(start_box='10 20')", [C(10, 20)]),
    ("uitars-1.0", 'Action: click(start_box="[10, 20]")', [C(10, 20)]),
    ("uitars-1.0", "Action: click(start_box='(10.5,20.25)')", [C(10.5, 20.25)]),
    ("uitars-1.0", "Action: click(start_box=[10,20])", [C(10, 20)]),
    ("uitars-1.0", "Action: click((10,20))", [C(10, 20)]),
    ("uitars-1.0", "Action: click(start_box='(10，20)')", [C(10, 20)]),
    ("uitars-1.0", "Action: click(start_box='(0,1000)')", [C(0, 1000)]),
    ("uitars-1.0", "Action: Click(start_box='(10,20)')", [C(10, 20)]),
    ("uitars-1.0", "Action:click(start_box='(10,20)')", [C(10, 20)]),
    ("uitars-1.0", "Action: click( start_box = '(10,20)' )", [C(10, 20)]),
    ("uitars-1.0", "Action: click(start_box='(10,20)'", [C(10, 20)]),
    ("uitars-1.0", "Action: click(start_box='(10,20))", [C(10, 20)]),
    ("uitars-1.0", "Action: click(start_box='(10,20)'))", [C(10, 20)]),
    ("uitars-1.0", "Action: click(start_box='(10,20)',)", [C(10, 20)]),
    ("doubao-1.5", "Action: click(point='<point>10.0 20.5</point>')", [C(10, 20.5)]),
    ("doubao-1.5", "Action: click(point='<point>10 20')", [C(10, 20)]),
    ("doubao-1.5", "Action: click(point='<bbox>10 20 30 40</bbox>')", [C(20, 30)]),
    ("doubao-1.5", "Action: click(point='<bbox>10, 20, 30, 40</bbox>')", [C(20, 30)]),
    (
        "doubao-1.6",
        "Action: drag(start_point='<point>1 2</point>, end_point='<point>3 4</point>)",
        [("drag", (1.0, 2.0), (3.0, 4.0))],
    ),
    ("doubao-1.6", "Action: click(point='<point>1 2</point>)\n\ntype(content='a')", [C(1, 2), T("a")]),
    (
        "uitars-1.0",
        "Action: drag(start_box='[0,0,20,20]', end_box='[30,30,50,50]')",
        [("drag", (10.0, 10.0), (40.0, 40.0))],
    ),
    (
        "uitars-1.0-mobile",
        "Action: scroll(start_box='(500,800)', end_box='(500,200)')",
        [("drag", (500.0, 800.0), (500.0, 200.0))],
    ),
    # grounding: a bare point is a click
    ("uitars-1.0", "(10,20)", [C(10, 20)]),
    ("uitars-1.0", "<|box_start|>(10,20)<|box_end|><|im_end|>", [C(10, 20)]),
    ("uitars-1.0", "(10,20) it is.\nAction: click(start_box='(1,2)')", [C(1, 2)]),
    # typed text
    ("uitars-1.5", "Action: type(content='It's done')", [T("It's done")]),
    ("uitars-1.5", "Action: type(content='rock 'n' roll')", [T("rock 'n' roll")]),
    ("uitars-1.5", "Action: type(content='')", [T("")]),
    ("uitars-1.5", 'Action: type(content="say \\"hi\\"")', [T('say "hi"')]),
    ("uitars-1.5", "Action: type(content='say \"hi\"')", [T('say "hi"')]),
    ("uitars-1.5", "Action: type(content='a\\tb\\qc')", [T("a\tb\\qc")]),
    ("uitars-1.5", "Action: type(content='C:\\\\new')", [T("C:\\new")]),
    ("uitars-1.5", "Action: type(content='Action: click(start_box=(1,2))')", [T("Action: click(start_box=(1,2))")]),
    ("uitars-1.5", "Action: type(content='a\nAction: wait()\nb')", [T("a\nAction: wait()\nb")]),
    ("uitars-1.5", "Action: type(content=\"click(start_box='(1,2)')\")", [T("click(start_box='(1,2)')")]),
    ("uitars-1.5", "Action: type(content='\\'),\\'')", [T("'),'")]),
    ("uitars-1.5", "Action: type(content='f(a)(b))')", [T("f(a)(b))")]),
    ("uitars-1.5", "Action: type(content='<|im_end|>')<|im_end|>", [T("<|im_end|>")]),
    ("uitars-1.5", "Action: type(content='a\n\nb')", [T("a\n\nb")]),
    ("uitars-1.5", "Action: type(content='hello)", [T("hello")]),
    ("uitars-1.5", "Action: type(content='hello'", [T("hello")]),
    ("uitars-1.5", "Action: type(content='start_box=(1,2), point=3')", [T("start_box=(1,2), point=3")]),
    (
        "uitars-1.5",
        "Action: finished(content='He said \\'42\\' and \"left\"')",
        [("finished", "He said '42' and \"left\"")],
    ),
    ("uitars-1.5", "Action: type(content='https://a.b/c?d=e&f=(g)')", [T("https://a.b/c?d=e&f=(g)")]),
    # keys, scrolls, waits
    ("uitars-1.5", "Action: hotkey(key='Page Down')", [("hotkey", ("pagedown",))]),
    ("uitars-1.5", "Action: hotkey(key='pagedown')", [("hotkey", ("pagedown",))]),
    ("uitars-1.5", "Action: hotkey(key='Ctrl+Shift+T')", [("hotkey", ("ctrl", "shift", "t"))]),
    ("uitars-1.5", "Action: hotkey(key='ctrl left')", [("hotkey", ("ctrl", "left"))]),
    ("uitars-1.5", "Action: hotkey(key='cmd-c')", [("hotkey", ("meta", "c"))]),
    ("uitars-1.5", "Action: hotkey(key='ctrl ++')", [("hotkey", ("ctrl", "+"))]),
    ("uitars-1.5", "Action: hotkey(key='enter)", [("hotkey", ("enter",))]),
    ("uitars-1.5", "Action: hotkey(key=ctrl c)", [("hotkey", ("ctrl", "c"))]),
    ("uitars-1.0", "Action: scroll(direction='Down')", [("scroll", "down")]),
    ("doubao-1.5", "Action: scroll(direction='down', point='<point>1 2</point>')", [("scroll", "down", (1.0, 2.0))]),
    ("uitars-1.0-mobile", "Action: long_press(start_box='(1,2)', time='')", [("long_press", (1.0, 2.0))]),
    ("doubao-1.5", "Action: wait", [("wait",)]),
    ("doubao-1.5", "Action: navigate(content='https://a.b')", [("navigate", "https://a.b")]),
    ("doubao-1.5-mobile", "Action: open_app(app_name='Maps')", [("open_app", "Maps")]),
    ("uitars-2-omni", "<think>x</think><answer>Paris</answer>", [("finished", "Paris")]),
    ("uitars-2-omni", "<think>x</think><answer>click(point='<point>1 2</point>')</answer>", [C(1, 2)]),
    # structure
    ("uitars-1.0", "Thought: a\nAction: click(start_box='(1,2)')\nThis opens the menu.", [C(1, 2)]),
    ("uitars-1.0", "Thought: a\nAction: click(start_box='(1,2)') to open it", [C(1, 2)]),
    ("uitars-1.0", "Thought: a Action: click(start_box='(1,2)')", [C(1, 2)]),
    ("uitars-1.0", "**Thought:** a\n**Action:** click(start_box='(1,2)')", [C(1, 2)]),
    ("uitars-1.0", "I will go.\nclick(start_box='(1,2)')", [C(1, 2)]),
    ("uitars-1.0", "Action: click(start_box='(1,2)'); click(start_box='(3,4)')", [C(1, 2), C(3, 4)]),
    ("uitars-1.0", "Action:\nclick(start_box='(1,2)')", [C(1, 2)]),
    ("uitars-1.0", "Action: click(start_box='(1,2)')\nThought: more\nAction: wait()", [C(1, 2), ("wait",)]),
    ("uitars-1.0", "reasoning\n</think>\nAction: click(start_box='(1,2)')", [C(1, 2)]),
    ("uitars-1.0", "<think>\nAction: wait()\n</think>\nAction: click(start_box='(1,2)')", [C(1, 2)]),
    ("uitars-1.0", "Thought: It says\nAction: delete\nbut no.\nAction: click(start_box='(1,2)')", [C(1, 2)]),
    ("uitars-1.0", "```\nAction: click(start_box='(1,2)')\n```<|im_end|>", [C(1, 2)]),
    ("uitars-1.0", "Action: finished()\n\nclick(start_box='(1,2)')", [("finished",), C(1, 2)]),
    # tool calls
    ("seed-xml", "<function=click><parameter=point><point>1 2</point></parameter></function>", [C(1, 2)]),
    ("seed-xml", "<seed:tool_call><function=wait></function></seed:tool_call>", [("wait",)]),
    ("seed-xml", "<seed:tool_call><function=wait><parameter=time>3</parameter></function>", [("wait", 3.0)]),
    ("seed-xml", "<seed:tool_call><function=click>\n<parameter=point>1 2</parameter>\n</seed:tool_call>", [C(1, 2)]),
    ("seed-xml", "<seed:tool_call><function=type><parameter=content>a<b>'\\n</parameter></function>", [T("a<b>'\n")]),
    (
        "seed-xml",
        "<seed:tool_call><function=mouse_down><parameter=button>right</parameter></function>",
        [("mouse_down", "right")],
    ),
    (
        "seed-xml",
        "<seed:tool_call><function=infeasible><parameter=content>no</parameter></function>",
        [("call_user", "no")],
    ),
    ("seed-toolcall", '{"name": "click", "arguments": "{\\"point\\": \\"<point>1 2</point>\\"}"}', [C(1, 2)]),
    ("seed-toolcall", '{"name": "click", "arguments": {"point": [1, 2]}}', [C(1, 2)]),
    (
        "seed-toolcall",
        '[{"name": "wait", "arguments": {}}, {"name": "finished", "arguments": null}]',
        [("wait",), ("finished",)],
    ),
    (
        "seed-toolcall",
        '{"id": "1", "type": "function", "function": {"name": "type", "arguments": {"content": "a"}}}',
        [T("a")],
    ),
    (
        "qwen-vl-toolcall",
        '<tool_call>{"name":"computer_use","arguments":{"action":"scroll","pixels":-500}}</tool_call>',
        [("scroll", "down")],
    ),
    (
        "qwen-vl-toolcall",
        '{"name":"computer_use","arguments":{"action":"key","keys":["ctrl","c"]}}',
        [("hotkey", ("ctrl", "c"))],
    ),
    (
        "qwen-vl-toolcall",
        '<tool_call>\n{"name":"computer_use","arguments":{"action":"type","text":"</tool_call>"}}',
        [T("</tool_call>")],
    ),
    (
        "qwen-vl-toolcall",
        '<tool_call>{"name":"computer_use","arguments":{"action":"terminate","status":"failure"}}',
        [("call_user",)],
    ),
    (
        "opencua",
        "```python\npyautogui.write(message='a\\'b')\npyautogui.press('enter')\n```",
        [T("a'b"), ("press", "enter")],
    ),
    ("opencua", "```python\nimport pyautogui\npyautogui.hotkey('ctrl', 'c')  # copy\n```", [("hotkey", ("ctrl", "c"))]),
    ("opencua", "```code\ncomputer.terminate(status='success')\n```", [("finished",)]),
]

REFUSED = [
    *(
        ("uitars-1.0", f"Action: click(start_box='{box}')")
        for box in ("", "(100)", "(1,2,3)", "(1,2,3,4,5)", "(1001,5)", "(-1,5)", "(nan,1)", "(inf,1)", "(1e2,5)")
    ),
    *(("uitars-1.0", f"Action: click(start_box='{box}')") for box in ("(a,b)", "(0.5,0.25)", "None", "(1,2)+1")),
    ("uitars-1.5", "Action: click(start_box='(5000,5)')"),
    ("uitars-1.0", "Action: click()"),
    ("uitars-1.0", "Action: click(start_box='(100,20"),
    ("uitars-1.0", "Action: click(start_box='(1,2)', start_box='(3,4)')"),
    ("uitars-1.0", "Action: click(start_box='(1,2)', point='(3,4)')"),
    ("uitars-1.0", "Action: drag(start_box='(1,2)')"),
    ("uitars-1.0", "Action: scroll(start_box='(1,2)')"),
    ("uitars-1.0", "Action: scroll(start_box='(1,2)', direction='inward')"),
    ("uitars-1.0", "Action: hotkey(key='ctrl hyper')"),
    ("uitars-1.0", "Action: hotkey(key='')"),
    ("uitars-1.0", "Action: hotkey()"),
    ("uitars-1.0", "Action: type()"),
    ("uitars-1.0", "Action: None"),
    ("uitars-1.0", "Action:"),
    ("uitars-1.0", "Thought: I should click."),
    ("uitars-1.0", "   \n"),
    ("uitars-1.0", "Thought: I will click(start_box='(1,2)') it"),
    ("uitars-1.0", "Action: click(start_box='(1,2)')\nAction: swim"),
    ("uitars-1.0", "Action: click(start_box='(1,2)')\n\nfly(start_box='(1,2)')"),
    ("uitars-1.0", "Action: clik start_box='(1,2)'\nAction: wait()"),
    ("uitars-1.0", "<think>Action: wait()"),
    ("uitars-1.5", "Action: type(content='hello"),
    ("uitars-1.5", "Action: type(content='C:\\dir\\')"),
    ("uitars-1.5", "Action: type(content='a)\n\nhotkey(key='enter')"),
    ("uitars-1.5", "Action: type(content='print('x')"),
    ("uitars-1.5", "Action: type(content='print('x')\nmore('y')')"),
    ("uitars-1.5", "Action: type(content='x')\nclick(start_box='(1,2)')')"),
    ("uitars-1.5", "Action: wait(time='soon')"),
    ("uitars-1.5", "Action: wait(time='9999')"),
    ("uitars-1.5", "Action: click(start_box='(1,2)'.replace('1','2'))"),
    ("uitars-1.5", "Action: click(start_box=eval('(1,2)'))"),
    ("doubao-1.5", "Action: press()"),
    ("uitars-1.0", "(10,2000)"),
    ("uitars-1.0", "(10,20) or (30,40) or (50,60)"),
    ("seed-xml", "<think>x</think>All done."),
    ("seed-xml", "<seed:tool_call><function=click><parameter=point><point>1 2"),
    ("seed-xml", "<seed:tool_call><function=click></function></seed:tool_call>"),
    ("seed-xml", "<seed:tool_call><function=fly></function></seed:tool_call>"),
    ("seed-xml", "<seed:tool_call><function=click><parameter=point>1 2</parameter><parameter=point>3 4</parameter>"),
    ("seed-toolcall", '{"name": "click", "arguments": {"point": [NaN, 2]}}'),
    ("seed-toolcall", '{"name": "click"}'),
    ("seed-toolcall", "{}"),
    ("qwen-vl-toolcall", '<tool_call>{"name":"computer_use","arguments":{"action":"left_click"}}</tool_call>'),
    ("qwen-vl-toolcall", '<tool_call>{"name":"rm","arguments":{}}</tool_call>'),
    ("qwen-vl-toolcall", "<tool_call></tool_call>"),
    ("opencua", "```python\nimport os\nos.system('rm')\n```"),
    ("opencua", "```python\npyautogui.click(x=1+1, y=2)\n```"),
    ("opencua", "```python\nfor i in range(3): pyautogui.press('a')\n```"),
    ("opencua", "```python\npyautogui.click()\n```"),
    ("opencua", "```python\ncomputer.triple_click(x=1, y=2)\n```"),
    ("opencua", "## Action:\nClick."),
]


@pytest.mark.parametrize(("name", "raw", "meant"), READ)
def test_an_odd_reply_is_read_exactly(name: str, raw: str, meant: list[tuple[Any, ...]]) -> None:
    reply = get_dialect(name).parse(raw, SCREEN, SCREEN)
    assert [short(action) for action in reply.actions] == meant


@pytest.mark.parametrize(("name", "raw"), REFUSED)
def test_an_unreadable_reply_is_refused_as_a_whole(name: str, raw: str) -> None:
    with pytest.raises(ParseError) as error:
        get_dialect(name).parse(raw, SCREEN)
    assert error.value.raw == raw
    assert error.value.reason == str(error.value) != ""


@pytest.mark.parametrize("raw", ["Action: os.system(start_box='(1,2)')", "Action: fly()", "fly(start_box='(1,2)')"])
def test_an_unknown_action_is_named(raw: str) -> None:
    with pytest.raises(UnknownActionError, match=r"no action is called '(os\.system|fly)'"):
        get_dialect("uitars-1.0").parse(raw, SCREEN)


@pytest.mark.parametrize("name", dialect_names())
def test_a_prompt_holds_the_instruction_and_the_dialect_knows_its_name(name: str) -> None:
    dialect = get_dialect(name)
    assert dialect.name == name
    assert "Open {the} mail" in dialect.prompt("Open {the} mail")


def test_prompts_list_the_published_action_space() -> None:
    old, new = get_dialect("uitars-1.5").prompt("x"), get_dialect("doubao-1.5").prompt("x")
    assert "\nclick(start_box='<|box_start|>(x1,y1)<|box_end|>')\n" in old
    assert "\ndrag(start_box='<|box_start|>(x1,y1)<|box_end|>', end_box='<|box_start|>(x3,y3)<|box_end|>')\n" in old
    assert "\nscroll(point='<point>x1 y1</point>', direction='down or up or right or left')" in new
    assert "\ndrag(start_point='<point>x1 y1</point>', end_point='<point>x2 y2</point>')\n" in new
    definitions = [json.loads(line) for line in get_dialect("seed-xml").prompt("x").splitlines() if line[:1] == "{"]
    assert {"click", "left_double", "infeasible"} <= {definition["function"]["name"] for definition in definitions}


def test_an_unknown_dialect_names_the_nearest() -> None:
    with pytest.raises(UnknownDialectError, match=r"uitars-1\.5"):
        get_dialect("ui-tars-1.5")
