"""Episodes for training and measuring, which are not recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ...actions.errors import ParseError
from ...actions.schema import CallUser, Finished, Wait
from ...env.base import Environment, StepResult
from ...perception.observation import Observation, Screenshot
from ..policy import Context, Policy, Turn


@dataclass(frozen=True)
class RolloutStep:
    """One step of an episode.

    Attributes:
        before: the observation before it.
        after: the observation after it.
        end: the action with which the policy ended the episode, if it did.
        result: of the last executed action; None if none was executed.
    """

    before: Observation
    after: Observation
    end: Finished | CallUser | None = None
    result: StepResult | None = None


def rollout(
    policy: Policy,
    environment: Environment,
    instruction: str,
    first: Observation,
    steps: int,
    show: Callable[[Screenshot], Screenshot] | None = None,
) -> Iterator[RolloutStep]:
    """Run one episode until the policy or the environment ends it, or for so many steps.

    Args:
        policy: it is started.
        environment: it has been reset.
        instruction: the task.
        first: the observation after the reset.
        steps: maximum number of replies.
        show: what the policy sees in place of a screenshot; it cannot change by waiting, so waits are
            skipped.
    """
    policy.start()
    observation, turns = first, list[Turn]()
    for _ in range(steps):
        before = observation
        shown = show(before.screenshot) if show else before.screenshot
        try:
            prediction = policy.predict(Context(instruction, shown, turns))
        except ParseError as error:
            turns.append(Turn(shown, error.raw, str(error)))
            yield RolloutStep(before, before)
            continue
        turns.append(Turn(shown, prediction.raw))
        end, result = None, None
        for action in prediction.reply.actions:
            if isinstance(action, Finished | CallUser):
                end = action
                break
            if isinstance(action, Wait) and show:
                continue
            result = environment.step(action)
            observation = result.observation
            if result.terminated or result.truncated:
                break
        yield RolloutStep(before, observation, end, result)
        if end or (result and (result.terminated or result.truncated)):
            return
