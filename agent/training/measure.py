"""Success rates of a checkpoint on MiniWoB++ from pixels, and with a blank or wrong screenshot as a control.

``python -m saccade.agent.training.measure --model DIR [--screen blank]``
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from ...env.browser.chromium import Chromium
from ...env.browser.miniwob import MiniWobEnvironment
from ...env.browser.miniwob_pages import ALONE
from ...env.guard.guard import Guard
from ...perception.capture import blank
from ...perception.observation import Screenshot
from ..local import LocalPolicy
from ..policy import Policy
from .command_line import parse_options
from .demonstrations import FIRST_SEED, REQUIRED
from .rollout import rollout

log = logging.getLogger(__name__)
Screen = Callable[[Screenshot], Screenshot]
white = partial(blank, colour=(255, 255, 255))


def other_screen(task: str, seed: int, chromium: Chromium | None = None) -> Screen:
    """Show the first screenshot of another episode of the task: as rich in content, but useless."""
    with MiniWobEnvironment(task, chromium=chromium, guard=Guard.of("open")) as environment:
        other = environment.reset(seed).screenshot
    return lambda screenshot: other


def success_rate(
    policy: Policy,
    task: str,
    seeds: Sequence[int],
    screen: Screen | None = None,
    steps: int = 10,
    chromium: Chromium | None = None,
) -> float:
    """The share of held-out episodes in which the policy earns a positive raw reward."""
    if any(seed >= FIRST_SEED for seed in seeds):
        raise ValueError(f"seeds from {FIRST_SEED} on are for training")
    solved = 0
    with MiniWobEnvironment(task, chromium=chromium, guard=Guard.of("open")) as environment:
        for seed in seeds:
            first = environment.reset(seed)
            *_, last = rollout(policy, environment, environment.instruction or "", first, steps, screen)
            solved += last.result is not None and last.result.terminated and last.result.reward > 0
    return solved / len(seeds)


def main() -> None:
    """Measure one checkpoint and log a line per task."""
    screens = {"choices": ("seen", "blank", "other"), "default": "seen"}
    steps = {"type": int, "default": 10, "help": "maximum per episode"}
    known: dict[str, Any] = {"model": "embedded", "tasks": list(REQUIRED), "episodes": 50, "first_seed": 0}
    options = parse_options(__doc__, **known, screen=screens, steps=steps)
    policy = LocalPolicy(options.model)
    seeds = range(options.first_seed, options.first_seed + options.episodes)
    rates = []
    with Chromium(flags=ALONE) as chromium:
        for task in options.tasks:
            shown = other_screen(task, seeds.stop, chromium) if options.screen == "other" else white
            screen = None if options.screen == "seen" else shown
            rates.append(success_rate(policy, task, seeds, screen, options.steps, chromium))
            log.info("%-24s %.2f", task, rates[-1])
    log.info("%-24s %.3f", "mean", sum(rates) / len(rates))


if __name__ == "__main__":
    main()
