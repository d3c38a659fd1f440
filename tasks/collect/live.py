"""A policy at play on MiniWoB++, whose pages say whether it succeeded."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from ...actions.errors import EnvironmentFailure
from ...agent.limits import Limits
from ...agent.policy import Policy
from ...agent.training.dataset.folder import Dataset
from ...agent.training.demonstrations import FIRST_SEED
from ...agent.training.experts.collect import training_seeds
from ...env.browser.chromium import Chromium
from ...env.browser.miniwob import MiniWobEnvironment
from ...env.browser.miniwob_pages import ALONE
from ...env.control import Control
from ...env.guard.guard import Guard
from ..episode import run_episode
from .runs import collected_runs
from .storing import CollectedEpisodes

PLACE = "miniwob:"


def play(
    dataset: Dataset,
    policy: Policy,
    tasks: Sequence[str],
    episodes: int,
    max_steps: int,
    left_out: Callable[[str], None],
    control: Control,
) -> Iterator[CollectedEpisodes]:
    """Let a policy play so many episodes of each task, with training seeds; those of before count.

    Successes are kept, by the page's reward. The runs themselves are not.
    """
    begin = f"policy:{policy.name}:{PLACE}"
    if not left(dataset, policy, tasks, episodes):
        return
    with Chromium(flags=ALONE) as chromium, tempfile.TemporaryDirectory(prefix="saccade-") as folder:
        for seed in training_seeds(FIRST_SEED, episodes):
            if seed == FIRST_SEED + episodes:
                return
            for task in tasks:
                origin = f"{begin}{task}:{seed}"
                if dataset.collected(origin):
                    continue
                control.check()
                run = Path(folder) / f"{task}-{seed}"
                try:
                    _episode(policy, task, seed, max_steps, run, chromium, control)
                except EnvironmentFailure as error:
                    left_out(f"{task} seed {seed}: {error}")
                    continue
                control.check()
                for found in collected_runs(dataset, [run], left_out):
                    kept = tuple(
                        each._replace(episode=each.episode.model_copy(update={"origin": origin})) for each in found.kept
                    )
                    yield CollectedEpisodes(origin, found.task, kept, found.outcome)
                shutil.rmtree(run)


def left(dataset: Dataset, policy: Policy, tasks: Sequence[str], episodes: int) -> int:
    """How many episodes are still to be played."""
    begin = f"policy:{policy.name}:{PLACE}"
    names = (f"{begin}{task}:{FIRST_SEED + number}" for task in tasks for number in range(episodes))
    return sum(not dataset.collected(name) for name in names)


def _episode(
    policy: Policy, task: str, seed: int, max_steps: int, folder: Path, chromium: Chromium, control: Control
) -> None:
    with closing(
        MiniWobEnvironment(task, mode="train", chromium=chromium, control=control, guard=Guard.of("open"))
    ) as environment:
        run_episode(
            policy,
            environment,
            None,
            folder,
            name=f"{PLACE}{task}",
            seed=seed,
            limits=Limits(steps=max_steps, seconds=math.inf),
            control=control,
            report=False,
        )
