"""The words of synthetic pages."""

from __future__ import annotations

import random


def _split(text: str, separator: str) -> tuple[str, ...]:
    return tuple(text.split(separator))


NAMES = _split(
    "Accept Add Agree Allow Apply Archive Back Begin Blue Book Browse Buy Cancel Chat Check Clear "
    "Close Connect Continue Copy Create Cut Delete Deny Disable Done Down Download Edit Enable End "
    "Enter Exit Export Filter Find Finish First Follow Format Go Green Help Hide Home Import Insert "
    "Invite Join Last Left Like Load Log Login Logout Mail Menu More Move Mute New Next No OK Okay "
    "Open Order Paste Pause Pay Play Post Previous Print Profile Quit Read Red Refresh Reject Remove "
    "Rename Reply Report Reset Restore Retry Right Save Search Select Send Settings Share Show Sign "
    "Skip Sort Start Stop Submit Subscribe Sync Test Undo Up Update Upload View Wait Yes Zoom ONE "
    "TWO THREE FOUR submit cancel yes no ok okay next previous",
    " ",
)
# What leads on in a job of many pages.
FORWARD = _split("Next Continue OK Next Continue OK Submit Start Save Yes Accept Go", " ")
TAILS = _split("all now file page item account later draft order 2 3 list photo", " ")
ENDINGS = _split(
    "Done|Done|Done.|Done!|Thank you|Thank you!|Finished|All done|All done.|Well done!|Success|Complete|"
    "Completed|You are done.|That is all.|The end",
    "|",
)
LOADING = _split("Loading...|Loading|Loading…|Please wait|Please wait...|One moment...", "|")
SYLLABLES = _split(
    "ba be bi bo da de di do fa fe ga go ka ki la le li lo ma me mi mo na ne no pa pe po ra re ri ro "
    "sa se si so ta te ti to tu va ve vi vo za zu",
    " ",
)
ASKING = _split(
    'Click the button "{0}".|Click on the "{0}" button.|Click button {0}.|Click {0}.|Press "{0}".|'
    'Click "{0}".|Press {0}.',
    "|",
)

REQUESTS = (
    *ASKING,
    *_split('Please click "{0}".|Now press {0}.|Press {0} to go on.|Click "{0}" to continue.|Choose {0}.', "|"),
)


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
