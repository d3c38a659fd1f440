"""The words of synthetic pages."""

from __future__ import annotations

import json
import random
from importlib import resources

_FILE = resources.files(__package__).joinpath("words.json")
_WORDS: dict[str, list[str]] = json.loads(_FILE.read_text(encoding="utf-8"))
NAMES, TAILS, SYLLABLES = _WORDS["names"], _WORDS["tails"], _WORDS["syllables"]
ENDINGS, LOADING, ASKING = _WORDS["endings"], _WORDS["loading"], _WORDS["asking"]
REQUESTS = ASKING + _WORDS["requests"]
FORWARD = _WORDS["forward"]
"""What leads on in a job of many pages."""


def word(rng: random.Random) -> str:
    """A made-up word or a string of letters and digits: reading must not lean on a dictionary."""
    if rng.random() < 0.25:
        letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        return "".join(rng.choices(letters, k=rng.randint(2, 8)))
    made = "".join(rng.choices(SYLLABLES, k=rng.randint(1, 4)))
    return rng.choice((made, made.capitalize(), made.upper()))


def name(rng: random.Random) -> str:
    """What a button may be called."""
    pick = rng.random()
    if pick < 0.6:
        base = rng.choice(NAMES)
        return base if rng.random() < 0.75 else f"{base} {rng.choice(TAILS)}"
    return word(rng) if pick < 0.85 else f"{word(rng)} {word(rng)}"


def names(rng: random.Random, count: int) -> list[str]:
    """Different names."""
    found: dict[str, None] = {}
    while len(found) < count:
        found[name(rng)] = None
    return list(found)


def sentence(rng: random.Random, most: int = 7) -> str:
    """Some words of filler."""
    return " ".join(word(rng) for _ in range(rng.randint(2, most))).capitalize() + rng.choice((".", "", ":", "?"))
