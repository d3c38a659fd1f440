"""Experts, and policies that they correct, at play on MiniWoB++; and what can be asked about the pages they show."""

from __future__ import annotations

import random
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...actions.errors import UsageError
from ...actions.schema import Wait
from ...agent.training.dataset.demonstrations import PLACE, expert_origin, kept_expert, labels_of
from ...agent.training.dataset.folder import Dataset
from ...agent.training.dataset.perception import perception_origin, perception_tasks
from ...agent.training.dataset.records import DatasetEpisode, DatasetReply, DatasetStep, EpisodeSource, KeptEpisode
from ...agent.training.demonstrations import FIRST_SEED, demonstrate
from ...agent.training.experts.acting import PolicyActing, StrayActing
from ...agent.training.experts.collect import FOCUS_TASKS, played_episodes, training_seeds
from ...agent.training.experts.expert import EXPERT_TASKS
from ...agent.training.experts.shards import ExpertEpisode
from ...agent.training.rendering import PageRecord, Sheet
from ...perception.observation import Screenshot
from .storing import CollectedEpisodes

_FRAMES, _COLUMNS = 50, 10


@dataclass
class ExpertPlay:
    """Which episodes are to be played; those that a dataset has are not played again.

    Attributes:
        tasks: MiniWoB++ tasks that there are experts for.
        episodes: of each task, whether or not they succeed.
        seed: of the first episode, a training seed.
        stray: share of steps at which something else is done than the expert says, to see how it goes on.
        policy: a checkpoint that acts, while the expert says what would have been right.
        expert: share of episodes in which the expert acts nevertheless.

    Raises:
        UsageError: there is no expert for a task.
    """

    tasks: Sequence[str]
    episodes: int
    seed: int = FIRST_SEED
    stray: float = 0.1
    policy: Path | None = None
    expert: float = 0.2
    source: EpisodeSource = field(init=False)

    def __post_init__(self) -> None:
        self.source = "expert" if self.policy is None else "policy"
        for task in self.tasks:
            if task not in EXPERT_TASKS:
                raise UsageError(f"there is no expert for {task}; there are for {', '.join(EXPERT_TASKS)}")

    def left(self, dataset: Dataset) -> dict[str, int]:
        """How many episodes of each task are still to be played."""
        done = {task: len(dataset.origins(f"{self.source}:{PLACE}{task}:")) for task in self.tasks}
        return {task: self.episodes - count for task, count in done.items() if count < self.episodes}

    def play(self, dataset: Dataset) -> Iterator[CollectedEpisodes]:
        """Play what is left. The tasks that are done make room for the others when half of them are."""
        left = self.left(dataset)
        used = (int(origin.rsplit(":", 1)[1]) for origin in dataset.origins(f"{self.source}:{PLACE}"))
        seeds = training_seeds(max([self.seed, *(seed + 1 for seed in used)]), 0)
        rng = random.Random(self.seed)
        acting = PolicyActing(self.policy, self.expert, rng) if self.policy else StrayActing(self.stray, rng)
        while left:
            begun = len(left)
            with closing(played_episodes(list(left), seeds, acting, sheet_for(left))) as played:  # type: ignore[type-var]
                for episode in played:
                    earned = acting.outcome(episode) if isinstance(acting, PolicyActing) else None
                    if episode.task not in left:
                        continue
                    left[episode.task] -= 1
                    if not left[episode.task]:
                        del left[episode.task]
                    yield self._collected(episode, earned is not None)
                    if not left or len(left) <= begun // 2:
                        break

    def _collected(self, episode: ExpertEpisode, led: bool) -> CollectedEpisodes:
        """An episode that the policy began is kept whatever came of it: its expert knew what was right."""
        origin = expert_origin(episode.task, episode.seed, self.source)
        if not episode.steps or (episode.reward <= 0 and not led):
            return CollectedEpisodes(origin, PLACE + episode.task)
        kept = kept_expert(episode, self.source, stray=self.policy is None)
        return CollectedEpisodes(origin, PLACE + episode.task, (kept,), "stored")


def sheet_for(left: Mapping[str, int], alone: Container[str] = FOCUS_TASKS) -> Sheet:
    """A sheet with a frame for each task that shares one, and for more of their episodes, up to so many."""
    together = {task: count for task, count in left.items() if task not in alone}
    frames = max(len(together), min(_FRAMES, sum(together.values())), 1)
    columns = min(_COLUMNS, frames)
    return Sheet(columns, -(-frames // columns))


def perception(dataset: Dataset, per_picture: int) -> Iterator[CollectedEpisodes]:
    """Perception tasks about the labelled pictures of a dataset, for episodes that have none yet."""
    for episode in list(dataset.episodes()):
        origin = perception_origin(episode)
        if episode.source != "perception" and episode.kept and not dataset.collected(origin):
            kept = perception_tasks(labelled(dataset, episode), random.Random(episode.id), per_picture)
            yield CollectedEpisodes(origin, episode.task, tuple(kept), "stored")


def shown_pages(dataset: Dataset, tasks: Sequence[str], pages: int, per_picture: int) -> Iterator[CollectedEpisodes]:
    """Perception tasks about the first screens of MiniWoB++ tasks, so many of each; they need no expert."""
    used = [int(origin.rsplit(":", 1)[1]) for origin in dataset.origins(f"page:{PLACE}")]
    seed = max([FIRST_SEED, *(each + 1 for each in used)])
    done = {task: len(dataset.origins(f"page:{PLACE}{task}:")) for task in tasks}
    left = {task: pages - count for task, count in done.items() if count < pages}
    while left:
        sheet = sheet_for(left, ())
        places = len(sheet.places)
        for pictures, records in demonstrate(list(left), 1, seed, sheet):
            for number, (picture, record) in enumerate(zip(pictures, records, strict=True)):
                if record["task"] in left:
                    left[record["task"]] -= 1
                    left = {task: count for task, count in left.items() if count}
                    yield _page(Screenshot(np.ascontiguousarray(picture)), record, seed + number, per_picture)
        seed += places


def _page(picture: Screenshot, record: PageRecord, seed: int, per_picture: int) -> CollectedEpisodes:
    task = PLACE + record["task"]
    origin = f"page:{task}:{seed}"
    step = DatasetStep(picture=picture.digest, reply=DatasetReply(actions=(Wait(),)), verdict="unknown")
    page = DatasetEpisode(
        source="perception",
        origin=origin,
        task=task,
        seed=seed,
        instruction=record["utterance"],
        size=picture.size,
        steps=(step,),
    )
    shown = KeptEpisode(page, [picture], {picture.digest: labels_of(record["elements"], record["chars"])})
    return CollectedEpisodes(origin, task, tuple(perception_tasks(shown, random.Random(origin), per_picture)), "stored")


def labelled(dataset: Dataset, episode: DatasetEpisode) -> KeptEpisode:
    """An episode with its pictures and what is known of them."""
    digests = list(dict.fromkeys(step.picture for step in episode.steps))
    labels = {digest: found for digest in digests if (found := dataset.labels(digest)) is not None}
    pictures = [dataset.picture(digest) for digest in digests] if labels else []
    return KeptEpisode(episode, pictures, labels)
