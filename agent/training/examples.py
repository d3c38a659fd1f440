"""What the embedded policy learns from: an instruction, earlier replies, a picture, and the right reply."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ...actions.dialects import Reply, get_dialect
from ...actions.geometry import Point, Size
from ...actions.schema import Action, Click, Drag, Finished, Hotkey, Press, Type, Wait
from .architecture import SACCADE_JSON
from .rendering import DomElement, PageRecord
from .tokenizer import NUMBERS, THOUGHTS
from .words import names

_DIALECT: Final = get_dialect(SACCADE_JSON["dialect"])
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass(frozen=True)
class Example:
    """One reply to learn.

    Attributes:
        picture: its number in the batch; negative where there is none.
        instruction: what the policy is asked for.
        history: earlier replies, oldest first.
        action: what is right now; points in pixels of the picture.
    """

    picture: int
    instruction: str
    history: Sequence[Action]
    action: Action


def reply_text(action: Action, size: Size) -> str:
    """The reply that does an action, as the policy is to write it: its fixed parts are single tokens."""
    if isinstance(action, Press):
        action = Hotkey(keys=(action.key,))
    return _DIALECT.render(Reply(thought=THOUGHTS[action.kind], actions=(_writable(action, size),)), size)


def _writable(action: Action, size: Size) -> Action:
    """The action with its points where a single token can name them: 0 to 999 of each side."""
    last = 1 - 0.6 / NUMBERS

    def kept(point: Point) -> Point:
        return Point(min(max(point.x, 0.0), last * size.width), min(max(point.y, 0.0), last * size.height))

    if isinstance(action, Drag):
        return action.model_copy(update={"start": kept(action.start), "end": kept(action.end)})
    point = getattr(action, "point", None)
    return action if point is None else action.model_copy(update={"point": kept(point)})


def target_box(point: Point, record: PageRecord) -> list[float]:
    """The box (left, top, right, bottom) of the smallest element around a point; a small one where there is none."""
    around = [
        element["box"]
        for element in record["elements"]
        if element["box"][0] <= point.x <= element["box"][2] and element["box"][1] <= point.y <= element["box"][3]
    ]
    small = [point.x - 4, point.y - 4, point.x + 4, point.y + 4]
    return min(around, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]), default=small)


# ---- questions about what a page shows

_ASKING: Final = {
    "link": ('Click on the link "{0}".', 'Click the link "{0}".', "Click on {0}."),
    "tab": ("Click on {0}.", 'Click the tab "{0}".'),
    "": (
        'Click on the "{0}" button.',
        'Click "{0}".',
        "Click on {0}.",
        'Press "{0}".',
        "Select {0}.",
        "Click the {0}.",
    ),
}

_ENDED: Final = (
    "Do what the page asks.",
    "Follow the instruction on the page.",
    'Click the button "Next".',
    'Click the button "Continue".',
)


def grounding(record: PageRecord, rng: random.Random) -> tuple[str, DomElement] | None:
    """An instruction for one of a page's elements that its text tells from the others; None where there is none."""
    over = record["extra"].get("over")  # what lies in a dialog over the page
    texts = [element["text"] for element in record["elements"]]
    known = [
        element
        for element in record["elements"]
        if element["text"]
        and texts.count(element["text"]) == 1
        and (over is None or element["text"] in over)
        and _legible(element, record)
    ]
    if not known:
        return None
    element = rng.choice(known)
    wording = rng.choice(_ASKING.get(element["role"], _ASKING[""]))
    return wording.format(element["text"]), element


def asked(page: PageRecord, picture: int, rng: random.Random) -> Example | None:
    """A question about what a page shows: for an element, or what to do while it loads or once it is done."""
    if page["extra"].get("loading"):
        return Example(picture, rng.choice(_ENDED), (), Wait())
    if page["extra"].get("done"):
        return Example(picture, rng.choice(_ENDED), (), Finished())
    found = grounding(page, rng)
    if found is None:
        return None
    instruction, element = found
    return Example(picture, instruction, (), Click(point=Point(*element["point"])))


def _legible(element: DomElement, record: PageRecord) -> bool:
    """Whether most of an element's text can be seen."""
    letters = len(element["text"].replace(" ", ""))
    left, top, right, bottom = element["box"]
    seen = sum(left <= x <= right and top <= y <= bottom for _, x, y in record["chars"])
    return letters > 0 and seen >= 0.7 * letters


def reworded(example: Example, rng: random.Random) -> Example:
    """The example with other words to type, where the instruction names them: they are copied, not known by heart."""
    action = example.action
    if not isinstance(action, Type) or len(action.text) < 2 or example.instruction.count(action.text) != 1:
        return example
    other = made_up(rng)
    return Example(
        example.picture,
        example.instruction.replace(action.text, other),
        example.history,
        action.model_copy(update={"text": other}),
    )


def made_up(rng: random.Random) -> str:
    """A word, a name, a number or a password that nobody has seen before."""
    kind = rng.random()
    if kind < 0.4:
        return " ".join(names(rng, rng.choice((1, 1, 2))))
    if kind < 0.6:
        return str(rng.randrange(10 ** rng.randint(1, 6)))
    letters = _LETTERS[:26] if kind < 0.8 else _LETTERS
    return "".join(rng.choices(letters, k=rng.randint(2, 9)))


POINT: Final = re.compile(r"_box='\((\d+),(\d+)\)")
"""Where a reply's text holds the two numbers of a point."""
