"""GRPO (arXiv 2402.03300) on tasks that can be played again, with success replay as in ARPO (arXiv 2505.16282)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from ..tuning.items import ItemLoss, Scores, TrainingItem
from ..tuning.sequences import TrainingSequence, packed, unpacked
from .losses import group_advantages, policy_loss


class Attempt(NamedTuple):
    """One episode of the model in training: what it read and replied, and what it earned."""

    sequences: Sequence[TrainingSequence]
    reward: float


class Success(NamedTuple):
    """An attempt that is learned from again, with the probabilities it had, and what it earned."""

    items: tuple[TrainingItem, ...]
    reward: float


class Play(Protocol):
    """Plays episodes with the weights as they are."""

    def __call__(self, task: str, seed: int, count: int, step: int, /) -> list[Attempt]:
        """So many attempts at one task, which begin the same; drawn by the step."""


@dataclass(frozen=True)
class GroupSettings:
    """The settings of GRPO.

    Attributes:
        tasks: that are played.
        first_seed: of the tasks; each group has the next.
        groups: tasks per update.
        attempts: at each.
        clip: see ``losses.policy_loss``.
        beta: weight of the divergence from the model before training.
        replay: whether a task that no attempt solves gets its last success back.
    """

    tasks: tuple[str, ...]
    first_seed: int
    groups: int = 2
    attempts: int = 8
    clip: float = 0.2
    beta: float = 0.02
    replay: bool = True


class GroupPolicy:
    """Attempts that earn more than others at the same task gain probability.

    Args:
        settings: which tasks, and how.
        play: plays.
        score: log probabilities of the learned tokens of sequences, with the weights as they are.

    Attributes:
        successes: the newest success at each task, and what it earned.
        rewards: of the last update's attempts.
    """

    needs_reference = True
    held_out: Sequence[TrainingItem] = ()

    def __init__(
        self, settings: GroupSettings, play: Play, score: Callable[[Sequence[TrainingSequence]], list[Tensor]]
    ) -> None:
        self._settings = settings
        self._play = play
        self._score = score
        self.successes: dict[str, Success] = {}
        self.rewards: list[float] = []
        self._even = 0.0

    @property
    def numbers(self) -> Mapping[str, float]:
        """The mean reward of the last attempts, and the share of tasks that no attempt was better at than another."""
        return {"reward": sum(self.rewards) / max(1, len(self.rewards)), "even": self._even}

    def draw(self, step: int) -> Sequence[TrainingItem]:
        """Play the groups of an update; those in which all earned the same teach nothing and are left out."""
        settings, items, successes = self._settings, list[TrainingItem](), dict(self.successes)
        earned, even = list[float](), 0
        for number in range(step * settings.groups, (step + 1) * settings.groups):
            task = settings.tasks[number % len(settings.tasks)]
            attempts = self._play(task, settings.first_seed + number, settings.attempts, step)
            rewards = [each.reward for each in attempts]
            earned += rewards
            taught = self._taught(task, attempts, rewards, successes)
            even += not taught
            items += taught
        # Only now, so that a stop while attempts are made changes nothing.
        self.successes, self.rewards, self._even = successes, earned, even / settings.groups
        return items

    def _taught(
        self, task: str, attempts: Sequence[Attempt], rewards: list[float], successes: dict[str, Success]
    ) -> list[TrainingItem]:
        """The items of a group, with an earlier success in the place of a failure where all failed."""
        known = successes.get(task) if self._settings.replay and max(rewards) <= 0 else None
        replayed = known.items if known is not None else ()
        if known is not None:
            attempts, rewards = attempts[1:], [*rewards[1:], known.reward]
        advantages = group_advantages(rewards)
        if max(rewards) > 0 and not replayed:
            successes[task] = self._kept(task, attempts[rewards.index(max(rewards))])
        if not any(advantages):
            return []
        fresh = [
            TrainingItem((sequence,), task, advantage)
            for attempt, advantage in zip(attempts, advantages, strict=False)
            for sequence in attempt.sequences
        ]
        return fresh + [replace(item, advantage=advantages[-1]) for item in replayed]

    def _kept(self, task: str, attempt: Attempt) -> Success:
        """A success with its probabilities: it is learned from later, by other weights than wrote it."""
        scores = self._score(attempt.sequences)
        pairs = zip(attempt.sequences, scores, strict=True)
        items = tuple(TrainingItem((each,), task, 0.0, tuple(old.tolist())) for each, old in pairs)
        return Success(items, attempt.reward)

    def size(self, items: Sequence[TrainingItem]) -> float:
        """The number of learned tokens."""
        return float(sum(len(sequence.learned) for item in items for sequence in item.sequences))

    def loss(self, items: Sequence[TrainingItem], now: Scores, before: Scores) -> ItemLoss:
        """See ``losses.policy_loss``; attempts are learned from once, so only a replayed one has other old scores."""
        losses, apart = [], []
        for item, (scores,), (reference,) in zip(items, now, before, strict=True):
            old = torch.tensor(item.old, device=scores.device) if item.old else scores.detach()
            advantages = torch.full_like(scores, item.advantage)
            losses.append(
                policy_loss(scores, old, reference, advantages, self._settings.clip, self._settings.beta).sum()
            )
            apart.append((reference - scores).detach().square().sum() / 2)
        return ItemLoss(torch.stack(losses).sum(), {"divergence": torch.stack(apart).sum()})

    def state_dict(self) -> dict[str, Any]:
        """The kept successes."""
        return {
            task: {"items": [(packed(each.sequences[0]), list(each.old)) for each in kept.items], "reward": kept.reward}
            for task, kept in self.successes.items()
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take kept successes back."""
        for task, kept in state.items():
            items = tuple(TrainingItem((unpacked(each),), task, 0.0, tuple(old)) for each, old in kept["items"])
            self.successes[task] = Success(items, kept["reward"])
