"""What one training step is made of: which pages, which conversations about them."""

from __future__ import annotations

import random
from dataclasses import dataclass

from .batches import Conversation, Labelled, Shards, TrainingTurn, blank_like
from .episodes import LONGEST, EpisodePages, silenced, spelling
from .questions import BLANK, GENERIC, STILL_BLANK, Question, ask, click, own_reply
from .rendering import spot
from .trainer import LossWeights

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
    "covered": 0.7,
    "loading": 0.3,
    "done": 0.7,
}
TrainingStep = tuple[list[Labelled], list[Conversation]]


@dataclass(frozen=True)
class Stage:
    """One part of the curriculum: pages per step, conversations per page at most, and how much each loss counts."""

    pictures: int
    questions: int
    weights: LossWeights


STAGES = {
    "read": Stage(32, 0, LossWeights(words=0.0, chars=1.0)),
    "ground": Stage(8, 3, LossWeights(words=2.0, places=1.5, chars=1.0)),
    "history": Stage(8, 3, LossWeights(places=1.5)),
}


@dataclass
class Curriculum:
    """Draws the pages and conversations of each step.

    Attributes:
        history: the share of steps with two to four turns.
        episodes: the share of steps with longer episodes.
        silent: the share of conversations with replies that hold no thought.
        spelling: the share of steps without pictures, in which names are spelled again.
    """

    shards: Shards
    stage: Stage
    history: float = 0.0
    episodes: float = 0.0
    silent: float = 0.0
    spelling: float = 0.0

    def __post_init__(self) -> None:
        stocks = [EpisodePages(self.shards, size) for size in self.shards.by_size] if self.episodes else []
        self._stocks = [stock for stock in stocks if stock.enough]
        if self.episodes and not self._stocks:
            raise ValueError("the pages hold no episodes; render some of --series native too")

    def draw(self, rng: random.Random) -> TrainingStep:
        """One step's pages and conversations."""
        if rng.random() < self.spelling:
            return self.shards.draw(rng, 1), spelling(rng, 5 * self.stage.pictures)
        pages, conversations = self._draw(rng)
        return pages, [silenced(each, rng, self.silent) for each in conversations]

    def _draw(self, rng: random.Random) -> TrainingStep:
        pick, stage = rng.random(), self.stage
        if pick < self.episodes:
            return rng.choice(self._stocks).lesson(rng, rng.randint(1, LONGEST), stage.pictures // 2)
        if pick >= self.episodes + self.history:
            return single_turn(self.shards, stage, rng)
        pages = self.shards.draw(rng, stage.pictures * 5)
        if rng.random() < WIZARD_SHARE:
            pages.sort(key=lambda page: not page.record["extra"].get("bare"))
        return several_turns(pages[: stage.pictures], rng)


def single_turn(shards: Shards, stage: Stage, rng: random.Random) -> TrainingStep:
    """Pages with up to ``stage.questions`` questions each, every one answered at first sight."""
    pages = shards.draw(rng, stage.pictures)
    conversations: list[Conversation] = []
    for index, page in enumerate(pages):
        questions = ask(page.record, rng)[: stage.questions]
        if questions and rng.random() < BLANK_SHARE:
            pages[index] = blank_like(page, rng)
            questions = [Question(q.instruction, BLANK) for q in questions[:1]]
        conversations += [Conversation(q.instruction, (TrainingTurn(index, q.reply),)) for q in questions]
    return pages, conversations


def several_turns(pages: list[Labelled], rng: random.Random) -> TrainingStep:
    """Episodes of two to four turns: tries that missed, pages that follow one another, slow pages."""
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
            then = TrainingTurn(index, questions[0].reply) if rng.random() < 0.5 else TrainingTurn(blank, STILL_BLANK)
            turns = [TrainingTurn(blank, BLANK), then]
            conversations.append(Conversation(questions[0].instruction, tuple(turns)))
        else:
            conversations.append(second_try(index, questions, pages[index], rng))
    return pages, conversations


def wizard(pages: list[Labelled], chain: list[int], rng: random.Random) -> Conversation:
    """An episode over pages that each ask for one click; a page that says "done" ends it."""
    ends = [i for i in chain if pages[i].record["extra"].get("done")]
    order = [i for i in chain if i not in ends] + ends[:1]
    replies = [(i, q) for i in order if (q := own_reply(pages[i].record)) is not None]
    return Conversation(rng.choice(GENERIC), tuple(TrainingTurn(i, reply) for i, reply in replies))


def second_try(index: int, questions: list[Question], page: Labelled, rng: random.Random) -> Conversation:
    """An episode in which one to three clicks missed and the page looks as before."""
    question = questions[0]
    height, width = page.picture.shape[:2]
    missed: list[TrainingTurn] = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        wrong = rng.choice(questions).reply
        if wrong.element is None:
            break
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        thought = question.reply.thought if rng.random() < 0.7 else wrong.thought
        missed.append(TrainingTurn(index, click(thought, spot(x, y)), learn=False))
    return Conversation(question.instruction, (*missed, TrainingTurn(index, question.reply)))
