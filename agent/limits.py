"""Bounds of one episode, checked before anything is spent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..actions.schema import Action
from ..env.base import StepResult
from ..env.trajectory.events import EndReason
from ..perception.observation import Screenshot
from .replay.point_tolerance import farthest, same_but_points


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
        repeats: how often in a row the same actions may leave the screen unchanged; points count as the same
            within the model's tolerance.
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
    """Counts how often in a row the same actions left the screen unchanged.

    Args:
        tolerance: the largest distance along an axis at which two points count as the same, as a share of the
            screenshot's longer side.
    """

    def __init__(self, tolerance: float = 0.0) -> None:
        self._tolerance = tolerance
        self._last: tuple[Sequence[Action], str] | None = None
        self._count = 0

    def record(self, actions: Sequence[Action], before: Screenshot, after: Screenshot) -> int:
        """Note one step by its screens; returns the count, 0 when the screen changed."""
        if before.digest != after.digest:
            self._last, self._count = None, 0
        else:
            last, self._last = self._last, (actions, after.digest)
            again = last is not None and last[1] == after.digest and self._same(actions, last[0], after)
            self._count = self._count + 1 if again else 1
        return self._count

    def _same(self, actions: Sequence[Action], others: Sequence[Action], screen: Screenshot) -> bool:
        pixels = self._tolerance * max(screen.size)
        return same_but_points(actions, others) and farthest(actions, others) <= pixels


def check_result(result: StepResult) -> None:
    """Raise ``Interruption`` when the environment ended the episode."""
    if result.terminated or result.truncated:
        raise Interruption("terminated" if result.terminated else "truncated")
