"""The contract between an agent and an environment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

from ..actions.schema import Action
from ..perception.observation import Observation, Screenshot

Preview = Callable[[Screenshot], None]
"""Called with a screenshot that may still change."""


@dataclass(frozen=True)
class StepResult:
    """The result of an action.

    Attributes:
        observation: the screen after it settled.
        terminated: the task is over, solved or failed; no further step is allowed.
        truncated: a limit of the environment cut the episode off.
        reward: the environment's own reward for this step; 0.0 where it has none.
        error: why the action had no effect, as feedback for the policy; None when it was executed.
        notes: what happened beside the screen, as feedback too: dialogs answered, files saved, programs that ended.
        timings: seconds spent per phase (``act``, ``settle``, ``capture``).
    """

    observation: Observation
    terminated: bool = False
    truncated: bool = False
    reward: float = 0.0
    error: str | None = None
    notes: tuple[str, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)


@runtime_checkable
class Environment(Protocol):
    """A screen to act on, with a pointer and keyboard of its own; ``env.check.check_environment`` tests one."""

    @property
    def instruction(self) -> str | None:
        """The task the environment itself sets after ``reset`` (MiniWoB++), else None."""

    def reset(self, seed: int | None = None) -> Observation:
        """Start a fresh episode; the same seed gives the same first screen.

        Raises:
            EnvironmentFailure: it cannot be started; MissingPartError when something must be installed.
        """

    def step(self, action: Action) -> StepResult:
        """Execute one action and wait until the screen has settled.

        An action that cannot be executed here (an unsupported kind, a refused address) is reported in
        ``StepResult.error`` and changes nothing.

        Raises:
            EnvironmentFailure: the environment broke; or it was stepped before ``reset`` or after ``close``.
        """

    def close(self) -> None:
        """Release everything; may be called at any time and more than once."""


@runtime_checkable
class SupportsPreview(Protocol):
    """An environment that gives previews while it waits for the screen to settle."""

    def preview_to(self, show: Preview | None) -> None:
        """Call ``show`` during each ``step`` with what the screen looks like, once it looks stable.

        It is called from the thread that steps, and must not take long. None ends the previews.
        """


class Verdict(NamedTuple):
    """How an episode is judged; ``reward`` is added to the rewards of its steps, ``reason`` says why."""

    reward: float
    success: bool
    reason: str = ""


@runtime_checkable
class SupportsVerdict(Protocol):
    """An environment whose task is judged once, when the episode is over, and not at each step."""

    def judge(self, last: Action | None) -> Verdict:
        """Judge the final state after the ``last`` action; raises ``EnvironmentFailure`` if that is impossible."""
