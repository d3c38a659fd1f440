"""What one training step is made of: which pictures, and what is asked about them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ...actions.schema import Wait, action_adapter
from .batches import Labelled, Shards, blank_like
from .examples import Example, asked, reworded
from .experts.shards import ExpertEpisode, ExpertStep, load_episodes, shard_names
from .spelling import spelling

BLANK_SHARE: Final = 0.01
REWORDED_SHARE: Final = 0.5
HELD_BACK: Final = 25
"""One episode in so many is not learned from but measured on."""
TrainingStep = tuple[list[Labelled], list[Example]]


@dataclass(frozen=True)
class Demonstration:
    """One step of an expert's episode, with as many of the actions before it as the policy is told of."""

    task: str
    instruction: str
    step: ExpertStep
    before: tuple[dict[str, Any], ...]

    def example(self, picture: int) -> Example:
        """What the policy is to do at this step."""
        history = [action_adapter.validate_python(action) for action in self.before]
        return Example(picture, self.instruction, history, action_adapter.validate_python(self.step.action))

    def page(self) -> Labelled:
        """The step's picture with its labels."""
        return self.step.page(self.task, self.instruction)


def demonstrations(episode: ExpertEpisode, replies: int) -> Iterator[Demonstration]:
    """The steps of an episode, each with at most so many earlier actions."""
    done = [step.done for step in episode.steps]
    for index, step in enumerate(episode.steps):
        yield Demonstration(episode.task, episode.instruction, step, tuple(done[max(0, index - replies) : index]))


@dataclass
class DemonstrationFolder:
    """The demonstrations in a folder by task; new shards may arrive while it is read.

    Attributes:
        learned: those to learn from.
        held_back: those to measure on.
    """

    folder: Path
    replies: int
    learned: dict[str, list[Demonstration]] = field(default_factory=dict)
    held_back: list[Demonstration] = field(default_factory=list)
    _read: set[str] = field(default_factory=set)

    def refresh(self) -> None:
        """Read the shards that were not there before.

        Raises:
            FileNotFoundError: there are none at all.
        """
        for name in shard_names(self.folder, "*"):
            if name not in self._read:
                self._read.add(name)
                for episode in load_episodes(self.folder, name):
                    self._add(episode)
        if not self.learned:
            raise FileNotFoundError(f"no demonstrations in {self.folder}; collect some first")

    def _add(self, episode: ExpertEpisode) -> None:
        steps = demonstrations(episode, self.replies)
        if episode.seed % HELD_BACK == 0:
            self.held_back.extend(steps)
        else:
            self.learned.setdefault(episode.task, []).extend(steps)

    def __len__(self) -> int:
        return sum(map(len, self.learned.values()))


@dataclass
class Curriculum:
    """Draws the pictures and examples of each step.

    Attributes:
        data: where they come from; its tasks are drawn equally often, unless ``shares`` says otherwise.
        pictures: per step.
        questions: how many questions are asked, on average, about what each picture shows.
        shares: how often to draw a task, relative to 1.
        practice: how many examples of typing alone, without a picture, come with each picture.
        plain: pages that are no task, about which only questions are asked.
        plain_share: the share of steps with those.
    """

    data: DemonstrationFolder
    pictures: int = 32
    questions: float = 0.5
    shares: dict[str, float] = field(default_factory=dict)
    practice: float = 0.0
    plain: Shards | None = None
    plain_share: float = 0.0

    def draw(self, rng: random.Random) -> TrainingStep:
        """One step's pictures and examples, of which there are always equally many."""
        pages, examples = self._pictured(rng)
        return pages, examples + [spelling(rng) for _ in range(round(self.practice * self.pictures))]

    def _pictured(self, rng: random.Random) -> TrainingStep:
        if self.plain is not None and rng.random() < self.plain_share:
            pages = self.plain.draw(rng, self.pictures)
            return pages, self._filled([], pages, rng)
        tasks = sorted(self.data.learned)
        weights = [self.shares.get(task, 1.0) for task in tasks]
        drawn = [
            self._drawn(rng.choice(self.data.learned[task]), index, rng)
            for index, task in enumerate(rng.choices(tasks, weights, k=self.pictures))
        ]
        return [page for page, _ in drawn], self._filled([example for _, example in drawn], [p for p, _ in drawn], rng)

    def _drawn(self, demonstration: Demonstration, index: int, rng: random.Random) -> tuple[Labelled, Example]:
        page, example = demonstration.page(), demonstration.example(index)
        if rng.random() < BLANK_SHARE:
            return blank_like(page, rng), Example(index, example.instruction, (), Wait())
        return page, reworded(example, rng) if rng.random() < REWORDED_SHARE else example

    def _filled(self, examples: list[Example], pages: list[Labelled], rng: random.Random) -> list[Example]:
        """The examples with as many questions about the pages as there are to be in all."""
        count = round(self.pictures * (1 + self.questions))
        order = [index for _ in range(3) for index in rng.sample(range(len(pages)), len(pages))]
        questions = (asked(pages[index].record, index, rng) for index in order)
        found = itertools.islice((q for q in questions if q is not None), count - len(examples))
        filled = [*examples, *found]
        return filled + rng.choices(filled, k=count - len(filled))
