"""Tasks that a policy in training plays: attempts, rounds of collecting, and success on seeds that nothing learns from.

The episodes are those of ``run_episode``, so the policy sees what it sees when it runs. Training seeds are those of the
embedded policy's experts; all others are for measuring.
"""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from ...actions.schema import Action, Press
from ...agent.limits import Limits
from ...agent.policy import Context, Policy, Prediction
from ...env.base import Environment
from ...env.control import Control
from ...env.guard.guard import Guard
from ..episode import RunResult, run_episode

if TYPE_CHECKING:
    from ...agent.checkpoints.checkpoint import Checkpoint
    from ...agent.training.dataset.folder import Dataset
    from ...agent.training.dataset.records import DatasetReply
    from ...agent.training.methods.group_policy import Attempt
    from ...perception.observation import Screenshot

WATCHED_SEED: Final = 1_000_000_000
"""Of the first episode that is measured during training; the gate at the end takes others."""


class Expert(Protocol):
    """Knows what to do from any state of a task."""

    def next_action(self) -> Action | None:
        """What to do now; None at the end, or if it does not know."""


class TaskSource(Protocol):
    """Makes the environments of tasks."""

    def environment(self, task: str, control: Control, *, learning: bool) -> Environment:
        """One for an episode, to learn from or to measure on."""

    def expert(self, environment: Any) -> Expert:
        """The expert of the task that an environment runs; UsageError if there is none."""


@dataclass
class LiveTasks:
    """Tasks at play.

    Attributes:
        source: where they come from.
        tasks: their names.
        checkpoint: with the weights in training.
        max_steps: of an episode.
        temperature: of attempts; what is measured is greedy.
        seed: of the draw.
    """

    source: TaskSource
    tasks: Sequence[str]
    checkpoint: Checkpoint
    max_steps: int = 10
    temperature: float = 1.0
    seed: int = 0

    def attempts(self, task: str, seed: int, count: int, step: int) -> list[Attempt]:
        """Attempts at one task that begin the same; see ``group_policy.Play``."""
        from ...agent.training.methods.group_policy import Attempt
        from ...agent.training.tuning.attempts import AttemptingPolicy

        found = []
        with self._playing(task, learning=True) as play:
            for number in range(count):
                policy = AttemptingPolicy(self.checkpoint, self.temperature, self._draw(step, seed, number))
                result = play(policy, seed)
                found.append(Attempt(policy.sequences, result.end.reward or 0.0))
        return found

    def success(self, episodes: int) -> float:
        """The share of held-out episodes of all tasks that the greedy policy solves."""
        from ...agent.local import LocalPolicy

        policy, solved = LocalPolicy(self.checkpoint, decoding="plain"), 0
        for task in self.tasks:
            with self._playing(task, learning=False) as play:
                solved += sum(play(policy, WATCHED_SEED + number).success for number in range(episodes))
        return solved / (episodes * len(self.tasks))

    def collect_successes(self, dataset: Dataset, first_seed: int, episodes: int) -> None:
        """Add the attempts that succeed to a dataset: so many attempts at each task, each with a seed of its own."""
        from ...agent.local import LocalPolicy
        from ..collect.runs import whole_episode

        for task, seed, origin in self._left(dataset, first_seed, episodes):
            policy = LocalPolicy(
                self.checkpoint, decoding="plain", temperature=self.temperature, seed=self._draw(0, seed, 0)
            )
            with self._playing(task, learning=True) as play:
                run = play(policy, seed)
                kept = whole_episode(run.trajectory) if run.success else None
                if kept is not None:
                    dataset.add(kept.episode.model_copy(update={"origin": origin}), kept.pictures)
            _noted(dataset, task, origin, kept is not None)

    def collect_corrections(self, dataset: Dataset, first_seed: int, episodes: int) -> None:
        """Add what an expert would have done where the policy acts: so many episodes of each task."""
        from ...agent.local import LocalPolicy
        from ...agent.training.dataset.records import DatasetEpisode

        for task, seed, origin in self._left(dataset, first_seed, episodes):
            with self._playing(task, learning=True) as play:
                local = LocalPolicy(
                    self.checkpoint, decoding="plain", temperature=self.temperature, seed=self._draw(0, seed, 0)
                )
                policy = CorrectedPolicy(local, self.source.expert(play.environment))
                run = play(policy, seed)
            if policy.steps:
                episode = DatasetEpisode(
                    source="policy",
                    origin=origin,
                    task=task,
                    seed=seed,
                    instruction=run.trajectory.start.instruction,
                    size=policy.pictures[0].size,
                    steps=tuple(policy.steps),
                    reward=run.end.reward,
                )
                dataset.add(episode, policy.pictures)
            _noted(dataset, task, origin, bool(policy.steps))

    def _left(self, dataset: Dataset, first_seed: int, episodes: int) -> Iterator[tuple[str, int, str]]:
        """The episodes that a dataset does not have yet: task, seed and what they are called."""
        for number in range(episodes):
            for place, task in enumerate(self.tasks):
                seed = first_seed + number * len(self.tasks) + place
                if not dataset.collected(origin := f"training:{task}:{seed}"):
                    yield task, seed, origin

    def _draw(self, step: int, seed: int, number: int) -> int:
        """The seed of a draw."""
        return (((self.seed * 1_000_003 + step) * 1_000_003 + seed) * 1009 + number) % (1 << 31)

    @contextmanager
    def _playing(self, task: str, *, learning: bool) -> Iterator[_Play]:
        control = Control()
        with closing(self.source.environment(task, control, learning=learning)) as environment:
            network: Any = self.checkpoint.model
            network.eval()
            with tempfile.TemporaryDirectory(prefix="saccade-") as folder:
                yield _Play(environment, task, control, Path(folder), self.max_steps)


