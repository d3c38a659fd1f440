"""Episodes of up to sixteen turns over pages that follow one another, spelled as a run spells them.

Nothing happens in them that a real job does not show: pages that are blank or still loading, clicks that
miss, a dialog over the page, and at the end a page that says so.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from ..context import dropped_images
from .architecture import SACCADE_JSON
from .batches import Conversation, Labelled, Place, Shards, TrainingTurn, blank_like
from .questions import (
    BLANK,
    FINISHED,
    GENERIC,
    LOADING,
    TaughtReply,
    click,
    closing_reply,
    named,
    own_reply,
    thought_of,
)
from .rendering import DomElement, PageRecord
from .words import ASKING, FORWARD, names

LONGEST = 16
FEWEST_PAGES = 12
NAMED_SHARE, FORWARD_SHARE = 0.75, 0.75
BLANK_SHARE, LOADING_SHARE, COVERED_SHARE, MISSED_SHARE = 0.05, 0.03, 0.08, 0.08
END_SHARE = 0.75


@dataclass(frozen=True)
class Scene:
    """A turn to be: which page is seen, and the reply; a mistake is shown but not learned."""

    place: Place
    reply: TaughtReply
    learn: bool = True


class EpisodePages:
    """Which pages of one size can follow one another in an episode.

    Args:
        shards: where the pages are.
        size: height, width and depth of the pictures.
    """

    def __init__(self, shards: Shards, size: tuple[int, ...]) -> None:
        self.shards = shards
        self.named: dict[str, list[tuple[Place, TaughtReply]]] = {}
        self.asking: list[tuple[Place, TaughtReply]] = []
        self.ends: list[tuple[Place, TaughtReply]] = []
        self.loading: list[tuple[Place, TaughtReply]] = []
        self.covered: list[tuple[Place, TaughtReply]] = []
        for place in shards.by_size[size][0]:
            self._sort(place, shards.records[place[0]][place[1]])
        self.named = {text: pages for text, pages in self.named.items() if len(pages) >= FEWEST_PAGES}

    @property
    def enough(self) -> bool:
        """Whether every kind of page is there."""
        return all((self.named, self.asking, self.ends, self.loading, self.covered))

    def _sort(self, place: Place, record: PageRecord) -> None:
        extra, closing = record["extra"], closing_reply(record)
        if extra.get("done"):
            self.ends.append((place, FINISHED))
        elif extra.get("loading"):
            self.loading.append((place, LOADING))
        elif "over" in extra:
            self.covered += [(place, closing)] if closing is not None else []
        else:
            self._sort_buttons(place, record)

    def _sort_buttons(self, place: Place, record: PageRecord) -> None:
        own = own_reply(record) if record["extra"].get("bare") else None
        if own is not None:
            self.asking.append((place, own))
        for element, order, count in named(record):
            if element["role"] == "button":
                reply = click(thought_of(element, order, count), element)
                self.named.setdefault(element["text"], []).append((place, reply))

    def lesson(self, rng: random.Random, turns: int, count: int) -> tuple[list[Labelled], list[Conversation]]:
        """Return ``count`` episodes of about as many turns each, and the pages that are seen in them."""
        pages: list[Labelled] = []
        conversations = [self._episode(rng, max(1, turns - rng.randint(0, 1)), pages) for _ in range(count)]
        return pages, conversations

    def _episode(self, rng: random.Random, turns: int, pages: list[Labelled]) -> Conversation:
        """One episode; adds the pages whose screenshots are still there at its end to ``pages``."""
        if rng.random() < NAMED_SHARE:
            known = [text for text in FORWARD if text in self.named]
            text = rng.choice(known if known and rng.random() < FORWARD_SHARE else list(self.named))
            instruction, choices = rng.choice(ASKING).format(text), self.named[text]
        else:
            text, instruction, choices = "", rng.choice(GENERIC), self.asking
        scenes = self._scenes(rng, turns, choices, text)
        dropped = dropped_images(len(scenes), SACCADE_JSON["max_images"])
        shown: list[TrainingTurn] = []
        for index, scene in enumerate(scenes):
            if index < dropped:  # the runtime does not show it
                continue
            seen = self.shards.page(scene.place)
            pages.append(blank_like(seen, rng) if scene.reply == BLANK else seen)
            shown.append(TrainingTurn(len(pages) - 1, scene.reply, scene.learn))
        return Conversation(instruction, tuple(shown))

    def _scenes(
        self, rng: random.Random, turns: int, choices: list[tuple[Place, TaughtReply]], text: str
    ) -> list[Scene]:
        ends = turns > 1 and rng.random() < END_SHARE
        scenes: list[Scene] = []
        while len(scenes) < turns - ends:
            place, reply = rng.choice(choices)
            pick = rng.random()
            if pick < BLANK_SHARE:
                scenes.append(Scene(place, BLANK))
            elif pick < BLANK_SHARE + LOADING_SHARE:
                scenes.append(Scene(*rng.choice(self.loading)))
            elif pick < BLANK_SHARE + LOADING_SHARE + COVERED_SHARE:
                scenes += self._dialog(rng, text)
            elif pick < BLANK_SHARE + LOADING_SHARE + COVERED_SHARE + MISSED_SHARE:
                scenes.append(Scene(place, _missed(rng, reply, self.shards.page(place)), learn=False))
            scenes.append(Scene(place, reply))
        scenes = scenes[: turns - ends]
        if not scenes[-1].learn:  # A click that missed is followed by the next try.
            scenes[-1] = Scene(place, reply)
        return scenes + ([Scene(*rng.choice(self.ends))] if ends else [])

    def _dialog(self, rng: random.Random, text: str) -> list[Scene]:
        """A dialog to close, unless the button that is asked for is in it."""
        place, reply = rng.choice(self.covered)
        record = self.shards.records[place[0]][place[1]]
        return [] if text in record["extra"]["over"] else [Scene(place, reply)]


def _missed(rng: random.Random, reply: TaughtReply, page: Labelled) -> TaughtReply:
    """A click on another element, or anywhere."""
    height, width = page.picture.shape[:2]
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    others = [element["point"] for element in page.record["elements"] if element != reply.element]
    if others and rng.random() < 0.7:
        x, y = rng.choice(others)
    return click(reply.thought, DomElement(role="", text="", box=[x, y, x, y], point=[x, y]))


def spelling(rng: random.Random, count: int) -> list[Conversation]:
    """Episodes without a picture: all they teach is to spell in each thought what was asked for."""
    spelled = []
    for _ in range(count):
        x, y = rng.random() * 100, rng.random() * 100
        text = " ".join(names(rng, rng.choice((1, 1, 2, 4, 6))))
        element = DomElement(role="button", text=text, box=[x, y, x, y], point=[x, y])
        turn = TrainingTurn(None, click(thought_of(element), element))
        spelled.append(Conversation(rng.choice(ASKING).format(text), (turn,) * rng.choice((1, 1, 1, 2))))
    return spelled


def silenced(conversation: Conversation, rng: random.Random, share: float) -> Conversation:
    """The conversation, in some cases with all or half of its replies as actions alone."""
    if rng.random() >= share:
        return conversation
    each = 1.0 if rng.random() < 0.7 else 0.5
    turns = [replace(turn, reply=turn.reply.silent()) if rng.random() < each else turn for turn in conversation.turns]
    return Conversation(conversation.instruction, tuple(turns))
