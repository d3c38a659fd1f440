"""No pattern and no dialect takes more than linear time, and no reply, however damaged, fails in another way."""

from __future__ import annotations

import ast
import importlib
import json
import random
import re
import time
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from places import SOURCE
from saccade.actions import schema
from saccade.actions.characters import LONGEST_REPLY
from saccade.actions.dialects import dialect_names, get_dialect
from saccade.actions.errors import ParseError
from saccade.actions.geometry import Size

SCREEN = Size(1920, 1080)
ROOMS = ("actions", "perception", "env", "agent", "tasks")
GOLDEN: dict[str, dict[str, str]] = {
    name: replies
    for file in sorted((Path(__file__).parent / "golden").glob("*.json"))
    for name, replies in json.loads(file.read_text("utf-8")).items()
}


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of the faster of two tries, which other programs on the machine do not lengthen much."""
    times = []
    for _ in range(2):
        begun = time.process_time()
        work()
        times.append(time.process_time() - begun)
        if times[-1] < 0.02:
            break
    return min(times)


# ---------------------------------------------------------------- patterns


def sources() -> Iterator[Path]:
    for room in ROOMS:
        yield from sorted((SOURCE / "saccade" / room).rglob("*.py"))


Used = tuple[re.Pattern[str], bool]
"""A pattern, and whether it is searched for rather than matched at one position."""
_SEARCHING = "search|finditer|findall|sub|subn|split"


def literal_patterns(tree: ast.AST) -> Iterator[Used]:
    """Patterns that are written where they are used."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="re"), attr=method), args=[ast.Constant(value=str(text)), *_]
            ):
                yield re.compile(text), method in _SEARCHING.split("|")


def held(name: str, value: object, texts: str, depth: int = 0) -> Iterator[Used]:
    """Patterns in a module, class, dialect or collection."""
    if isinstance(value, re.Pattern):
        if isinstance(value.pattern, str):
            searched = re.search(rf"\b{re.escape(name)}(\[[^\]]*\])?\.({_SEARCHING}|pattern)\b", texts)
            yield value, searched is not None
    elif depth < 4 and isinstance(value, dict | list | tuple):
        for each in value.values() if isinstance(value, dict) else value:
            yield from held(name, each, texts, depth + 1)
    elif depth < 3 and isinstance(value, type) and value.__module__.startswith("saccade"):
        for key, each in vars(value).items():
            yield from held(key, each, texts, depth + 1)


@cache
def all_patterns() -> list[Used]:
    """Every pattern of the product, once."""
    files = {path: path.read_text("utf-8") for path in sources()}
    texts = "\n".join(files.values())
    found: dict[tuple[str, int], Used] = {}
    for path, text in files.items():
        if not re.search(r"\bre\.\w", text):
            continue
        used = list(literal_patterns(ast.parse(text)))
        if "re.compile(" in text:
            name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
            try:
                module = importlib.import_module(name.removesuffix(".__init__"))
            except ImportError:  # an optional package
                continue
            for key, value in vars(module).items():
                used += held(key, value, texts)
        for pattern, searched in used:
            key_ = (pattern.pattern, pattern.flags)
            found[key_] = (pattern, searched or found.get(key_, (pattern, False))[1])
    for name in dialect_names():
        for key, value in vars(getattr(get_dialect(name), "_parser", lambda: None)).items():
            for pattern, searched in held(key, value, texts):
                found[pattern.pattern, pattern.flags] = (pattern, searched)
    return list(found.values())


