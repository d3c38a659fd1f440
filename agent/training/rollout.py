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
    """One step of an episode, with the action that ended it and the result of the last executed action, if any."""

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

    The policy is started; the environment has been reset, to the ``first`` observation. ``show`` says what the
    policy sees in place of a screenshot; it cannot change by waiting, so waits are skipped.
    """
    policy.start()
    before, turns = first, list[Turn]()
    for _ in range(steps):
        shown = show(before.screenshot) if show else before.screenshot
        try:
            prediction = policy.predict(Context(instruction, shown, turns))
        except ParseError as error:
            turns.append(Turn(shown, error.raw, str(error)))
            yield RolloutStep(before, before)
            continue
        turns.append(Turn(shown, prediction.raw))
        end, result, over = None, None, False
        for action in prediction.reply.actions:
            if isinstance(action, Finished | CallUser):
                end, over = action, True
            elif not (isinstance(action, Wait) and show):
                result = environment.step(action)
                over = result.terminated or result.truncated
            if over:
                break
        after = result.observation if result else before
        yield RolloutStep(before, after, end, result)
        if over:
            return
        before = after
