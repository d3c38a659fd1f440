"""Practice in copying: what an instruction names is typed, letter by letter. It needs no picture."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from ...actions.geometry import Point, Size
from ...actions.schema import Action, Click, Type
from .examples import Example, made_up

PAGE: Final = Size(160, 210)
NO_PICTURE: Final = -1


def spelling(rng: random.Random) -> Example:
    """One thing to type, after the click on its field."""
    instruction, texts = rng.choice(_KINDS)(rng)
    at = rng.randrange(len(texts))
    done: list[Action] = []
    for text in texts[:at]:
        done += [_click(rng), Type(text=text)]
    return Example(NO_PICTURE, instruction, (*done, _click(rng))[-3:], Type(text=texts[at]))


def _click(rng: random.Random) -> Click:
    return Click(point=Point(rng.uniform(0, PAGE.width - 1), rng.uniform(50, PAGE.height - 1)))


def _one(rng: random.Random) -> tuple[str, list[str]]:
    wording = rng.choice(
        (
            'Enter "{}" into the text field and press Submit.',
            'Type "{}".',
            'Type "{}" into the box and press {}.',
            "Search for {}.",
            'Use the textbox to enter "{}" and press "Search".',
            'Write "{}" in the field {}.',
        )
    )
    text = made_up(rng)
    return wording.format(text, made_up(rng)), [text]


def _long(rng: random.Random) -> tuple[str, list[str]]:
    """Mostly what is to be copied, so that copying is soon learned."""
    text = " ".join(made_up(rng) for _ in range(rng.randint(3, 7)))
    return f'Type "{text}".', [text]


def _two(rng: random.Random) -> tuple[str, list[str]]:
    wording = rng.choice(
        (
            'Enter the username "{}" and the password "{}" into the text fields and press login.',
            'Log in as "{}" with the password "{}".',
            'Put "{}" into the first field and "{}" into the second.',
            'Send "{}" to {}.',
        )
    )
    texts = [made_up(rng), made_up(rng)]
    return wording.format(*texts), texts


def _twice(rng: random.Random) -> tuple[str, list[str]]:
    text = made_up(rng)
    return f'Enter the password "{text}" into both text fields and press submit.', [text, text]


def _case(rng: random.Random) -> tuple[str, list[str]]:
    text = made_up(rng)
    upper = rng.random() < 0.5
    text = text.lower() if upper else text.upper()
    instruction = (
        f'Type "{text}" in all {"upper" if upper else "lower"} case letters in the text input and press Submit.'
    )
    return instruction, [text.upper() if upper else text.lower()]


def _date(rng: random.Random) -> tuple[str, list[str]]:
    parts = f"{rng.randint(1, 12):02}", f"{rng.randint(1, 28):02}", f"{rng.randint(1990, 2030)}"
    return f"Enter {'/'.join(parts)} as the date and hit submit.", ["".join(parts)]


def _time(rng: random.Random) -> tuple[str, list[str]]:
    hour, minute, half = rng.randint(1, 12), rng.randrange(60), rng.choice(("AM", "PM"))
    return f"Enter {hour}:{minute:02} {half} as the time and press submit.", [f"{hour:02}{minute:02}{half}"]


def _start(rng: random.Random) -> tuple[str, list[str]]:
    text = made_up(rng)
    end = f' and ends with "{made_up(rng)}"' if rng.random() < 0.5 else ""
    return f'Enter an item that starts with "{text}"{end}.', [text]


_KINDS: Final[tuple[Callable[[random.Random], tuple[str, list[str]]], ...]] = (
    _long,
    _long,
    _long,
    _one,
    _two,
    _twice,
    _case,
    _date,
    _time,
    _start,
)
