"""How well a checkpoint does on MiniWoB++ from pixels, and how badly when it cannot see.

``python -m saccade.agent.training.measure --model DIR [--screen blank]``
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence

from ...actions.errors import ParseError
from ...actions.schema import CallUser, Finished, Wait
from ...env.browser.miniwob import MiniWobEnvironment
from ...perception.capture import blank as one_colour
from ...perception.observation import Observation, Screenshot
from ..local import LocalPolicy
from ..policy import Context, Policy, Turn
from .demonstrations import FIRST_SEED, REQUIRED

log = logging.getLogger(__name__)
Screen = Callable[[Screenshot], Screenshot]


def seen(screenshot: Screenshot) -> Screenshot:
    """Return the screenshot as it is."""
    return screenshot


def blank(screenshot: Screenshot) -> Screenshot:
    """Return a white picture of the same size."""
    return one_colour(screenshot, (255, 255, 255))


class OtherScreen:
    """Shows the first screenshot of another episode of the task: as rich to look at, and of no use."""

    def __init__(self, task: str, seed: int) -> None:
        with MiniWobEnvironment(task) as environment:
            self._screenshot = environment.reset(seed).screenshot

    def __call__(self, screenshot: Screenshot) -> Screenshot:
        """Return the other episode's screenshot."""
        return self._screenshot


def succeeds(
    policy: Policy, environment: MiniWobEnvironment, seed: int, screen: Screen = seen, steps: int = 10
) -> bool:
    """Say whether the policy earns a positive raw reward within some steps of one episode."""
    observation = environment.reset(seed)
    instruction = environment.instruction or ""
    policy.start()
    turns: list[Turn] = []
    for _ in range(steps):
        shown = screen(observation.screenshot)
        context = Context(instruction, Observation(shown, observation.captured_at), turns)
        try:
            prediction = policy.predict(context)
        except ParseError as error:
            turns.append(Turn(shown, error.raw, str(error)))
            continue
        for action in prediction.reply.actions:
            if isinstance(action, Finished | CallUser):
                return False
            if isinstance(action, Wait) and screen is not seen:
                continue  # What is shown instead of the screen does not change by waiting.
            result = environment.step(action)
            if result.terminated:
                return result.reward > 0
            observation = result.observation
        turns.append(Turn(shown, prediction.raw))
    return False


def success_rate(
    policy: Policy, task: str, seeds: Sequence[int], screen: Screen = seen, steps: int = 10
) -> float:
    """Return the share of held-out episodes that the policy solves."""
    if any(seed >= FIRST_SEED for seed in seeds):
        raise ValueError(f"seeds from {FIRST_SEED} on are for training")
    with MiniWobEnvironment(task) as environment:
        return sum(succeeds(policy, environment, seed, screen, steps) for seed in seeds) / len(seeds)


def main() -> None:
    """Measure one checkpoint and log a line per task."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--tasks", nargs="*", default=list(REQUIRED))
    parser.add_argument("--episodes", type=int, default=50)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--screen", choices=("seen", "blank", "other"), default="seen")
    parser.add_argument("--steps", type=int, default=10, help="at most so many per episode")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    policy = LocalPolicy(options.model)
    seeds = range(options.first_seed, options.first_seed + options.episodes)
    rates = []
    for task in options.tasks:
        screens = {"seen": seen, "blank": blank}
        screen = screens.get(options.screen) or OtherScreen(task, seeds.stop)
        rates.append(success_rate(policy, task, seeds, screen, options.steps))
        log.info("%-24s %.2f", task, rates[-1])
    log.info("%-24s %.3f", "mean", sum(rates) / len(rates))


if __name__ == "__main__":
    main()
