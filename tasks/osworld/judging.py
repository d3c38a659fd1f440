"""OSWorld's way from what an agent left behind to a score.

One rule for tasks that cannot be done: **the agent says so by ``call_user`` as its last action**, which is
what OSWorld calls FAIL (``tasks.interchange.osworld`` writes it so). That scores 1 where the evaluator's
function is ``infeasible``, and 0 everywhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from ...actions.errors import SaccadeError
from ...actions.schema import Action, CallUser
from .getters import fetch
from .metrics import METRICS
from .setting_up import set_up
from .task import Spec
from .world import TaskEnvironment


def gave_up(last: Action | None) -> bool:
    """Whether an agent's last action says that the task cannot be done."""
    return isinstance(last, CallUser)


def score(world: TaskEnvironment, last: Action | None) -> float:
    """What an episode is worth, from 0 to 1.

    Of several metrics all count by their mean, unless one is 0 (``and``), or the best counts (``or``). What
    the agent left in a state that a metric cannot read is worth 0.

    Args:
        world: as the agent left it.
        last: the agent's last action.

    Raises:
        EnvironmentFailure: the sandbox does not answer.
        UsageError: the task is not as published, or wants what is not here.
    """
    evaluator = world.task.evaluator
    set_up(world, evaluator.postconfig)
    if world.task.infeasible:
        return float(gave_up(last))
    if gave_up(last):
        return 0.0
    return joined(evaluator.conj, (_measure(world, *metric) for metric in evaluator.metrics))


def joined(conj: Literal["and", "or"], worths: Iterable[float]) -> float:
    """One score of several, which are asked for no further than it takes."""
    scores = []
    for worth in worths:
        if worth == (0.0 if conj == "and" else 1.0):
            return worth
        scores.append(worth)
    return sum(scores) / len(scores) if conj == "and" else max(scores)


def _measure(
    world: TaskEnvironment, name: str, result: Spec | None, expected: Spec | None, options: Spec
) -> float:
    try:
        values: list[Any] = [None if result is None else fetch(world, result)]
    except FileNotFoundError:
        return 0.0
    if expected is not None:
        values.append(fetch(world, expected))
    try:
        return float(METRICS[name](*values, **options))
    except SaccadeError:
        raise
    except Exception:  # files that an agent made may be anything
        return 0.0