def pumped(pattern: re.Pattern[str], length: int) -> Iterator[str]:
    """Long strings of what a pattern repeats: its own words, spaces, digits and marks."""
    words = list(dict.fromkeys(re.findall(r"[A-Za-z_]{2,}", pattern.pattern)))
    marks = list(dict.fromkeys(re.findall(r"[^\w\s\\]", pattern.pattern)))
    starts = ["", *words[:8], *words[-8:], *marks[:4], *map("".join, pairwise(words[:4]))]
    for atom in (*" \t\na1*-('", " \n", "\\'", ", a=", *marks[:4], *words[:2]):
        for start in dict.fromkeys(starts):
            yield (start + atom * (length // len(atom)))[:length] + "!"


def test_every_pattern_takes_linear_time() -> None:
    """For a text of eight times the length, quadratic time is 64 times as long."""
    patterns = all_patterns()
    assert len(patterns) > 80, "they are found"
    slow = []
    for pattern, searched in patterns:
        use = pattern.search if searched else pattern.match
        for short, text in zip(pumped(pattern, 500), pumped(pattern, 4000), strict=True):
            first = cpu(lambda short=short, use=use: use(short))  # type: ignore[misc]
            taken = first if first > 0.01 else cpu(lambda text=text, use=use: use(text))  # type: ignore[misc]
            if first > 0.01 or (taken > 0.02 and taken > 16 * first):
                slow.append((pattern.pattern[:80], text[:20], round(taken, 3)))
                break
    assert not slow


# ---------------------------------------------------------------- replies

ATOMS = [
    *(
        "a",
        " ",
        "\n",
        " \n",
        "\t",
        "'",
        '"',
        "\\",
        "\\'",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ", ",
        "=",
        ":",
        "<",
        ">",
        "</",
    ),
    *("# ", "*", "**", "`", "```", "```\n", "1", "1 ", "1.", "-", "<think>", "</think>", "<answer>", "</answer>"),
    *("<action>", "<action> ", "<tool_call>", "</tool_call>", "<function=click>", "<parameter=point>", "</parameter>"),
    *(
        "<|im_end|>",
        "</s>",
        "<s>",
        "Action",
        "Action ",
        "Action: ",
        "Action:\n",
        "## Thought",
        "## Thought\n",
        "## Thought ",
    ),
    *(
        "wait()",
        "wait()\n",
        "wait",
        "click(",
        "click (",
        "click(point=",
        "type(content='",
        "type(content='a') x\n",
        "a='b', ",
    ),
    *(
        "it's ",
        "'a' ",
        "', a='",
        "') x",
        '{"a":',
        "{'a':",
        '{"name":',
        "[1,",
        "a.b(1)\n",
        "pyautogui.press('a')\n",
        "a.",
        "a+",
    ),
    *("“", "”", "（", "１", "你", "\r", "\x00", "<point>", "1,", "ctrl+", "+", "page ", "key"),
]
STARTS = [
    *(
        "",
        "Action: click(start_box='",
        "Action: type(content='",
        "Action: type(content='a', b=",
        "Action: click(",
        "Action: wait()\n",
    ),
    *(
        "<action>",
        "## Thought",
        "Action",
        "next action",
        "<tool_call>",
        '<tool_call>{"name":"computer_use","arguments":{"text":"',
    ),
    *(
        '<tool_call>{"name":"computer_use","arguments":{"action":"key","keys":["',
        "<seed:tool_call><function=type><parameter=content>",
    ),
    *("<function", "<function=click><parameter", "```python\n", "```python\npyautogui.write('", "Action: hotkey(key='"),
    *("Action: wait(time='", "Action: navigate(content='", "<think>"),
]


def read(name: str, raw: str) -> None:
    """Parse a reply; anything but a ``ParseError`` or a valid reply fails."""
    try:
        reply = get_dialect(name).parse(raw, SCREEN)
    except ParseError as error:
        failed = error
    else:
        failed = None
    if failed is not None:
        assert failed.raw is raw
        assert failed.reason.encode("utf-8", "surrogatepass")
        return
    assert 0 < len(reply.actions) <= 100
    for action in reply.actions:
        assert all(0 <= x <= 1921 and 0 <= y <= 1081 for x, y in schema.points(action))
        schema.action_adapter.dump_json(action)
    reply.thought.encode()


@pytest.mark.parametrize("name", dialect_names())
def test_the_longest_reply_is_read_at_once(name: str, scale: int) -> None:
    """64 kB take some 30 ms at most; a factor of four is left for busy machines."""
    draw = random.Random(name)
    pairs = [(start, atom) for start in STARTS for atom in ATOMS]
    for start, atom in draw.sample(pairs, min(len(pairs), 60 * scale)):
        whole = start + atom * (LONGEST_REPLY // len(atom))
        for length in (LONGEST_REPLY // 64, LONGEST_REPLY // 8, LONGEST_REPLY):
            raw = whole[: length - 1] + "x"
            taken = cpu(lambda raw=raw: read(name, raw))  # type: ignore[misc]
            assert taken < 0.2, (start, atom, length, taken)


@pytest.mark.parametrize(
    "raw",
    [
        "<action>" + " " * 4000,
        "Action" + " " * 60_000 + "x",
        "## Thought" + " " * 60_000 + "x",
        "<action>\n" * 7000,
        "Action: " + "wait()\n" * 9000,
        "wait();" * 9000,
        "Action: type(content='" + "') x" * 15_000,
        '<tool_call>{"name": "wait", "arguments": {}}</tool_call>' * 1000,
        "<seed:tool_call>" + "<function=wait></function>" * 2000,
        "```python\n" + "pyautogui.press('a')\n" * 900,
    ],
)
@pytest.mark.parametrize("name", ["uitars-1.5", "seed-xml", "seed-toolcall", "qwen-vl-toolcall", "opencua"])
def test_what_took_minutes_takes_no_time(name: str, raw: str) -> None:
    for length in (len(raw) // 64, len(raw) // 8, len(raw)):
        assert cpu(lambda length=length: read(name, raw[:length])) < 0.2  # type: ignore[misc]


MARKS = [
    *ATOMS,
    *STARTS,
    "\ud83d",
    "\ude00",
    "\u202e",
    "0.5",
    "1e999",
    "9" * 30,
    "-1",
    "NaN",
    "true",
    "submit='true'",
    "amount=3",
    "＝",
    "，",
    "’",
    "＋",
]


def damaged(draw: random.Random, replies: list[str]) -> str:
    """A reply out of pieces of golden ones, with parts left out, doubled, or put in."""
    text = draw.choice(replies)
    for _ in range(draw.randint(0, 5)):
        at, other = draw.randint(0, len(text)), draw.choice(replies)
        cut = draw.randint(0, 12) if draw.random() < 0.8 else draw.randint(0, 200)
        kind = draw.random()
        if kind < 0.5:
            put = draw.choice(MARKS)
        elif kind < 0.6:
            begin = draw.randint(0, len(other))
            put = other[begin : begin + draw.randint(1, 60)]
        elif kind < 0.7:
            put = chr(draw.choice((draw.randint(0, 0x7F), draw.randint(0, 0xFFFF), draw.randint(0, 0x10FFFF))))
        elif kind < 0.8:
            put = text[max(0, at - draw.randint(1, 40)) : at] * draw.randint(1, 3)
        else:
            put = ""
        text = text[:at] + put + text[at + cut :]
    return text if draw.random() < 0.9 else "".join(draw.choices(MARKS, k=draw.randint(1, 12)))


@pytest.mark.parametrize("name", dialect_names())
def test_a_damaged_reply_is_read_or_refused(name: str, scale: int) -> None:
    draw = random.Random(f"{name} {scale}")
    own, every = list(GOLDEN[name].values()), [raw for replies in GOLDEN.values() for raw in replies.values()]
    for _ in range(300 * scale):
        read(name, damaged(draw, own if draw.random() < 0.8 else every))
