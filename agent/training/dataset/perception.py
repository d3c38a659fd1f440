"""Questions about screens whose answers the page's document knows: perception tasks as in UI-TARS (arXiv 2501.12326).

Grounding asks for a click on an element that is named; description for what is inside a red frame; change for what
is different after an action. Answers are plain sentences in ``finished``, so any dialect can write them.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from ....actions.schema import Click, Finished
from ....perception.observation import Screenshot
from .records import DatasetEpisode, DatasetReply, DatasetStep, ElementLabel, KeptEpisode, PictureLabels

DESCRIBE: Final = "Describe the element inside the red frame."
CHANGED: Final = "Compare this screen with the one before the last action. What changed?"
_FRAME: Final = np.array((230, 0, 0), np.uint8)
_NOUNS: Final = {
    "": "element",
    "close": "button that closes a dialog",
    "list": "drop-down list",
    "other": "element",
    "radio": "radio button",
    "textbox": "text field",
}
_CONTAINS: Final = ("textbox", "list")
"""Roles whose text is what they hold, rather than a name."""
_MOST_SAID: Final = 5


def perception_tasks(shown: KeptEpisode, rng: random.Random, per_picture: int = 1) -> Iterator[KeptEpisode]:
    """The perception tasks about the pictures of an episode that have labels, each an episode of its own.

    They have the task and the seed of the episode, so that they are held out with it.

    Args:
        shown: an episode with labels.
        rng: chooses elements.
        per_picture: how many elements of each picture are asked for, and described.
    """
    pictures = {picture.digest: picture for picture in shown.pictures}
    for place, step in enumerate(shown.episode.steps):
        labels = shown.labels.get(step.picture)
        if labels is None or step.picture not in pictures:
            continue
        picture = pictures[step.picture]
        for number, element in enumerate(_drawn(named_elements(labels), per_picture, rng)):
            yield _asked(shown, f"ground:{place}:{number}", grounding(element, labels, rng), [picture])
        visible = [element for element in labels.elements if _fits(element, picture)]
        for number, element in enumerate(_drawn(visible, per_picture, rng)):
            yield _asked(shown, f"describe:{place}:{number}", *description(element, picture))
        if place:
            yield from _change(shown, place, pictures)


def grounding(element: ElementLabel, labels: PictureLabels, rng: random.Random) -> tuple[str, list[DatasetReply]]:
    """An instruction that names an element, and the click on it."""
    same_role = [each for each in labels.elements if each.role == element.role]
    wordings = [f'Click on the {_noun(element)} "{element.text}".', f'Click on "{element.text}".']
    if len(same_role) == 1 and element.role:
        wordings.append(f"Click on the {_noun(element)}.")
    click = Click(point=element.point)
    return rng.choice(wordings), [DatasetReply(thought=f"It is {said(element)}.", actions=(click,))]


def description(element: ElementLabel, picture: Screenshot) -> tuple[tuple[str, list[DatasetReply]], list[Screenshot]]:
    """The question about an element that is framed in the picture, and the framed picture."""
    height, width = picture.pixels.shape[:2]
    down = _third(element.point.y / height, "top", "bottom")
    across = _third(element.point.x / width, "left", "right")
    where = f"at the {' '.join(filter(None, (down, across)))}" if down or across else "in the middle"
    answer = f"{_beginning(said(element))}, {where}."
    return (DESCRIBE, [_answer(answer)]), [framed(picture, element)]


def changes(before: PictureLabels, after: PictureLabels) -> str:
    """What is different on the second of two screens, in one or more sentences; empty if nothing that is labelled."""
    left, right = (Counter((e.role, e.text, _place(e)) for e in each.elements) for each in (before, after))
    gone, come = list((left - right).elements()), list((right - left).elements())
    sentences: list[str] = []
    for role, text, place in list(come):
        was = [each for each in gone if each[:2] == (role, text)]
        if len(was) == 1 and sum(each[:2] == (role, text) for each in come) == 1:
            gone.remove(was[0])
            come.remove((role, text, place))
            sentences.append(f"{_beginning(_named(role, text))} moved {_way(was[0][2], place)}.")
            continue
        old = next((each for each in gone if each[0] == role and each[2] == place), None)
        if old is None:
            continue
        gone.remove(old)
        come.remove((role, text, place))
        noun = _NOUNS.get(role, role)
        if role in _CONTAINS:
            sentences.append(f'The {noun} now holds "{text}".' if text else f"The {noun} is now empty.")
        else:
            sentences.append(f'The {noun} "{old[1]}" is now called "{text}".')
    for some, what in ((come, "appeared"), (gone, "disappeared")):
        if some:
            named = [_named(role, text) for role, text, _ in some[:_MOST_SAID]]
            more = [f"{len(some) - _MOST_SAID} more"] if len(some) > _MOST_SAID else []
            sentences.append(f"{_beginning(_listed([*named, *more]))} {what}.")
    return " ".join(sentences)


def named_elements(labels: PictureLabels) -> list[ElementLabel]:
    """The elements that their text tells from the others, and of whose text most can be seen."""
    texts = Counter(element.text for element in labels.elements)
    return [each for each in labels.elements if each.text and texts[each.text] == 1 and _legible(each, labels)]


def said(element: ElementLabel) -> str:
    """An element in words: ``the button "Go"``."""
    return _named(element.role, element.text)


def framed(picture: Screenshot, element: ElementLabel) -> Screenshot:
    """The picture with a red frame around an element."""
    pixels = picture.pixels.copy()
    height, width = pixels.shape[:2]
    left, top, right, bottom = element.box
    low, high = max(0, round(left) - 2), min(width, round(right) + 2)
    first, last = max(0, round(top) - 2), min(height, round(bottom) + 2)
    for rows, columns in (
        (slice(first, first + 2), slice(low, high)),
        (slice(last - 2, last), slice(low, high)),
        (slice(first, last), slice(low, low + 2)),
        (slice(first, last), slice(high - 2, high)),
    ):
        pixels[rows, columns] = _FRAME
    return Screenshot(pixels)


def _change(shown: KeptEpisode, place: int, pictures: Mapping[str, Screenshot]) -> Iterator[KeptEpisode]:
    before, after = shown.episode.steps[place - 1], shown.episode.steps[place]
    labels = [shown.labels.get(step.picture) for step in (before, after)]
    if labels[0] is None or labels[1] is None:
        return
    answer = "Nothing changed." if before.picture == after.picture else changes(labels[0], labels[1])
    if answer:
        asked = (CHANGED, [before.reply, _answer(answer)])
        yield _asked(shown, f"change:{place}", asked, [pictures[before.picture], pictures[after.picture]])


def _asked(
    shown: KeptEpisode, name: str, question: tuple[str, list[DatasetReply]], pictures: Sequence[Screenshot]
) -> KeptEpisode:
    """A question as an episode; only its last reply is learned."""
    instruction, replies = question
    last = len(replies) - 1
    steps = tuple(
        DatasetStep(picture=picture.digest, reply=reply, verdict="good" if number == last else "unknown")
        for number, (picture, reply) in enumerate(zip(pictures, replies, strict=True))
    )
    episode = DatasetEpisode(
        source="perception",
        origin=f"{perception_origin(shown.episode)}:{name}",
        task=shown.episode.task,
        seed=shown.episode.seed,
        instruction=instruction,
        size=pictures[0].size,
        steps=steps,
    )
    return KeptEpisode(episode, pictures)


def perception_origin(episode: DatasetEpisode) -> str:
    """What the perception tasks about an episode are called together."""
    return f"perception:{episode.origin}"


def _answer(text: str) -> DatasetReply:
    return DatasetReply(actions=(Finished(answer=text),))


def _way(before: tuple[int, int], after: tuple[int, int]) -> str:
    across, down = after[0] - before[0], after[1] - before[1]
    if abs(across) > abs(down):
        return "to the right" if across > 0 else "to the left"
    return "down" if down > 0 else "up"


def _third(share: float, first: str, last: str) -> str:
    return first if share < 1 / 3 else last if share > 2 / 3 else ""


def _drawn(elements: Sequence[ElementLabel], count: int, rng: random.Random) -> list[ElementLabel]:
    return rng.sample(elements, min(count, len(elements)))


def _noun(element: ElementLabel) -> str:
    return _NOUNS.get(element.role, element.role)


def _named(role: str, text: str) -> str:
    noun = _NOUNS.get(role, role)
    if role in _CONTAINS:
        return f'the {noun} that holds "{text}"' if text else f"the empty {noun}"
    return f'the {noun} "{text}"' if text else f"{'an' if noun[0] in 'aeiou' else 'a'} {noun} without a text"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _beginning(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _place(element: ElementLabel) -> tuple[int, int]:
    left, top = element.box[:2]
    return round(left), round(top)


def _fits(element: ElementLabel, picture: Screenshot) -> bool:
    """Whether an element lies in the picture with room for a frame, and is larger than one."""
    left, top, right, bottom = element.box
    return 0 <= left <= right - 6 and right <= picture.size.width and 0 <= top <= bottom - 6 <= picture.size.height - 6


def _legible(element: ElementLabel, labels: PictureLabels) -> bool:
    letters = len(element.text.replace(" ", ""))
    left, top, right, bottom = element.box
    if element.role in _CONTAINS:
        return True  # the document does not say where a field's letters are
    seen = sum(left <= x <= right and top <= y <= bottom for _, x, y in labels.chars)
    return letters > 0 and seen >= 0.7 * letters
