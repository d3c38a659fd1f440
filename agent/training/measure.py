"""Success rates of a checkpoint on MiniWoB++ from pixels, and with a blank or wrong screenshot as a control.

``python -m saccade.agent.training.measure --model DIR [--screen blank]``
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from ...env.browser.miniwob import MiniWobEnvironment
from ...perception.capture import blank as one_colour
from ...perception.observation import Screenshot
from ..local import LocalPolicy
from ..policy import Policy
from .command_line import parse_options
from .demonstrations import FIRST_SEED, REQUIRED
from .rollout import rollout

log = logging.getLogger(__name__)
Screen = Callable[[Screenshot], Screenshot]


def blank(screenshot: Screenshot) -> Screenshot:
    """A white image of the same size."""
    return one_colour(screenshot, (255, 255, 255))


class OtherScreen:
    """Shows the first screenshot of another episode of the task: as rich in content, but useless."""

    def __init__(self, task: str, seed: int) -> None:
        with MiniWobEnvironment(task) as environment:
            self._screenshot = environment.reset(seed).screenshot

    def __call__(self, screenshot: Screenshot) -> Screenshot:
        """The other episode's screenshot."""
        return self._screenshot


def succeeds(
    policy: Policy, environment: MiniWobEnvironment, seed: int, screen: Screen | None = None, steps: int = 10
) -> bool:
    """Whether the policy earns a positive raw reward in one episode."""
    first = environment.reset(seed)
    taken = list(rollout(policy, environment, environment.instruction or "", first, steps, screen))
    result = taken[-1].result
    return result is not None and result.terminated and result.reward > 0


def success_rate(
    policy: Policy, task: str, seeds: Sequence[int], screen: Screen | None = None, steps: int = 10
) -> float:
    """The share of held-out episodes that the policy solves."""
    if any(seed >= FIRST_SEED for seed in seeds):
        raise ValueError(f"seeds from {FIRST_SEED} on are for training")
    with MiniWobEnvironment(task) as environment:
        return sum(succeeds(policy, environment, seed, screen, steps) for seed in seeds) / len(seeds)


def main() -> None:
    """Measure one checkpoint and log a line per task."""
    screen_option = {"choices": ("seen", "blank", "other"), "default": "seen"}
    options = parse_options(
        __doc__,
        model="embedded",
        tasks=list(REQUIRED),
        episodes=50,
        first_seed=0,
        screen=screen_option,
        steps={"type": int, "default": 10, "help": "maximum per episode"},
    )
    policy = LocalPolicy(options.model)
    seeds = range(options.first_seed, options.first_seed + options.episodes)
    rates = []
    for task in options.tasks:
        screen: Screen | None = blank if options.screen == "blank" else None
        if options.screen == "other":
            screen = OtherScreen(task, seeds.stop)
        rates.append(success_rate(policy, task, seeds, screen, options.steps))
        log.info("%-24s %.2f", task, rates[-1])
    log.info("%-24s %.3f", "mean", sum(rates) / len(rates))


if __name__ == "__main__":
    main()
