"""OSWorld's score of what an agent left behind.

For tasks that cannot be done, **the agent says so by ``call_user`` as its last action**; OSWorld calls this
FAIL. It scores 1 where the evaluator's function is ``infeasible``, and 0 everywhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from ...actions.errors import SaccadeError
from ...actions.schema import Action, CallUser
from .getters import fetch
from .metrics import METRICS
from .setup_steps import set_up
from .task import Spec
from .task_environment import TaskEnvironment


def gave_up(last: Action | None) -> bool:
    """Whether an agent's last action says that the task cannot be done."""
    return isinstance(last, CallUser)


def score(env: TaskEnvironment, last: Action | None) -> float:
    """The score of an episode as the agent left it, from 0 to 1.

    Of several metrics the mean counts, or 0 if one of them is 0 (``and``), or the best (``or``). A result
    that a metric cannot read scores 0.

    Raises:
        EnvironmentFailure: the sandbox does not answer.
        UsageError: the task is not as published, or needs something that is missing here.
    """
    evaluator = env.task.evaluator
    set_up(env, evaluator.postconfig)
    if env.task.infeasible:
        return float(gave_up(last))
    if gave_up(last):
        return 0.0
    return joined(evaluator.conj, (_measure(env, *metric) for metric in evaluator.metrics))


def joined(conj: Literal["and", "or"], parts: Iterable[float]) -> float:
    """One score of several; no more of them are computed than are needed."""
    scores = []
    for part in parts:
        if part == (0.0 if conj == "and" else 1.0):
            return part
        scores.append(part)
    return sum(scores) / len(scores) if conj == "and" else max(scores)


def _measure(env: TaskEnvironment, name: str, result: Spec | None, expected: Spec | None, options: Spec) -> float:
    try:
        values: list[Any] = [None if result is None else fetch(env, result)]
    except FileNotFoundError:
        return 0.0
    if expected is not None:
        values.append(fetch(env, expected))
    try:
        return float(METRICS[name](*values, **options))
    except SaccadeError:
        raise
    except Exception:  # files that an agent made may be anything
        return 0.0
