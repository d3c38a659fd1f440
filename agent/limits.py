"""Bounds of one episode, checked before anything is spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..actions.schema import Action
from ..env.base import StepResult
from ..env.trajectory.events import EndReason


class Interruption(Exception):
    """Ends an episode on purpose; ``message`` is the policy's answer, or the limit that was reached."""

    def __init__(self, end: EndReason, message: str = "") -> None:
        super().__init__(message or end)
        self.end = end
        self.message = message


@dataclass(frozen=True)
class Limits:
    """What an episode may use.

    Attributes:
        steps: predictions.
        seconds: wall time, without what a person takes; an action or a reply that is under way then is broken off.
        repeats: how often in a row the same actions may leave the screen unchanged.
        unreadable: how often in a row the policy's reply may be unreadable.
    """

    steps: int = 30
    seconds: float = 900.0
    repeats: int = 5
    unreadable: int = 3

    def check_budget(self, steps: int, seconds: float) -> None:
        """Raise ``Interruption`` when another step would go beyond the limits."""
        if steps >= self.steps:
            raise Interruption("step_limit", f"not done after {steps} steps")
        if seconds >= self.seconds:
            raise self.time_is_over()

    def time_is_over(self) -> Interruption:
        """What ends the episode then."""
        return Interruption("time_limit", f"not done after {self.seconds:g} seconds")

    def check_repeats(self, count: int) -> None:
        """Raise ``Interruption`` when the same actions changed nothing this often in a row."""
        if count >= self.repeats:
            raise Interruption("stuck", f"the same actions changed nothing, {count} times in a row")


class RepeatCounter:
    """Counts how often in a row the same actions left the screen unchanged."""

    def __init__(self) -> None:
        self._last: tuple[Sequence[Action], str] | None = None
        self._count = 0

    def record(self, actions: Sequence[Action], before: str, after: str) -> int:
        """Note one step by the digests of its screens; returns the count, 0 when the screen changed."""
        tried = (actions, before) if before == after else None
        self._count = 0 if tried is None else self._count + 1 if tried == self._last else 1
        self._last = tried
        return self._count


def check_result(result: StepResult) -> None:
    """Raise ``Interruption`` when the environment ended the episode."""
    if result.terminated or result.truncated:
        raise Interruption("terminated" if result.terminated else "truncated")
