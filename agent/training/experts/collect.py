"""Collects episodes of the experts: ``python -m saccade.agent.training.experts.collect --out DIR``.

With ``--policy CHECKPOINT`` a policy acts in most episodes, and the expert says at each step what would have been
right. It goes on where it stopped: complete shards count, and their seeds are not used again.
"""

from __future__ import annotations

import itertools
import json
import logging
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from ....env.browser.chromium import Chromium
from ....env.private_files import open_private
from ..command_line import DATA, parse_options
from ..demonstrations import FIRST_SEED, LAST_SEED
from ..rendering import Sheet
from .acting import PolicyActing, StrayActing
from .expert import EXPERT_TASKS
from .frames import Act, ExpertFrames
from .shards import ExpertEpisode, load_episodes, save_episodes, shard_names

log = logging.getLogger(__name__)
FOCUS_TASKS: Final = frozenset(
    task
    for task in EXPERT_TASKS
    if task.startswith(("enter-", "choose-date", "use-", "focus-", "login-", "text-", "simple-", "find-", "read-"))
    or task in ("visual-addition", "highlight-text")
)
"""Tasks with fields, which are drawn differently while they have the focus."""
SHARD_EPISODES: Final = 500
SUCCESSES: Final = "successes.jsonl"


def played_episodes(
    tasks: Sequence[str], seeds: Iterator[int], act: Act, sheet: Sheet = Sheet()
) -> Iterator[ExpertEpisode]:
    """Play episodes without end; those whose state an expert does not know come without a reward."""
    together = [task for task in tasks if task not in FOCUS_TASKS]
    alone = [task for task in tasks if task in FOCUS_TASKS]
    layouts = [(together, sheet)] if together else []
    layouts += [([task], Sheet(1, 1)) for task in alone]
    with Chromium() as chromium, ExitStack() as contexts:
        playing = []
        for names, layout in layouts:
            viewport = {"width": layout.columns * layout.width, "height": layout.rows * layout.height}
            context = contexts.enter_context(chromium.new_context(viewport=viewport))
            playing.append(ExpertFrames(context.new_page(), names, seeds, act, layout))
        while True:
            for frames in playing:
                yield from frames.round()


def expert_episodes(
    tasks: Sequence[str], episodes: int, seed: int, stray: float = 0.1, sheet: Sheet = Sheet()
) -> Iterator[ExpertEpisode]:
    """So many episodes of experts; those that they do not solve are left out.

    Raises:
        ValueError: the seeds are not those of training.
    """
    played = played_episodes(tasks, training_seeds(seed, 2 * episodes), StrayActing(stray, random.Random(seed)), sheet)
    return itertools.islice((episode for episode in played if episode.reward > 0), episodes)


def training_seeds(seed: int, count: int) -> Iterator[int]:
    """The seeds from one on.

    Raises:
        ValueError: that many of them are not for training.
    """
    if not FIRST_SEED <= seed <= seed + count <= LAST_SEED:
        raise ValueError(f"training seeds lie in [{FIRST_SEED}, {LAST_SEED}); the others are held out")
    return itertools.count(seed)


def main() -> None:
    """Write shards of episodes."""
    options = parse_options(
        __doc__,
        out=DATA,
        name="experts",
        episodes=10_000,
        seed=FIRST_SEED,
        stray=0.1,
        policy={"type": Path, "help": "a checkpoint that acts instead"},
        expert=0.2,
        tasks=list(EXPERT_TASKS),
    )
    have = [load_episodes(options.out, name) for name in shard_names(options.out, options.name)]
    seed = max((episode.seed + 1 for shard in have for episode in shard), default=options.seed)
    left = options.episodes - sum(map(len, have))
    if left <= 0:
        return
    rng = random.Random(seed)
    acting = PolicyActing(options.policy, options.expert, rng) if options.policy else StrayActing(options.stray, rng)
    waiting: list[ExpertEpisode] = []
    for episode in played_episodes(options.tasks, training_seeds(seed, 2 * left), acting):
        earned = acting.outcome(episode) if isinstance(acting, PolicyActing) else None
        if earned is not None:
            _note_success(options.out, episode, earned)
        elif episode.reward <= 0 or not episode.steps:
            continue
        waiting.append(episode)
        left -= 1
        if len(waiting) == SHARD_EPISODES or not left:
            _save(options.out, options.name, waiting)
            waiting = []
        if not left:
            return


def _note_success(folder: Path, episode: ExpertEpisode, reward: float) -> None:
    row = {"task": episode.task, "seed": episode.seed, "reward": reward, "steps": len(episode.steps)}
    with open_private(folder / SUCCESSES, "a") as file:
        file.write(json.dumps(row) + "\n")


def _save(folder: Path, name: str, episodes: Sequence[ExpertEpisode]) -> None:
    first = min(episode.seed for episode in episodes)
    save_episodes(folder, f"{name}-{first}", episodes)
    log.info("%d episodes in %s-%d", len(episodes), name, first)


if __name__ == "__main__":
    main()