@dataclass
class _Play:
    """Plays episodes of one task."""

    environment: Environment
    task: str
    control: Control
    folder: Path
    max_steps: int

    def __call__(self, policy: Policy, seed: int) -> RunResult:
        """One episode; it is not kept.

        Raises:
            KeyboardInterrupt: a person stopped it.
        """
        shutil.rmtree(self.folder / "run", ignore_errors=True)
        result = run_episode(
            policy,
            self.environment,
            None,
            self.folder / "run",
            name=self.task,
            seed=seed,
            limits=Limits(steps=self.max_steps, seconds=math.inf),
            control=self.control,
            report=False,
        )
        if self.control.reason is not None:
            raise KeyboardInterrupt
        return result


class CorrectedPolicy:
    """A policy that acts while an expert says at each step what would have been right.

    Attributes:
        steps: of the newest episode, as a dataset keeps them.
        pictures: of each step.
    """

    def __init__(self, policy: Policy, expert: Expert) -> None:
        from ...agent.training.dataset.records import DatasetStep

        self._policy = policy
        self._expert = expert
        self.steps: list[DatasetStep] = []
        self.pictures: list[Screenshot] = []

    @property
    def name(self) -> str:
        """That of the policy."""
        return self._policy.name

    def start(self) -> None:
        """Begin a new episode."""
        self._policy.start()
        self.steps, self.pictures = [], []

    def predict(self, context: Context) -> Prediction:
        """The policy's reply; what the expert would have done is kept beside it.

        A step of which the expert does not know what is right is kept as history only.
        """
        from ...agent.training.dataset.records import DatasetReply, DatasetStep

        right = self._expert.next_action()
        prediction = self._policy.predict(context)
        feedback = context.turns[-1].feedback if context.turns else context.feedback
        reply = DatasetReply(thought=prediction.reply.thought, actions=prediction.reply.actions)
        better = None if right is None else _as_reply(right)
        shot = context.screenshot
        step = DatasetStep(picture=shot.digest, reply=reply, verdict="unknown", better=better, feedback=feedback)
        self.steps.append(step)
        self.pictures.append(shot)
        return prediction


def _as_reply(action: Action) -> DatasetReply:
    from ...agent.training.dataset.records import DatasetReply
    from ...agent.training.tokenizer import THOUGHTS

    return DatasetReply(thought=THOUGHTS["hotkey" if isinstance(action, Press) else action.kind], actions=(action,))


def _noted(dataset: Dataset, task: str, origin: str, stored: bool) -> None:
    from ...agent.training.dataset.records import DatasetAttempt

    dataset.note(DatasetAttempt(origin=origin, task=task, outcome="stored" if stored else "failed"))


class MiniWobTasks:
    """MiniWoB++ tasks, in one browser that is started when it is first needed."""

    def __init__(self) -> None:
        self._chromium: Any = None

    def environment(self, task: str, control: Control, *, learning: bool) -> Environment:
        """See ``TaskSource``; problems to learn from are drawn as the pages draw them for training."""
        from ...env.browser.chromium import Chromium
        from ...env.browser.miniwob import MiniWobEnvironment
        from ...env.browser.miniwob_pages import ALONE

        self._chromium = self._chromium or Chromium(flags=ALONE)
        name = task.removeprefix("miniwob:")
        mode = "train" if learning else "test"
        return MiniWobEnvironment(name, mode=mode, chromium=self._chromium, control=control, guard=Guard.of("open"))  # type: ignore[arg-type]

    def expert(self, environment: Any) -> Expert:
        """See ``TaskSource``."""
        from ...agent.training.experts.expert import MiniWobExpert

        return MiniWobExpert(environment)

    def close(self) -> None:
        """Close the browser."""
        if self._chromium is not None:
            self._chromium.close()
            self._chromium = None
