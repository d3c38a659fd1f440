"""What a dataset is made of: one JSON object per episode in ``episodes.jsonl``.

A step holds what was done on one picture, whether that was right, and what should have been done instead where
that is known. Every point is in pixels of the step's picture.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from ....actions.characters import LONGEST_TEXT, whole_text
from ....actions.geometry import Point
from ....actions.schema import Action
from ....env.trajectory.events import ScreenSize, Time
from ....perception.observation import Screenshot

Text = Annotated[str, AfterValidator(whole_text), StringConstraints(max_length=LONGEST_TEXT)]
Name = Annotated[str, AfterValidator(whole_text), StringConstraints(max_length=1000)]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
EpisodeId = Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{16})?$")]
Seed = Annotated[int, Field(ge=-(1 << 63), lt=1 << 63)]
EpisodeSource = Literal["expert", "policy", "person", "healed", "perception"]
Verdict = Literal["good", "wrong", "unknown"]
MOST_STEPS: Final = 10_000


class _DatasetRecord(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DatasetReply(_DatasetRecord):
    """What was said and done in one step; a dialect writes it as text."""

    thought: Text = ""
    actions: Annotated[tuple[Action, ...], Field(min_length=1, max_length=1000)]


class DatasetStep(_DatasetRecord):
    """One step of an episode.

    Attributes:
        picture: digest of the screen before it (``Screenshot.digest``); the file is ``pictures/<digest>.png``.
        reply: what was done. It is part of the history that later steps see.
        verdict: whether that was right; a reply is learned only where it was.
        better: what should have been done instead: an expert's action, a heal, a correction. It is learned.
        feedback: what the policy was told before this step, about the step before it.
    """

    picture: Digest
    reply: DatasetReply
    verdict: Verdict = "good"
    better: DatasetReply | None = None
    feedback: Text | None = None

    @property
    def target(self) -> DatasetReply | None:
        """The reply to learn at this step; None where nothing is known to be right."""
        if self.better is not None:
            return self.better
        return self.reply if self.verdict == "good" else None


class DatasetEpisode(_DatasetRecord):
    """One attempt at one task.

    Attributes:
        id: of its content, which is the same for equal episodes; the dataset fills it in.
        source: who acted; ``healed`` where a replay corrected a recording, ``perception`` for questions about screens.
        origin: where it comes from: a run's folder, or a task and seed. Nothing is collected twice from one origin.
        task: the kind of problem, as environments are named: ``miniwob:click-test``.
        seed: of the environment, where it has one.
        instruction: what was asked for.
        size: of the first picture.
        steps: in order.
        reward: as the environment or an expectation judged it; None where nothing did.
        kept: whether it is to be learned from; a review may say no.
    """

    id: EpisodeId = ""
    source: EpisodeSource
    origin: Name
    task: Name
    seed: Seed | None = None
    instruction: Text
    size: ScreenSize
    steps: Annotated[tuple[DatasetStep, ...], Field(min_length=1, max_length=MOST_STEPS)]
    reward: float | None = None
    kept: bool = True

    def content_id(self) -> str:
        """What equal episodes share: made of instruction, pictures and replies."""
        steps = [
            [step.picture, _said(step.reply), None if step.better is None else _said(step.better)]
            for step in self.steps
        ]
        return hashlib.sha256(json.dumps([self.instruction, steps]).encode()).hexdigest()[:16]

    @property
    def problem(self) -> str:
        """What is held out together: a task with its seed, or where there is none, an instruction."""
        return self.instruction if self.seed is None else f"{self.task}\n{self.seed}"


def _said(reply: DatasetReply) -> Any:
    return reply.model_dump(mode="json")


class ElementLabel(_DatasetRecord):
    """Something that can be clicked, as the page's document has it; in pixels of the picture.

    Attributes:
        role: such as ``button``; empty for a place that is no element.
        text: what it shows.
        box: left, top, right, bottom.
        point: a place in it that nothing covers.
    """

    role: Name = ""
    text: Text = ""
    box: tuple[float, float, float, float]
    point: Point


class PictureLabels(_DatasetRecord):
    """What is known of a picture beside its pixels: what can be clicked, and every visible character's centre."""

    elements: Annotated[tuple[ElementLabel, ...], Field(max_length=10_000)] = ()
    chars: Annotated[tuple[tuple[Name, float, float], ...], Field(max_length=100_000)] = ()


