"""What is done at a step of an episode that an expert labels: its own action, a stray click, or a policy's action."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ....actions.errors import ParseError
from ....actions.geometry import Point
from ....actions.schema import Action, CallUser, Click, Finished, Wait, action_adapter
from ....perception.observation import Screenshot
from ...local import LocalPolicy
from ...policy import Context, Turn
from ..examples import reply_text
from .shards import ExpertEpisode, ExpertStep

_INSTRUCTION_HEIGHT: Final = 50
NOTHING: Final = Wait(seconds=0)
"""What a step does whose reply cannot be executed here."""


@dataclass
class StrayActing:
    """Mostly the expert's action; at a share of steps a click anywhere, from where the expert then shows how to go on.

    This is DART (arXiv 1703.09327).
    """

    share: float
    rng: random.Random

    def __call__(self, episode: ExpertEpisode) -> Action | None:
        """The stray click, or None."""
        if self.rng.random() >= self.share:
            return None
        return Click(point=Point(self.rng.uniform(2, 158), self.rng.uniform(_INSTRUCTION_HEIGHT, 208)))


@dataclass
class PolicyActing:
    """A policy acts, the expert says at each step what would have been right (DAgger, arXiv 1011.0686).

    Where a policy is stuck, the expert goes on.

    Attributes:
        folder: the policy's checkpoint, which is read again when it was written anew.
        expert: share of episodes in which the expert acts.
        rng: decides which.
    """

    folder: Path
    expert: float
    rng: random.Random
    _policy: LocalPolicy | None = None
    _written: float = 0.0
    _leads: dict[int, bool] = field(default_factory=dict)
    """The seeds of running episodes that the policy began, and whether it has acted ever since."""

    def __call__(self, episode: ExpertEpisode) -> Action | None:
        """The policy's action, or None where the expert acts."""
        if len(episode.steps) == 1 and self.rng.random() >= self.expert:
            self._leads[episode.seed] = True
        if self._leads.get(episode.seed) and stuck(episode):
            self._leads[episode.seed] = False
        if not self._leads.get(episode.seed):
            return None
        *earlier, newest = episode.steps
        turns = [Turn(shown(step), reply_of(step)) for step in earlier]
        policy = self._newest()
        policy.start()
        try:
            actions = policy.predict(Context(episode.instruction, shown(newest), turns)).reply.actions
        except ParseError:
            return NOTHING
        return NOTHING if isinstance(actions[0], Finished | CallUser | Wait) else actions[0]

    def outcome(self, episode: ExpertEpisode) -> float | None:
        """What the policy earned in an episode that is over: nothing where it was stuck; None if the expert began."""
        leads = self._leads.pop(episode.seed, None)
        return None if leads is None else leads * episode.reward

    def _newest(self) -> LocalPolicy:
        written = (self.folder / "model.safetensors").stat().st_mtime
        if self._policy is None or written > self._written:
            self._policy, self._written = LocalPolicy(self.folder, decoding="plain"), written
        return self._policy


def stuck(episode: ExpertEpisode) -> bool:
    """Whether the last two steps changed nothing."""
    newest = [step.picture for step in episode.steps[-3:]]
    return len(newest) == 3 and len(set(newest)) == 1


def shown(step: ExpertStep) -> Screenshot:
    """What the policy sees at a step."""
    return Screenshot(step.pixels)


def reply_of(step: ExpertStep) -> str:
    """What the policy would have said to do what was done at a step."""
    return reply_text(action_adapter.validate_python(step.done), shown(step).size)
