"""What one training step is made of: which pages, which conversations about them."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np

from .batches import Conversation, Labelled, Shards, Turn
from .dom import Element, PageRecord
from .learner import Weights
from .questions import BLANK, GENERIC, STILL_BLANK, Question, ask, click, own_reply

BLANK_SHARE = 0.03
WIZARD_SHARE = 0.4
# Telling buttons apart by their text takes longest to learn.
SHARES = {
    "click-button": 4.0,
    "click-test-2": 2.5,
    "click-link": 0.7,
    "click-test": 0.5,
    "click-tab": 0.5,
    "enter-text": 0.5,
    "form": 0.4,
    "scatter": 0.5,
    "dialog": 0.4,
    "wizard": 2.0,
}
Lesson = tuple[list[Labelled], list[Conversation]]


@dataclass(frozen=True)
class Stage:
    """One part of the curriculum.

    Attributes:
        pictures: pages per step.
        questions: conversations per page at most.
        weights: how much each loss counts.
    """

    pictures: int
    questions: int
    weights: Weights


STAGES = {
    "read": Stage(32, 0, Weights(words=0.0, chars=1.0)),
    "ground": Stage(8, 3, Weights(words=2.0, places=1.5, chars=1.0)),
    "history": Stage(8, 3, Weights(places=1.5)),
}


def lesson(shards: Shards, stage: Stage, history: float, rng: random.Random) -> Lesson:
    """Return one step's pages and conversations; ``history`` is the share of steps with several turns."""
    if rng.random() >= history:
        return single_turn(shards, stage, rng)
    pages = shards.draw(rng, stage.pictures * 5)
    if rng.random() < WIZARD_SHARE:
        pages.sort(key=lambda page: not page.record["extra"].get("bare"))
    return several_turns(pages[: stage.pictures], rng)


def single_turn(shards: Shards, stage: Stage, rng: random.Random) -> Lesson:
    """Return pages with up to ``stage.questions`` questions each, every one answered at first sight."""
    pages = shards.draw(rng, stage.pictures)
    conversations: list[Conversation] = []
    for index, page in enumerate(pages):
        questions = ask(page.record, rng)[: stage.questions]
        if questions and rng.random() < BLANK_SHARE:
            pages[index] = blank_like(page, rng)
            questions = [Question(q.instruction, BLANK) for q in questions[:1]]
        conversations += [Conversation(q.instruction, (Turn(index, q.reply),)) for q in questions]
    return pages, conversations


def several_turns(pages: list[Labelled], rng: random.Random) -> Lesson:
    """Return episodes of two to four turns: tries that missed, pages that follow one another, slow pages."""
    conversations: list[Conversation] = []
    left = list(range(len(pages)))
    while left:
        bare = [i for i in left if pages[i].record["extra"].get("bare")]
        if len(bare) >= 2:
            chain = bare[: rng.randint(2, 4)]
            conversations.append(wizard(pages, chain, rng))
            left = [i for i in left if i not in chain]
            continue
        index = left.pop()
        questions = ask(pages[index].record, rng)
        if not questions:
            continue
        if left and rng.random() < 0.25:
            blank = left.pop()
            pages[blank] = blank_like(pages[index], rng)
            then = Turn(index, questions[0].reply) if rng.random() < 0.5 else Turn(blank, STILL_BLANK)
            turns = [Turn(blank, BLANK), then]
            conversations.append(Conversation(questions[0].instruction, tuple(turns)))
        else:
            conversations.append(second_try(index, questions, pages[index], rng))
    return pages, conversations


def wizard(pages: list[Labelled], chain: list[int], rng: random.Random) -> Conversation:
    """Return an episode over pages that each ask for one click; a page that says "done" ends it."""
    ends = [i for i in chain if pages[i].record["extra"].get("done")]
    order = [i for i in chain if i not in ends] + ends[:1]
    replies = [(i, q) for i in order if (q := own_reply(pages[i].record)) is not None]
    return Conversation(rng.choice(GENERIC), tuple(Turn(i, reply) for i, reply in replies))


def second_try(index: int, questions: list[Question], page: Labelled, rng: random.Random) -> Conversation:
    """Return an episode in which one to three clicks missed and the page looks as before."""
    question = questions[0]
    height, width = page.picture.shape[:2]
    missed: list[Turn] = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        wrong = rng.choice(questions).reply
        if wrong.element is None:
            break
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        place = Element(role="", text="", box=[x, y, x, y], point=[x, y])
        thought = question.reply.thought if rng.random() < 0.7 else wrong.thought
        missed.append(Turn(index, click(thought, place), learn=False))
    return Conversation(question.instruction, (*missed, Turn(index, question.reply)))


def blank_like(page: Labelled, rng: random.Random) -> Labelled:
    """Return an empty picture of a page's size: black, white, grey or any one colour."""
    grey = rng.choice((0, 255, 255, rng.randrange(256)))
    colour = [grey] * 3 if rng.random() < 0.8 else [rng.randrange(256) for _ in range(3)]
    picture = np.broadcast_to(np.array(colour, dtype=np.uint8), page.picture.shape)
    record = PageRecord(task="blank", utterance="", elements=[], chars=[], extra={})
    return Labelled(np.array(picture), record)
