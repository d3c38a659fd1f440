"""A policy in someone else's loop: it keeps what ``agent.loop`` would keep, and answers one screen at a time.

A harness asks once per step and executes what it is given, so a reply that cannot be read, or that asks for
nothing which can be done there, is told to the policy at once and it is asked again, within bounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from ...actions.errors import ParseError, UsageError
from ...actions.geometry import Point, Size, clamp, inside
from ...actions.schema import Action, CallUser, Finished, points
from ...agent.limits import Limits
from ...agent.policy import Context, Policy, Turn, Usage
from ...perception.observation import Observation, Screenshot

T = TypeVar("T")
Write = Callable[[Action, Size], Sequence[T]]
"""Puts an action on a screenshot of that size into a harness's words, or raises ``UsageError``."""


@dataclass(frozen=True)
class Decision(Generic[T]):
    """What the policy made of one screen.

    Attributes:
        raw: its reply; the last one where it was asked more than once.
        thought: its reasoning.
        written: what the harness is to execute, in order.
        end: the action that gives the episode up; None while it goes on.
        problem: why part of the reply is not executed, or why there is nothing to execute.
        exhausted: whether every reply to this screen was useless, so that the episode cannot go on.
        useless: the replies before ``raw`` that came to nothing.
        usage: what all replies to this screen cost.
    """

    raw: str
    thought: str = ""
    written: tuple[T, ...] = ()
    end: Finished | CallUser | None = None
    problem: str | None = None
    exhausted: bool = False
    useless: tuple[str, ...] = ()
    usage: tuple[Usage, ...] = ()


class Guest(Generic[T]):
    """One policy and the episode that it is in.

    Args:
        policy: decides.
        write: puts its actions into the harness's words.
        attempts: how often it is asked about one screen.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        policy: Policy,
        write: Write[T],
        attempts: int = Limits.unreadable,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if attempts < 1:
            raise UsageError(f"a policy has to be asked at least once, not {attempts} times")
        self._policy = policy
        self._write = write
        self._attempts = attempts
        self._clock = clock
        self._turns: list[Turn] = []

    @property
    def turns(self) -> tuple[Turn, ...]:
        """What the policy may look back on."""
        return tuple(self._turns)

    def start(self) -> None:
        """Begin a new episode."""
        self._turns.clear()
        self._policy.start()

    def failed(self, error: str) -> None:
        """Note that the harness could not execute what it was given last."""
        if self._turns:
            last = self._turns[-1]
            self._turns[-1] = replace(last, feedback=f"{last.feedback}; {error}" if last.feedback else error)

    def decide(self, instruction: str, screenshot: Screenshot) -> Decision[T]:
        """Ask what to do on a screen, up to ``attempts`` times; what the policy raises else goes through."""
        observation = Observation(screenshot, self._clock())
        useless: list[str] = []
        costs: list[Usage] = []
        while True:
            decision = self._ask(Context(instruction, observation, self.turns), costs)
            self._turns.append(Turn(screenshot, decision.raw, decision.problem))
            decision = replace(decision, useless=tuple(useless), usage=tuple(costs))
            if decision.written or decision.end is not None:
                return decision
            useless.append(decision.raw)
            if len(useless) == self._attempts:
                return replace(decision, exhausted=True, useless=tuple(useless[:-1]))

    def _ask(self, context: Context, costs: list[Usage]) -> Decision[T]:
        try:
            prediction = self._policy.predict(context)
        except ParseError as error:
            costs.append(getattr(error, "usage", Usage()))
            reason = f"Your reply could not be read: {error.reason}. Reply again in the format asked for."
            return Decision(error.raw, problem=reason)
        costs.append(prediction.usage)
        written: list[T] = []
        end: Finished | CallUser | None = None
        problem: str | None = None
        for action in prediction.reply.actions:
            if isinstance(action, Finished | CallUser):
                end = action
                break
            try:
                written += self._write(action, context.observation.screenshot.size)
            except UsageError as error:
                problem = str(error)
                break
        return Decision(prediction.raw, prediction.reply.thought, tuple(written), end, problem)


def refuse_outside(action: Action, size: Size) -> None:
    """Refuse an action beyond the screenshot, as the environments do.

    Raises:
        UsageError: one of its points is off the screenshot.
    """
    for point in points(action):
        if not inside(point, size):
            raise UsageError(
                f"({point.x:g}, {point.y:g}) is outside the screenshot of {size.width} x {size.height} pixels"
            )


def pixel(point: Point, size: Size) -> tuple[int, int]:
    """Column and row of the pixel under a point of the screenshot; the far edges count as the last ones."""
    x, y = clamp(point, size)
    return int(x), int(y)


def refused(action: Action) -> UsageError:
    """The error for an action that a place has no means to execute."""
    return UsageError(f"this environment cannot execute {action.kind}")
