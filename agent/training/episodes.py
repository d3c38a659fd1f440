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
from .rendering import PageRecord, spot
from .words import ASKING, FORWARD, names

LONGEST = 16
FEWEST_PAGES = 12
NAMED_SHARE, FORWARD_SHARE = 0.75, 0.75
BEFORE = {"blank": 0.05, "loading": 0.03, "over": 0.08, "missed": 0.08, "": 0.76}
"""How often a turn comes before the right one: a blank or loading page, a dialog over the page, a click that missed."""
END_SHARE = 0.75


@dataclass(frozen=True)
class Scene:
    """A turn to be: which page is seen, and the reply; a mistake is shown but not learned."""

    place: Place
    reply: TaughtReply
    learn: bool = True


class EpisodePages:
    """Which pages of one size (height, width and depth) can follow one another in an episode."""

    def __init__(self, shards: Shards, size: tuple[int, ...]) -> None:
        self.shards = shards
        self.named: dict[str, list[Scene]] = {}
        self.kinds: dict[str, list[Scene]] = {"asking": [], "done": [], "loading": [], "over": []}
        for place in shards.by_size[size][0]:
            self._sort(place, shards.records[place[0]][place[1]])
        self.named = {text: scenes for text, scenes in self.named.items() if len(scenes) >= FEWEST_PAGES}

    @property
    def enough(self) -> bool:
        """Whether there are pages of every kind."""
        return all((self.named, *self.kinds.values()))

    def _sort(self, place: Place, record: PageRecord) -> None:
        extra = record["extra"]
        kind = next((kind for kind in ("done", "loading", "over") if kind in extra), "asking")
        asked = own_reply(record) if extra.get("bare") else None
        replies = {"done": FINISHED, "loading": LOADING, "over": closing_reply(record), "asking": asked}
        if (reply := replies[kind]) is not None:
            self.kinds[kind].append(Scene(place, reply))
        if kind != "asking":
            return
        for element, order, count in named(record):
            if element["role"] == "button":
                scene = Scene(place, click(thought_of(element, order, count), element))
                self.named.setdefault(element["text"], []).append(scene)

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
            text, instruction, choices = "", rng.choice(GENERIC), self.kinds["asking"]
        scenes = self._scenes(rng, turns, choices, text)
        dropped = dropped_images(len(scenes), SACCADE_JSON["max_images"])
        shown: list[TrainingTurn] = []
        for scene in scenes[dropped:]:  # the runtime does not show the earlier ones
            seen = self.shards.page(scene.place)
            pages.append(blank_like(seen, rng) if scene.reply == BLANK else seen)
            shown.append(TrainingTurn(len(pages) - 1, scene.reply, scene.learn))
        return Conversation(instruction, tuple(shown))

    def _scenes(self, rng: random.Random, turns: int, choices: list[Scene], text: str) -> list[Scene]:
        ends = turns > 1 and rng.random() < END_SHARE
        scenes: list[Scene] = []
        while len(scenes) < turns - ends:
            scene = rng.choice(choices)
            (kind,) = rng.choices(list(BEFORE), list(BEFORE.values()))
            if kind == "blank":
                scenes.append(Scene(scene.place, BLANK))
            elif kind == "missed":
                page = self.shards.page(scene.place)
                scenes.append(Scene(scene.place, _missed(rng, scene.reply, page), learn=False))
            elif kind:
                page_before = rng.choice(self.kinds[kind])
                shard, index = page_before.place
                if text not in self.shards.records[shard][index]["extra"].get("over", ()):
                    scenes.append(page_before)
            scenes.append(scene)
        scenes = scenes[: turns - ends]
        if not scenes[-1].learn:  # A click that missed is followed by the next try.
            scenes[-1] = scene
        return scenes + ([rng.choice(self.kinds["done"])] if ends else [])


def _missed(rng: random.Random, reply: TaughtReply, page: Labelled) -> TaughtReply:
    """A click on another element, or anywhere."""
    height, width = page.picture.shape[:2]
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    others = [element["point"] for element in page.record["elements"] if element != reply.element]
    if others and rng.random() < 0.7:
        x, y = rng.choice(others)
    return click(reply.thought, spot(x, y))


def spelling(rng: random.Random, count: int) -> list[Conversation]:
    """Episodes without a picture: all they teach is to spell in each thought what was asked for."""
    spelled = []
    for _ in range(count):
        text = " ".join(names(rng, rng.choice((1, 1, 2, 4, 6))))
        element = spot(rng.random() * 100, rng.random() * 100, "button", text)
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