class KeptEpisode(NamedTuple):
    """An episode with the pictures that it names, and what is known of them: what ``Dataset.add`` takes."""

    episode: DatasetEpisode
    pictures: Sequence[Screenshot]
    labels: Mapping[str, PictureLabels] = MappingProxyType({})


AttemptOutcome = Literal["stored", "duplicate", "failed", "unjudged"]


class DatasetAttempt(_DatasetRecord):
    """An origin that was looked at, whether or not an episode came of it: one line of ``attempts.jsonl``.

    Attributes:
        origin: as in ``DatasetEpisode``.
        task: likewise.
        outcome: ``duplicate`` where the dataset had an equal episode; ``failed`` where the task was not achieved;
            ``unjudged`` where nobody said whether it was.
    """

    origin: Name
    task: Name
    outcome: AttemptOutcome


class HeldOutRule(_DatasetRecord):
    """Which problems are measured on and never learned from: a fixed share of them, by a hash.

    Attributes:
        share: of the problems.
        salt: hashed with the problem; chosen so that a dataset's first problem is learned from.
    """

    share: Annotated[float, Field(ge=0, lt=1)] = 0.1
    salt: Annotated[int, Field(ge=0)] = 0

    def __call__(self, problem: str) -> bool:
        """Whether a problem is held out."""
        known = hashlib.sha256(f"{self.salt}\n{problem}".encode()).digest()
        return int.from_bytes(known[:8], "big") < self.share * (1 << 64)

    def __str__(self) -> str:
        return f"{self.share:.0%} of the problems (a task with its seed, else an instruction), by hash"

    def learning(self, problem: str) -> HeldOutRule:
        """This rule with the first salt at which a problem is learned from."""
        rule = self
        while rule(problem):
            rule = rule.model_copy(update={"salt": rule.salt + 1})
        return rule


class TaskCounts(_DatasetRecord):
    """What a dataset holds of one task.

    Attributes:
        learned: episodes to learn from.
        held_out: episodes to measure on.
        rejected: episodes that a review rejected.
        steps: of the episodes to learn from.
        seeds: those to learn from, as ranges: ``3-5,9``. An evaluation on others is on problems that nothing saw.
        failed: attempts that did not achieve the task; no episode is here of them.
        duplicates: attempts that gave an episode that was here already.
    """

    learned: int = 0
    held_out: int = 0
    rejected: int = 0
    steps: int = 0
    seeds: str = ""
    failed: int = 0
    duplicates: int = 0


class DatasetCard(_DatasetRecord):
    """What a dataset holds, for people and for the card of a model that learns from it: ``card.json``.

    Attributes:
        version: of the format.
        created: when it began, in seconds since the epoch.
        saccade_version: that began it.
        licences: of what is in it, as whoever collected it said.
        held_out: the rule.
        sources: episodes by source.
        tasks: by name.
        pictures: different ones.
    """

    version: Literal[1] = 1
    created: Time
    saccade_version: str
    licences: tuple[Name, ...] = ()
    held_out: HeldOutRule = HeldOutRule()
    sources: dict[str, int] = Field(default_factory=dict)
    tasks: dict[str, TaskCounts] = Field(default_factory=dict)
    pictures: int = 0

    @property
    def learned(self) -> int:
        """Episodes to learn from."""
        return sum(task.learned for task in self.tasks.values())

    @property
    def measured(self) -> int:
        """Episodes to measure on."""
        return sum(task.held_out for task in self.tasks.values())
